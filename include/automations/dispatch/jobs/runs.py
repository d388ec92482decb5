"""Jobs of runs: their start, their turn, their end, their retries."""

from __future__ import annotations

from automations.db import jobs, runs, versions, waits
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job, JobKind, Run, Workflow
from automations.definitions.published import dag_id
from automations.dispatch.jobs.base import AirflowHandler, Handler, done
from automations.domain.statuses import UNFINISHED, Decision, RunStatus
from automations.errors import NotVisibleYet
from automations.kit import tracing
from automations.ports import Visible
from automations.services.runs import admission, cancellations, failure_reports, replays


class StartRun(AirflowHandler):
    """Makes the DagRun of a run; the run's id is its id, so that a second start makes no other."""

    kind = JobKind.START_RUN
    limited = True

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
            if run.status not in UNFINISHED:
                jobs.done(session, job)
                return
            revision = versions.revision(session, run.workflow_id, run.version)
        dag = dag_id(run.workflow_id)
        self._dags.require(dag, Visible(run.version, revision))
        try:
            self._orchestrator.start(dag, run.in_airflow, run.input)
        except NotVisibleYet:
            self._dags.forget(dag)
            raise
        with unit_of_work() as session:
            runs.mark_dispatched(session, run.id)
            jobs.done(session, job)
        tracing.note("dispatch run", job.created_at, run.traceparent, run_id=run.id)

    def end_subject(self, session: Session, subject_id: str, error: str) -> None:
        """Fail the run, which no DagRun will ever end."""
        runs.end_run(session, subject_id, RunStatus.FAILED, f"Could not be started: {error}")


class StartChild(StartRun):
    """Makes the DagRun of a run that another one waits for.

    Without a limit: the parent is in Airflow already and goes on only after it, so that parents
    which fill the room would wait for children which wait for room.
    """

    kind = JobKind.START_CHILD
    limited = False


class FailRun(AirflowHandler):
    """Ends the DagRun of a run that was ended here."""

    kind = JobKind.FAIL_RUN

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
        if run.dispatched_at is not None:
            self._orchestrator.fail(dag_id(run.workflow_id), run.in_airflow)
        done(job)


class EndRuns(Handler):
    """Cancels the runs in flight of an automation that was deleted."""

    kind = JobKind.END_RUNS

    def carry(self, job: Job) -> None:
        cancellations.end_of_deleted(job.subject_id)
        done(job)


class RetryRun(AirflowHandler):
    """Lets a failed run go on by the version that it has had."""

    kind = JobKind.RETRY_RUN

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
        # Not when it was cancelled meanwhile, or its first step has begun since an earlier try.
        if run.reviving:
            self._orchestrator.retry(dag_id(run.workflow_id), run.in_airflow)
        self._told(job, run)

    def end_subject(self, session: Session, subject_id: str, error: str) -> None:
        """Fail the run once more, which nobody else would end."""
        runs.end_run(session, subject_id, RunStatus.FAILED, f"Could not be retried: {error}")

    @staticmethod
    def _told(job: Job, run: Run) -> None:
        with unit_of_work() as session:
            runs.revived(session, run.id)
            jobs.done(session, job)


class RetryLatest(RetryRun):
    """Lets a failed run go on by the version that Airflow would take, if it still can."""

    kind = JobKind.RETRY_LATEST

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
            newest = session.get_one(Workflow, run.workflow_id).version
            revision = versions.revision(session, run.workflow_id, newest)
        if run.reviving:
            dag = dag_id(run.workflow_id)
            found = self._dags.newest(dag, Visible(newest, revision))
            if replays.prepare_for(run.id, found.version):
                self._orchestrator.retry(dag, run.in_airflow, latest=True)
        self._told(job, run)


class AdmitRun(Handler):
    """Hands out the slots that are free for the runs of one key."""

    kind = JobKind.ADMIT_RUN

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            # First, so that the same job may be asked for once more.
            jobs.done(session, job)
            admission.admit(session, session.get_one(Run, job.subject_id))


class NextRun(AdmitRun):
    """Does the same after a run has ended; a kind of its own, as a subject has one job of each."""

    kind = JobKind.NEXT_RUN


class ReportFailure(Handler):
    """Tells the error workflow of an automation that a run has failed."""

    kind = JobKind.REPORT_FAILURE

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            failure_reports.report(session, session.get_one(Run, job.subject_id), job.id)
            jobs.done(session, job)


class WakeParent(Handler):
    """Lets the run go on that waits for a child that has ended."""

    kind = JobKind.WAKE_PARENT

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            child = session.get_one(Run, job.subject_id)
            # Locked first: a parent that is about to wait sees the child's end, or is seen here.
            runs.lock_run(session, str(child.parent_run_id))
            wait = waits.open_wait_of(session, str(child.parent_run_id))
            if wait is not None and wait.kind == "child" and waits.awaited_run(wait) == child.id:
                waits.settle(session, wait, decision=Decision.RESUMED, by=None, data=None)
            jobs.done(session, job)
