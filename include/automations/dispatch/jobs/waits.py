"""Jobs of pauses: people are asked, reminded and sent forms, and Airflow is told the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from automations.db import jobs, run_steps, waits
from automations.db.session import Session, unit_of_work
from automations.db.tables import Approver, FormRequest, Job, JobKind, Run, Wait
from automations.definitions.published import dag_id
from automations.dispatch.jobs.base import SLOW_LEASE, AirflowHandler, Handler, come_back, done
from automations.domain.statuses import UNFINISHED, StepStatus, WaitStatus
from automations.ports import Mail, Mailer
from automations.services.audit import audit
from automations.services.waits import answers
from automations.services.waits.form_requests import is_needed, link_token
from automations.tokens import callback_url, derive_token, form_url, hash_token


class AnswerWait(AirflowHandler):
    """Gives Airflow the answer that its task still waits for."""

    kind = JobKind.ANSWER_WAIT

    def carry(self, job: Job) -> None:
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
            params = wait.data if isinstance(wait.data, dict) else {}
            dag = dag_id(run.workflow_id)
            self._orchestrator.answer(dag, run.in_airflow, wait.node_id, option, params)
        done(job)


class NameOverride(AirflowHandler):
    """Puts on record who has marked a step that waited as done, in Airflow."""

    kind = JobKind.NAME_OVERRIDE

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            wait, run = _wait_and_run(session, job)
        dag = dag_id(run.workflow_id)
        user = self._orchestrator.marked_by(dag, run.in_airflow, wait.node_id)
        by = f"{answers.IN_AIRFLOW}{user}" if user else answers.UNKNOWN_IN_AIRFLOW
        with unit_of_work() as session:
            waits.name(session, wait, by)
            run_steps.put_out(session, run.id, wait.node_id, wait.generation, {"decidedBy": by})
            audit.record(
                session,
                "run.override",
                run,
                by=audit.Actor("airflow", user or "unknown"),
                stepId=wait.node_id,
                decision=wait.decision,
            )
            jobs.done(session, job)


class AskApprovers(Handler):
    """Sends everybody who was not asked yet a link of their own."""

    kind = JobKind.ASK_APPROVERS
    slow = True

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            wait, run = _wait_and_run(session, job)
            todo = waits.unasked(session, wait)
        for approver in todo:
            if not _ask(self._ports.mailer, job, run, wait, approver, ""):
                return
        with unit_of_work() as session:
            # First: whoever is added meanwhile is seen here, or makes a job of their own.
            jobs.done(session, job)
            if waits.unasked(session, session.get_one(Wait, wait.id)):
                waits.ask(session, wait)


class RemindApprovers(Handler):
    """Sends those who have not decided their link again, and comes back after a while."""

    kind = JobKind.REMIND_APPROVERS
    slow = True

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            wait, run = _wait_and_run(session, job)
            todo = [person for person in waits.approvers(session, wait.id) if not person.used_at]
        if wait.status != WaitStatus.OPEN:
            done(job)
            return
        every = timedelta(seconds=(wait.question or {})["remind_seconds"])
        number = (datetime.now(UTC) - wait.created_at) // every
        for approver in todo:
            if not _ask(self._ports.mailer, job, run, wait, approver, f":reminder:{number}"):
                return
        with unit_of_work() as session:
            come_back(session, job, every)


class EscalateWait(Handler):
    """Asks more people, since nobody has decided in time."""

    kind = JobKind.ESCALATE_WAIT

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            wait, _ = _wait_and_run(session, job)
            if wait.status == WaitStatus.OPEN:
                waits.add_approvers(session, wait, (wait.question or {})["escalate_to"])
            jobs.done(session, job)


class SendForm(Handler):
    """Sends one person the link to a form, and reminds them when that is wished."""

    kind = JobKind.SEND_FORM
    slow = True

    def carry(self, job: Job) -> None:
        with unit_of_work() as session:
            request = session.get_one(FormRequest, job.subject_id)
            needed = is_needed(session, request)
            # Kept before it is sent: a link that somebody has works.
            link = form_url(link_token(request))
        if not needed:
            done(job)
            return
        now = datetime.now(UTC)
        every = timedelta(seconds=request.remind_seconds) if request.remind_seconds else None
        number = (now - request.created_at) // every if every and request.sent_at else 0
        self._ports.mailer.send(
            Mail(
                to=(request.recipient,),
                subject=f"Reminder: {request.subject}" if number else request.subject,
                body=f"{request.message}\n\nPlease fill in: {link}\n"
                f"The link is yours alone and works until {_in_words(request.expires_at)}.\n",
                key=f"form:{request.id}:{number}",
                workspace_id=request.workspace_id,
            )
        )
        with unit_of_work() as session:
            session.get_one(FormRequest, request.id).sent_at = now
            come_back(session, job, every)


def _wait_and_run(session: Session, job: Job) -> tuple[Wait, Run]:
    wait = session.get_one(Wait, job.subject_id)
    return wait, session.get_one(Run, wait.run_id)


def _ask(mailer: Mailer, job: Job, run: Run, wait: Wait, approver: Approver, occasion: str) -> bool:
    """Send one person a mail; False when another worker has the job by now."""
    # Derived, so that a repeat after a crash and a reminder carry the same link.
    token = derive_token(f"approver:{approver.id}", approver.token_hash)
    with unit_of_work() as session:
        if not jobs.renew(session, job, SLOW_LEASE):
            return False
        session.get_one(Approver, approver.id).token_hash = hash_token(token)
    question = wait.question or {}
    subject = question.get("subject", "Your decision is needed")
    mailer.send(
        Mail(
            to=(approver.address,),
            subject=f"Reminder: {subject}" if occasion else subject,
            body=f"{question.get('body', '')}\n\nTo decide, open: {callback_url(token)}\n"
            f"The link is yours alone and works until {_in_words(wait.due_at)}.\n",
            key=f"approver:{approver.id}{occasion}",
            workspace_id=run.workspace_id,
        )
    )
    with unit_of_work() as session:
        session.get_one(Approver, approver.id).sent_at = datetime.now(UTC)
    return True


def _in_words(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
