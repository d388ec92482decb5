"""Express workers beside dispatchers and an Airflow that does what a test wants."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select

from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import Job, JobKind, Run, RunStep
from automations.dispatch.dispatcher import Dispatcher
from automations.dispatch.express import ExpressWorker
from automations.execution.engine import Engine
from automations.services.runs import by_hand
from automations.services.workflows import workflows
from tests.db.dispatching import Airflow, count, dispatching
from tests.db.roles import Outbox
from tests.db.runs import MAIL, step
from tests.db.workspace import principal, workspace
from tests.doubles import ports
from tests.waiting import until

pytestmark = pytest.mark.slow  # each starts workers, and waits for them


def workers() -> int:
    with unit_of_work() as session:
        return jobs.express_workers(session)


@contextmanager
def working(engine: Engine, name: str = "express") -> Iterator[ExpressWorker]:
    before = workers()
    worker = ExpressWorker(engine, name)
    worker.start()
    try:
        # A dispatcher that sees none gives their runs to Airflow.
        until("the worker to be known", lambda: workers() > before)
        yield worker
    finally:
        worker.stop()


def mail(name: str, order: int = 0) -> dict[str, Any]:
    return step(name, "email", order, {**MAIL, "subject": name})


def express(here: str, *steps: dict[str, Any], name: str = "Test") -> str:
    given = list(steps or (mail("a"), mail("b", 1)))
    payload = {"name": name, "status": "ACTIVE", "execution": "express", "steps": given}
    return workflows.create(principal(here), payload, ports(mailer=Outbox())).id


def executed(here: str, workflow: str, number: int = 1) -> list[str]:
    return [by_hand.execute(principal(here), workflow, {"text": "hi"}).id for _ in range(number)]


def completed() -> int:
    return count(Run.status == "COMPLETED")


def test_runs_end_while_airflow_is_away_and_are_shown_when_it_is_back(
    here: str, engine: Engine, outbox: Outbox
) -> None:
    airflow = Airflow()
    airflow.away = True
    workflow = express(here)
    with working(engine), dispatching(airflow):
        runs = executed(here, workflow, 20)
        until("all runs to be completed", lambda: completed() == 20)
        assert airflow.made == []
        airflow.away = False
        until("all runs to be shown", lambda: len(airflow.made) == 20)
        until("no job to be left", lambda: count(Job.id > 0) == 0)
    assert sorted(airflow.made) == sorted(runs)
    assert len({sent.key for sent in outbox.sent}) == len(outbox.sent) == 40
    before = airflow.before[runs[0]]
    assert before.ended == "success"
    assert [(task.task_id, task.state) for task in before.tasks] == [("a", "done"), ("b", "done")]
    assert before.tasks[0].lines[0][3].startswith("Step 'a'")
    assert count(RunStep.log_lines.is_not(None)) == 0, "Airflow has the logs now"


def test_a_run_that_goes_on_comes_to_airflow_with_what_was_done(here: str, engine: Engine) -> None:
    airflow = Airflow()
    ask = step("ask", "approval", 1, {"approvers": ["b@c.example"], "message": "OK?"})
    workflow = express(here, mail("a"), ask)
    with working(engine), dispatching(airflow):
        (run,) = executed(here, workflow)
        until("it to come to Airflow", lambda: airflow.made == [run])
        until("that to be noted", lambda: count(Run.dispatched_at.is_not(None)) == 1)
    before = airflow.before[run]
    assert (before.ended, before.exact) == (None, False)
    assert [(task.task_id, task.state) for task in before.tasks] == [("a", "done")]


def test_two_workers_share_a_burst_and_do_each_run_once(
    here: str, engine: Engine, outbox: Outbox
) -> None:
    workflow = express(here)
    executed(here, workflow, 60)
    with working(engine, "one"), working(engine, "two"):
        until("all runs to be completed", lambda: completed() == 60)
    assert len({sent.key for sent in outbox.sent}) == len(outbox.sent) == 120


def test_runs_whose_claim_was_never_answered_wait_for_no_lease(here: str, engine: Engine) -> None:
    worker = ExpressWorker(engine)
    executed(here, express(here), 3)
    with unit_of_work() as session:
        # Committed, and the connection was lost before the worker has heard of it.
        claimed = jobs.claim(session, 3, [JobKind.EXPRESS_RUN], holder=worker._holder)
    assert len(claimed) == 3
    worker.start()
    try:
        # Who has had them may have been killed by them: Airflow goes on with what was begun.
        until("the runs", lambda: completed() == 3, 30)
    finally:
        worker.stop()


def test_workers_are_counted_and_known_by_their_names(here: str, engine: Engine) -> None:
    def known(name: str) -> bool:
        with unit_of_work() as session:
            return jobs.is_registered(session, name, 0.0)

    assert workers() == 0
    with working(engine, "one"), working(engine, "two"):
        until("both to be there", lambda: workers() == 2)
        assert known("one")
        assert not known("three")
    until("both to be gone", lambda: workers() == 0)


def test_a_dispatcher_with_a_name_is_known_and_counts_as_no_express_worker(
    database: str,
) -> None:
    def known() -> bool:
        with unit_of_work() as session:
            return jobs.is_registered(session, "dispatcher-2", 0.0)

    dispatcher = Dispatcher(Airflow(), ports(), "dispatcher-2")  # type: ignore[arg-type]
    dispatcher.start()
    try:
        until("it to be there", known)
        with unit_of_work() as session:
            assert jobs.express_workers(session) == 0
    finally:
        dispatcher.stop()
    until("it to be gone", lambda: not known())


def test_runs_of_one_workspace_hold_up_no_other_ones(
    here: str, engine: Engine, outbox: Outbox
) -> None:
    other = workspace("other")
    hang = threading.Event()
    outbox.watch = lambda mail: mail.subject == "slow" and hang.wait(120)
    executed(here, express(here, mail("slow")), 40)
    try:
        with working(engine):
            until("it to be at work", lambda: count(RunStep.run_id != "") == 12)
            executed(other, express(other, mail("quick")), 3)
            until("the other one's runs to end", lambda: completed() == 3)
            assert count(RunStep.status == "RUNNING") == 12
            hang.set()
            until("all to end", lambda: completed() == 43)
    finally:
        hang.set()


def test_what_is_in_hand_is_a_worker_s_until_it_has_stopped(
    here: str, engine: Engine, outbox: Outbox
) -> None:
    other_looks = secrets.randbelow(2**31)
    hang = threading.Event()
    outbox.watch = lambda _: hang.wait(120)
    (run,) = executed(here, express(here, mail("a"), mail("b", 1)))
    worker = ExpressWorker(engine)
    worker.start()
    until("it to be at work", lambda: count(RunStep.status == "RUNNING") == 1)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    try:
        # As long as it takes for a listener to notice that it is to end, and longer.
        stopping.join(2.5)
        with unit_of_work() as session:
            assert jobs.release_abandoned(session, other_looks) == 0
    finally:
        hang.set()
        stopping.join()
    with unit_of_work() as session:
        query = select(Job.kind).where(Job.subject_id == run)
        assert list(session.scalars(query)) == [JobKind.START_RUN]
    assert [sent.subject for sent in outbox.sent] == ["a"]


def test_what_an_automation_was_that_is_deleted_is_shown_to_nobody(
    here: str, engine: Engine
) -> None:
    airflow = Airflow()
    airflow.unseen = 1_000_000
    workflow = express(here)
    with working(engine):
        executed(here, workflow, 2)
        until("all runs to be completed", lambda: completed() == 2)
    # Nobody shows them before: whoever has begun to when it is deleted goes on.
    workflows.delete(principal(here), workflow)
    with dispatching(airflow):
        until("no job to be left", lambda: count(Job.id > 0) == 0)
    assert airflow.made == []


def test_a_burst_without_any_worker_leaves_a_dispatcher_able_to_stop(
    here: str, engine: Engine
) -> None:
    airflow = Airflow()
    airflow.away = True
    workflow = express(here)
    executed(here, workflow, 250)
    with dispatching(airflow):
        waiting = Job.kind == JobKind.EXPRESS_RUN
        until("all to be given to Airflow", lambda: count(waiting) == 0)
    assert count(Job.kind == JobKind.START_RUN) == 250


def test_without_any_worker_a_dispatcher_gives_runs_to_airflow(here: str, engine: Engine) -> None:
    airflow = Airflow()
    with dispatching(airflow):
        runs = executed(here, express(here), 3)
        until("them to come to Airflow", lambda: sorted(airflow.made) == sorted(runs))
    assert airflow.before == {}


def test_what_a_worker_held_that_has_died_is_given_to_airflow(
    here: str, engine: Engine, outbox: Outbox
) -> None:
    airflow = Airflow()
    workflow = express(here)
    (run,) = executed(here, workflow)
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 1, [JobKind.EXPRESS_RUN], holder=77)
        session.add(
            RunStep(
                run_id=run,
                node_id="a",
                status="RUNNING",
                generation=0,
                attempt=1,
                started_at=func.clock_timestamp(),
            )
        )
    assert job.subject_id == run
    with working(engine), dispatching(airflow):
        until("it to come to Airflow", lambda: airflow.made == [run])
    assert outbox.sent == []
    assert [task.state for task in airflow.before[run].tasks] == ["begun"]


@contextmanager
def edited_meanwhile(airflow: Airflow, here: str, engine: Engine) -> Iterator[str]:
    """A run whose first step was done, and whose automation was changed before Airflow is back."""
    airflow.away = True
    ask = step("ask", "approval", 1, {"approvers": ["b@c.example"], "message": "OK?"})
    workflow = express(here, mail("a"), ask)
    with working(engine), dispatching(airflow):
        (run,) = executed(here, workflow)
        until("its first step to be done", lambda: count(Job.kind == JobKind.START_RUN) == 1)
        change = {"steps": [mail("other"), ask]}
        workflows.update(principal(here), workflow, change, ports(mailer=Outbox()))
        yield run


def test_an_edit_meanwhile_asks_for_the_version_that_fits_what_was_done(
    here: str, engine: Engine
) -> None:
    airflow = Airflow()
    with edited_meanwhile(airflow, here, engine) as run:
        airflow.away = False
        until("it to come to Airflow", lambda: airflow.made == [run])
    assert airflow.before[run].exact


def test_a_run_whose_version_is_gone_fails_with_the_reason(here: str, engine: Engine) -> None:
    airflow = Airflow()
    with edited_meanwhile(airflow, here, engine) as run:
        airflow.gone.add(run)
        airflow.away = False
        until("it to fail", lambda: count(Run.status == "FAILED") == 1)
    with unit_of_work() as session:
        error = session.scalar(select(Run.error).where(Run.id == run))
    assert str(error).startswith("It cannot go on by version 2: ")
