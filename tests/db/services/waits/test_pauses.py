"""Pauses that are ended from outside: callbacks, sent forms, reminders, escalation."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.queue import jobs
from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Approver, Event, Form, FormRequest, Job, JobKind, Run, Wait
from automations.db.waits import waits
from automations.dispatch.jobs.registry import Handlers
from automations.domain.statuses import Decision, RunStatus, WaitKind
from automations.errors import Gone, StepError, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.pauses import pause_of
from automations.execution.verdicts import AskPeople, GiveUp, Proceed, Sleep
from automations.ports import HttpRequest, HttpResponse
from automations.services.waits import decisions, form_requests
from automations.services.waits.form_requests import SentForms, form_token
from automations.steps.outcomes import (
    Done,
    Question,
    WaitForCallback,
    WaitForDecision,
    WaitForSubmissions,
    WaitToRetry,
    WaitUntil,
)
from automations.tokens import derive_token
from tests.db.cutting import Killed
from tests.db.forms import FORM
from tests.db.roles import Outbox
from tests.db.runs import begin, reload, row, step, task
from tests.doubles import ports
from tests.environment import Environment

CALLING = {"method": "POST", "url": "https://a.example", "waitForCallback": True}


class Service:
    """A service that is told where to report, and may report at once."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.reports_at_once = False
        self.kills = False

    def request(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if self.kills:
            raise Killed
        if self.reports_at_once:
            decisions.receive(self.token, {"state": "early"})
        return HttpResponse(202, {"content-type": "application/json"}, b'{"job": 7}', request.url)

    @property
    def token(self) -> str:
        return (self.requests[-1].content or b"").decode().rpartition("/")[2].rstrip('"}')


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def engine(database: str, service: Service, outbox: Outbox) -> Engine:
    return Engine(ports(mailer=outbox, http=service, forms=SentForms()))


@pytest.fixture
def handlers(engine: Engine, outbox: Outbox) -> Handlers:
    return Handlers(ports(), ports(mailer=outbox))  # type: ignore[arg-type]  # no Airflow here


def calling() -> Run:
    config = {**CALLING, "body": {"report": "{{callback.url}}"}}
    return begin(step("call", "http_request", 0, config))


def job(kind: str) -> Job:
    with unit_of_work() as session:
        return session.scalars(select(Job).where(Job.kind == kind)).one()


def claimed(kind: str) -> Job:
    """The job as a dispatcher holds it when its time has come."""
    with unit_of_work() as session:
        session.execute(update(Job).where(Job.kind == kind).values(available_at=datetime.now(UTC)))
    with unit_of_work() as session:
        return next(one for one in jobs.claim(session, 100, JobKind) if one.kind == kind)


def form() -> Form:
    with unit_of_work() as session:
        workspace = session.scalars(select(Run.workspace_id)).first()
        made = Form(workspace_id=workspace, title="Size", schema=FORM)
        session.add(made)
        session.flush()
        session.refresh(made)
        return made


def sending(**config: Any) -> tuple[Run, Form]:
    """A run whose one step sends a form that is made for it."""
    given = {"formId": "{{input.text}}", "recipients": ["ada@b.example", "bob@b.example"], **config}
    run = begin(step("send", "send_form", 0, given))
    made = form()
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(input={"text": made.id}))
    return run, made


def link(run: Run, recipient: str) -> str:
    return form_token(f"{run.id}:send:0", recipient)


class TestCallback:
    def test_the_step_pauses_until_its_url_is_called(
        self, engine: Engine, service: Service
    ) -> None:
        run = calling()
        asked = engine.run(task(run, "call"))
        assert isinstance(asked, AskPeople)
        assert reload(run).status == "PAUSED"
        decisions.receive(service.token, {"state": "ready"})
        assert job("answer_wait").subject_id == asked.wait_id
        assert isinstance(engine.resume(task(run, "call"), asked.wait_id, None), Proceed)
        done = row(run, "call")
        assert done is not None
        assert done.output is not None
        assert (done.output["body"], done.output["callback"]) == ({"job": 7}, {"state": "ready"})

    def test_a_callback_that_comes_before_the_step_waits_is_not_lost(
        self, engine: Engine, service: Service
    ) -> None:
        service.reports_at_once = True
        run = calling()
        asked = engine.run(task(run, "call"))
        assert isinstance(asked, Sleep)
        assert isinstance(engine.resume(task(run, "call"), asked.wait_id, None), Proceed)
        done = row(run, "call")
        assert done is not None
        assert (done.output or {})["callback"] == {"state": "early"}

    def test_a_second_call_is_refused_and_changes_nothing(
        self, engine: Engine, service: Service
    ) -> None:
        engine.run(task(calling(), "call"))
        decisions.receive(service.token, 1)
        with pytest.raises(Gone):
            decisions.receive(service.token, 2)

    def test_a_repeat_after_a_crash_hands_out_the_same_url(
        self, engine: Engine, service: Service
    ) -> None:
        run = calling()
        asked = engine.run(task(run, "call"))
        assert isinstance(asked, AskPeople)
        first = service.token
        with unit_of_work() as session:  # as if the process had died before it recorded the wait
            session.execute(update(Wait).where(Wait.id == asked.wait_id).values(status="CANCELLED"))
        engine.run(task(run, "call"))
        assert service.token == first
        decisions.receive(first, "once")
        assert row(run, "call") is not None


