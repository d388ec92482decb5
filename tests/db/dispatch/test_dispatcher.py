"""A dispatcher beside an Airflow that comes and goes."""

from __future__ import annotations

import pytest
from sqlalchemy import func, text

from automations.db.events import events
from automations.db.queue import jobs
from automations.db.session import statement, unit_of_work
from automations.db.tables import Event, Job, JobKind, Run
from automations.dispatch import dispatcher as dispatcher_module
from automations.dispatch.dispatcher import Dispatcher
from automations.domain.events import NewEvent
from automations.errors import DatabaseUnavailable, OrchestratorError
from automations.ports import NewDagRun
from automations.services.runs import cancellations
from tests.db.dispatching import Airflow, automation, count, dispatching, executed
from tests.db.workspace import cut_connections
from tests.doubles import ports
from tests.waiting import until

pytestmark = pytest.mark.slow  # each starts dispatchers, and waits for them


def test_the_database_takes_every_kind_of_job_and_no_other(database: str) -> None:
    allowed = text(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_job_kind'"
    )
    with statement() as connection:
        words = str(connection.execute(allowed).scalar_one())
    assert set(words.split("'")[1::2]) == set(JobKind)


def test_while_airflow_is_away_few_jobs_try_it_and_when_it_is_back_all_go_at_once(
    here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "_IDLE_TIMEOUT", 600.0)  # nobody looks without a reason
    run_ids = executed(here, automation(here), 40)
    airflow = Airflow()
    airflow.away = True
    with dispatching(airflow) as dispatcher:
        until("the breaker", lambda: not dispatcher.reaches_airflow)
        until("some probes", lambda: count(Job.claims > 0, Job.available_at <= func.now()) > 0)
        tries = airflow.tries
        # A pause of half a second and one of a second; each lets one job through.
        until("two more", lambda: airflow.tries >= tries + 2)
        assert airflow.tries < 20
        assert count(Job.kind == "start_run", Job.failures == 0, Job.dead_at.is_(None)) == 40
        later = Job.holder.is_(None), Job.available_at > func.clock_timestamp()
        until("those that failed first to be ready, too", lambda: count(*later) == 0)
        airflow.away = False
        until("all", lambda: len(airflow.made) == 40)
        assert dispatcher.reaches_airflow
    assert sorted(airflow.made) == sorted(run_ids)
    assert count(Job.id > 0) == 0
    assert count(Run.dispatched_at.is_not(None)) == 40


def test_what_needs_no_airflow_goes_on_while_it_is_away(here: str) -> None:
    executed(here, automation(here), 30)
    airflow = Airflow()
    airflow.away = True
    with dispatching(airflow) as dispatcher:
        until("the breaker", lambda: not dispatcher.reaches_airflow)
        with unit_of_work() as session:
            for number in range(50):
                events.emit(
                    session, here, NewEvent(kind="EVENT", trigger_key="unheard", data={"n": number})
                )
        until("the events", lambda: count(Event.status == "PENDING") == 0)
        assert not dispatcher.reaches_airflow


def test_a_job_that_airflow_fails_at_holds_up_no_other(here: str) -> None:
    workflow = automation(here)
    airflow = Airflow()
    (broken,) = executed(here, workflow, 1)
    airflow.fails_at.add(broken)
    with dispatching(airflow) as dispatcher:
        until("the first try", lambda: airflow.tries > 0)
        fine = executed(here, workflow, 10)
        until("the others", lambda: sorted(airflow.made) == sorted(fine))
        assert dispatcher.reaches_airflow
        airflow.fails_at.clear()
        until("the one", lambda: broken in airflow.made)


def test_airflow_is_back_though_it_fails_at_all_runs_of_one_automation(here: str) -> None:
    one, *others = sorted(automation(here) for _ in range(3))
    broken = executed(here, one, 3)
    fine = [run for other in others for run in executed(here, other, 2)]
    airflow = Airflow()
    airflow.away = True
    with dispatching(airflow) as dispatcher:
        until("the breaker", lambda: not dispatcher.reaches_airflow)
        airflow.fails_at.update(broken)
        airflow.away = False
        until("the others", lambda: sorted(airflow.made) == sorted(fine))


class Slow(Airflow):
    """Takes so long to make a run that it is cancelled meanwhile."""

    def start_one(self, run: NewDagRun) -> OrchestratorError | None:
        with unit_of_work() as session:
            stored_run = session.get_one(Run, run.run_id)
            cancellations.end(session, stored_run, "Cancelled.")
        until("the cancellation", lambda: count(Job.kind == JobKind.FAIL_RUN) == 0)
        return super().start_one(run)


def test_a_run_that_is_cancelled_while_airflow_makes_it_is_ended_there(here: str) -> None:
    airflow = Slow()
    runs = executed(here, automation(here), 1)
    with dispatching(airflow):
        until("the run to be ended there", lambda: airflow.failed == runs)
    assert airflow.made == runs
    assert count(Run.status == "CANCELLED") == 1


def test_jobs_whose_claim_was_never_answered_wait_for_no_lease(here: str) -> None:
    airflow = Airflow()
    dispatcher = Dispatcher(airflow, ports())  # type: ignore[arg-type]  # as much as is asked
    runs = executed(here, automation(here), 3)
    with unit_of_work() as session:
        # Committed, and the connection was lost before the dispatcher has heard of it.
        claimed = jobs.claim(session, 3, [JobKind.START_RUN], holder=dispatcher._claims.holder)
    assert len(claimed) == 3
    dispatcher.start()
    try:
        until("the runs", lambda: sorted(airflow.made) == sorted(runs), 30)
    finally:
        dispatcher.stop()


def test_jobs_in_hand_are_not_taken_for_unheard_of(here: str) -> None:
    airflow = Airflow()
    dispatcher = Dispatcher(airflow, ports())  # type: ignore[arg-type]  # as much as is asked
    executed(here, automation(here), 1)
    with unit_of_work() as session:
        claimed = jobs.claim(session, 1, [JobKind.START_RUN], holder=dispatcher._claims.holder)
    with dispatcher._claims.working_on(claimed):
        dispatcher.start()
        until("it to be there", dispatcher._registered.is_set)
        assert count(Job.holder == dispatcher._claims.holder) == 1
        dispatcher.stop()
    assert airflow.made == []


class Cutting(Airflow):
    """Ends the server's side of all our connections while it makes its first run."""

    def start_one(self, run: NewDagRun) -> OrchestratorError | None:
        first = not self.made
        problem = super().start_one(run)
        if first:
            cut_connections()
        return problem


def test_lost_connections_are_no_fault_of_the_jobs_that_were_in_hand(
    here: str, caplog: pytest.LogCaptureFixture
) -> None:
    run_ids = executed(here, automation(here), 20)
    airflow = Cutting()

    def has_no_job() -> bool:
        try:
            return count(Job.id > 0) == 0
        except DatabaseUnavailable:  # this connection was cut, too
            return False

    with dispatching(airflow) as dispatcher:
        until("all", lambda: set(airflow.made) == set(run_ids))
        until("no job", has_no_job)
        assert dispatcher.reaches_airflow
    assert count(Run.dispatched_at.is_not(None)) == 20
    assert [record for record in caplog.records if record.message.startswith("Job ")] == []
