"""Brings our runs in line with Airflow's: runs started, failed, cleared or ended in its UI."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from automations.db import locks, watermarks
from automations.db.events import debounces
from automations.db.queue import jobs
from automations.db.runs import run_counts, run_queries, runs, slots
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Run
from automations.db.workflows import held_up, versions
from automations.definitions import published
from automations.definitions.published import dag_id, workflow_id
from automations.dispatch.asset_events import AssetEvents
from automations.dispatch.holds import Holds
from automations.dispatch.interval_timer import IntervalTimer
from automations.dispatch.user_actions import UserActions
from automations.domain.statuses import UNFINISHED, RunStatus
from automations.errors import DatabaseUnavailable, OrchestratorError
from automations.execution import overrides
from automations.kit import common_clock
from automations.ports import DagRunFailure, DagRunState, DagRunStatus, Orchestrator
from automations.services.runs import notes
from automations.services.runs.from_airflow import AirflowRun, record_run

log = logging.getLogger(__name__)

_INTERVAL = 1.0
"""Seconds between two reads; so late is shown what somebody does in Airflow's UI."""
_QUIET_INTERVAL = 4.0
"""Seconds, while no run is unfinished; then only what people have done is asked for that often."""
_QUIET_FOLLOW_INTERVAL = timedelta(seconds=15)
"""So often the rest is, then: what begins in Airflow says so by its first task."""
_LEAD_INTERVAL = 5.0
"""Seconds after which one who does not lead asks whether the leader is gone."""
_SWEEP_INTERVAL = timedelta(seconds=30)
"""What is mended and swept is rare, and was missed by what comes each second."""
_SWEEP_SIZE = 50
"""Runs that are asked for one by one, so that Airflow hardly notices."""
_MAX_TEST_TIME = timedelta(hours=1)
"""Longer than a test may take: one that is older has lost its process."""
_PAGE_SIZE = 100
"""The most that Airflow's API gives at once."""
_TRIAL = "__airflow_temporary_run_"
"""With this begin the ids of the DagRuns that `airflow tasks test` makes, and deletes again."""
_MARK = "airflow_runs"
_INITIAL_LOOKBACK = timedelta(minutes=5)
"""How far back a reader looks that has never read, or whose clock was set back since; the sweep
finds what is older."""
# A transaction that was stamped earlier may commit later, and clocks differ.
_OVERLAP = timedelta(seconds=3)


