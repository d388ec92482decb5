"""Runs, as the API answers with them."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

from automations_client.shapes.json_values import Json
from automations_client.shapes.workflows import HeldUp

RunStatus: TypeAlias = Literal[
    "RUNNING", "COMPLETED", "FAILED", "PAUSED", "CANCELLED", "WAITING_FOR_CHILD"
]


class RunState(TypedDict):
    """A run's status after an action."""

    runId: str
    status: RunStatus


class StartedRun(RunState):
    """A run that was started; ``queued`` and ``heldUp`` are there if it does not begin at once."""

    startedAt: str
    queued: NotRequired[bool]
    heldUp: NotRequired[HeldUp]


class ReplayedRun(StartedRun):
    """A new run with the input of an earlier one."""

    replayOf: str


class Replay(TypedDict):
    """A new run and the one that it repeats."""

    runId: str
    replayOf: str


class ReplayedRuns(TypedDict):
    """The new runs of a bulk replay."""

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
    """A run's state: variables, outputs and inputs of steps, and what is done and still to do."""

    variables: Json
    stepOutputs: Json
    stepInputs: Json
    completedNodeIds: list[str]
    pendingNodeIds: list[str]
    retryCount: dict[str, int]


class Pause(TypedDict):
    """What a run waits for: at which step, and until when."""

    kind: str
    stepId: str
    dueAt: str | None


class ModelUsage(TypedDict):
    """What a run's ``ai`` steps have used; ``cost`` is in US dollars."""

    tokens: int
    cost: float


class Named(TypedDict):
    """An automation by id and name."""

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
    """A run with its whole state, and the SHA-256 of its canonical JSON."""

    sha256: str


class Export(TypedDict):
    """A page of an automation's runs with their whole state."""

    workflow: Named
    exportedAt: str
    runCount: int
    nextCursor: NotRequired[str]
    runs: list[ExportedRun]