class TestSentForms:
    def test_each_recipient_gets_a_link_of_their_own_by_mail(
        self, engine: Engine, handlers: Handlers, outbox: Outbox
    ) -> None:
        run, _ = sending()
        assert isinstance(engine.run(task(run, "send")), Proceed)
        with unit_of_work() as session:
            todo = list(session.scalars(select(Job).where(Job.kind == "send_form")))
        for one in todo:
            handlers.handle(one)
        sent = {mail.to[0]: mail.body for mail in outbox.sent}
        for recipient in ("ada@b.example", "bob@b.example"):
            assert link(run, recipient) in sent[recipient]

    @pytest.mark.parametrize("kind", ["mail", "timeout", "config"])
    def test_a_mail_server_that_fails_leaves_the_link_to_be_sent_later(
        self, engine: Engine, handlers: Handlers, outbox: Outbox, kind: str
    ) -> None:
        run, _ = sending(recipients=["ada@b.example"])
        engine.run(task(run, "send"))
        outbox.failures = [StepError("no", kind=kind)]
        with pytest.raises(StepError):
            handlers.handle(claimed("send_form"))
        with unit_of_work() as session:
            assert [
                form_request.sent_at for form_request in session.scalars(select(FormRequest))
            ] == [None]
        handlers.handle(claimed("send_form"))
        assert [link(run, "ada@b.example") in mail.body for mail in outbox.sent] == [True]

    def test_what_the_page_is_to_begin_with_must_be_of_its_fields(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        run, _ = sending(prefill={"size": "large", "sise": 4})
        verdict = engine.run(task(run, "send"))
        assert isinstance(verdict, GiveUp)
        assert "config.prefill.size: must be a number such as 12 or 12.5" in verdict.error
        assert "config.prefill.sise: the form has no such field" in verdict.error
        with unit_of_work() as session:
            assert session.scalars(select(FormRequest)).all() == []

    def test_a_repeat_of_the_step_sends_nothing_anew(self, engine: Engine) -> None:
        run, _ = sending()
        first = engine.run(task(run, "send"))
        with unit_of_work() as session:
            session.execute(update(Run).where(Run.id == run.id).values(status="RUNNING"))
        assert engine.run(task(run, "send")) == first
        with unit_of_work() as session:
            assert len(list(session.scalars(select(FormRequest)))) == 2

    def test_the_pause_ends_when_all_have_answered(self, engine: Engine) -> None:
        run, _ = sending(waitForCompletion=True)
        asked = engine.run(task(run, "send"))
        assert isinstance(asked, AskPeople)
        form_requests.submit(link(run, "ada@b.example"), {"size": 1})
        assert reload(run).status == "PAUSED"
        form_requests.submit(link(run, "bob@b.example"), {"size": 2})
        assert reload(run).status == "RUNNING"
        assert isinstance(engine.resume(task(run, "send"), asked.wait_id, None), Proceed)
        done = row(run, "send")
        assert done is not None
        answers = (done.output or {})["submissions"]
        assert [answer["data"] for answer in answers] == [{"size": 1}, {"size": 2}]

    def test_one_answer_is_enough_when_any_is_waited_for(self, engine: Engine) -> None:
        run, _ = sending(waitForCompletion=True, waitFor="any")
        asked = engine.run(task(run, "send"))
        assert isinstance(asked, AskPeople)
        form_requests.submit(link(run, "bob@b.example"), {"size": 2})
        engine.resume(task(run, "send"), asked.wait_id, None)
        with pytest.raises(Gone, match="no longer needed"):
            form_requests.view(link(run, "ada@b.example"))

    def test_a_submission_by_link_is_an_event_like_any_other(self, engine: Engine) -> None:
        run, made = sending()
        engine.run(task(run, "send"))
        form_requests.submit(link(run, "ada@b.example"), {"size": 1})
        with unit_of_work() as session:
            event = session.scalars(select(Event)).one()
        assert event.trigger_key == f"form_submission:{made.id}"

    def test_wrong_data_is_refused_and_the_link_still_works(self, engine: Engine) -> None:
        run, _ = sending()
        engine.run(task(run, "send"))
        with pytest.raises(ValidationFailed):
            form_requests.submit(link(run, "ada@b.example"), {"size": "large"})
        form_requests.submit(link(run, "ada@b.example"), {"size": 1})
        with pytest.raises(Gone, match="already"):
            form_requests.submit(link(run, "ada@b.example"), {"size": 1})

    def test_an_expired_link_is_gone(self, engine: Engine) -> None:
        run, _ = sending()
        engine.run(task(run, "send"))
        with unit_of_work() as session:
            past = datetime.now(UTC) - timedelta(seconds=1)
            session.execute(update(FormRequest).values(expires_at=past))
        with pytest.raises(Gone, match="expired"):
            form_requests.view(link(run, "ada@b.example"))


def asked_run(question: Question, by: str | None = "test") -> Wait:
    """A run that waits for a decision."""
    run = begin(step("ask", "approval", 0, {"message": "OK?"}))
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(started_by=by))
        return waits.open_wait(
            session,
            waits.NewWait(
                run_id=run.id,
                node_id="ask",
                generation=0,
                kind=WaitKind.DECISION,
                due_at=datetime.now(UTC) + timedelta(days=1),
                question=asdict(question),
                approvers=question.approvers,
            ),
        )


