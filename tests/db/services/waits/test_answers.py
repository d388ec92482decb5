"""Answers to pauses: the same are taken and refused by each door that they may come by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import Approver, AuditLog, Run, RunStep, Wait
from automations.domain.statuses import DECISIONS, Decision
from automations.errors import AutomationsError, Conflict, Gone, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.verdicts import AskPeople, Proceed, Sleep
from automations.ports import HttpRequest, HttpResponse
from automations.services.runs import browsing
from automations.services.waits import answers, decisions
from automations.services.waits.answers import MAX_REASON
from automations.services.waits.questions import QuestionState, state
from automations.steps.outcomes import Answer
from automations.tokens import derive_token, hash_token
from tests.db.forms import FORM
from tests.db.runs import begin, reload, row, step, task
from tests.db.workspace import principal
from tests.doubles import ports
from tests.environment import Environment

ADA = "ada@b.example"


class Service:
    def request(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(202, {}, b"", request.url)


@pytest.fixture
def engine(database: str, environment: Environment) -> Engine:
    environment.set(AUTOMATIONS_AIRFLOW_ADMINS="bob")
    return Engine(ports(http=Service()))


@dataclass(frozen=True)
class Paused:
    """A run that waits, and the engine that goes on with it."""

    engine: Engine
    run: Run
    wait_id: str

    @property
    def wait(self) -> Wait:
        with unit_of_work() as session:
            return session.get_one(Wait, self.wait_id)


def by_the_api(
    paused: Paused, decision: str | None, data: Any, by: str, reason: str | None = None
) -> None:
    run, who = paused.run, principal(paused.run.workspace_id, name=by)
    decisions.resume(who, run.id, decision=decision, data=data, reason=reason)


def by_a_link(
    paused: Paused, decision: str | None, data: Any, by: str, reason: str | None = None
) -> None:
    token = derive_token(by)
    with unit_of_work() as session:
        session.execute(update(Approver).values(address=by, token_hash=hash_token(token)))
    decisions.decide(token, decision=str(decision), data=data, reason=reason)


def in_airflow(
    paused: Paused, decision: str | None, data: Any, by: str, reason: str | None = None
) -> None:
    # Who decides nothing there presses the button to continue.
    answer = Answer(
        decision or Decision.RESUMED,  # type: ignore[arg-type]  # also what is no decision
        f"airflow:{by}",
        datetime.now(UTC),
        data,
        reason=reason,
    )
    ref = task(paused.run, paused.wait.node_id)
    verdict = paused.engine.resume(ref, paused.wait_id, answer)
    if isinstance(verdict, AskPeople | Sleep):
        raise Conflict


Door = Callable[..., None]
every_door = pytest.mark.parametrize("door", [by_the_api, by_a_link, in_airflow])


def asking(engine: Engine, **config: Any) -> Paused:
    asks = {"message": "OK?", "approvers": [ADA], "onReject": "continue", **config}
    run = begin(step("ask", "approval", 0, asks))
    parked = engine.run(task(run, "ask"))
    assert isinstance(parked, AskPeople)
    return Paused(engine, run, parked.wait_id)


def calling(engine: Engine) -> Paused:
    config = {"method": "POST", "url": "https://a.example", "waitForCallback": True}
    run = begin(step("call", "http_request", 0, config))
    parked = engine.run(task(run, "call"))
    assert isinstance(parked, AskPeople)
    return Paused(engine, run, parked.wait_id)


def refused(door: Door, paused: Paused, *given: Any) -> AutomationsError:
    with pytest.raises(AutomationsError) as caught:
        door(paused, *given)
    assert paused.wait.status == "OPEN"
    assert reload(paused.run).status == "PAUSED"
    return caught.value


@every_door
def test_an_answer_that_fits_ends_the_pause(engine: Engine, door: Door) -> None:
    paused = asking(engine)
    door(paused, "approved", {"comment": "fine"}, "bob")
    wait = paused.wait
    assert (wait.status, wait.decision, wait.data) == ("ANSWERED", "approved", {"comment": "fine"})
    assert wait.decided_by == ("airflow:bob" if door is in_airflow else "bob")
    assert wait.override is (door is not by_a_link)


@every_door
def test_a_reason_goes_with_the_answer_to_the_run(engine: Engine, door: Door) -> None:
    paused = asking(engine)
    door(paused, "rejected", None, "bob", "It is too dear.")
    assert paused.wait.reason == "It is too dear."
    if door is not in_airflow:
        engine.resume(task(paused.run, "ask"), paused.wait_id, None)
    with unit_of_work() as session:
        node = session.get_one(RunStep, (paused.run.id, "ask"))
        assert node.output is not None
        assert (node.output["decision"], node.output["reason"]) == ("rejected", "It is too dear.")


@every_door
def test_a_reason_that_is_too_long_is_refused(engine: Engine, door: Door) -> None:
    paused = asking(engine)
    error = refused(door, paused, "approved", None, "bob", "x" * (MAX_REASON + 1))
    if isinstance(error, ValidationFailed):
        assert list(error.field_errors) == ["reason"]


def test_the_reasons_of_all_who_were_asked_are_kept(engine: Engine) -> None:
    paused = asking(engine, approvers=[ADA, "bob@b.example"], quorum=2)
    for address, reason in ((ADA, "One."), ("bob@b.example", "Two.")):
        token = derive_token(address)
        with unit_of_work() as session:
            of = update(Approver).where(Approver.address == address)
            session.execute(of.values(token_hash=hash_token(token)))
        decisions.decide(token, decision="approved", data=None, reason=reason)
    votes = browsing.story(paused.run.workspace_id, paused.run.id).votes
    assert [(vote.by, vote.reason) for vote in votes] == [(ADA, "One."), ("bob@b.example", "Two.")]


@every_door
def test_what_is_no_decision_is_refused(engine: Engine, door: Door) -> None:
    refused(door, asking(engine), "maybe", None, "bob")


@every_door
def test_to_let_a_decision_go_on_is_no_decision(engine: Engine, door: Door) -> None:
    refused(door, asking(engine), "resumed", None, "bob")


@every_door
@pytest.mark.parametrize("data", [None, {}, {"size": "large"}, {"size": None}])
def test_an_approval_must_fill_in_the_form(engine: Engine, door: Door, data: Any) -> None:
    paused = asking(engine, form=FORM)
    refused(door, paused, "approved", data, "bob")
    door(paused, "approved", {"size": 3}, "bob")
    assert paused.wait.data == {"size": 3}


@every_door
def test_a_rejection_need_not(engine: Engine, door: Door) -> None:
    paused = asking(engine, form=FORM)
    door(paused, "rejected", None, "bob")
    assert paused.wait.decision == "rejected"


@every_door
def test_an_answer_to_a_form_that_is_no_object_is_refused(engine: Engine, door: Door) -> None:
    refused(door, asking(engine, form=FORM), "approved", ["size"], "bob")


@every_door
def test_an_answer_that_comes_too_late_is_refused(engine: Engine, door: Door) -> None:
    paused = asking(engine)
    with unit_of_work() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(Wait).values(due_at=past))
    assert isinstance(refused(door, paused, "approved", None, "bob"), Conflict | Gone)


@every_door
def test_an_answer_after_another_one_changes_nothing(engine: Engine, door: Door) -> None:
    paused = asking(engine)
    by_the_api(paused, "rejected", None, "first")
    if door is in_airflow:
        door(paused, "approved", None, "bob")  # the task goes on as the first one said
    else:
        with pytest.raises((Conflict, Gone)):
            door(paused, "approved", None, "bob")
    assert (paused.wait.decision, paused.wait.decided_by) == ("rejected", "first")


def test_an_answer_in_airflow_counts_by_when_it_was_given(engine: Engine) -> None:
    paused = asking(engine)
    now = datetime.now(UTC)
    with unit_of_work() as session:
        session.execute(update(Wait).values(due_at=now))
    answer = Answer(Decision.APPROVED, "airflow:bob", now - timedelta(seconds=1))
    assert isinstance(engine.resume(task(paused.run, "ask"), paused.wait_id, answer), Proceed)
    assert paused.wait.decision == "approved"


class TestCallbacks:
    @pytest.mark.parametrize("decision", [None, "approved", "resumed"])
    @pytest.mark.parametrize("door", [by_the_api, in_airflow])
    def test_whoever_lets_the_run_go_on_without_one_approves_of_nothing(
        self, engine: Engine, door: Door, decision: str | None
    ) -> None:
        paused = calling(engine)
        door(paused, decision, {"n": 1}, "bob")
        assert (paused.wait.decision, paused.wait.data) == ("resumed", {"n": 1})

    @pytest.mark.parametrize("door", [by_the_api, in_airflow])
    def test_it_cannot_be_rejected(self, engine: Engine, door: Door) -> None:
        refused(door, calling(engine), "rejected", None, "bob")

    def test_airflow_offers_to_go_on_and_that_is_what_is_on_record(self, engine: Engine) -> None:
        paused = calling(engine)
        asked = engine.run(task(paused.run, "call"))
        assert isinstance(asked, AskPeople)
        (option,) = asked.options
        in_airflow(paused, answers.decision_of(option), None, "bob")
        with unit_of_work() as session:
            line = session.scalars(select(AuditLog)).one()
        assert (line.action, line.details["decision"]) == ("run.resume", "resumed")
        done = row(paused.run, "call")
        assert done is not None
        assert (done.output or {})["callback"] is None


def test_what_ends_by_its_time_is_nobodys_answer(engine: Engine) -> None:
    run = begin(step("wait", "delay", 0, {"duration": "PT1H"}))
    parked = engine.run(task(run, "wait"))
    assert isinstance(parked, Sleep)
    elapsed = Answer(Decision.ELAPSED, None, datetime.now(UTC))
    assert isinstance(engine.resume(task(run, "wait"), parked.wait_id, elapsed), Proceed)
    with unit_of_work() as session:
        assert session.scalars(select(AuditLog)).all() == []


def test_an_option_means_the_same_when_it_is_offered_chosen_and_passed_on(engine: Engine) -> None:
    paused = asking(engine)
    offered = answers.options(paused.wait)
    assert [answers.decision_of(option) for option in offered] == list(DECISIONS)
    for decision in (*DECISIONS, Decision.RESUMED):
        assert answers.decision_of(answers.option_of(decision)) == decision


def answer_there(paused: Paused, decision: Decision, data: Any, by: str) -> AskPeople:
    """Answer in Airflow; what is asked once more."""
    answer = Answer(decision, f"airflow:{by}", datetime.now(UTC), data)
    verdict = paused.engine.resume(task(paused.run, paused.wait.node_id), paused.wait_id, answer)
    assert isinstance(verdict, AskPeople)
    return verdict


def test_why_an_answer_in_airflow_was_not_taken_is_known_until_one_is(engine: Engine) -> None:
    amount = {"id": "a", "key": "amount", "type": "number", "validation": {"max": 100}}
    form = {"sections": [{"id": "s", "fields": [amount]}]}
    paused = asking(engine, form=form, approvers=[ADA, "bob@b.example"], quorum=2)
    assert state(paused.wait_id, ()) == QuestionState((ADA, "bob@b.example"))
    answer_there(paused, Decision.APPROVED, {"amount": 101}, ADA)
    refused = state(paused.wait_id, ())
    assert (refused.refused or "").startswith(f"{ADA}: data.amount ")
    assert refused.has_moved
    answer_there(paused, Decision.APPROVED, {"amount": 100}, ADA)
    assert state(paused.wait_id, ()) == QuestionState((ADA, "bob@b.example"), approvals=1)


def test_those_who_were_asked_are_known_among_airflows_users(
    engine: Engine, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_AIRFLOW_ADMINS="admin")
    paused = asking(engine)
    users = ("mallory", ADA.partition("@")[0], ADA, "admin")
    # A name is an address only where a member has it; admin decides in the place of others.
    assert state(paused.wait_id, users).entitled == (ADA, "admin")
    assert state(paused.wait_id, ("mallory", "admin")).entitled == ()


def test_where_nobody_was_asked_nobody_is_shown_as_asked(engine: Engine) -> None:
    assert state(asking(engine, approvers=[]).wait_id, (ADA, "admin")).entitled == ()
