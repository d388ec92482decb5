"""Limits of concurrent runs: never more in flight, in order, whatever ends or starts them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from automations.db.queue import jobs
from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Job, JobKind, Run, Wait
from automations.definitions.published import run_id
from automations.dispatch.dispatcher import Dispatcher
from automations.dispatch.jobs.registry import Handlers
from automations.dispatch.reconciler import Reconciler
from automations.domain.statuses import UNFINISHED, RunStatus
from automations.errors import Conflict
from automations.execution.engine import Engine
from automations.execution.verdicts import Proceed, Skip, Sleep, TaskRef
from automations.ports import NewDagRun, Visible
from automations.services.runs import by_hand, cancellations, replays
from automations.services.runs.from_airflow import AirflowRun, record_run
from automations.services.waits import decisions
from automations.services.workflows import workflows
from tests.db.dispatching import count
from tests.db.workspace import principal
from tests.doubles import ports
from tests.waiting import until

RULES = [{"field": "{{input.n}}", "operator": "exists"}]
STEP = {"id": "look", "name": "Look", "type": "condition", "order": 0, "config": {"rules": RULES}}


@pytest.fixture
def engine(here: str) -> Engine:
    return Engine(ports())


def automation(here: str, limit: int, **concurrency: Any) -> str:
    payload = {
        "name": "Test",
        "status": "ACTIVE",
        "steps": [STEP],
        "concurrency": {"limit": limit, **concurrency},
    }
    return workflows.create(principal(here), payload, ports()).id


def executed(here: str, workflow: str, count: int = 1, **given: Any) -> list[str]:
    return [by_hand.execute(principal(here), workflow, given).id for _ in range(count)]


def admit(handlers: Handlers) -> None:
    """Do the jobs that hand out slots."""
    while True:
        with unit_of_work() as session:
            query = select(Job).where(Job.kind.in_(("admit_run", "next_run"))).order_by(Job.id)
            job = session.scalars(query).first()
        if job is None:
            return
        handlers.handle(job)


def started() -> list[str]:
    """The runs that the dispatcher is to bring to Airflow, in order."""
    with unit_of_work() as session:
        query = select(Job.subject_id).where(Job.kind == "start_run").order_by(Job.id)
        return list(session.scalars(query))


def end(run: str, status: RunStatus = RunStatus.COMPLETED) -> None:
    with unit_of_work() as session:
        assert runs.end_run(session, run, status)


def load(run: str) -> Run:
    with unit_of_work() as session:
        return session.get_one(Run, run)


def test_more_than_the_limit_wait_and_begin_in_order_when_others_end(
    here: str, handlers: Handlers
) -> None:
    first, second, third, fourth = executed(here, automation(here, 2), 4)
    admit(handlers)
    assert started() == [first, second]
    assert (load(third).status, load(third).slot) == ("RUNNING", "WAITING")
    end(second, RunStatus.FAILED)
    admit(handlers)
    assert started() == [first, second, third]
    cancellations.cancel(principal(here), load(first).workflow_id, first)
    admit(handlers)
    assert started() == [first, second, third, fourth]


def test_each_key_has_a_limit_of_its_own_and_what_has_none_is_not_limited(
    here: str, handlers: Handlers
) -> None:
    workflow = automation(here, 1, key="{{input.who}}")
    a1, a2 = executed(here, workflow, 2, who="a")
    (b1,) = executed(here, workflow, who={"name": "b" * 300})
    missing, null = executed(here, workflow)[0], executed(here, workflow, who=None)[0]
    (word,) = executed(here, workflow, who="null")
    admit(handlers)
    assert sorted(started()) == sorted([a1, b1, missing, null, word])
    assert load(a2).slot_key == f"{workflow}:a"
    assert load(missing).slot_key is None


@pytest.mark.parametrize(
    "key",
    [
        "{{input.who}}:{{input.where}}",
        "{{input.who | upper}}/{{input.where | lower}}",
        "who is {{input.who}}{% if input.where %} in {{input.where}}{% endif %}",
    ],
)
def test_a_part_of_a_key_that_is_missing_is_empty(here: str, handlers: Handlers, key: str) -> None:
    workflow = automation(here, 1, key=key)
    a, a_too = executed(here, workflow, 2, who="a")
    (b,) = executed(here, workflow, who="b")
    (elsewhere,) = executed(here, workflow, who="a", where="x")
    admit(handlers)
    assert started() == [a, b, elsewhere]
    assert load(a).slot_key == load(a_too).slot_key


def test_one_too_many_is_skipped_when_that_is_wished(here: str, handlers: Handlers) -> None:
    first, second = executed(here, automation(here, 1, policy="skip"), 2)
    admit(handlers)
    skipped = load(second)
    assert (started(), skipped.status) == ([first], "CANCELLED")
    assert skipped.error == "Skipped: the automation has 1 in flight (concurrency: skip)."


def test_the_oldest_makes_room_when_that_is_wished(here: str, handlers: Handlers) -> None:
    first, second, third = executed(here, automation(here, 1, policy="cancel_running"), 3)
    admit(handlers)
    states = [load(run).status for run in (first, second, third)]
    assert states == ["CANCELLED", "CANCELLED", "RUNNING"]
    assert load(third).slot == "HELD"
    assert str(load(second).error).startswith(f"Run {third} took its place")


def test_a_run_that_is_cancelled_while_it_waits_gives_its_turn_to_the_next(
    here: str, handlers: Handlers
) -> None:
    workflow = automation(here, 1)
    first, second, third = executed(here, workflow, 3)
    admit(handlers)
    cancellations.cancel(principal(here), workflow, second)
    end(first)
    admit(handlers)
    assert started() == [first, third]


def test_a_raised_limit_lets_others_begin_and_one_that_is_taken_away_all(
    here: str, handlers: Handlers
) -> None:
    workflow = automation(here, 1)
    ids = executed(here, workflow, 4)
    admit(handlers)
    workflows.update(principal(here), workflow, {"concurrency": {"limit": 2}}, ports())
    admit(handlers)
    assert started() == ids[:2]
    workflows.update(principal(here), workflow, {"concurrency": None}, ports())
    admit(handlers)
    assert started() == ids


def test_a_lost_job_is_mended(here: str, handlers: Handlers) -> None:
    first, second = executed(here, automation(here, 1), 2)
    admit(handlers)
    end(first)
    with unit_of_work() as session:
        session.execute(delete(Job).where(Job.kind == "next_run"))
    Reconciler(ports()).repair()  # type: ignore[arg-type]  # Airflow is not asked
    admit(handlers)
    assert started() == [first, second]


def test_a_run_that_could_not_be_started_leaves_its_place(here: str, handlers: Handlers) -> None:
    workflow = automation(here, 1)
    first, second = executed(here, workflow, 2)
    admit(handlers)
    with unit_of_work() as session:
        job = session.scalars(select(Job).where(Job.kind == "start_run")).one()
    handlers.give_up(job, "no DAG")
    admit(handlers)
    assert started() == [first, second]
    replays.retry(here, workflow, first)
    admit(handlers)
    assert (load(first).status, load(first).slot) == ("RUNNING", "WAITING")
    end(second)
    admit(handlers)
    assert load(first).slot == "HELD"


def test_who_has_lost_a_job_to_another_cannot_give_its_run_up(
    here: str, handlers: Handlers
) -> None:
    (run,) = executed(here, automation(here, 1))
    admit(handlers)
    with unit_of_work() as session:
        lost = session.scalars(select(Job).where(Job.kind == "start_run")).one()
    with unit_of_work() as session:
        session.execute(update(Job).values(claims=Job.claims + 1))
    handlers.give_up(lost, "no DAG")
    with unit_of_work() as session:
        taken = session.scalars(select(Job).where(Job.kind == "start_run")).one()
    assert (load(run).status, taken.dead_at) == ("RUNNING", None)
    handlers.give_up(taken, "no DAG")
    assert load(run).status == "FAILED"


def made_by_airflow(workflow: str, name: str) -> TaskRef:
    """The first task of a run of the schedule's."""
    due_at = datetime(2026, 3, 1, tzinfo=UTC)
    ours = run_id(workflow, name)
    return TaskRef(ours, workflow, 1, "look", run_type="scheduled", due_at=due_at, dag_run_id=name)


