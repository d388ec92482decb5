"""Automations, as the API answers with them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

from automations_client.shapes.json_values import Json

WorkflowStatus: TypeAlias = Literal["DRAFT", "ACTIVE", "PAUSED", "ARCHIVED"]


class RunCount(TypedDict):
    """How many runs an automation has had."""

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
    """A run that waits at a step."""

    runId: str
    stepId: str


class InFlight(TypedDict):
    """What a change means for runs that have not ended."""

    runsOnOlderVersions: int
    waitingAtRemovedSteps: list[WaitingRun]


class UpdatedWorkflow(Workflow):
    """An automation after a change, with what the change means for runs in flight."""

    inFlight: NotRequired[InFlight]


class WorkflowCounts(TypedDict):
    """How many automations there are, in all and by status."""

    total: int
    active: int
    draft: int
    paused: int
    archived: int


class RunCounts(TypedDict):
    """How many runs there are, in all and by status."""

    total: int
    running: int
    completed: int
    failed: int
    cancelled: int
    paused: int
    waitingForChild: int


class Stats(TypedDict):
    """The workspace's automations and runs in numbers."""

    workflows: WorkflowCounts
    runs: RunCounts


class AppliedDefinition(TypedDict):
    """What applying a file did, or would do, to one of its automations."""

    action: Literal["create", "update", "unchanged"]
    id: str | None
    key: str | None
    name: str
    version: int | None
    diff: str


class AppliedFile(TypedDict):
    """What applying a file did, or would do."""

    dryRun: bool
    changed: bool
    automations: list[AppliedDefinition]
