"""What the API answers, as docs/openapi.json and the specification have it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

WorkflowStatus: TypeAlias = Literal["DRAFT", "ACTIVE", "PAUSED", "ARCHIVED"]
RunStatus: TypeAlias = Literal[
    "RUNNING", "COMPLETED", "FAILED", "PAUSED", "CANCELLED", "WAITING_FOR_CHILD"
]
EventStatus: TypeAlias = Literal["PENDING", "MATCHED", "SKIPPED"]
SubmissionStatus: TypeAlias = Literal["PENDING", "APPROVED", "REJECTED"]
Role: TypeAlias = Literal["OWNER", "ADMIN", "MEMBER", "VIEWER"]
TableCategory: TypeAlias = Literal["SYSTEM", "FORM", "PIPELINE", "USER", "MATTER", "INTEGRATION"]
Json: TypeAlias = dict[str, Any]


class RunCount(TypedDict):
    runs: int


class HeldUp(TypedDict):
    """Why runs stand still in Airflow, where somebody has paused or deleted their DAG."""

    kind: str
    by: str | None
    since: str
    reason: str


class Workflow(TypedDict):
    """An automation; ``key`` is its name in files, ``webhookUrl`` is for administrators."""

    id: str
    key: str | None
    name: str
    description: str
    status: WorkflowStatus
    version: int
    formId: str | None
    trigger: Json
    variables: Json
    timezone: str | None
    execution: Literal["airflow", "express"]
    budget: Json | None
    concurrency: Json | None
    rateLimit: Json | None
    debounce: Json | None
    errorWorkflowId: str | None
    steps: list[Json]
    _count: RunCount
    createdAt: str
    updatedAt: str
    webhookUrl: NotRequired[str]
    heldUp: NotRequired[HeldUp]


class WaitingRun(TypedDict):
    runId: str
    stepId: str


class InFlight(TypedDict):
    """What a change means for runs that have not ended."""

    runsOnOlderVersions: int
    waitingAtRemovedSteps: list[WaitingRun]


class UpdatedWorkflow(Workflow):
    inFlight: NotRequired[InFlight]


class WorkflowCounts(TypedDict):
    total: int
    active: int
    draft: int
    paused: int
    archived: int


class RunCounts(TypedDict):
    total: int
    running: int
    completed: int
    failed: int
    cancelled: int
    paused: int
    waitingForChild: int


class Stats(TypedDict):
    workflows: WorkflowCounts
    runs: RunCounts


class AppliedDefinition(TypedDict):
    """What became of one automation of a file, or would become of it."""

    action: Literal["create", "update", "unchanged"]
    id: str | None
    key: str | None
    name: str
    version: int | None
    diff: str


class AppliedFile(TypedDict):
    dryRun: bool
    changed: bool
    automations: list[AppliedDefinition]


class RunState(TypedDict):
    runId: str
    status: RunStatus


class StartedRun(RunState):
    """A run that was started; ``queued`` and ``heldUp`` when it does not begin at once."""

    startedAt: str
    queued: NotRequired[bool]
    heldUp: NotRequired[HeldUp]


class ReplayedRun(StartedRun):
    replayOf: str


class Replay(TypedDict):
    runId: str
    replayOf: str


class ReplayedRuns(TypedDict):
    replayed: int
    runs: list[Replay]


class Run(TypedDict):
    """A run in a list."""

    id: str
    status: RunStatus
    startedAt: str
    completedAt: str | None
    error: str | None


class StartedElsewhere(Run):
    """A run of another automation: a child, or one that an event has started."""

    workflowId: str


class StepLog(TypedDict):
    """One attempt at a step; ``iteration`` is that of a step in a loop."""

    stepId: str
    stepType: str
    stepName: str
    status: str
    durationMs: int
    timestamp: str
    output: Any
    iteration: NotRequired[int]


class State(TypedDict):
    variables: Json
    stepOutputs: Json
    stepInputs: Json
    completedNodeIds: list[str]
    pendingNodeIds: list[str]
    retryCount: dict[str, int]


class Pause(TypedDict):
    kind: str
    stepId: str
    dueAt: str | None


class ModelUsage(TypedDict):
    tokens: int
    cost: float


class Named(TypedDict):
    id: str
    name: str


class RunDetail(Run):
    """A run with its whole state."""

    version: int
    triggerType: str
    queued: bool
    startedBy: str | None
    replayOf: str | None
    logs: list[StepLog]
    state: State
    pause: Pause | None
    modelUsage: ModelUsage
    workflow: Named
    childRuns: list[StartedElsewhere]
    heldUp: NotRequired[HeldUp]


class ExportedRun(RunDetail):
    sha256: str


class Export(TypedDict):
    workflow: Named
    exportedAt: str
    runCount: int
    nextCursor: NotRequired[str]
    runs: list[ExportedRun]


class TakenEvent(TypedDict):
    id: str
    duplicate: bool


class Event(TypedDict):
    """An event; ``reason`` says why it started nothing."""

    id: str
    type: str
    status: EventStatus
    reason: str | None
    source: str | None
    externalId: str | None
    causeRunId: str | None
    createdAt: str
    matchedAt: str | None


class EventDetail(Event):
    data: Json
    runs: list[StartedElsewhere]


class Form(TypedDict):
    id: str
    title: str
    description: str
    schema: Json
    version: int
    public: bool
    createdAt: str
    updatedAt: str


class Submission(TypedDict):
    id: str
    formId: str
    formVersion: int
    status: SubmissionStatus
    data: Json
    decidedBy: str | None
    decidedAt: str | None
    createdAt: str


class Snapshot(TypedDict):
    """What a submission held before a change."""

    id: str
    submissionId: str
    number: int
    formVersion: int
    data: Json
    changedBy: str
    createdAt: str


class Table(TypedDict):
    """A table; its rows are the submissions of a form, if ``formId`` names one."""

    id: str
    name: str
    description: str
    category: TableCategory
    formId: str | None
    columns: list[Json]
    createdAt: str
    updatedAt: str


class TableStats(TypedDict):
    tableId: str
    rowCount: int
    columnCount: int
    lastRowAddedAt: str | None
    lastRowChangedAt: str | None


class TableGroup(TypedDict):
    """The tables of one category, by name."""

    category: TableCategory
    tables: list[Table]


class GroupAggregate(TypedDict):
    """An aggregate of the rows that have one value; ``group`` is None for those without."""

    group: str | int | float | bool | None
    value: str | int | float | None
    rowCount: int


class Aggregate(TypedDict):
    """An aggregate of rows, and of those groups that have the most of them."""

    tableId: str
    function: Literal["count", "sum", "avg", "min", "max"]
    column: str | None
    groupBy: str | None
    value: str | int | float | None
    rowCount: int
    groups: list[GroupAggregate]
    truncated: bool


class Row(TypedDict):
    id: str
    tableId: str
    data: Json
    createdAt: str
    updatedAt: str


class ImportedRows(TypedDict):
    """``rowIds`` are those of the first rows."""

    count: int
    rowIds: list[str]


class Connection(TypedDict):
    """A connection of a pipeline; a secret is only named in it."""

    id: str
    name: str
    connectorType: str
    config: Json
    tables: list[Json]
    interval: str | None
    enabled: bool
    createdAt: str
    updatedAt: str


class Field(TypedDict):
    path: str
    example: Any


class Sync(TypedDict):
    """A sync, with what it has done so far."""

    id: str
    connectionId: str
    status: str
    startedBy: str
    pages: int
    records: int
    created: int
    updated: int
    unchanged: int
    failed: int
    tables: list[Json]
    errors: list[Json]
    error: str | None
    startedAt: str
    completedAt: str | None


class WebhookUrl(TypedDict):
    webhookUrl: str


class Verdict(TypedDict):
    """Whether an outside service answers as it should."""

    success: bool
    message: str


class Member(TypedDict):
    id: str
    name: str
    email: str
    role: Role
    createdAt: str


class ApiKey(TypedDict):
    id: str
    prefix: str
    name: str
    role: Role
    scopes: list[str] | None
    memberId: str | None
    createdAt: str
    lastUsedAt: str | None
    expiresAt: str | None
    previousTokenExpiresAt: str | None


class NewApiKey(ApiKey):
    """An API key with its token, which is shown once."""

    token: str


class Secret(TypedDict):
    """A secret, without its value."""

    name: str
    fingerprint: str
    createdAt: str
    updatedAt: str


class Integration(TypedDict):
    """An integration, without its credentials."""

    id: str
    name: str
    type: str
    config: Json
    credentialsFingerprint: str | None
    enabled: bool
    isSiteEmailProvider: bool
    createdAt: str
    updatedAt: str
