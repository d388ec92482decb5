"""What people do in Airflow's UI is put on record here, once, under their names."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from automations.db import counters
from automations.db.runs import new_runs, runs
from automations.db.runs.new_runs import NewRun
from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, Run, RunStep, StepLog, Workflow
from automations.definitions.published import dag_id
from automations.dispatch.reconciler import Reconciler
from automations.dispatch.user_actions import UserActions
from automations.domain.statuses import RunStatus, StepStatus
from automations.errors import OrchestratorError
from automations.execution.engine import Engine
from automations.execution.verdicts import AskPeople, Proceed
from automations.ports import (
    ActionKind,
    DagRunFailure,
    DagRunState,
    DagRunStatus,
    Reach,
    UserAction,
)
from automations.services.runs import notes, reading
from tests.db.runs import begin, forget_how_to_read, reload, row, step, task
from tests.doubles import Unreachable, ports

LOOK = {"rules": [{"field": "{{input.text}}", "operator": "exists"}]}
NOW = datetime.now(UTC) + timedelta(days=1)
"""When people act: after all that is there in a test has begun."""


class Airflow(Unreachable):
    """One whose log tells of actions, and in which a task stands as it was marked."""

    def __init__(
        self, *acts: UserAction, stands: str | None = None, note: str = "no money"
    ) -> None:
        self.log = list(acts)
        self._note = note
        self._stands = stands
        self.deleted: set[str] = set()
        self.beside: list[str] = []

    def user_actions(
        self, since: datetime, until: datetime, offset: int, limit: int
    ) -> tuple[list[UserAction], int]:
        found = [action for action in self.log if since < action.at < until][
            offset : offset + limit
        ]
        return found, len(found)

    def task_state(self, dag: str, run_id: str, task_id: str) -> str | None:
        return self._stands

    def failure(self, dag: str, run_id: str) -> DagRunFailure:
        return DagRunFailure("anna", ("Review",), None, self._note)

    def runs_beside(self, dag: str, run_id: str, *, past: bool, future: bool) -> list[str]:
        return self.beside if past and not future else []

    def run_state(self, dag: str, run_id: str) -> DagRunState | None:
        if run_id in self.deleted:
            return None
        return DagRunState(dag, run_id, DagRunStatus.FAILED, "1", {}, None, "manual")


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports())


def user_action(
    run: Run, kind: ActionKind, *tasks: str, number: int = 1, **more: Any
) -> UserAction:
    dag = dag_id(run.workflow_id)
    return UserAction(number, NOW, "anna", kind, dag, run.id, tasks=tasks, **more)


def look(*user_actions: UserAction, stands: str | None = None, times: int = 1) -> None:
    following = UserActions(Airflow(*user_actions, stands=stands))
    for turn in range(times):
        following.poll(NOW + timedelta(seconds=1 + turn))


def audited() -> list[tuple[str, str, dict[str, Any]]]:
    with unit_of_work() as session:
        lines = session.scalars(select(AuditLog).order_by(AuditLog.id))
        return [(line.action, line.actor, line.details) for line in lines]


def logged(run: Run) -> list[tuple[str, str, Any]]:
    with unit_of_work() as session:
        query = select(StepLog).where(StepLog.run_id == run.id).order_by(StepLog.id)
        lines = session.scalars(query)
        return [(line.step_id, line.status, json.loads(line.output)) for line in lines]


def waiting(engine: Engine) -> Run:
    run = begin(step("ask", "approval", 0, {"message": "OK?"}), step("after", "condition", 1, LOOK))
    assert isinstance(engine.run(task(run, "ask")), AskPeople)
    return run


def another(run: Run) -> Run:
    """Another run of a run's automation, which has not begun."""
    with unit_of_work() as session:
        workflow = session.get_one(Workflow, run.workflow_id)
        new = NewRun(trigger_type="manual", trigger_data={}, input={}, started_by="test")
        found = new_runs.insert_run(session, workflow, new)
        assert found is not None
        return found


def test_each_act_is_on_record_once_however_often_the_log_is_read(engine: Engine) -> None:
    run = waiting(engine)
    look(user_action(run, ActionKind.CLEAR, "ask", note="again"), times=3)
    told = {"workflowId": run.workflow_id, "stepIds": ["ask"], "note": "again"}
    assert audited() == [("run.clear", "anna", told)]
    assert logged(run) == [("ask", "cleared", {"by": "airflow:anna", "note": "again"})]