def test_a_run_that_airflow_has_made_sleeps_until_it_is_its_turn(
    here: str, handlers: Handlers, engine: Engine
) -> None:
    workflow = automation(here, 1)
    (first,) = executed(here, workflow)
    admit(handlers)
    ref = made_by_airflow(workflow, "scheduled__1")
    asleep = engine.run(ref)
    assert isinstance(asleep, Sleep)
    assert engine.run(ref) == asleep
    assert load(ref.run_id).status == "RUNNING"
    assert isinstance(engine.resume(ref, asleep.wait_id, None), Sleep)
    with pytest.raises(Conflict, match="waits for its turn"):
        decisions.resume(principal(here), ref.run_id, decision=None, data=None)
    end(first)
    admit(handlers)
    assert isinstance(engine.resume(ref, asleep.wait_id, None), Proceed)
    assert load(ref.run_id).status == "COMPLETED"
    assert isinstance(engine.run(made_by_airflow(workflow, "scheduled__2")), Proceed)


def test_one_of_airflows_is_skipped_or_makes_room_likewise(
    here: str, handlers: Handlers, engine: Engine
) -> None:
    skipping, taking = (automation(here, 1, policy=one) for one in ("skip", "cancel_running"))
    executed(here, skipping)
    (first,) = executed(here, taking)
    admit(handlers)
    skipped = made_by_airflow(skipping, "scheduled__1")
    assert isinstance(engine.run(skipped), Skip)
    assert load(skipped.run_id).status == "CANCELLED"
    assert isinstance(engine.run(made_by_airflow(taking, "scheduled__2")), Proceed)
    assert load(first).status == "CANCELLED"


