"""Jobs for runs: start, admission, end and retry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from automations.db.queue import jobs
from automations.db.runs import run_steps, runs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job, JobKind, Run, RunStep, Workflow
from automations.db.waits import waits
from automations.db.workflows import versions
from automations.definitions.published import dag_id
from automations.dispatch.jobs.base import AirflowHandler, Handler, complete
from automations.domain.statuses import UNFINISHED, Decision, RunStatus, WaitKind
from automations.errors import (
    NotVisibleYet,
    OrchestratorError,
    OrchestratorUnavailable,
    VersionGone,
)
from automations.execution.done_before import done_before
from automations.kit import tracing
from automations.ports import NewDagRun, Visible
from automations.services.events import assets
from automations.services.runs import admission, cancellations, failure_reports, notes, replays
from automations.services.workflows.definitions import load

_FAILS_AT_ALL = 2


class _Start(NamedTuple):
    """A run that is to be started, and the version that Airflow must have parsed before."""

    job: Job
    run: Run
    dag_run: NewDagRun
    needed: Visible


def _is_to_be_shown(session: Session, run: Run) -> bool:
    """Whether Airflow is to have a run that has ended: not where its automation was deleted."""
    if not run_steps.has_begun(session, run.id):
        return False
    return session.get_one(Workflow, run.workflow_id).deleted_at is None


def _with_what_was_done(
    session: Session, start: _Start, rows: Mapping[str, list[RunStep]]
) -> _Start:
    """A start with what express workers have done of its run."""
    run = start.run
    if run.id not in rows:
        return start
    before = done_before(run, rows[run.id], load(session, run.workflow_id, run.version).plan)
    if before is not None and before.ended is None:
        newest = session.get_one(Workflow, run.workflow_id).version
        exact = newest != run.version and replays.obstacle_to(session, run, newest) is not None
        before = replace(before, exact=exact)
    return start._replace(dag_run=replace(start.dag_run, before=before))


class StartRun(AirflowHandler):
    """Creates the DagRun of a run, under the run's id, so that a second start creates no other."""

    kind = JobKind.START_RUN
    batched = True
    limited = True

    def handle(self, job: Job) -> None:
        for problem in self.handle_all([job]).values():
            raise problem

    def handle_all(self, claimed: Sequence[Job]) -> dict[int, Exception]:
        failures: dict[int, Exception] = {}
        starts = self._load_starts(claimed, failures)
        self._leave_unseen(starts, failures)
        todo = [start for start in starts if start.job.id not in failures]
        if not todo:
            return failures
        try:
            problems = self._orchestrator.start([start.dag_run for start in todo])
        except OrchestratorError as error:
            return failures | {start.job.id: error for start in todo}
        with unit_of_work() as session:
            for start, problem in zip(todo, problems, strict=True):
                if problem is None:
                    runs.mark_dispatched(session, start.run.id)
                    jobs.complete(session, start.job)
                    continue
                if isinstance(problem, VersionGone):
                    self._end_by_version(session, start)
                    continue
                failures[start.job.id] = problem
                if isinstance(problem, NotVisibleYet):
                    self._dags.forget(start.dag_run.dag_id)
            started = (start for start in todo if start.job.id not in failures)
            if with_log := [start.run.id for start in started if start.dag_run.before is not None]:
                run_steps.forget_log_lines(session, with_log)
        for start in todo:
            if start.job.id not in failures:
                began, trace = start.job.created_at, start.run.traceparent
                tracing.note("dispatch run", began, trace, run_id=start.run.id)
        return failures

    @staticmethod
    def _end_by_version(session: Session, start: _Start) -> None:
        """Fail a run whose version is gone and that cannot go on with the newest one."""
        newest = session.get_one(Workflow, start.run.workflow_id).version
        reason = replays.obstacle_to(session, start.run, newest)
        error = f"It cannot go on by version {newest}: {reason}."
        runs.end_run(session, start.run.id, RunStatus.FAILED, error)
        jobs.complete(session, start.job)

    @staticmethod
    def _load_starts(claimed: Sequence[Job], failures: dict[int, Exception]) -> list[_Start]:
        starts = []
        with unit_of_work() as session:
            for job in claimed:
                run = session.get(Run, job.subject_id)
                if run is None:
                    failures[job.id] = LookupError(f"There is no run {job.subject_id}.")
                elif run.status not in UNFINISHED and not _is_to_be_shown(session, run):
                    jobs.complete(session, job)
                else:
                    revision = versions.revision(session, run.workflow_id, run.version)
                    dag, note = dag_id(run.workflow_id), notes.origin(session, run)
                    source = assets.source_of(session, run)
                    dag_run = NewDagRun(
                        dag, run.in_airflow, run.input, note, notes.starter(run), source=source
                    )
                    starts.append(_Start(job, run, dag_run, Visible(run.version, revision)))
            express = [start.run.id for start in starts if start.run.express]
            rows = run_steps.of_runs(session, express) if express else {}
            return [_with_what_was_done(session, start, rows) for start in starts]

    def _leave_unseen(self, starts: Sequence[_Start], failures: dict[int, Exception]) -> None:
        """Hold back runs whose DAG Airflow has not parsed yet; asks once for each DAG."""
        problems: dict[tuple[str, Visible], OrchestratorError] = {}
        away: list[OrchestratorError] = []
        for start in starts:
            key = start.dag_run.dag_id, start.needed
            # A failure may be due to one DAG; after a second one, Airflow is not asked any more.
            if key not in problems and len(away) < _FAILS_AT_ALL:
                try:
                    self._dags.require(*key)
                    continue
                except OrchestratorError as error:
                    problems[key] = error
                    if isinstance(error, OrchestratorUnavailable):
                        away.append(error)
            failures[start.job.id] = problems.get(key) or away[-1]

    def end_subject(self, session: Session, subject_id: str, error: str) -> None:
        """Fail the run, which no DagRun will ever end."""
        runs.end_run(session, subject_id, RunStatus.FAILED, f"Could not be started: {error}")