def test_what_is_seen_late_is_not_lost(engine: Engine) -> None:
    run = waiting(engine)
    airflow = Airflow(user_action(run, ActionKind.CLEAR, "ask", number=2))
    following = UserActions(airflow)
    following.poll(NOW + timedelta(seconds=1))
    # Committed later than what was noted after it.
    airflow.log.insert(0, user_action(run, ActionKind.DELETE, number=1))
    airflow.deleted = {run.id}
    following.poll(NOW + timedelta(seconds=3))
    assert [action for action, *_ in audited()] == ["run.clear", "run.delete"]


@pytest.mark.parametrize(
    ("kind", "more"), [(ActionKind.CLEAR, {}), (ActionKind.MARK, {"state": "failed"})]
)
def test_an_act_is_on_record_also_where_the_definition_cannot_be_read_any_more(
    engine: Engine, kind: ActionKind, more: dict[str, Any]
) -> None:
    run = waiting(engine)
    forget_how_to_read(run)
    look(user_action(run, kind, "ask", **more), times=2)
    assert [action for action, *_ in audited()] == [f"run.{kind}"]
    assert logged(run) == []


class Refusing(Airflow):
    """One that takes some names for none."""

    def task_state(self, dag: str, run_id: str, task_id: str) -> str | None:
        raise OrchestratorError("Airflow refused it.")

    def run_state(self, dag: str, run_id: str) -> DagRunState | None:
        raise OrchestratorError("Airflow refused it.")


