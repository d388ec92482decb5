"""Jobs for pauses: pass answers on to Airflow, escalate, and find out who decided there."""

from __future__ import annotations

from automations.db.queue import jobs
from automations.db.runs import run_steps
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job, JobKind, Run, Wait
from automations.db.waits import waits
from automations.definitions.published import dag_id
from automations.dispatch.jobs.base import AirflowHandler, Handler, complete
from automations.domain import people
from automations.domain.statuses import UNFINISHED, StepStatus, WaitStatus
from automations.services.audit import audit
from automations.services.waits import answers


class AnswerWait(AirflowHandler):
    """Gives Airflow the answer that its task still waits for."""

    kind = JobKind.ANSWER_WAIT

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            wait = session.get_one(Wait, job.subject_id)
            run = session.get_one(Run, wait.run_id)
            step = run_steps.step(session, wait.run_id, wait.node_id)
            waiting = (
                run.status in UNFINISHED
                and step is not None
                and step.status == StepStatus.WAITING
                and step.generation == wait.generation
            )
        if waiting:
            option = answers.option_of(wait.decision)
            params = dict(wait.data) if isinstance(wait.data, dict) else {}
            if wait.reason is not None:
                params[answers.REASON] = wait.reason
            if wait.decided_by:
                params[answers.ANSWERED_BY] = wait.decided_by
            dag = dag_id(run.workflow_id)
            self._orchestrator.answer(dag, run.in_airflow, wait.node_id, option, params)
        complete(job)


class NameOverride(AirflowHandler):
    """Puts on record who has marked a step that waited as done, in Airflow."""

    kind = JobKind.NAME_OVERRIDE

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            wait, run = _wait_and_run(session, job)
        dag = dag_id(run.workflow_id)
        user = self._orchestrator.marked_by(dag, run.in_airflow, wait.node_id)
        by = f"{people.IN_AIRFLOW}{user}" if user else answers.UNKNOWN_IN_AIRFLOW
        with unit_of_work() as session:
            waits.name(session, wait, by)
            run_steps.add_output(session, run.id, wait.node_id, wait.generation, {"decidedBy": by})
            unknown = answers.UNKNOWN_IN_AIRFLOW
            run_steps.name_in_log(session, run.id, wait.node_id, unknown, by)
            audit.record(
                session,
                "run.override",
                run,
                by=audit.Actor("airflow", user or "unknown"),
                stepId=wait.node_id,
                decision=wait.decision,
            )
            jobs.complete(session, job)


class EscalateWait(Handler):
    """Asks more people, since nobody has decided in time."""

    kind = JobKind.ESCALATE_WAIT

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            wait, _ = _wait_and_run(session, job)
            if wait.status == WaitStatus.OPEN:
                waits.add_approvers(session, wait, (wait.question or {})["escalate_to"])
            jobs.complete(session, job)


def _wait_and_run(session: Session, job: Job) -> tuple[Wait, Run]:
    wait = session.get_one(Wait, job.subject_id)
    return wait, session.get_one(Run, wait.run_id)