class Reconciler:
    """Reads what changed in Airflow and applies it; one of all dispatchers does it at a time."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._holds = Holds(orchestrator)
        self._user_actions = UserActions(orchestrator)
        self._asset_events = AssetEvents(orchestrator)
        self._repairs, self._sweeps = IntervalTimer(_SWEEP_INTERVAL), IntervalTimer(_SWEEP_INTERVAL)
        self._looks = IntervalTimer(_QUIET_FOLLOW_INTERVAL)
        self._sweep_after = ""

    def run(self, stopping: threading.Event) -> None:
        """Follow Airflow until told to stop, or until the lead is lost."""
        with locks.try_exclusive("reconciler") as leads:
            while leads and not stopping.is_set():
                self.repair()
                active = self.is_active()
                try:
                    self.poll(active=active)
                except OrchestratorError as error:
                    log.debug("Airflow cannot be read now: %s", error)
                stopping.wait(_INTERVAL if active else _QUIET_INTERVAL)
        stopping.wait(_LEAD_INTERVAL)

    def poll(self, *, active: bool) -> None:
        """Ask Airflow what is new; while no run is active, mostly only for people's actions."""
        if self._looks.is_due() or active or self._user_actions.are_any():
            self.follow()
            self._holds.poll_when_due()
            self._user_actions.poll_when_due()
        self.sweep()
        self.compact_counts()
        self._asset_events.poll()

    @staticmethod
    def is_active() -> bool:
        """Whether a run is unfinished, or a DAG is gone."""
        with unit_of_work() as session:
            # We ourselves bring back a DAG that is gone, so no person's action reports that.
            return runs.is_any_unfinished(session) or held_up.is_any_gone(session)

    def repair(self) -> None:
        """Repair, from time to time, what dead processes have left; without asking Airflow."""
        if not self._repairs.is_due():
            return
        with unit_of_work() as session:
            jobs.undo_clock_jump(session)
            runs.end_lost_tests(session, _MAX_TEST_TIME)
            slots.recheck(session)
            debounces.recheck(session)

    def follow(self) -> None:
        """Apply what changed in Airflow since the last time."""
        began = common_clock.now()
        with unit_of_work() as session:
            mark = watermarks.get(session, _MARK)
        since = watermarks.parse(mark) or began - _INITIAL_LOOKBACK
        offset, page = 0, _PAGE_SIZE
        while page == _PAGE_SIZE:
            states = self._orchestrator.changed_runs(since - _OVERLAP, offset, _PAGE_SIZE)
            for state in _differing(states):
                self._apply_alone(state)
            page = len(states)
            offset += page
        with unit_of_work() as session:
            watermarks.put(session, _MARK, began.isoformat())

    def sweep(self) -> None:
        """Check unfinished runs one by one, some at a time: a safety net for ``follow``."""
        if not self._sweeps.is_due():
            return
        with unit_of_work() as session:
            page = runs.list_unfinished(
                session, after=self._sweep_after, older_than=_SWEEP_INTERVAL, limit=_SWEEP_SIZE
            )
        self._sweep_after = page[-1].id if len(page) == _SWEEP_SIZE else ""
        for run in page:
            dag = dag_id(run.workflow_id)
            state = self._orchestrator.run_state(dag, run.in_airflow)
            if state is not None:
                self._apply_alone(state)
            # Without its DAG, the run goes on once that is back; see services.runs.lost_dags.
            elif self._orchestrator.knows(dag):
                self._end_deleted(run, self._orchestrator.deleted_by(dag, run.in_airflow))

    @staticmethod
    def _end_deleted(seen: Run, by: str | None) -> None:
        with unit_of_work() as session:
            run = runs.lock_run(session, seen.id)
            # By now, another DagRun may be there or on its way.
            if run is None or run.dispatched_at != seen.dispatched_at:
                return
            status, error = RunStatus.FAILED, "The DagRun was deleted in Airflow"
            if run.in_airflow.startswith(_TRIAL):
                status, error = RunStatus.CANCELLED, "It was a test by Airflow's command line"
            runs.end_run(session, run.id, status, f"{error}{f' by {by}' if by else ''}.")

    @staticmethod
    def compact_counts() -> None:
        """Sum up the counts of runs, so that they stay few rows."""
        with unit_of_work() as session:
            run_counts.compact(session)

    def _apply_alone(self, state: DagRunState) -> None:
        """Apply Airflow's state of one run; an error in it must not hold up the others."""
        try:
            self.apply(state)
        except (OrchestratorError, DatabaseUnavailable):
            raise
        except Exception:
            log.exception("What Airflow says of %s of %s is left", state.run_id, state.dag_id)

    def apply(self, state: DagRunState) -> None:
        """Bring one of our runs in line with Airflow's state of it."""
        automation = workflow_id(state.dag_id)
        if automation is None:
            return
        with unit_of_work() as session:
            run_id = published.run_id(automation, state.run_id)
            run = runs.lock_run(session, run_id) or self._record_run(session, automation, state)
            if run is None or run.workflow_id != automation:
                return
            # After a clear, the first step that runs revives the run, since it knows of the clear.
            succeeded = state.state == DagRunStatus.SUCCESS
            waits_in = overrides.waiting(session, run) if succeeded else None
            if succeeded and waits_in is None:
                self._complete(session, run)
        if waits_in is not None:
            self._complete_marked(state, run.id, waits_in)
        # Most runs fail in a step of ours, which has recorded why. One that is being retried still
        # counts as failed in Airflow until that is told, and in states that were read before.
        if (
            state.state == DagRunStatus.FAILED
            and run.status in (RunStatus.COMPLETED, *UNFINISHED)
            and not run.reviving
            and self._has_failed(state)
        ):
            failure = self._orchestrator.failure(state.dag_id, state.run_id)
            with unit_of_work() as session:
                now = runs.lock_run(session, run.id)
                if now is not None and not now.reviving:
                    note = notes.strip_origin(failure.note, notes.origin(session, now))
                    self._fail(session, run.id, _describe(replace(failure, note=note)))

    def _complete_marked(self, state: DagRunState, run_id: str, waits_in: str) -> None:
        """Complete a run that was waiting in a step which somebody has marked."""
        stands = self._orchestrator.task_state(state.dag_id, state.run_id, waits_in)
        skipped = {waits_in} if stands == "skipped" else set()
        with unit_of_work() as session:
            run = runs.lock_run(session, run_id)
            if run is not None:
                overrides.settle(session, run, skipped.__contains__)
                self._complete(session, run)

    def _has_failed(self, state: DagRunState) -> bool:
        now = self._orchestrator.run_state(state.dag_id, state.run_id)
        return now is not None and now.state == DagRunStatus.FAILED

    @staticmethod
    def _record_run(session: Session, automation: str, state: DagRunState) -> Run | None:
        version = None
        if state.bundle_version is not None:
            version = versions.version_at(session, automation, int(state.bundle_version))
        airflow_run = AirflowRun(
            workflow_id=automation,
            run_id=state.run_id,
            run_type=state.run_type,
            conf=state.conf,
            started_by=state.started_by,
            version=version,
            due_at=state.due_at,
        )
        return record_run(session, airflow_run)

    @staticmethod
    def _fail(session: Session, run_id: str, error: str) -> None:
        if not runs.correct_end(session, run_id, RunStatus.COMPLETED, RunStatus.FAILED, error):
            runs.end_run(session, run_id, RunStatus.FAILED, error)

    @staticmethod
    def _complete(session: Session, run: Run) -> None:
        if not runs.correct_end(session, run.id, RunStatus.FAILED, RunStatus.COMPLETED):
            runs.end_run(session, run.id, RunStatus.COMPLETED)


