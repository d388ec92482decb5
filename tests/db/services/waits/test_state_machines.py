"""Pauses and slots as state machines, in whichever order things happen, against the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, func, select, update

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Approver, AuditLog, Job, Run, RunStep, Wait
from automations.dispatch.jobs.registry import Handlers
from automations.dispatch.reconciler import Reconciler
from automations.domain.statuses import UNFINISHED, Decision, RunStatus, SlotStatus
from automations.errors import Conflict, Gone
from automations.execution.engine import Engine
from automations.execution.verdicts import AskPeople, Proceed, Skip, Sleep, TaskRef
from automations.services.runs import by_hand, cancellations
from automations.services.waits import decisions
from automations.services.workflows import workflows
from automations.steps.outcomes import Answer
from automations.tokens import derive_token, hash_token
from tests.db.workspace import principal
from tests.doubles import ports
from tests.environment import Environment

pytestmark = pytest.mark.slow  # hundreds of transactions each

QUORUM = 2
PEOPLE = ("ada@b.example", "bob@b.example", "cy@b.example")
DECISIONS = st.sampled_from(["approved", "rejected"])
HOW = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def automation(here: str, steps: list[dict[str, Any]], **more: Any) -> str:
    payload = {"name": "Test", "status": "ACTIVE", "steps": steps, **more}
    return workflows.create(principal(here), payload, ports()).id


def node_of(workflow: str, here: str) -> str:
    return str(workflows.get(here, workflow).definition["steps"][0]["id"])


@dataclass
class Pause:
    """What is expected of one run that asks.

    Args:
        ended: how, once it has; ``cancelled`` with its run.
        votes: who has approved so far.
        is_due: whether its time is over.
        went_on: whether its task has gone on since.
    """

    ref: TaskRef
    wait: str
    ended: str | None = None
    by: str | None = None
    votes: set[str] = field(default_factory=set)
    is_due: bool = False
    went_on: bool = False

    @property
    def takes_answers(self) -> bool:
        return self.ended is None and not self.is_due


class Pauses(RuleBasedStateMachine):
    """Questions that are answered by three doors, expire and are cancelled, and tasks that wake."""

    asked = Bundle("asked")

    def __init__(self, here: str, engine: Engine) -> None:
        super().__init__()
        self.here, self.engine = here, engine
        asks = {"message": "OK?", "approvers": list(PEOPLE), "quorum": QUORUM}
        asks |= {"onReject": "continue", "onExpire": "continue"}
        step = {"name": "Ask", "type": "approval", "order": 0, "config": asks}
        self.workflow = automation(here, [step])
        self.node = node_of(self.workflow, here)
        self.known: list[Pause] = []
        self.cancelled: set[str] = set()

    @rule(target=asked)
    def ask(self) -> Pause:
        run = by_hand.execute(principal(self.here), self.workflow, {})
        ref = TaskRef(run.id, self.workflow, 1, self.node)
        parked = self.engine.run(ref)
        assert isinstance(parked, AskPeople)
        with unit_of_work() as session:
            people = session.scalars(select(Approver).where(Approver.wait_id == parked.wait_id))
            for person in people.all():
                token = derive_token(f"{run.id}{person.address}")
                person.token_hash = hash_token(token)
        self.known.append(Pause(ref, parked.wait_id))
        return self.known[-1]

    @rule(pause=asked, decision=DECISIONS)
    def answer_by_the_api(self, pause: Pause, decision: str) -> None:
        """An owner decides in the place of all who were asked."""
        owner = principal(self.here, name="owner")
        try:
            decisions.resume(owner, pause.ref.run_id, decision=decision, data=None)
        except Conflict:
            assert not pause.takes_answers
        else:
            assert pause.takes_answers
            pause.ended, pause.by = decision, "owner"

    @rule(pause=asked, person=st.sampled_from(PEOPLE), decision=DECISIONS)
    def answer_by_a_link(self, pause: Pause, person: str, decision: str) -> None:
        token = derive_token(f"{pause.ref.run_id}{person}")
        try:
            decisions.decide(token, decision=decision, data=None)
        except (Conflict, Gone):
            assert not pause.takes_answers or person in pause.votes
        else:
            assert pause.takes_answers
            assert person not in pause.votes
            self._voted(pause, person, person, decision)

    @rule(pause=asked, decision=DECISIONS)
    def answer_in_airflow(self, pause: Pause, decision: str) -> None:
        """An administrator there; what comes too late is asked again, or goes on as it ended."""
        answer = Answer(Decision(decision), "airflow:root", datetime.now(UTC))
        verdict = self.engine.resume(pause.ref, pause.wait, answer)
        if pause.takes_answers:
            pause.ended, pause.by = decision, "airflow:root"
        self._check_woken(pause, verdict)

    def _voted(self, pause: Pause, person: str, by: str, decision: str) -> None:
        pause.votes.add(person)
        if decision == "rejected" or len(pause.votes) == QUORUM:
            pause.ended, pause.by = decision, by

    @rule(pause=asked)
    def its_time_comes(self, pause: Pause) -> None:
        if pause.ended is None:
            with unit_of_work() as session:
                past = datetime.now(UTC) - timedelta(seconds=1)
                session.execute(update(Wait).where(Wait.id == pause.wait).values(due_at=past))
            pause.is_due = True

    @rule(pause=asked)
    def cancel(self, pause: Pause) -> None:
        try:
            cancellations.cancel(principal(self.here), self.workflow, pause.ref.run_id)
        except Conflict:
            assert pause.went_on or pause.ref.run_id in self.cancelled
        else:
            assert not pause.went_on
            # What was decided before stays on record.
            pause.ended = pause.ended or "cancelled"
            self.cancelled.add(pause.ref.run_id)

    @rule(pause=asked)
    def wake(self, pause: Pause) -> None:
        verdict = self.engine.resume(pause.ref, pause.wait, None)
        if pause.ended is None and pause.is_due:
            pause.ended = "expired"
        self._check_woken(pause, verdict)

    @rule(pause=asked)
    def repeat(self, pause: Pause) -> None:
        """The process was killed, and its task begins from the start."""
        verdict = self.engine.run(pause.ref)
        if pause.went_on:
            assert isinstance(verdict, Proceed)
        elif pause.ref.run_id in self.cancelled:
            assert isinstance(verdict, Skip)
        else:
            assert isinstance(verdict, AskPeople if pause.ended is None else Sleep)

    def _check_woken(self, pause: Pause, verdict: object) -> None:
        if pause.ref.run_id in self.cancelled and not pause.went_on:
            assert isinstance(verdict, Skip)
        elif pause.ended is None:
            assert isinstance(verdict, AskPeople)
        else:
            assert isinstance(verdict, Proceed)
            pause.went_on = True

    @invariant()
    def it_is_on_record_so(self) -> None:
        with unit_of_work() as session:
            found = {
                wait.id: (wait, run, step)
                for wait, run, step in session.execute(
                    select(Wait, Run, RunStep)
                    .join(Run, Run.id == Wait.run_id)
                    .join(RunStep, (RunStep.run_id == Run.id) & (RunStep.node_id == Wait.node_id))
                )
            }
            said = session.execute(
                select(AuditLog.resource_id, func.count())
                .where(AuditLog.action == "run.resume")
                .group_by(AuditLog.resource_id)
            )
            answered: dict[str, int] = {str(run): int(count) for run, count in said.all()}
        assert len(found) == len(self.known)
        for pause in self.known:
            wait, run, step = found[pause.wait]
            is_cancelled = run.id in self.cancelled
            if pause.ended is None:
                assert (wait.status, wait.decision, run.status) == ("OPEN", None, "PAUSED")
            elif pause.ended == "cancelled":
                assert (wait.status, wait.decision, run.status) == ("CANCELLED", None, "CANCELLED")
            else:
                assert (wait.status, wait.decision) == ("ANSWERED", pause.ended)
                assert wait.decided_by == pause.by
                if is_cancelled:
                    assert run.status == RunStatus.CANCELLED
                else:
                    assert run.status == ("COMPLETED" if pause.went_on else "RUNNING")
            assert (step.status == "DONE") == pause.went_on
            assert answered.get(run.id, 0) <= 1


class Slots(RuleBasedStateMachine):
    """Runs that begin, end and are cancelled, under a limit that changes; jobs get lost."""

    def __init__(self, here: str, handlers: Handlers) -> None:
        super().__init__()
        self.here, self.handlers = here, handlers
        rules = [{"field": "{{run.id}}", "operator": "exists"}]
        step = {"name": "Look", "type": "condition", "order": 0, "config": {"rules": rules}}
        self.limit = 2
        self.workflow = automation(here, [step], concurrency={"limit": self.limit})
        self.order: list[str] = []
        self.most = 0
        """The highest limit that runs in flight may have been let in under."""

    @rule()
    def start(self) -> None:
        self.order.append(by_hand.execute(principal(self.here), self.workflow, {}).id)

    @rule(limit=st.integers(1, 4))
    def change_the_limit(self, limit: int) -> None:
        change = {"concurrency": {"limit": limit}}
        workflows.update(principal(self.here), self.workflow, change, ports())
        self.limit = limit

    @precondition(lambda self: self.held())
    @rule(data=st.data(), status=st.sampled_from([RunStatus.COMPLETED, RunStatus.FAILED]))
    def end(self, data: st.DataObject, status: RunStatus) -> None:
        run = data.draw(st.sampled_from(self.held()))
        with unit_of_work() as session:
            assert runs.end_run(session, run, status)

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.unfinished()))
        cancellations.cancel(principal(self.here), self.workflow, run)

    @rule()
    def do_one_job(self) -> None:
        self._do(1)

    @rule()
    def lose_the_jobs(self) -> None:
        """As by a fault that nobody has thought of; what is mended is what is in the runs' rows."""
        with unit_of_work() as session:
            session.execute(delete(Job).where(Job.kind.in_(("admit_run", "next_run"))))

    @rule()
    def repair(self) -> None:
        self._settle()
        free = self.limit - len(self.held())
        assert not self.waiting() or free <= 0

    @invariant()
    def no_more_are_in_flight_than_were_let_in(self) -> None:
        held = self.held()
        self.most = max(self.limit, min(self.most, len(held)))
        assert len(held) <= self.most

    @invariant()
    def whoever_came_first_is_first(self) -> None:
        waiting = self.waiting()
        begun = [run for run in self.order if run in self.held()]
        if waiting and begun:
            assert self.order.index(begun[-1]) < self.order.index(waiting[0])

    def teardown(self) -> None:
        """However it was left: when all that are in flight end, all that wait have their turn."""
        while self.unfinished():
            self._settle()
            held = self.held()
            assert held, "all wait, and none begins"
            for run in held:
                with unit_of_work() as session:
                    runs.end_run(session, run, RunStatus.COMPLETED)

    def _settle(self) -> None:
        Reconciler(ports()).repair()  # type: ignore[arg-type]  # Airflow is not asked
        self._do(1_000)

    def _do(self, most: int) -> None:
        for _ in range(most):
            with unit_of_work() as session:
                query = select(Job).where(Job.kind.in_(("admit_run", "next_run"))).order_by(Job.id)
                job = session.scalars(query.limit(1)).first()
            if job is None:
                return
            self.handlers.handle(job)

    def held(self) -> list[str]:
        return self._in(SlotStatus.HELD)

    def waiting(self) -> list[str]:
        return self._in(SlotStatus.WAITING)

    def unfinished(self) -> list[str]:
        return sorted(self.held() + self.waiting(), key=self.order.index)

    def _in(self, slot: SlotStatus) -> list[str]:
        query = select(Run.id).where(
            Run.workflow_id == self.workflow, Run.slot == slot, Run.status.in_(UNFINISHED)
        )
        with unit_of_work() as session:
            found = set(session.scalars(query))
        return [run for run in self.order if run in found]


def test_a_pause_ends_once_in_whatever_order_it_is_answered_expires_is_cancelled_and_woken(
    here: str, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_AIRFLOW_ADMINS="root")
    engine = Engine(ports())

    class Here(Pauses):
        def __init__(self) -> None:
            with unit_of_work() as session:
                for table in (Approver, Wait, AuditLog):
                    session.execute(delete(table))
            super().__init__(here, engine)

    run_state_machine_as_test(Here, settings=HOW)


def test_no_slot_is_given_twice_or_lost_in_whatever_order_runs_begin_end_and_are_cancelled(
    here: str, handlers: Handlers
) -> None:
    class Here(Slots):
        def __init__(self) -> None:
            super().__init__(here, handlers)

    run_state_machine_as_test(Here, settings=HOW)