def test_an_odd_act_holds_up_no_other_one(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    run = waiting(engine)
    odd: Any = ["a list"]
    following = UserActions(
        Refusing(
            user_action(run, ActionKind.MARK, odd, state="failed", number=1),
            user_action(run, ActionKind.MARK, "a/b?c", state="failed", number=2),
            user_action(run, ActionKind.DELETE, number=3),
            user_action(run, ActionKind.CLEAR, "ask", number=4),
        )
    )
    for turn in range(2):
        following.poll(NOW + timedelta(seconds=1 + turn))
    assert [action for action, *_ in audited()] == ["run.mark", "run.clear"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_run_that_airflow_did_not_delete_is_not_said_to_be(engine: Engine) -> None:
    look(user_action(waiting(engine), ActionKind.DELETE))
    assert audited() == []


@pytest.mark.parametrize("tasks", [("ask",), ()])
def test_a_step_that_is_marked_as_failed_says_by_whom(engine: Engine, tasks: tuple[str]) -> None:
    run = waiting(engine)
    state = DagRunState(
        dag_id(run.workflow_id), run.id, DagRunStatus.FAILED, "1", {}, None, "manual"
    )
    Reconciler(Airflow()).apply(state)
    look(
        user_action(run, ActionKind.MARK, *tasks, state="failed", note="no money"), stands="failed"
    )
    found = reload(run)
    said = "Marked as failed in Airflow by anna: step Review (no money)."
    assert (found.status, found.error) == ("FAILED", said)
    (line,) = logged(run)
    assert line == (
        "ask",
        "marked",
        {"by": "airflow:anna", "state": "failed", "note": "no money"},
    )
    stands = row(run, "ask")
    assert stands is not None
    assert (stands.status, (stands.output or {})["error"]["kind"]) == ("FAILED", "marked")


@pytest.mark.parametrize("added", ["", "no money"])
def test_what_a_dag_run_had_for_a_note_is_nothing_that_somebody_has_written(
    engine: Engine, added: str
) -> None:
    run = waiting(engine)
    with unit_of_work() as session:
        note = f"{notes.origin(session, run)} {added}"
    state = DagRunState(
        dag_id(run.workflow_id), run.id, DagRunStatus.FAILED, "1", {}, None, "manual"
    )
    Reconciler(Airflow(note=note)).apply(state)
    look(user_action(run, ActionKind.MARK, state="failed", note=note), stands="failed")
    said = f" ({added})" if added else ""
    assert reload(run).error == f"Marked as failed in Airflow by anna: step Review{said}."
    told = {"note": added} if added else {}
    ((*_, output),) = logged(run)
    assert output == {"by": "airflow:anna", "state": "failed", **told}
    ((_, _, details),) = audited()
    assert {name: details[name] for name in details if name == "note"} == told


def test_a_step_that_is_marked_as_done_counts_as_completed(engine: Engine) -> None:
    fails = step("fails", "condition", 0, {"expression": "{{input.text.no.such}}"})
    run = begin(fails, step("after", "condition", 1, LOOK))
    engine.run(task(run, "fails"))
    assert reload(run).status == "FAILED"
    look(user_action(run, ActionKind.MARK, "fails", state="success"), stands="success")
    # As Airflow goes on after it.
    assert isinstance(engine.run(task(run, "after", generation=1)), Proceed)
    stands = row(run, "fails")
    assert stands is not None
    override = {"decidedBy": "airflow:anna", "override": True}
    assert (stands.status, stands.output) == ("DONE", override)
    found = reading.detail(run.workspace_id, run.workflow_id, run.id)
    assert [one.node_id for one in found.steps if one.status == "DONE"] == ["fails", "after"]
    assert [(one, status) for one, status, _ in logged(run)] == [
        ("fails", "failed"),
        ("fails", "marked"),
        ("after", "success"),
    ]
    ((action, by, _),) = audited()
    assert (action, by) == ("run.mark", "anna")


def test_a_group_that_is_marked_is_each_of_its_steps(engine: Engine) -> None:
    inner = [step("one", "condition", 0, LOOK), step("two", "condition", 1, LOOK)]
    rules = [{"field": "{{input.text}}", "operator": "exists"}]
    run = begin(
        step("if", "condition", 0, {"rules": rules, "then": inner}),
        step("after", "condition", 1, LOOK),
    )
    engine.run(task(run, "if"))
    group = {"group": "if__then"}
    look(user_action(run, ActionKind.MARK, state="success", more=group), stands="success", times=2)
    assert [(one, status) for one, status, _ in logged(run)] == [
        ("if", "success"),
        ("one", "marked"),
        ("two", "marked"),
    ]
    for node in ("one", "two"):
        stands = row(run, node)
        assert stands is not None
        assert stands.status == "DONE"
    assert row(run, "after") is None
    audits = [details["stepIds"] for action, _, details in audited() if action == "run.mark"]
    assert audits == [["one"], ["two"]]


def test_a_mark_with_those_that_follow_is_a_mark_of_each(engine: Engine) -> None:
    run = begin(*(step(name, "condition", place, LOOK) for place, name in enumerate("abc")))
    action = user_action(run, ActionKind.MARK, "b", state="success")
    look(replace(action, reach=frozenset({Reach.DOWNSTREAM})), stands="success")
    assert [details["stepIds"] for _, _, details in audited()] == [["b"], ["c"]]
    for node in ("b", "c"):
        stands = row(run, node)
        assert stands is not None
        assert stands.status == "DONE"
    assert row(run, "a") is None


@pytest.mark.parametrize("stands", ["success", "running"])
def test_a_mark_with_earlier_runs_is_on_record_for_each_that_it_has_changed(
    engine: Engine, stands: str
) -> None:
    named = waiting(engine)
    earlier, done = another(named), another(named)
    with unit_of_work() as session:
        session.add(
            RunStep(
                run_id=done.id,
                node_id="after",
                status=StepStatus.DONE,
                generation=0,
                attempt=1,
                started_at=NOW - timedelta(hours=2),
                ended_at=NOW - timedelta(hours=2),
            )
        )
    action = user_action(named, ActionKind.MARK, "after", state="success")
    airflow = Airflow(replace(action, reach=frozenset({Reach.PAST})), stands=stands)
    airflow.beside = [earlier.id, done.id]
    UserActions(airflow).poll(NOW + timedelta(seconds=1))
    told = [(details["stepIds"], details.get("namedRunId")) for _, _, details in audited()]
    if stands != "success":
        assert told == []
        return
    assert told == [(["after"], None), (["after"], named.id)]
    changed = row(earlier, "after")
    assert changed is not None
    assert changed.output == {"decidedBy": "airflow:anna", "override": True}
    assert [line for line in logged(done) if line[1] == "marked"] == []


def test_a_task_that_is_deleted_is_on_record_and_its_run_is_not_said_to_be(
    engine: Engine,
) -> None:
    run = waiting(engine)
    look(user_action(run, ActionKind.DELETE, "ask"))
    assert audited() == [
        ("run.delete", "anna", {"workflowId": run.workflow_id, "stepIds": ["ask"]})
    ]
    assert reload(run).status == "PAUSED"


def test_a_group_that_is_none_is_no_whole_run(engine: Engine) -> None:
    run = waiting(engine)
    look(user_action(run, ActionKind.MARK, state="failed", more={"group": "no__where"}))
    assert (audited(), logged(run)) == ([], [])
    asked = row(run, "ask")
    assert asked is not None
    assert asked.status == "WAITING"


def test_a_step_that_waits_and_is_skipped_has_its_line_and_no_decision(engine: Engine) -> None:
    run = waiting(engine)
    look(user_action(run, ActionKind.MARK, "ask", state="skipped"), stands="skipped")
    (line,) = logged(run)
    assert line == ("ask", "marked", {"by": "airflow:anna", "state": "skipped"})
    assert reload(run).status == "PAUSED"


def test_a_mark_that_airflow_has_refused_changes_nothing(engine: Engine) -> None:
    run = waiting(engine)
    look(user_action(run, ActionKind.MARK, "after", state="success"), stands=None)
    assert row(run, "after") is None
    assert reload(run).status == "PAUSED"


def test_who_was_not_allowed_to_mark_a_step_is_not_said_to_have_done_so(engine: Engine) -> None:
    run = waiting(engine)
    look(user_action(run, ActionKind.MARK, "ask", state="success"), stands="deferred")
    assert audited() == []
    assert logged(run) == []
    assert reload(run).status == "PAUSED"


def test_a_run_that_was_marked_and_cleared_before_that_was_read_goes_on(engine: Engine) -> None:
    run = waiting(engine)
    before = datetime.now(UTC) - timedelta(minutes=1)
    marked = replace(user_action(run, ActionKind.MARK, state="failed"), at=before)
    UserActions(Airflow(marked)).poll(before + timedelta(seconds=1))
    asked = row(run, "ask")
    assert asked is not None
    assert (asked.status, reload(run).status) == ("WAITING", "PAUSED")
    assert logged(run) == [("ask", "marked", {"by": "airflow:anna", "state": "failed"})]


def test_what_is_done_to_a_whole_dag_is_on_the_automations_record(engine: Engine) -> None:
    run = waiting(engine)
    dag = dag_id(run.workflow_id)
    more = {"from": "2026-01-01", "to": "2026-02-01"}
    look(
        UserAction(1, NOW, "anna", ActionKind.PAUSE, dag),
        UserAction(2, NOW, "ben", ActionKind.UNPAUSE, dag),
        UserAction(3, NOW, "ben", ActionKind.BACKFILL, dag, more=more),
        UserAction(4, NOW, "ben", ActionKind.PAUSE, "somebody_elses"),
        UserAction(5, NOW, "cleo", ActionKind.CANCEL_BACKFILL, dag, more=more),
    )
    assert audited() == [
        ("workflow.pause", "anna", {}),
        ("workflow.unpause", "ben", {}),
        ("workflow.backfill", "ben", more),
        ("workflow.cancel_backfill", "cleo", more),
    ]


def test_no_act_counts_as_an_attempt_at_a_step(engine: Engine) -> None:
    run = waiting(engine)
    look(user_action(run, ActionKind.CLEAR, "ask"))
    with unit_of_work() as session:
        assert [total for total in counters.totals(session) if total.kind == "step"] == []


class Asked(Airflow):
    """One that counts by what it was asked."""

    def __init__(self, *user_actions: UserAction) -> None:
        super().__init__(*user_actions)
        self.asked: list[str] = []

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        self.asked.append("runs")
        return []

    def paused_dags(self) -> set[str]:
        self.asked.append("paused")
        return set()

    def assets(self, scheme: str) -> dict[str, int]:
        return {}


def test_while_nothing_goes_on_the_rest_is_asked_for_when_people_have_done_something(
    engine: Engine,
) -> None:
    run = begin(step("look", "condition", 0, LOOK))
    assert isinstance(engine.run(task(run, "look")), Proceed)
    with unit_of_work() as session:
        runs.end_run(session, run.id, RunStatus.COMPLETED)
    airflow = Asked()
    reconciler = Reconciler(airflow)
    reconciler.poll(active=reconciler.is_active())
    reconciler.poll(active=reconciler.is_active())
    assert airflow.asked == ["runs", "paused"]
    clear = user_action(run, ActionKind.CLEAR, number=7)
    airflow.log.append(replace(clear, at=datetime.now(UTC) - timedelta(seconds=2)))
    reconciler.poll(active=reconciler.is_active())
    assert airflow.asked == ["runs", "paused", "runs"]