def test_a_run_that_is_found_in_airflow_only_is_admitted_too(here: str, handlers: Handlers) -> None:
    workflow = automation(here, 1)
    (first,) = executed(here, workflow)
    admit(handlers)
    with unit_of_work() as session:
        record_run(
            session,
            AirflowRun(
                workflow_id=workflow,
                run_id="manual__1",
                run_type="manual",
                conf={},
                started_by=None,
                version=1,
                due_at=None,
            ),
        )
    found = run_id(workflow, "manual__1")
    admit(handlers)
    assert load(found).slot == "WAITING"
    end(first)
    admit(handlers)
    assert (load(found).slot, started()) == ("HELD", [first])


def test_a_cleared_run_waits_for_its_turn_like_a_new_one(
    here: str, handlers: Handlers, engine: Engine
) -> None:
    workflow = automation(here, 1)
    first, second = executed(here, workflow, 2)
    admit(handlers)
    end(first, RunStatus.FAILED)
    admit(handlers)
    assert load(second).slot == "HELD"
    again = TaskRef(first, workflow, 1, "look", generation=1)
    asleep = engine.run(again)
    assert isinstance(asleep, Sleep)
    end(second)
    admit(handlers)
    assert isinstance(engine.resume(again, asleep.wait_id, None), Proceed)


def test_a_run_that_waits_in_airflow_can_be_cancelled(
    here: str, handlers: Handlers, engine: Engine
) -> None:
    workflow = automation(here, 1)
    executed(here, workflow)
    admit(handlers)
    ref = made_by_airflow(workflow, "scheduled__1")
    asleep = engine.run(ref)
    assert isinstance(asleep, Sleep)
    cancellations.cancel(principal(here), workflow, ref.run_id)
    assert isinstance(engine.resume(ref, asleep.wait_id, None), Skip)
    with unit_of_work() as session:
        assert session.get_one(Wait, asleep.wait_id).status == "CANCELLED"


def in_flight() -> int:
    with unit_of_work() as session:
        query = select(func.count()).where(Run.slot == "HELD", Run.status.in_(UNFINISHED))
        return session.scalar(query) or 0


@pytest.mark.slow
def test_many_dispatchers_never_let_more_in_and_keep_the_order(
    here: str, handlers: Handlers
) -> None:
    limit = 3
    workflow = automation(here, limit)
    order = executed(here, workflow, 40)
    ended, most, failures = threading.Event(), [0], []

    def again_and_again(act: Callable[[], None]) -> None:
        try:
            while not ended.is_set():
                act()
                most[0] = max(most[0], in_flight())
        except BaseException as error:
            failures.append(error)
            ended.set()
            raise

    def dispatch() -> None:
        with unit_of_work() as session:
            # What is to be brought to Airflow stays, to be looked at.
            session.execute(
                update(Job)
                .where(Job.kind == "start_run")
                .values(available_at=datetime(2100, 1, 1, tzinfo=UTC))
            )
            claimed = jobs.claim(session, 3, JobKind)
        for job in claimed:
            if job.kind != "start_run":
                handlers.handle(job)

    def finish() -> None:
        with unit_of_work() as session:
            query = select(Run.id).where(Run.slot == "HELD", Run.status == "RUNNING").limit(1)
            run = session.scalars(query.with_for_update(skip_locked=True)).first()
            if run is not None:
                runs.end_run(session, run, RunStatus.COMPLETED)
            elif session.scalar(select(func.count()).where(Run.status == "RUNNING")) == 0:
                ended.set()

    acts = (dispatch, dispatch, dispatch, dispatch, finish, finish)
    threads = [threading.Thread(target=again_and_again, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert ended.is_set()
    assert most[0] <= limit
    assert started() == order


@pytest.mark.slow
def test_two_dispatchers_that_run_hand_out_each_slot_once(here: str) -> None:
    class Airflow:
        """Knows every DAG, and ends each run as soon as it is made."""

        def __init__(self) -> None:
            self.made: list[str] = []
            self.most = 0

        def visible(self, dag_id: str) -> Any:
            return Visible(1_000, 1_000)

        def start(self, runs: Sequence[NewDagRun]) -> list[None]:
            for run in runs:
                self.made.append(run.run_id)
                self.most = max(self.most, in_flight())
                end(run.run_id)
            return [None] * len(runs)

        def changed_runs(self, *_: Any) -> list[Any]:
            return []

    workflow = automation(here, 2)
    order = executed(here, workflow, 20)
    airflow = Airflow()
    dispatchers = [Dispatcher(airflow, ports()) for _ in range(2)]  # type: ignore[arg-type]
    for dispatcher in dispatchers:
        dispatcher.start()
    try:
        until("all to end", lambda: count(Run.status == "RUNNING") == 0)
    finally:
        for dispatcher in dispatchers:
            dispatcher.stop()
    assert sorted(airflow.made) == sorted(order)
    assert airflow.most <= 2