_AGREES = {
    DagRunStatus.QUEUED: frozenset(RunStatus),
    DagRunStatus.RUNNING: frozenset(RunStatus),
    DagRunStatus.SUCCESS: frozenset({RunStatus.COMPLETED}),
    DagRunStatus.FAILED: frozenset({RunStatus.FAILED, RunStatus.CANCELLED}),
}
"""The statuses of our runs that agree with each state of Airflow's."""


def _differing(states: Sequence[DagRunState]) -> list[DagRunState]:
    """The states that our runs do not agree with.

    Runs are read repeatedly while they go on, and most end without us: so only a few need to be
    handled one by one, which takes a lock on the row.
    """
    ids = {
        (state.dag_id, state.run_id): published.run_id(workflow, state.run_id)
        for state in states
        if (workflow := workflow_id(state.dag_id)) is not None
    }
    with reading() as session:
        standing = run_queries.statuses(session, list(ids.values()))

    def agrees(state: DagRunState) -> bool:
        status = standing.get(ids.get((state.dag_id, state.run_id), ""))
        return status is not None and status in _AGREES[state.state]

    return [state for state in states if not agrees(state)]


def _describe(failure: DagRunFailure) -> str:
    if failure.marked_by is not None:
        note = f" ({failure.note})" if failure.note else ""
        noun = "steps" if len(failure.tasks) > 1 else "step"
        where = f": {noun} {', '.join(failure.tasks)}" if failure.tasks else ""
        return f"Marked as failed in Airflow by {failure.marked_by}{where}{note}."
    if failure.backfill_cancelled_by is not None:
        return f"Its backfill was cancelled in Airflow by {failure.backfill_cancelled_by}."
    if not failure.tasks:
        return "Airflow has ended it as failed, and knows of no step that did."
    steps = ", ".join(failure.tasks)
    why = failure.error or "its log in Airflow says why."
    return f"{steps}: Airflow could not carry it out: {why}"
