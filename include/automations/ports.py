"""The roles that steps and services need played; adapters play them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file sent with a mail."""

    filename: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to send.

    Args:
        workspace_id: whose mail provider sends it.
        key: idempotency key; the Message-ID is made from it, so a repeat can be recognised.
    """

    to: tuple[str, ...]
    subject: str
    body: str
    key: str
    workspace_id: str
    html: str | None = None
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class MailReceipt:
    """What the mail server said, per recipient."""

    message_id: str
    provider: str
    accepted: tuple[str, ...]
    rejected: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)


class Mailer(Protocol):
    """Sends mail; raises StepError when the server refuses all or cannot be reached."""

    def send(self, mail: Mail) -> MailReceipt: ...


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to an outside service."""

    method: str
    url: str
    timeout: timedelta
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    follow_redirects: bool = True
    max_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back; ``content`` is decoded (unzipped) and within ``max_bytes``."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


class HttpClient(Protocol):
    """Speaks HTTP to public addresses only, unless allowed; raises StepError."""

    def request(self, request: HttpRequest) -> HttpResponse: ...


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A document as it came out, and the engine that made it."""

    content: bytes
    engine: str


class DocumentRenderer(Protocol):
    """Reads and fills document templates; raises StepError, TemplateError for their mistakes."""

    def placeholders(self, template_format: str, content: bytes) -> tuple[str, ...]:
        """The dotted names that a template takes; refuses one that is not sound."""
        ...

    def render(
        self, template_format: str, content: bytes, data: Mapping[str, Any], output: str
    ) -> RenderedDocument: ...


@dataclass(frozen=True, slots=True)
class DocumentOrder:
    """A document to make.

    Args:
        key: idempotency key; a repeat gets the document that was made.
        filename: the template's name when None.
    """

    workspace_id: str
    run_id: str
    key: str
    template_id: str
    format: str
    filename: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that was made and kept."""

    id: str
    name: str
    format: str
    size: int
    sha256: str
    engine: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of sending a document to one address; status SENT or REJECTED."""

    document_id: str
    address: str
    status: str
    message_id: str | None
    reason: str | None = None


class Documents(Protocol):
    """Makes and keeps documents; raises StepError when one cannot be made or is not there."""

    def generate(self, order: DocumentOrder) -> StoredDocument: ...

    def file(self, workspace_id: str, document_id: str) -> Attachment:
        """A document as a file to send."""
        ...

    def delivery(self, key: str) -> Delivery | None:
        """What was recorded under this key."""
        ...

    def record(self, key: str, workspace_id: str, run_id: str, delivery: Delivery) -> Delivery:
        """Record a delivery; one that was sent is never changed."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world as the steps see it."""

    mailer: Mailer
    http: HttpClient
    documents: Documents


@dataclass(frozen=True, slots=True)
class Visible:
    """A DAG as the orchestrator knows it.

    Args:
        version: the definition's version that the structure was made from.
        revision: the revision that new runs are pinned to.
    """

    version: int
    revision: int


@dataclass(frozen=True, slots=True)
class DagRunState:
    """A DagRun as the orchestrator reports it."""

    dag_id: str
    run_id: str
    state: str
    bundle_version: str | None
    conf: Mapping[str, Any]
    started_by: str | None
    run_type: str


class Orchestrator(Protocol):
    """Airflow, as dispatcher and reconciler use it.

    Every method raises OrchestratorUnavailable when it cannot be reached or is failing.
    """

    def visible(self, dag_id: str) -> Visible | None:
        """What it knows of a DAG; None when it is unknown."""
        ...

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> int | None:
        """Create the DagRun and return its bundle revision; one that exists is left as it is.

        Raises:
            NotVisibleYet: Airflow does not know the DAG.
        """
        ...

    def answer(
        self, dag_id: str, run_id: str, task_id: str, option: str, params: Mapping[str, Any]
    ) -> bool:
        """Answer a parked task; False when it was answered before, in Airflow.

        Raises:
            NotVisibleYet: the task does not wait (yet).
        """
        ...

    def fail(self, dag_id: str, run_id: str) -> None:
        """End a DagRun that is still going; one that has ended is left as it is."""
        ...

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        """A page of the DagRuns of automations that changed since an instant, oldest first."""
        ...

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        """One DagRun, or None when Airflow does not know it."""
        ...
