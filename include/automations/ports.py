"""The roles that steps and services need played; adapters play them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from automations.row_filters import RowFilter


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


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server, and how we speak to it.

    Args:
        security: ``starttls``, ``tls`` or ``none``.
        sender: the From header.
        provider: its name in receipts.
        guarded: whether it must be a public address, since a workspace chose it.
    """

    host: str
    port: int
    security: str
    sender: str
    provider: str
    username: str | None = None
    password: str | None = None
    guarded: bool = True


class MailTransport(Protocol):
    """Speaks to one mail server; raises StepError as ``Mailer`` does."""

    def send(self, server: MailServer, mail: Mail) -> MailReceipt: ...

    def check(self, server: MailServer) -> None:
        """Connect and sign in, and send nothing."""
        ...


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
class FormRequest:
    """A form to be filled in by some people, each by a link of their own.

    Args:
        wait_for: ``all`` or ``any`` of them end the step's pause; None when it does not wait.
        key: idempotency key; a repeat sends nothing anew.
    """

    workspace_id: str
    run_id: str
    form_id: str
    recipients: tuple[str, ...]
    subject: str
    message: str
    prefill: Mapping[str, Any]
    wait_for: str | None
    expires_in: timedelta
    remind_every: timedelta | None
    key: str


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """Where one recipient of a form stands."""

    recipient: str
    submission_id: str | None
    submitted_at: datetime | None
    data: Mapping[str, Any] | None


class Forms(Protocol):
    """Sends forms to people and knows what they answered."""

    def send(self, request: FormRequest) -> None:
        """Send the form; raises StepError when there is no such form."""
        ...

    def answers(self, key: str) -> list[FormAnswer]:
        """Everybody who was sent a form under this key, by address."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell people in the product.

    Args:
        user_ids: ids of members; None tells the automation's owner.
        key: idempotency key; a repeat tells nobody again.
    """

    workspace_id: str
    workflow_id: str
    key: str
    user_ids: tuple[str, ...] | None
    title: str
    message: str
    link: str | None


@dataclass(frozen=True, slots=True)
class NoticeReceipt:
    """The notifications that were made, and whose they are, in the same order."""

    notification_ids: tuple[str, ...]
    user_ids: tuple[str, ...]


class Notifier(Protocol):
    """Tells people something in the product; raises StepError when it knows one of them not."""

    def notify(self, notice: Notice) -> NoticeReceipt: ...


@dataclass(frozen=True, slots=True)
class NewMatter:
    """A matter to make from a board."""

    template_id: str
    title: str
    tags: tuple[str, ...] = ()
    priority: str = "MEDIUM"
    assignee_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MatterReceipt:
    """The matter that was made, with its steps in their order; the first one is the current."""

    matter_id: str
    number: str
    step_ids: tuple[str, ...]


class MatterRegister(Protocol):
    """Makes matters; raises StepError when the board or the assignee is not there."""

    def create(
        self, matter: NewMatter, *, workspace_id: str, run_id: str, key: str
    ) -> MatterReceipt:
        """Make the matter once for each idempotency key."""
        ...


@dataclass(frozen=True, slots=True)
class RowReceipt:
    """A row that was written; ``row`` has its values by columns, null where it has none."""

    row_id: str
    row: Mapping[str, Any]
    created: bool


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row that was found."""

    row_id: str
    row: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


class Tables(Protocol):
    """Writes rows of tables, once for each key; raises StepError when what is given fits not."""

    def create(
        self, table_id: str, data: Mapping[str, Any], *, workspace_id: str, run_id: str, key: str
    ) -> RowReceipt: ...

    def update(
        self,
        table_id: str,
        row_id: str,
        data: Mapping[str, Any],
        *,
        workspace_id: str,
        run_id: str,
        key: str,
    ) -> RowReceipt:
        """Change some of a row's values; null takes one away."""
        ...

    def upsert(
        self,
        table_id: str,
        keys: Sequence[str],
        data: Mapping[str, Any],
        *,
        workspace_id: str,
        run_id: str,
        key: str,
    ) -> RowReceipt:
        """Change the row that has these values in the key columns, or add it."""
        ...

    def delete(self, table_id: str, row_id: str, *, workspace_id: str, key: str) -> bool:
        """Delete a row; False when it was not there."""
        ...

    def query(
        self,
        table_id: str,
        wanted: RowFilter | None,
        *,
        sort: str | None,
        limit: int,
        workspace_id: str,
    ) -> list[FoundRow]: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world as the steps see it."""

    mailer: Mailer
    http: HttpClient
    forms: Forms
    notifier: Notifier
    matters: MatterRegister
    tables: Tables


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

    def retry(self, dag_id: str, run_id: str) -> None:
        """Clear the failed tasks of a DagRun that has failed, so that it goes on with them.

        Raises:
            NotVisibleYet: it has not ended yet.
        """
        ...

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        """A page of the DagRuns of automations that changed since an instant, oldest first."""
        ...

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        """One DagRun, or None when Airflow does not know it."""
        ...
