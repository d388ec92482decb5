"""Jobs for runs of other DAGs: created, polled and ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from automations.db.queue import jobs
from automations.db.runs import dag_calls
from automations.db.session import Session, unit_of_work
from automations.db.tables import DagCall, Job, JobKind, Run
from automations.dispatch.jobs.base import AirflowHandler, complete
from automations.domain.statuses import CALLED, DagCallStatus
from automations.errors import NotVisibleYet, OrchestratorError, OrchestratorUnavailable
from automations.kit import common_clock
from automations.ports import OPERATOR_DAG, DagRunState, DagRunStatus, NewDagRun
from automations.services.runs import dag_calls as calls
from automations.services.runs import notes

_MIN_POLL_INTERVAL, _MAX_POLL_INTERVAL = timedelta(seconds=1), timedelta(seconds=30)
"""Between two looks at a DagRun: a tenth of how long it takes already, within these."""
_PARSE_TIMEOUT = timedelta(minutes=15)
"""A file that has not changed is parsed again after ten."""
MAX_RETURNED = 1024 * 1024
"""Bytes of what the tasks of a DagRun have returned."""
_GONE = "Airflow has the DagRun no more: somebody has deleted it there."


class CallDag(AirflowHandler):
    """Makes the DagRun that a step wants and, where that waits, comes back until it has ended."""

    kind = JobKind.CALL_DAG

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            call = dag_calls.get(session, job.subject_id)
        if call.status not in CALLED:
            if call.status == DagCallStatus.CANCELLED:
                # Perhaps it was made by a try that nobody knows the end of.
                self._orchestrator.fail(call.dag_id, call.id)
            complete(job)
            return
        dag_run = self._orchestrator.run_state(call.dag_id, call.id)
        if call.status == DagCallStatus.RUNNING:
            self._look(job, call, dag_run)
            return
        if dag_run is None and (reason := self._make(call)) is not None:
            self._end(job, call, DagCallStatus.REFUSED, error=reason)
            return
        with unit_of_work() as session:
            is_wanted = calls.mark_started(session, call)
            if is_wanted and call.awaited:
                jobs.requeue(session, job, _MIN_POLL_INTERVAL)
            elif is_wanted:
                jobs.complete(session, job)
        if not is_wanted:
            self._orchestrator.fail(call.dag_id, call.id)
            complete(job)

    def end_subject(self, session: Session, subject_id: str, error: str) -> None:
        """Let the run go on, and fail by it."""
        call = dag_calls.get(session, subject_id)
        calls.record_end(session, call, DagCallStatus.REFUSED, error=error)

    def _make(self, call: DagCall) -> str | None:
        """Make the DagRun; why there is none, if that is so."""
        dag_status = self._orchestrator.dag_status(call.dag_id)
        if dag_status is None or dag_status.gone:
            return self._missing(call)
        if dag_status.broken:
            return f"DAG {call.dag_id} has import errors in Airflow."
        if dag_status.paused:
            return f"DAG {call.dag_id} is paused in Airflow, where its runs would not begin."
        with unit_of_work() as session:
            note = notes.dag_call_note(session.get_one(Run, call.run_id))
        try:
            self._orchestrator.trigger(NewDagRun(call.dag_id, call.id, call.conf, note))
        except OrchestratorUnavailable:
            raise
        except OrchestratorError as refused:
            return refused.message
        return None

    @staticmethod
    def _missing(call: DagCall) -> str:
        missing = f"There is no DAG {call.dag_id} in Airflow"
        if call.dag_id != OPERATOR_DAG:
            return f"{missing}."
        # Ours is there again once its file is parsed, whoever has deleted it.
        if common_clock.now() - call.created_at < _PARSE_TIMEOUT:
            raise NotVisibleYet(f"{missing} yet.")
        return f"{missing}: its dag-processor is to have AUTOMATIONS_OPERATOR_ALLOW, too."

    def _look(self, job: Job, call: DagCall, dag_run: DagRunState | None) -> None:
        if dag_run is None:
            self._end(job, call, DagCallStatus.FAILED, error=_GONE)
        elif dag_run.state == DagRunStatus.FAILED:
            self._end(job, call, DagCallStatus.FAILED, error=self._failure_reason(call))
        elif dag_run.state == DagRunStatus.SUCCESS:
            try:
                outputs = self._orchestrator.return_values(call.dag_id, call.id, MAX_RETURNED)
            except OrchestratorUnavailable:
                raise
            except OrchestratorError as refused:
                self._end(job, call, DagCallStatus.FAILED, error=refused.message)
            else:
                self._end(job, call, DagCallStatus.COMPLETED, outputs=outputs)
        else:
            age = common_clock.now() - call.created_at
            with unit_of_work() as session:
                jobs.requeue(
                    session, job, min(max(age / 10, _MIN_POLL_INTERVAL), _MAX_POLL_INTERVAL)
                )

    def _failure_reason(self, call: DagCall) -> str:
        failure = self._orchestrator.failure(call.dag_id, call.id)
        if failure.marked_by is not None:
            with unit_of_work() as session:
                own_note = notes.dag_call_note(session.get_one(Run, call.run_id))
            note = notes.strip_origin(failure.note, own_note)
            suffix = f": {note}" if note else "."
            return f"Marked as failed in Airflow by {failure.marked_by}{suffix}"
        if failure.tasks:
            return f"Failed in Airflow: {', '.join(failure.tasks)}."
        return failure.error or "The DagRun has failed in Airflow."

    @staticmethod
    def _end(
        job: Job,
        call: DagCall,
        status: DagCallStatus,
        *,
        outputs: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        with unit_of_work() as session:
            calls.record_end(session, call, status, outputs=outputs, error=error)
            jobs.complete(session, job)


class EndDagRun(AirflowHandler):
    """Ends the DagRun of a step whose run was ended, if it is there and goes on."""

    kind = JobKind.END_DAG_RUN

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            call = dag_calls.get(session, job.subject_id)
        self._orchestrator.fail(call.dag_id, call.id)
        complete(job)
