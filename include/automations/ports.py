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
class ScriptLimits:
    """How much a script may take."""

    seconds: float
    memory_bytes: int
    output_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class ScriptFault:
    """An error that a script did not catch.

    Args:
        line: of the user's code, from 1; None when the error does not say.
    """

    name: str
    message: str
    line: int | None


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What a script came to.

    Args:
        value: what it returned, as JSON.
        variables: the workflow variables that it changed.
        fault: the error that ended it; there is no value then.
    """

    value: Any
    logs: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    fault: ScriptFault | None = None


class ScriptRunner(Protocol):
    """Runs users' scripts where they can reach nothing; raises StepError at a limit."""

    def run(
        self, code: str, given: Any, variables: Mapping[str, Any], limits: ScriptLimits
    ) -> ScriptResult: ...


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message to post, in Slack's terms.

    Args:
        channel: None for the account's own.
        webhook: the address to post to instead of a channel.
        key: idempotency key; the same for every attempt.
    """

    workspace_id: str
    key: str
    timeout: timedelta
    text: str | None
    blocks: tuple[Mapping[str, Any], ...] = ()
    channel: str | None = None
    thread: str | None = None
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class ChatReceipt:
    """Where a message was posted; a webhook does not say."""

    ts: str | None
    channel: str | None


class Chat(Protocol):
    """Posts messages to a team's chat; raises StepError."""

    def post(self, message: ChatMessage) -> ChatReceipt: ...


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """One question to a language model.

    Args:
        provider: None for the workspace's own choice; so is ``model``.
        schema: a JSON schema of the object to answer with; None for a text.
        max_cost: in US dollars; refused before it is asked if it could cost more.
    """

    workspace_id: str
    prompt: str
    timeout: timedelta
    system: str | None = None
    provider: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a language model answered, and what it took.

    Args:
        cost: in US dollars; None when the model's price is not known.
        cut: whether it ended at ``max_tokens``.
    """

    text: str | None
    data: Any
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost: float | None
    cut: bool = False


class LanguageModel(Protocol):
    """Asks language models; raises StepError."""

    def ask(self, question: ModelQuestion) -> ModelAnswer: ...

    def missing(self, workspace_id: str, provider: str | None, model: str | None) -> str | None:
        """What has to be configured before a question can be asked; None when nothing has."""
        ...


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """Evidence to capture.

    Args:
        key: idempotency key; a repeat captures nothing anew.
        since: the first instant whose rows are captured.
        until: the first instant whose rows no longer are.
        columns: fields of the rows to keep; all when empty.
    """

    workspace_id: str
    run_id: str | None
    key: str
    source: str
    title: str
    table_id: str | None = None
    filter: Mapping[str, Any] | None = None
    since: datetime | None = None
    until: datetime | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceReceipt:
    """The snapshot that was taken."""

    snapshot_id: str
    row_count: int
    sha256: str


class Evidence(Protocol):
    """Keeps what is so at this moment, in a chain of hashes; raises StepError."""

    def capture(self, request: EvidenceRequest) -> EvidenceReceipt: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world as the steps see it."""

    mailer: Mailer
    http: HttpClient
    forms: Forms
    notifier: Notifier
    matters: MatterRegister
    scripts: ScriptRunner
    chat: Chat
    language_model: LanguageModel
    evidence: Evidence


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
