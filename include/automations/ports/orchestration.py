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
        marked_by: who marked it as failed; None if its tasks failed.
        note: what they wrote with it.
        tasks: the names of tasks that have failed.
        error: the last error of a task that could not be carried out.
        backfill_cancelled_by: who cancelled the backfill that it is a run of, before it began.
    """

    marked_by: str | None = None
    tasks: tuple[str, ...] = ()
    error: str | None = None
    note: str | None = None
    backfill_cancelled_by: str | None = None


class Reach(StrEnum):
    """What an action on a task of a run extends to."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    PAST = "past"
    FUTURE = "future"


class ActionKind(StrEnum):
    """The actions that are recorded."""

    MARK = "mark"
    CLEAR = "clear"
    DELETE = "delete"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    BACKFILL = "backfill"
    PAUSE_BACKFILL = "pause_backfill"
    UNPAUSE_BACKFILL = "unpause_backfill"
    CANCEL_BACKFILL = "cancel_backfill"


@dataclass(frozen=True, slots=True)
class UserAction:
    """Something that somebody did in Airflow, which logs it shortly before it is done.

    Args:
        id: of the entry in Airflow's log.
        by: a user of Airflow.
        run_id: the DagRun's; None for an action on the whole DAG.
        tasks: ids of tasks; empty for a whole run.
        state: the state that they, or the run, were marked as.
        note: what was written with it.
        reach: what it extends to: other tasks of the run, the same ones of other runs.
        named_run: the DagRun that was named, if this is one that the action extends to.
        more: further details.
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
    reach: frozenset[Reach] = frozenset()
    named_run: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoneTask:
    """A task whose step was begun before the orchestrator had the run.

    Args:
        state: ``done``, ``left_out``, or ``begun``, which the orchestrator is still to run.
        summary: small values for display, if it was done.
        targets: the tasks that it goes on with, if its outcome decides that.
        config: its config in recordable form.
        lines: for its log: each with the time in ISO 8601, level, logger and text.
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
        version: the version of the definition that it was done with.
        exact: whether the run cannot go on with another version.
        ended: how the run has ended, ``success`` or ``failed``; None if it is to go on.
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
        extra: the event's own data.
        at: when it was recorded here, shortly after Airflow had it.
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
    """A DagRun to create.

    Args:
        note: what started it, for people.
        by: who or what started it.
        before: what was done of it before; if that cannot be shown, its tasks find it recorded.
        source: the asset event that started it.
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

    Every method raises OrchestratorUnavailable if Airflow cannot be reached or is failing.
    """

    def visible(self, dag_id: str) -> Visible | None:
        """What it knows of a DAG; None when it is unknown."""
        ...

    def start(self, runs: Sequence[NewDagRun]) -> list[OrchestratorError | None]:
        """Create DagRuns; those that exist are left as they are.

        Returns:
            for each, in order, why it could not be created: NotVisibleYet if its DAG is unknown,
            VersionGone if it needs a version that is not known any more, or another reason that
            concerns only this one. None if it is there.
        """
        ...

    def dag_status(self, dag_id: str) -> DagStatus | None:
        """Whether a DAG can be run; None when there is none."""
        ...

    def trigger(self, run: NewDagRun) -> None:
        """Create a DagRun of another DAG than an automation's; an existing one is left as it is.

        Raises:
            NotVisibleYet: there is no such DAG.
            OrchestratorError: Airflow refuses; says why.
        """
        ...

    def return_values(self, dag_id: str, run_id: str, limit: int) -> Mapping[str, Any]:
        """The return values of a DagRun's tasks, by their ids; a list for mapped tasks.

        Args:
            limit: bytes, as JSON.

        Raises:
            OrchestratorError: they are larger, or Airflow does not show them.
        """
        ...

    def operators(self) -> Sequence[ProviderOperator]:
        """The operators that the installation allows steps to run, in some workspace.

        Raises:
            OrchestratorError: it cannot list them.
        """
        ...

    def assets(self, scheme: str) -> Mapping[str, int]:
        """The assets that DAGs name by URIs of a scheme: their ids in Airflow, by URI."""
        ...

    def change_asset(self, asset_id: int, extra: Mapping[str, Any]) -> None:
        """Report that an asset has changed; ignored if the asset is not there any more."""
        ...

    def answer(
        self, dag_id: str, run_id: str, task_id: str, option: str, params: Mapping[str, Any]
    ) -> bool:
        """Answer a parked task; False if it was answered in Airflow before.

        Raises:
            NotVisibleYet: the task does not wait (yet).
        """
        ...

    def fail(self, dag_id: str, run_id: str) -> None:
        """End a DagRun as failed; one that has ended is left as it is."""
        ...

    def retry(self, dag_id: str, run_id: str, *, latest: bool = False) -> None:
        """Clear the failed tasks of a failed DagRun, so that it goes on with them.

        Args:
            latest: with the newest version of the DAG, not with the one that it had.

        Raises:
            NotVisibleYet: it has not ended yet.
        """
        ...

    def forget(self, dag_id: str, run_id: str) -> bool:
        """Delete a DagRun; False if it has not ended, and is left as it is."""
        ...

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        """A page of the DagRuns of automations that changed since an instant, oldest first."""
        ...

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        """One DagRun, or None when Airflow does not know it."""
        ...

    def knows(self, dag_id: str) -> bool:
        """Whether Airflow has the DAG, in any state."""
        ...

    def paused_dags(self) -> Set[str]:
        """The DAGs of automations that somebody has paused, so that their runs stand still."""
        ...

    def paused_by(self, dag_id: str) -> tuple[str, datetime] | None:
        """Who paused a DAG last, and when, if that is known."""
        ...

    def deleted_by(self, dag_id: str, run_id: str) -> str | None:
        """Who deleted a DagRun of an existing DAG, if that is known."""
        ...

    def user_actions(
        self, since: datetime, until: datetime, offset: int, limit: int
    ) -> tuple[list[UserAction], int]:
        """A page of people's actions on automations between two instants, oldest first.

        Also returns how many entries were read for it: fewer than the limit on the last page.
        """
        ...

    def runs_beside(self, dag_id: str, run_id: str, *, past: bool, future: bool) -> Sequence[str]:
        """The DagRuns of logical dates before or after that of one, as is asked for; not itself."""
        ...

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """The state of a task; None if there is no such task, or it has not begun."""
        ...

    def failure(self, dag_id: str, run_id: str) -> DagRunFailure:
        """Why a DagRun has failed."""
        ...

    def marked_by(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """Who marked a task as done or skipped last, if that is known."""
        ...
