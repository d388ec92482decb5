"""Mails to people whom a run waits for: an address that cannot be reached costs only itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.adapters.smtp import SmtpTransport
from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import Approver, Form, FormRequest, Job, JobKind, Run, Wait
from automations.db.waits import waits
from automations.dispatch.jobs.registry import Handlers
from automations.errors import StepError
from automations.execution.engine import Engine
from automations.ports import Mail, MailReceipt
from automations.services.integrations.mail import WorkspaceMailer
from automations.services.runs import reading
from automations.services.waits.form_requests import SentForms
from tests.db.dispatching import Airflow, count, dispatching
from tests.db.runs import begin, logs, step, task
from tests.doubles import ports
from tests.servers.mailbox import Mailbox
from tests.waiting import until

MAILER = WorkspaceMailer(SmtpTransport(["127.0.0.1"]))


def asking(*approvers: str, **more: Any) -> Run:
    config = {"message": "OK?", "approvers": list(approvers), **more}
    run = begin(step("ask", "approval", 0, config))
    Engine(ports()).run(task(run, "ask"))
    return run


def sending(*recipients: str, **more: Any) -> Run:
    run = begin(
        step("send", "send_form", 0, {"formId": "f", "recipients": list(recipients), **more})
    )
    with unit_of_work() as session:
        session.add(Form(id="f", workspace_id=run.workspace_id, title="F", schema={"sections": []}))
    Engine(ports(forms=SentForms())).run(task(run, "send"))
    return run


def told(run: Run) -> list[str]:
    """What the run's log says of mails that did not arrive."""
    lines = [line for line in logs(run) if line.status == "failed"]
    assert all(json.loads(line.output)["error"]["kind"] == "mail" for line in lines)
    return [json.loads(line.output)["error"]["message"] for line in lines]


def asked(mailbox: Mailbox) -> set[str]:
    return {address for envelope in mailbox.envelopes for address in envelope.rcpt_tos}


def claimed(kind: JobKind) -> Job:
    with unit_of_work() as session:
        session.execute(update(Job).where(Job.kind == kind).values(available_at=datetime.now(UTC)))
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 1, {kind})
    return job


@pytest.fixture
def handlers(mailbox: Mailbox) -> Handlers:
    return Handlers(Airflow(), ports(mailer=MAILER))  # type: ignore[arg-type]  # as much as is asked


@pytest.mark.slow
def test_who_is_refused_delays_nobody_and_is_named_in_the_runs_log(mailbox: Mailbox) -> None:
    run = asking("550-ada@b.example", "450-bob@b.example", "eve@b.example", "zoe@b.example")
    with dispatching(Airflow(), mailer=MAILER):
        until("the others", lambda: asked(mailbox) == {"eve@b.example", "zoe@b.example"})
        until("the log", lambda: len(told(run)) == 1)
        until("the next try", lambda: count(Job.kind == "ask_approver", Job.failures > 1) == 1)
    assert told(run) == [
        "The mail to 550-ada@b.example could not be delivered: The mail server refused "
        "550-ada@b.example: 550 no 550-ada@b.example"
    ]
    with unit_of_work() as session:
        sent = session.scalars(select(Approver.address).where(Approver.sent_at.is_not(None)))
        assert set(sent) == asked(mailbox)
        tried_again = session.scalars(select(Job).where(Job.dead_at.is_(None))).one()
        assert "450 no 450-bob@b.example" in (tried_again.error or "")
    details = reading.detail(run.workspace_id, run.workflow_id, run.id)
    assert [line.step_name for line in details.logs] == ["ask"]
    assert details.run.status == "PAUSED"


@pytest.mark.parametrize("code", [550, 450])
def test_a_server_may_say_anything(mailbox: Mailbox, code: int) -> None:
    run = asking("ada@b.example")
    mailbox.answer = f"{code} no\0way \x1b[31m"
    with dispatching(Airflow(), mailer=MAILER):
        until("the try", lambda: count(Job.kind == "ask_approver", Job.error.is_not(None)) == 1)
        if code == 550:
            until("the log", lambda: len(told(run)) == 1)
    with unit_of_work() as session:
        error = session.scalars(select(Job.error).where(Job.kind == "ask_approver")).one()
    assert "no\ufffdway \ufffd[31m" in str(error)


