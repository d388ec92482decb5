"""The invariants of the chaos suite: a sound world passes them, and each fault is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from automations.db.session import unit_of_work
from automations.db.tables import Base, DataRow, DataTable, Event, Run, RunStep, StepLog, Wait
from automations.kit.ids import new_id
from tests.chaos.invariants import INVARIANTS, violations
from tests.chaos.records import Answer, Effect, Kind, Records, Trigger
from tests.db.workspace import automation, workspace

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(minutes=1)


class World:
    """Two runs that have ended, and one that waits, as all three records have them."""

    def __init__(self, ours: str, airflow_dsn: str, airflow: Connection) -> None:
        self.dsns = ours, airflow_dsn
        self.airflow = airflow
        self.here = workspace()
        plain, asking, parent, child, follower = (automation(self.here) for _ in range(5))
        with unit_of_work() as session:
            table = DataTable(workspace_id=self.here, name="T", columns=[])
            session.add(table)
            session.flush()
            self.table = table.id
        self.records = Records(
            kinds=[
                Kind("plain", plain, {"Tell": "tell"}, ("Tell",), rows=1),
                Kind("asking", asking, waits=True),
                Kind("parent", parent, {"Ask": "ask"}, children=1),
                Kind("child", child),
                Kind("follower", follower, follows=self.table),
            ]
        )
        self.plain = self.started(plain, "mark-1")
        self.asking = self.started(asking, "mark-2", "PAUSED")
        self.parent = self.started(parent, "mark-3")
        self.child = self.run(child, {}, parent_run_id=self.parent)
        self.step(self.plain, "tell", "Tell")
        self.effect(self.plain, "Tell", "key-1")
        row = self.add(DataRow(table_id=self.table, data={"run": self.plain}))
        self.follower = self.run(follower, {"rowId": row})
        self.add(self.wait(self.asking, "OPEN"))
        self.add(self.step_row(self.asking, "ask", "WAITING"))
        self.add(self.wait(self.parent, "ANSWERED", decision="approved"))
        self.step(self.parent, "ask", "Ask")
        self.records.answers.append(Answer(self.parent, "approved", True))
        self.records.answers.append(Answer(self.parent, "rejected", False))

    def found(self) -> list[str]:
        return violations(*self.dsns, self.records)

    def add(self, row: Base) -> str:
        with unit_of_work() as session:
            session.add(row)
            session.flush()
            return str(getattr(row, "id", ""))

    def run(
        self, workflow: str, given: dict[str, Any], status: str = "COMPLETED", **more: Any
    ) -> str:
        run = self.add(
            Run(
                id=new_id(),
                workspace_id=self.here,
                workflow_id=workflow,
                version=1,
                status=status,
                trigger_type="manual",
                input=given,
                dispatched_at=BEFORE,
                completed_at=NOW if status == "COMPLETED" else None,
                **more,
            )
        )
        self.dag_run(workflow, run, "success" if status == "COMPLETED" else "running")
        return run

    def started(self, workflow: str, mark: str, status: str = "COMPLETED") -> str:
        run = self.run(workflow, {"mark": mark}, status)
        self.records.triggers.append(Trigger(mark, (workflow,), f"key-{mark}", (run, run)))
        return run

    def dag_run(self, workflow: str, run: str, state: str) -> None:
        dag = f"automation_{workflow}"
        self.in_airflow(
            "INSERT INTO dag_bundle (name) VALUES ('b') ON CONFLICT DO NOTHING;"
            "INSERT INTO dag (dag_id, bundle_name, is_paused, is_stale, max_active_tasks,"
            " max_consecutive_failed_dag_runs, has_task_concurrency_limits, timetable_type,"
            " partition_mapper_info)"
            " VALUES (:dag, 'b', false, false, 16, 0, false, 't', '[]') ON CONFLICT DO NOTHING;"
            "INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after)"
            " VALUES (:dag, :run, 'manual', :state, now());"
            "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, pool,"
            " pool_slots, state)"
            " VALUES (gen_random_uuid(), 't', :dag, :run, -1, 1, 'default_pool', 1, :task)",
            dag=dag,
            run=run,
            state=state,
            task="success" if state == "success" else "awaiting_input",
        )

    def in_airflow(self, statement: str, **values: Any) -> None:
        self.airflow.execute(text(statement), values)

    def here_too(self, statement: str, **values: Any) -> None:
        """Do what no code of ours does, in our database."""
        with unit_of_work() as session:
            session.execute(text(statement), values)

    def step_row(self, run: str, node: str, status: str = "DONE") -> RunStep:
        return RunStep(
            run_id=run,
            node_id=node,
            status=status,
            generation=0,
            attempt=1,
            started_at=BEFORE,
            ended_at=NOW if status == "DONE" else None,
        )

    def log(self, run: str, node: str, name: str) -> None:
        self.add(
            StepLog(
                run_id=run,
                step_id=node,
                step_type="email",
                step_name=name,
                status="success",
                duration_ms=1,
                timestamp=NOW,
                output="",
            )
        )

    def step(self, run: str, node: str, name: str) -> None:
        self.add(self.step_row(run, node))
        self.log(run, node, name)

    def wait(self, run: str, status: str, **more: Any) -> Wait:
        return Wait(
            run_id=run,
            node_id="ask",
            generation=0,
            kind="decision",
            status=status,
            due_at=NOW,
            **more,
        )

    def effect(self, run: str, name: str, key: str | None, at: datetime = BEFORE) -> None:
        self.records.effects.append(Effect(f"{run}/{name}", key, at.timestamp()))

    def change_kind(self, name: str, **more: Any) -> None:
        kinds = self.records.kinds
        kinds[:] = [replace(kind, **more) if kind.name == name else kind for kind in kinds]


@pytest.fixture
def world(database: str, airflow_dsn: str, airflow_database: Engine) -> World:
    with airflow_database.connect() as connection:
        connection.execute(text("TRUNCATE job, trigger, import_error CASCADE"))
        return World(database, airflow_dsn, airflow_database.connect())


Fault = Callable[[World], object]


def a_trigger_is_lost(world: World) -> None:
    world.records.triggers.append(Trigger("mark-9", world.records.triggers[0].workflows))


def a_trigger_starts_two_runs(world: World) -> None:
    world.run(world.records.kinds[0].workflow, {"mark": "mark-1"})


def a_row_starts_nothing(world: World) -> None:
    world.add(DataRow(table_id=world.table, data={}))


def a_run_comes_from_nowhere(world: World) -> None:
    world.run(world.records.kinds[0].workflow, {})


def a_child_has_lost_its_parent(world: World) -> None:
    world.here_too("UPDATE run SET parent_run_id = 'gone' WHERE id = :run", run=world.child)


def a_parent_has_two_children(world: World) -> None:
    world.run(world.records.kinds[3].workflow, {}, parent_run_id=world.parent)


def a_key_is_two_runs(world: World) -> None:
    world.records.triggers[0] = replace(world.records.triggers[0], told=(world.plain, "another"))


def a_run_never_ends(world: World) -> None:
    world.here_too(
        "UPDATE run SET status = 'RUNNING', completed_at = NULL WHERE id = :run", run=world.plain
    )


def a_run_fails(world: World) -> None:
    world.here_too(
        "UPDATE run SET status = 'FAILED', error = 'internal' WHERE id = :run", run=world.plain
    )


def a_pause_is_lost(world: World) -> None:
    world.here_too("UPDATE wait SET status = 'CANCELLED' WHERE run_id = :run", run=world.asking)


def a_pause_outlives_its_run(world: World) -> None:
    world.add(world.wait(world.plain, "OPEN"))


def a_step_ends_twice(world: World) -> None:
    world.log(world.plain, "tell", "Tell")


def an_effect_comes_after_its_step(world: World) -> None:
    world.effect(world.plain, "Tell", "key-1", NOW + timedelta(seconds=1))


def an_effect_is_lost(world: World) -> None:
    world.records.effects.clear()


def an_effect_is_nobodys(world: World) -> None:
    world.effect(world.plain, "Other", "key-2")


def a_repeat_has_another_key(world: World) -> None:
    world.effect(world.plain, "Tell", "key-2")


def an_effect_has_no_key(world: World) -> None:
    world.records.effects[0] = replace(world.records.effects[0], key=None)


def two_effects_have_one_key(world: World) -> None:
    world.change_kind("child", effects=("Tell",))
    world.effect(world.child, "Tell", "key-1")


def a_row_is_made_twice(world: World) -> None:
    row = world.add(DataRow(table_id=world.table, data={"run": world.plain}))
    world.run(world.records.kinds[4].workflow, {"rowId": row})


def a_document_is_not_there(world: World) -> None:
    world.change_kind("child", documents=1)


def two_answers_count(world: World) -> None:
    world.records.answers[1] = replace(world.records.answers[1], accepted=True)


def an_answer_is_turned_round(world: World) -> None:
    world.here_too("UPDATE wait SET decision = 'rejected' WHERE run_id = :run", run=world.parent)


def a_line_of_the_log_is_lost(world: World) -> None:
    world.here_too("DELETE FROM step_log WHERE run_id = :run", run=world.plain)


def a_step_is_lost(world: World) -> None:
    world.here_too("DELETE FROM run_step WHERE run_id = :run", run=world.plain)


def a_step_never_ends(world: World) -> None:
    world.add(world.step_row(world.plain, "more", "RUNNING"))


def a_run_has_no_end(world: World) -> None:
    world.here_too("UPDATE run SET completed_at = NULL WHERE id = :run", run=world.plain)


def airflow_goes_on(world: World) -> None:
    world.in_airflow("UPDATE dag_run SET state = 'running' WHERE run_id = :run", run=world.plain)


def airflow_has_failed_it(world: World) -> None:
    world.in_airflow("UPDATE dag_run SET state = 'failed' WHERE run_id = :run", run=world.plain)


def airflow_has_lost_it(world: World) -> None:
    world.in_airflow("DELETE FROM dag_run WHERE run_id = :run", run=world.plain)


def airflow_has_one_more(world: World) -> None:
    world.dag_run(world.records.kinds[0].workflow, "manual__1", "success")


def a_task_never_ends(world: World) -> None:
    world.in_airflow("UPDATE task_instance SET state = 'queued' WHERE run_id = :r", r=world.plain)


def a_parked_task_holds_a_worker(world: World) -> None:
    world.in_airflow("UPDATE task_instance SET state = 'running' WHERE run_id = :r", r=world.asking)


def a_job_is_given_up(world: World) -> None:
    world.here_too(
        "INSERT INTO job (kind, subject_id, dead_at, error) VALUES ('start_run', 'x', now(), 'why')"
    )


def an_event_is_not_matched(world: World) -> None:
    world.add(Event(workspace_id=world.here, type="t", trigger_key="k", data={}))


def a_handover_is_not_taken(world: World) -> None:
    world.here_too("INSERT INTO handover (run_id, marks) VALUES (:run, '{}')", run=world.plain)


def a_request_is_never_answered(world: World) -> None:
    world.here_too(
        "INSERT INTO idempotency_key (workspace_id, key, request_sha256, claim)"
        " VALUES (:here, 'k', 's', 'c')",
        here=world.here,
    )


def a_trigger_of_airflows_is_left(world: World) -> None:
    world.in_airflow(
        "INSERT INTO trigger (classpath, kwargs, created_date, queue)"
        " VALUES ('t', '{}', now(), 'q')"
    )


def a_dead_scheduler_is_taken_for_alive(world: World) -> None:
    world.in_airflow(
        "INSERT INTO job (state, job_type, latest_heartbeat)"
        " VALUES ('running', 'SchedulerJob', now() - interval '1 hour')"
    )


def a_process_is_left(world: World) -> None:
    world.records.left.append("process 7: python -m airflow scheduler")


def a_run_is_counted_twice(world: World) -> None:
    world.here_too(
        "INSERT INTO run_count (workspace_id, workflow_id, status, runs)"
        " SELECT workspace_id, workflow_id, status, 1 FROM run WHERE id = :run",
        run=world.plain,
    )


SEEDED: dict[Fault, str] = {
    a_trigger_is_lost: "Every accepted trigger",
    a_trigger_starts_two_runs: "Every accepted trigger",
    a_row_starts_nothing: "Every row of a table",
    a_run_comes_from_nowhere: "There is no run that nobody has asked for",
    a_child_has_lost_its_parent: "There is no run that nobody has asked for",
    a_parent_has_two_children: "A run has started as many others",
    a_key_is_two_runs: "One Idempotency-Key is one run",
    a_run_never_ends: "Every run has ended well",
    a_run_fails: "Every run has ended well",
    a_pause_is_lost: "A run and its pause say the same",
    a_pause_outlives_its_run: "A run and its pause say the same",
    a_step_ends_twice: "No completed step is done again",
    an_effect_comes_after_its_step: "No completed step is done again",
    an_effect_is_lost: "Every effect of a completed run",
    an_effect_is_nobodys: "There is no effect that no run has",
    a_repeat_has_another_key: "An effect has one key",
    an_effect_has_no_key: "An effect has one key",
    two_effects_have_one_key: "An effect has one key",
    a_row_is_made_twice: "What a step makes here it makes once",
    a_document_is_not_there: "What a step makes here it makes once",
    two_answers_count: "A question is answered once",
    an_answer_is_turned_round: "A question is answered once",
    a_line_of_the_log_is_lost: "A run's state and its log say the same",
    a_step_is_lost: "A run's state and its log say the same",
    a_step_never_ends: "A run's state and its log say the same",
    a_run_has_no_end: "A run's state and its log say the same",
    airflow_goes_on: "Airflow agrees with each run",
    airflow_has_failed_it: "Airflow agrees with each run",
    airflow_has_lost_it: "Airflow agrees with each run",
    airflow_has_one_more: "Airflow agrees with each run",
    a_task_never_ends: "Airflow agrees with each run",
    a_parked_task_holds_a_worker: "Airflow agrees with each run",
    a_job_is_given_up: "Nothing is left over in the databases",
    an_event_is_not_matched: "Nothing is left over in the databases",
    a_handover_is_not_taken: "Nothing is left over in the databases",
    a_request_is_never_answered: "Nothing is left over in the databases",
    a_trigger_of_airflows_is_left: "Nothing is left over in the databases",
    a_dead_scheduler_is_taken_for_alive: "Nothing is left over in the databases",
    a_process_is_left: "Nothing is left over on the machine",
    a_run_is_counted_twice: "What is counted is what is there",
}


def test_nothing_is_wrong_with_a_sound_world(world: World) -> None:
    assert world.found() == []


@pytest.mark.parametrize("fault", SEEDED, ids=lambda fault: fault.__name__)
def test_a_seeded_fault_is_named(world: World, fault: Fault) -> None:
    fault(world)
    found = world.found()
    assert any(line.startswith(SEEDED[fault]) for line in found), found


def test_every_invariant_has_a_fault_that_it_names() -> None:
    for one in INVARIANTS:
        assert any(one.sentence.startswith(start) for start in SEEDED.values()), one.sentence