QUESTION = Question("Approval needed: Ask", "OK?", approvers=("ada@b.example",))


class TestReminders:
    def test_a_reminder_carries_the_same_link_and_comes_again(
        self, handlers: Handlers, outbox: Outbox
    ) -> None:
        asked_run(replace(QUESTION, remind_seconds=3600.0))
        handlers.handle(claimed("ask_approver"))
        handlers.handle(claimed("remind_approver"))
        first, reminder = outbox.sent
        with unit_of_work() as session:
            approver = session.scalars(select(Approver)).one()
        assert derive_token(f"approver:{approver.id}") in first.body
        assert reminder.body == first.body
        assert reminder.subject == f"Reminder: {first.subject}"
        again = job("remind_approver")
        assert again.subject_id == approver.id
        assert again.available_at > datetime.now(UTC) + timedelta(minutes=59)

    def test_nobody_is_reminded_of_what_is_decided(
        self, handlers: Handlers, outbox: Outbox
    ) -> None:
        wait = asked_run(replace(QUESTION, remind_seconds=3600.0))
        with unit_of_work() as session:
            held = session.get_one(Wait, wait.id)
            waits.answer(session, held, waits.Ending(Decision.APPROVED, "x"))
        handlers.handle(claimed("remind_approver"))
        assert outbox.sent == []
        with unit_of_work() as session:
            kinds = set(session.scalars(select(Job.kind)))
        assert "remind_approver" not in kinds

    def test_others_are_asked_when_nobody_decided_in_time(
        self, handlers: Handlers, outbox: Outbox
    ) -> None:
        wait = asked_run(
            replace(QUESTION, escalate_to=("boss@b.example",), escalate_seconds=3600.0)
        )
        handlers.handle(claimed("ask_approver"))
        handlers.handle(claimed("escalate_wait"))
        handlers.handle(claimed("ask_approver"))
        assert [mail.to for mail in outbox.sent] == [("ada@b.example",), ("boss@b.example",)]
        with unit_of_work() as session:
            assert len(waits.approvers(session, wait.id)) == 2

    @pytest.mark.parametrize("end", ["cancelled", "answered", "deleted"])
    def test_nobody_is_reminded_of_a_form_that_is_no_longer_needed(
        self, engine: Engine, handlers: Handlers, outbox: Outbox, end: str
    ) -> None:
        run, made = sending(remindEvery="PT1H", waitForCompletion=True, waitFor="any")
        engine.run(task(run, "send"))
        for _ in range(2):
            handlers.handle(claimed("send_form"))
        assert len(outbox.sent) == 2
        if end == "answered":
            form_requests.submit(link(run, "ada@b.example"), {"size": 1})
        with unit_of_work() as session:
            if end == "cancelled":
                runs.end_run(session, run.id, RunStatus.CANCELLED)
            elif end == "deleted":
                session.get_one(Form, made.id).deleted_at = datetime.now(UTC)
        for _ in range(2):
            handlers.handle(claimed("send_form"))
        assert len(outbox.sent) == 2
        with unit_of_work() as session:
            assert "send_form" not in session.scalars(select(Job.kind)).all()