def test_whatever_keeps_a_job_from_being_done_is_kept_with_it(mailbox: Mailbox) -> None:
    asking("ada@b.example")

    def send(mail: Mail) -> MailReceipt:
        raise RuntimeError("a\0b \ud800")

    with dispatching(Airflow(), mailer=SimpleNamespace(send=send)):
        until("the try", lambda: count(Job.kind == "ask_approver", Job.failures > 0) == 1)
    assert count(Job.error == "RuntimeError: a\ufffdb ?") == 1


def test_so_is_one_whom_a_form_is_sent_to(mailbox: Mailbox) -> None:
    run = sending("550-ada@b.example", "bob@b.example", remindEvery="PT1H")
    with dispatching(Airflow(), mailer=MAILER):
        until("the other", lambda: asked(mailbox) == {"bob@b.example"})
        until("the log", lambda: len(told(run)) == 1)
    with unit_of_work() as session:
        requests = {
            form_request.recipient: form_request
            for form_request in session.scalars(select(FormRequest))
        }
    assert requests["550-ada@b.example"].sent_at is None
    assert "550 no" in (requests["550-ada@b.example"].undelivered or "")
    assert requests["bob@b.example"].undelivered is None


def test_who_could_not_be_reached_is_reminded_all_the_same(
    mailbox: Mailbox, handlers: Handlers
) -> None:
    run = asking("ada@b.example", remindEvery="PT1H")
    mailbox.answer = "451 not now"
    job = claimed(JobKind.ASK_APPROVER)
    with pytest.raises(StepError) as refused:
        handlers.handle(job)
    assert refused.value.retryable
    handlers.give_up(job, refused.value.message)
    reminder = claimed(JobKind.REMIND_APPROVER)
    for _ in range(2):
        handlers.give_up(reminder, refused.value.message)
        assert count(Job.id == reminder.id, Job.available_at > in_minutes(59)) == 1
        reminder = claimed(JobKind.REMIND_APPROVER)
    assert len(told(run)) == 1
    mailbox.answer = "250 OK"
    handlers.handle(reminder)
    assert asked(mailbox) == {"ada@b.example"}
    with unit_of_work() as session:
        approver = session.scalars(select(Approver)).one()
    assert approver.sent_at is not None
    assert approver.undelivered is None
    # It is told anew when an address that has worked does not any more.
    handlers.give_up(claimed(JobKind.REMIND_APPROVER), "451 not now")
    assert len(told(run)) == 2


def test_nobody_is_told_of_a_mail_that_is_not_needed_any_more(
    mailbox: Mailbox, handlers: Handlers
) -> None:
    run = asking("ada@b.example", remindEvery="PT1H")
    with unit_of_work() as session:
        session.execute(update(Wait).values(status="CANCELLED"))
    for kind in (JobKind.ASK_APPROVER, JobKind.REMIND_APPROVER):
        handlers.give_up(claimed(kind), "451 not now")
    assert told(run) == []
    assert count(Job.kind.in_(["ask_approver", "remind_approver"])) == 0


def test_who_has_lost_the_job_says_nothing(mailbox: Mailbox, handlers: Handlers) -> None:
    run = asking("ada@b.example")
    job = claimed(JobKind.ASK_APPROVER)
    claimed(JobKind.ASK_APPROVER)
    handlers.give_up(job, "550 no")
    assert told(run) == []
    assert count(Job.dead_at.is_not(None)) == 0


def test_of_two_who_ask_the_same_person_one_has_the_job(mailbox: Mailbox) -> None:
    asking("ada@b.example")
    with unit_of_work() as session:
        wait = session.scalars(select(Wait)).one()
        waits.add_approvers(session, wait, ["ADA@b.example", "bob@b.example"])
        waits.add_approvers(session, wait, ["bob@b.example"])
    assert count(Job.kind == "ask_approver") == 2


def in_minutes(number: int) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=number)