class StartChild(StartRun):
    """Creates the DagRun of a run that its parent waits for.

    Not limited: the parent is in Airflow already, so if parents took all the room, they would wait
    forever for children that wait for room.
    """

    kind = JobKind.START_CHILD
    limited = False


class ShowRun(StartRun):
    """Creates the DagRun of a run that ended before it came to Airflow.

    Not limited, since nothing of it is left to run there.
    """

    kind = JobKind.SHOW_RUN
    limited = False


class ExpressRun(Handler):
    """Gives an express run to Airflow when there is no express worker."""

    kind = JobKind.EXPRESS_RUN
    express = True

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            run = runs.lock_run(session, job.subject_id)
            if jobs.complete(session, job) and run is not None:
                admission.leave_express(session, run)

    def end_subject(self, session: Session, subject_id: str, error: str) -> None:
        """Fail the run, which nobody will ever end."""
        runs.end_run(session, subject_id, RunStatus.FAILED, f"Could not be started: {error}")


class FailRun(AirflowHandler):
    """Ends the DagRun of a run that was ended here."""

    kind = JobKind.FAIL_RUN

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            # Locked: whoever is just recording that Airflow has the run enqueues this job again.
            run = session.get_one(Run, job.subject_id, with_for_update=True)
            if run.dispatched_at is None:
                jobs.complete(session, job)
                return
        self._orchestrator.fail(dag_id(run.workflow_id), run.in_airflow)
        complete(job)


class EndRuns(Handler):
    """Cancels the runs in flight of an automation that was deleted."""

    kind = JobKind.END_RUNS

    def handle(self, job: Job) -> None:
        cancellations.end_of_deleted(job.subject_id)
        complete(job)


class RetryRun(AirflowHandler):
    """Lets a failed run go on with the version that it had."""

    kind = JobKind.RETRY_RUN

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
        if run.reviving and run.dispatched_at is None:
            raise NotVisibleYet(f"Run {run.id} has not come to Airflow yet.")
        # Not if it was cancelled meanwhile, or its first step began after an earlier try.
        if run.reviving:
            self._orchestrator.retry(dag_id(run.workflow_id), run.in_airflow)
        self._mark_revived(job, run)

    def end_subject(self, session: Session, subject_id: str, error: str) -> None:
        """Fail the run once more, which nobody else would end."""
        runs.end_run(session, subject_id, RunStatus.FAILED, f"Could not be retried: {error}")

    @staticmethod
    def _mark_revived(job: Job, run: Run) -> None:
        with unit_of_work() as session:
            runs.mark_revived(session, run.id)
            jobs.complete(session, job)


class RetryLatest(RetryRun):
    """Lets a failed run go on with the version that Airflow has newest, if that is possible."""

    kind = JobKind.RETRY_LATEST

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
            newest = session.get_one(Workflow, run.workflow_id).version
            revision = versions.revision(session, run.workflow_id, newest)
        if run.reviving and run.dispatched_at is None:
            raise NotVisibleYet(f"Run {run.id} has not come to Airflow yet.")
        if run.reviving:
            dag = dag_id(run.workflow_id)
            newest_version = self._dags.newest(dag, Visible(newest, revision))
            if replays.prepare_for(run.id, newest_version.version):
                self._orchestrator.retry(dag, run.in_airflow, latest=True)
        self._mark_revived(job, run)


class AdmitRun(Handler):
    """Hands out the free slots of one key to its runs."""

    kind = JobKind.ADMIT_RUN

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            # First, so that the same job may be enqueued again.
            jobs.complete(session, job)
            admission.admit(session, session.get_one(Run, job.subject_id))


class NextRun(AdmitRun):
    """Admits the next run after one has ended; its own kind, as a subject has one job per kind."""

    kind = JobKind.NEXT_RUN


class ReportFailure(Handler):
    """Tells the error workflow of an automation that a run has failed."""

    kind = JobKind.REPORT_FAILURE

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            failure_reports.report(session, session.get_one(Run, job.subject_id), job.id)
            jobs.complete(session, job)


class WakeParent(Handler):
    """Wakes a run whose child has ended."""

    kind = JobKind.WAKE_PARENT

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            child = session.get_one(Run, job.subject_id)
            # Locked first: either a parent that is about to wait sees the child's end, or we see
            # its wait.
            runs.lock_run(session, str(child.parent_run_id))
            wait = waits.open_wait_of(session, str(child.parent_run_id))
            if (
                wait is not None
                and wait.kind == WaitKind.CHILD
                and waits.awaited_run(wait) == child.id
            ):
                waits.settle(session, wait, waits.Ending(Decision.RESUMED))
            jobs.complete(session, job)