class TestRotation:
    """Links that were given out, after a new encryption key was put before the old one."""

    OLD = base64.urlsafe_b64encode(bytes(32)).decode()
    NEW = base64.urlsafe_b64encode(bytes(range(32))).decode()

    @pytest.fixture(params=[f"{NEW},{OLD}", f"{NEW}, {OLD},"])
    def rotate(
        self, request: pytest.FixtureRequest, environment: Environment
    ) -> Callable[[], None]:
        def rotate(keys: str = request.param) -> None:
            environment.set(AUTOMATIONS_ENCRYPTION_KEY=keys)

        return rotate

    def test_a_reminder_of_a_form_carries_the_link_that_works(
        self, engine: Engine, handlers: Handlers, outbox: Outbox, rotate: Callable[..., None]
    ) -> None:
        run, _ = sending(recipients=["ada@b.example"], remindEvery="PT1H")
        engine.run(task(run, "send"))
        handlers.handle(claimed("send_form"))
        rotate()
        handlers.handle(claimed("send_form"))
        first, reminder = (token_in(mail.body) for mail in outbox.sent)
        assert first == reminder
        form_requests.submit(reminder, {"size": 1})

    def test_when_the_old_key_is_gone_the_reminder_carries_a_link_that_works(
        self, engine: Engine, handlers: Handlers, outbox: Outbox, rotate: Callable[..., None]
    ) -> None:
        run, _ = sending(recipients=["ada@b.example"], remindEvery="PT1H")
        engine.run(task(run, "send"))
        rotate(self.NEW)
        handlers.handle(claimed("send_form"))
        form_requests.submit(token_in(outbox.sent[-1].body), {"size": 1})

    def test_a_reminder_of_a_decision_carries_the_first_link(
        self, handlers: Handlers, outbox: Outbox, rotate: Callable[..., None]
    ) -> None:
        asked_run(replace(QUESTION, remind_seconds=3600.0))
        handlers.handle(claimed("ask_approver"))
        rotate()
        handlers.handle(claimed("remind_approver"))
        first, reminder = (token_in(mail.body) for mail in outbox.sent)
        assert first == reminder
        decisions.decide(first, decision="approved", data=None)

    def test_a_step_that_is_done_again_hands_out_a_url_that_works(
        self, engine: Engine, service: Service, rotate: Callable[..., None]
    ) -> None:
        run = calling()
        service.kills = True
        with pytest.raises(Killed):
            engine.run(task(run, "call"))
        first = service.token
        service.kills = False
        rotate()
        engine.run(task(run, "call"))
        assert service.token == first
        decisions.receive(first, {"state": "ready"})

    def test_also_when_the_old_key_is_gone(
        self, engine: Engine, service: Service, rotate: Callable[..., None]
    ) -> None:
        run = calling()
        service.kills = True
        with pytest.raises(Killed):
            engine.run(task(run, "call"))
        first = service.token
        service.kills = False
        rotate(self.NEW)
        engine.run(task(run, "call"))
        assert service.token != first
        decisions.receive(service.token, {"state": "ready"})


def token_in(body: str) -> str:
    match = re.search(r"/(?:callback|requests)/([\w-]+)", body)
    assert match is not None
    return match[1]


NOW = datetime(2030, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("awaited", "kind", "due_at"),
    [
        (WaitUntil(NOW), "delay", NOW),
        (WaitToRetry(NOW), "retry", NOW),
        (WaitForDecision(QUESTION, WEEK), "decision", NOW + WEEK),
        (WaitForCallback({"a": 1}, WEEK), "callback", NOW + WEEK),
        (WaitForSubmissions({"a": 1}, WEEK), "form", NOW + WEEK),
    ],
)
def test_each_wait_is_stored_as_a_kind_of_its_own_with_its_own_end(
    awaited: Any, kind: str, due_at: datetime
) -> None:
    pause = pause_of(awaited, NOW)
    assert (pause.kind, pause.due_at) == (kind, due_at)


def test_what_is_no_wait_is_no_pause_either() -> None:
    with pytest.raises(AssertionError):
        pause_of(Done({}), NOW)  # type: ignore[arg-type]  # that is the point


def test_a_decision_that_another_version_has_parked_is_still_asked(engine: Engine) -> None:
    run = begin(step("ask", "approval", 0, {"message": "OK?", "approvers": ["ada@b.example"]}))
    asked = engine.run(task(run, "ask"))
    assert isinstance(asked, AskPeople)
    with unit_of_work() as session:
        wait = session.get_one(Wait, asked.wait_id)
        known = {name: value for name, value in (wait.question or {}).items() if name != "quorum"}
        wait.question = {**known, "renamedSince": 1, "escalate_to": None}
    assert engine.run(task(run, "ask")) == asked
