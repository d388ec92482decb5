"""Runs, and the filters for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from automations.domain.statuses import (
    AttemptStatus,
    Decision,
    RunStatus,
    StepStatus,
    WaitKind,
    WaitStatus,
)
from automations.domain.workflows import HeldUp
from automations.kit.values import JSON

TriggerType = Literal[
    "manual", "form_submission", "event", "webhook", "schedule", "workflow", "error", "test",
    "operator_triggered", "asset_triggered", "asset_materialization",
]  # fmt: skip
"""What starts runs: triggers, another automation, a failure, a step's test; and, in Airflow, the
types that its own runs have."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which of an automation's runs are asked for.

    Args:
        since: started at or after.
        until: started before.
    """

    status: RunStatus | None = None
    since: datetime | None = None
    until: datetime | None = None
    trigger_type: TriggerType | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What lists show of a run; what it was given and has made may be large, and stays behind."""

    id: str
    workflow_id: str
    status: RunStatus
    started_at: datetime
    completed_at: datetime | None
    error: str | None
    replay_of_run_id: str | None


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in a list of those of all automations."""

    run: RunSummary
    workflow_name: str
    version: int
    trigger_type: str


@dataclass(frozen=True, slots=True)
class StepState:
    """Where one node of a run stands.

    Args:
        retries: attempts after the first.
    """

    node_id: str
    status: StepStatus
    input: Mapping[str, JSON] | None
    output: Mapping[str, JSON] | None
    retries: int


@dataclass(frozen=True, slots=True)
class StepLog:
    """One line of a run's log: an attempt that ended.

    Args:
        iteration: in a loop, the index of the item, after those of the loops around it.
    """

    step_id: str
    step_type: str
    step_name: str
    status: AttemptStatus
    duration_ms: int
    timestamp: datetime
    output: str
    iteration: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Pause:
    """What a run waits for, and until when."""

    kind: WaitKind
    node_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its whole state.

    Args:
        queued: whether it waits for its turn, or for somebody in Airflow, and has not begun.
        held_up: why it stands still in Airflow, when it does.
        model_cost: US dollars that its steps have spent on language models.
        pending: the nodes that may still run.
    """

    run: RunSummary
    version: int
    trigger_type: str
    queued: bool
    started_by: str | None
    variables: Mapping[str, JSON]
    model_tokens: int
    model_cost: Decimal
    workflow_name: str
    steps: Sequence[StepState]
    logs: Sequence[StepLog]
    pending: Sequence[str]
    children: Sequence[RunSummary]
    pause: Pause | None
    held_up: HeldUp | None = None


@dataclass(frozen=True, slots=True)
class StartedRun(RunSummary):
    """A run that somebody has started, and why it does not begin at once, if that is so."""

    held_up: HeldUp | None = None


@dataclass(frozen=True, slots=True)
class StepTime:
    """When one node of a run was at work, and how often it was begun."""

    node_id: str
    attempt: int
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class PastPause:
    """What a run has waited for, or waits for: it is open until it was ended."""

    kind: WaitKind
    node_id: str
    status: WaitStatus
    decision: Decision | None
    decided_by: str | None
    created_at: datetime
    due_at: datetime
    decided_at: datetime | None
    reason: str | None
    override: bool


@dataclass(frozen=True, slots=True)
class Vote:
    """What one of those who were asked has decided."""

    node_id: str
    decision: Decision
    by: str
    at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class RunStory:
    """A run with what led to it and when each part of it happened.

    Args:
        parent: the run that has started it, if one did.
        event_id: the event that has.
        definition: of the version that it has.
    """

    detail: RunDetail
    given: Mapping[str, JSON]
    trigger_data: Mapping[str, JSON]
    parent: RunSummary | None
    event_id: str | None
    times: Sequence[StepTime]
    pauses: Sequence[PastPause]
    votes: Sequence[Vote]
    definition: Mapping[str, JSON]
