"""The engine's verdicts: what its host (an Airflow task) must do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from automations.steps.outcomes import Question


def _as_if_done(node_id: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class TaskRef:
    """One task of one DagRun, as its process sees it.

    Args:
        run_id: our run's id.
        dag_run_id: the DagRun's, where that is another.
        version: the definition's version that the DAG was built from.
        generation: the DagRun's clear_number; a higher one redoes what is cleared.
        run_type: the DagRun's type (``manual``, ``scheduled``, …).
        conf: the DagRun's conf: the input of a run that Airflow itself created.
        due_at: when a scheduled run was due.
        deaths: how many processes of this task were killed since it was last begun.
        is_skipped: asks the orchestrator whether another task of the DagRun is skipped there.
    """

    run_id: str
    workflow_id: str
    version: int
    node_id: str
    generation: int = 0
    run_type: str = "manual"
    conf: Mapping[str, Any] = field(default_factory=dict)
    started_by: str | None = None
    due_at: datetime | None = None
    deaths: int = 0
    dag_run_id: str | None = None
    is_skipped: Callable[[str], bool] = field(default=_as_if_done, compare=False)


@dataclass(frozen=True, slots=True)
class Proceed:
    """Success.

    Args:
        summary: small values for the orchestrator's own display, never the full output.
        targets: ids of the direct successors to go on with; the others are skipped.
            None when the node does not branch.
        repeated: whether the node was already done, perhaps by another process.
    """

    summary: Mapping[str, Any]
    targets: tuple[str, ...] | None = None
    repeated: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class AskPeople:
    """Park until somebody answers, in the orchestrator's own UI or through the bridge.

    Args:
        wait_id: id of the wait, which the host passes back on resume.
        options: the answers on offer; the first is the affirmative one.
    """

    wait_id: str
    question: Question
    options: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Sleep:
    """Park until a time, or until the wait's id is notified on ``automations_wait``."""

    wait_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; run the same node again after a delay."""

    error: str
    delay: timedelta


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The node failed for good, and so does the run."""

    error: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing to do: the run has ended, or its path does not lead to this node."""

    reason: str


Verdict = Proceed | AskPeople | Sleep | Retry | GiveUp | Skip
