"""Jobs that send one mail to one person: a question, a reminder, or a form.

Each person has jobs of their own, so that an address that cannot be reached delays nobody else.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from automations.db.queue import jobs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Approver, FormRequest, Job, JobKind, Run, Wait
from automations.dispatch.jobs.base import Handler, complete, reschedule_or_finish
from automations.domain.statuses import WaitStatus
from automations.errors import StepError
from automations.execution import undelivered_mail
from automations.kit import common_clock
from automations.ports import Mail
from automations.services.waits.form_requests import is_needed, link_token
from automations.tokens import callback_url, derive_token, form_url, hash_token


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail that somebody is to be sent.

    Args:
        run_id: the run that sends it.
        key: the idempotency key of the step that does, which begins by the run and the node.
        every: how often it is sent again until it is not needed any more.
    """

    mail: Mail
    run_id: str
    key: str
    every: timedelta | None = None


class MailHandler(Handler):
    """Sends mails of one kind; one that cannot be delivered is in the run's log."""

    slow = True
    about: ClassVar[type[Approver] | type[FormRequest]]

    @abstractmethod
    def outgoing(self, session: Session, subject_id: str) -> Outgoing | None:
        """What is to be sent now, its link kept: one that somebody has works; None for nothing."""

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            outgoing = self.outgoing(session, job.subject_id)
        if outgoing is None:
            complete(job)
            return
        receipt = self._ports.mailer.send(outgoing.mail)
        for address in receipt.rejected:
            reason = receipt.reasons.get(address, "it gave no reason")
            raise StepError(
                f"The mail server refused {address}: {reason}",
                kind="rejected",
                retryable=receipt.for_now,
            )
        with unit_of_work() as session:
            person = self._person(session, job)
            person.sent_at, person.undelivered = common_clock.now(), None
            reschedule_or_finish(session, job, outgoing.every)

    def give_up(self, job: Job, error: str) -> None:
        """Say in the run's log who was not reached; whoever is reminded is tried again then."""
        with unit_of_work() as session:
            outgoing = self.outgoing(session, job.subject_id)
            if outgoing is None:
                jobs.complete(session, job)
                return
            again = outgoing.every is not None and jobs.requeue(session, job, outgoing.every)
            if not again and not jobs.dead_letter(session, job, error):
                return
            person = self._person(session, job)
            if person.undelivered is None:  # once, however often somebody is reminded
                undelivered_mail.log(
                    session, outgoing.run_id, outgoing.key, outgoing.mail.to, error
                )
            person.undelivered = error

    def _person(self, session: Session, job: Job) -> Approver | FormRequest:
        person: Approver | FormRequest
        person = session.get_one(self.about, job.subject_id)  # type: ignore[assignment]  # a row
        return person


class AskApprover(MailHandler):
    """Sends somebody who was not asked yet a link of their own."""

    kind = JobKind.ASK_APPROVER
    about = Approver

    def outgoing(self, session: Session, subject_id: str) -> Outgoing | None:
        approver = session.get_one(Approver, subject_id)
        return None if approver.sent_at else _question(session, approver)


class RemindApprover(MailHandler):
    """Sends somebody who has not decided their link again, and comes back after a while."""

    kind = JobKind.REMIND_APPROVER
    about = Approver

    def outgoing(self, session: Session, subject_id: str) -> Outgoing | None:
        approver = session.get_one(Approver, subject_id)
        return None if approver.used_at else _question(session, approver, reminds=True)


class SendForm(MailHandler):
    """Sends one person the link to a form, and reminds them when that is wished."""

    kind = JobKind.SEND_FORM
    about = FormRequest

    def outgoing(self, session: Session, subject_id: str) -> Outgoing | None:
        request = session.get_one(FormRequest, subject_id)
        if not is_needed(session, request):
            return None
        interval = timedelta(seconds=request.remind_seconds) if request.remind_seconds else None
        passed = common_clock.now() - request.created_at
        number = passed // interval if interval and request.sent_at else 0
        mail = Mail(
            to=(request.recipient,),
            subject=f"Reminder: {request.subject}" if number else request.subject,
            body=f"{request.message}\n\nPlease fill in: {form_url(link_token(request))}\n"
            f"The link is yours alone and works until {_describe(request.expires_at)}.\n",
            key=f"form:{request.id}:{number}",
            workspace_id=request.workspace_id,
        )
        return Outgoing(mail, request.run_id, request.key, interval)


def _question(session: Session, approver: Approver, *, reminds: bool = False) -> Outgoing | None:
    wait = session.get_one(Wait, approver.wait_id)
    if wait.status != WaitStatus.OPEN:
        return None
    question = wait.question or {}
    interval, occasion = None, ""
    if reminds:
        interval = timedelta(seconds=question["remind_seconds"])
        occasion = f":reminder:{(common_clock.now() - wait.created_at) // interval}"
    # Derived, so that a repeat after a crash and a reminder carry the same link.
    token = derive_token(f"approver:{approver.id}", approver.token_hash)
    approver.token_hash = hash_token(token)
    subject = question.get("subject", "Your decision is needed")
    mail = Mail(
        to=(approver.address,),
        subject=f"Reminder: {subject}" if reminds else subject,
        body=f"{question.get('body', '')}\n\nTo decide, open: {callback_url(token)}\n"
        f"The link is yours alone and works until {_describe(wait.due_at)}.\n",
        key=f"approver:{approver.id}{occasion}",
        workspace_id=session.get_one(Run, wait.run_id).workspace_id,
    )
    return Outgoing(mail, wait.run_id, f"{wait.run_id}:{wait.node_id}", interval)


def _describe(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
