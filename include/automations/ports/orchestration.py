"""The port for Airflow, as dispatcher and reconciler use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from automations.errors import OrchestratorError
from automations.ports.dags import ProviderOperator


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
class DagStatus:
    """Whether a DAG can be run.

    Args:
        gone: its file is there no more.
        broken: its file cannot be read as it is now.
    """

    paused: bool = False
    gone: bool = False
    broken: bool = False


class DagRunStatus(StrEnum):
    """How a DagRun stands, in the orchestrator's words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @classmethod
    def _missing_(cls, value: object) -> DagRunStatus:
        # What another orchestrator may say beside these is of no run that has ended.
        return cls.RUNNING

    @property
    def is_end(self) -> bool:
        """Whether it goes on no more."""
        return self in (DagRunStatus.SUCCESS, DagRunStatus.FAILED)


@dataclass(frozen=True, slots=True)
class DagRunState:
    """A DagRun as the orchestrator reports it; a scheduled one was due at ``due_at``."""

    dag_id: str
    run_id: str
    state: DagRunStatus
    bundle_version: str | None
    conf: Mapping[str, Any]
    started_by: str | None
    run_type: str
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DagRunFailure:
    """Why a DagRun has failed, as far as the orchestrator knows.

    Args:
        marked_by: who has said that it has; None when its tasks did.
        note: what they have written beside it.
        tasks: the names of those that have failed.
        error: what was last noted of one that could not be carried out.
    """

    marked_by: str | None = None
    tasks: tuple[str, ...] = ()
    error: str | None = None
    note: str | None = None


class ActionKind(StrEnum):
    """The actions that are put on record."""

    MARK = "mark"
    CLEAR = "clear"
    DELETE = "delete"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class UserAction:
    """What somebody has asked of Airflow, which notes it a moment before it is done.

    Args:
        id: of the entry in Airflow's log.
        by: a user of Airflow.
        run_id: the DagRun's; None for what concerns the whole DAG.
        tasks: the ids of those that are named; none for a whole run.
        state: what they, or the run, were marked as.
        note: what was written beside it.
        more: what else there is to know.
    """

    id: int
    at: datetime
    by: str
    kind: ActionKind
    dag_id: str
    run_id: str | None = None
    tasks: tuple[str, ...] = ()
    state: str | None = None
    note: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoneTask:
    """A task whose step was begun before the orchestrator had the run.

    Args:
        state: ``done``, ``left_out``, or ``begun``, which is still the orchestrator's to do.
        summary: small values for display, of one that was done.
        targets: those that it goes on with, where its outcome decides that.
        config: with what it was done, as it may be shown.
        lines: for its log: of each when, as ISO 8601, how grave, by whom, and what.
    """

    task_id: str
    step_type: str
    state: Literal["done", "left_out", "begun"]
    started_at: datetime
    ended_at: datetime
    summary: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class DoneBefore:
    """What was done of a run before the orchestrator had it.

    Args:
        version: of the definition, by which it was done.
        exact: whether the run cannot go on by another one.
        ended: how the run has ended, ``success`` or ``failed``; None when it is to go on.
    """

    version: int
    tasks: Sequence[DoneTask]
    began_at: datetime
    ended_at: datetime | None = None
    ended: Literal["success", "failed"] | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """The event of an asset that has started a run.

    Args:
        extra: what was told with it.
        at: when it was recorded here, a moment after Airflow had it.
    """

    name: str
    uri: str
    extra: Mapping[str, Any]
    dag_id: str | None
    task_id: str | None
    run_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class NewDagRun:
    """A DagRun that is to be made.

    Args:
        note: what started it, for people.
        by: who has started it.
        before: what was done of it before; where that cannot be shown, its tasks find it recorded.
        source: the event of an asset that has started it.
    """

    dag_id: str
    run_id: str
    conf: Mapping[str, Any]
    note: str | None = None
    by: str | None = None
    before: DoneBefore | None = None
    source: SourceEvent | None = None


class Orchestrator(Protocol):
    """Airflow, as dispatcher and reconciler use it.

    Every method raises OrchestratorUnavailable when it cannot be reached or is failing.
    """

    def visible(self, dag_id: str) -> Visible | None:
        """What it knows of a DAG; None when it is unknown."""
        ...

    def start(self, runs: Sequence[NewDagRun]) -> list[OrchestratorError | None]:
        """Make DagRuns; those that exist are left as they are.

        Returns:
            of each, in their order, why it could not be made: NotVisibleYet, when its DAG is
            unknown, VersionGone, when it needs a version that is not known any more, or another
            reason, which no other one shares. None when it is there.
        """
        ...

    def dag_status(self, dag_id: str) -> DagStatus | None:
        """Whether a DAG can be run; None when there is none."""
        ...

    def trigger(self, run: NewDagRun) -> None:
        """Make a DagRun of a DAG that is no automation's; one that exists is left as it is.

        Raises:
            NotVisibleYet: there is no such DAG.
            OrchestratorError: it refuses, and says why.
        """
        ...

    def return_values(self, dag_id: str, run_id: str, limit: int) -> Mapping[str, Any]:
        """What the tasks of a DagRun have returned, by their ids; of mapped ones a list.

        Args:
            limit: bytes, as JSON.

        Raises:
            OrchestratorError: they are more, or Airflow does not show them.
        """
        ...

    def operators(self) -> Sequence[ProviderOperator]:
        """The operators that the installation allows steps to run, in some workspace.

        Raises:
            OrchestratorError: it cannot list them.
        """
        ...

    def assets(self, scheme: str) -> Mapping[str, int]:
        """The assets that DAGs name by addresses of a scheme: their ids there, by address."""
        ...

    def change_asset(self, asset_id: int, extra: Mapping[str, Any]) -> None:
        """Say that an asset has changed; one that is not there any more is nobody's."""
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

    def retry(self, dag_id: str, run_id: str, *, latest: bool = False) -> None:
        """Clear the failed tasks of a DagRun that has failed, so that it goes on with them.

        Args:
            latest: by the newest version of the DAG, not by the one that it has had.

        Raises:
            NotVisibleYet: it has not ended yet.
        """
        ...

    def forget(self, dag_id: str, run_id: str) -> bool:
        """Delete a DagRun; False when it is still going, and is left as it is."""
        ...

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        """A page of the DagRuns of automations that changed since an instant, oldest first."""
        ...

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        """One DagRun, or None when Airflow does not know it."""
        ...

    def knows(self, dag_id: str) -> bool:
        """Whether it has the DAG, in whichever state."""
        ...

    def paused_dags(self) -> Set[str]:
        """The DAGs of automations that somebody has paused, so that nothing of them goes on."""
        ...

    def paused_by(self, dag_id: str) -> tuple[str, datetime] | None:
        """Who was the last to pause a DAG, and when, as far as that is known."""
        ...

    def deleted_by(self, dag_id: str, run_id: str) -> str | None:
        """Who has deleted a DagRun of a DAG that it has; None when that is not known."""
        ...

    def user_actions(
        self, since: datetime, until: datetime, offset: int, limit: int
    ) -> tuple[list[UserAction], int]:
        """A page of what people have done to automations between two instants, oldest first.

        With it comes how many entries were read for it: fewer than the limit on the last page.
        """
        ...

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """How a task stands; None when there is none, or it has not begun."""
        ...

    def failure(self, dag_id: str, run_id: str) -> DagRunFailure:
        """Why a DagRun has failed."""
        ...

    def marked_by(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """Who was the last to mark a task as done or skipped, as far as that is known."""
        ...
