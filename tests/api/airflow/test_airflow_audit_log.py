"""Entries of Airflow's audit log, read as people's actions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from api_bridge.airflow.audit_log import actions_of, pauses
from automations.ports import ActionKind, Reach

WHEN = datetime(2026, 3, 1, 9, tzinfo=UTC)


def event(name: str, extra: Any, **more: Any) -> dict[str, Any]:
    names = {"dag_id": "automation_c1", "run_id": "c2", "task_id": None, **more}
    return {
        "event_log_id": 7,
        "when": WHEN.isoformat(),
        "event": name,
        "owner": "anna",
        "extra": extra if isinstance(extra, str) or extra is None else json.dumps(extra),
        **names,
    }


@pytest.mark.parametrize(
    ("told", "kind", "tasks", "state"),
    [
        (event("patch_dag_run", {"state": "failed"}), ActionKind.MARK, (), "failed"),
        (
            event("patch_task_instance", {"new_state": "success"}, task_id="a"),
            ActionKind.MARK,
            ("a",),
            "success",
        ),
        (event("patch_dag_run", {"state": "queued"}), ActionKind.CLEAR, (), None),
        (event("clear_dag_run", {"dry_run": False}), ActionKind.CLEAR, (), None),
        (
            event("post_clear_task_instances", {"task_ids": ["a", ["b", -1]]}),
            ActionKind.CLEAR,
            ("a", "b"),
            None,
        ),
        (event("delete_dag_run", {}), ActionKind.DELETE, (), None),
        (event("delete_task_instance", {}, task_id="a"), ActionKind.DELETE, ("a",), None),
        (event("patch_dag", {"is_paused": True}, run_id=None), ActionKind.PAUSE, (), None),
        (event("patch_dag", {"is_paused": False}, run_id=None), ActionKind.UNPAUSE, (), None),
    ],
)
def test_an_entry_tells_who_has_done_what(
    told: dict[str, Any], kind: ActionKind, tasks: tuple[str, ...], state: str | None
) -> None:
    (action,) = actions_of(told)
    assert (action.kind, action.tasks, action.state) == (kind, tasks, state)
    assert (action.id, action.at, action.by) == (7, WHEN, "anna")
    assert (action.dag_id, action.run_id) == ("automation_c1", told["run_id"])


@pytest.mark.parametrize(
    "told",
    [
        event("bulk_dag_runs", {"actions": "all"}),
        event("bulk_dag_runs", {"actions": 7}),
        event("bulk_dag_runs", {"actions": [{"action": "delete", "entities": [7]}]}),
        event("bulk_task_instances", {"actions": [["update"]]}),
        event("post_clear_task_instances", {"task_ids": [[]]}),
        event("post_clear_task_instances", {"task_ids": [7]}),
        event("post_clear_task_instances", {"task_ids": [[{}]]}),
        event("patch_task_instance", {"new_state": {"of": "mind"}}, task_id="a"),
        event("patch_dag_run", {"state": "failed", "note": ["x"]}),
        event("patch_dag_run", '{"state": ' + "[" * 100_000),
    ],
)
def test_of_what_airflow_was_sent_that_has_no_sense_nothing_is_told(told: dict[str, Any]) -> None:
    """Airflow notes what it is sent before it refuses it."""
    assert actions_of(told) == []


def test_one_entry_for_many_runs_tells_of_each() -> None:
    entities = [{"dag_run_id": run, "dag_id": "automation_c1", "state": "failed"} for run in "xy"]
    actions = [
        {"action": "update", "entities": entities},
        {"action": "delete", "entities": ["z"]},
    ]
    told = event("bulk_dag_runs", {"actions": actions}, dag_id="~", run_id=None)
    marks = [action for action in actions_of(told) if action.kind == ActionKind.MARK]
    assert [(action.run_id, action.dag_id, action.state) for action in marks] == [
        ("x", "automation_c1", "failed"),
        ("y", "automation_c1", "failed"),
    ]
    of_tasks = [{"task_id": "a", "dag_run_id": "x", "new_state": "success", "note": "so"}]
    told = event("bulk_task_instances", {"actions": [{"action": "update", "entities": of_tasks}]})
    (action,) = actions_of(told)
    assert (action.run_id, action.tasks, action.state, action.note) == (
        "x",
        ("a",),
        "success",
        "so",
    )


def test_runs_that_are_cleared_together_are_each_told_of() -> None:
    runs = [{"dag_run_id": "x", "dag_id": "automation_c1"}, {"dag_run_id": "y"}]
    said = {"dag_runs": runs, "note": "again"}
    told = event("clear_dag_runs", {**said, "dry_run": False}, dag_id="~", run_id=None)
    (act,) = actions_of(told)  # whose second run is a run of no DAG
    assert (act.kind, act.dag_id, act.run_id) == (ActionKind.CLEAR, "automation_c1", "x")
    assert (act.tasks, act.note) == ((), "again")
    of_one = event("clear_dag_runs", {**said, "dry_run": False}, run_id=None)
    assert [act.run_id for act in actions_of(of_one)] == ["x", "y"]
    for shown in ({}, {"dry_run": True}):
        assert actions_of(event("clear_dag_runs", {**said, **shown}, run_id=None)) == []


def test_a_mark_says_what_it_extends_to() -> None:
    said = {"new_state": "failed", "include_past": True, "include_downstream": True}
    (act,) = actions_of(event("patch_task_instance", {**said, "include_future": False}))
    assert act.reach == {Reach.PAST, Reach.DOWNSTREAM}
    one = {**said, "task_id": "a", "dag_run_id": "x"}
    actions = {"actions": [{"action": "update", "entities": [one]}]}
    (act,) = actions_of(event("bulk_task_instances", actions))
    assert act.reach == {Reach.PAST, Reach.DOWNSTREAM}


def test_tasks_that_are_deleted_by_their_ids_alone_are_of_the_run_that_the_address_names() -> None:
    actions = {"actions": [{"action": "delete", "entities": ["a"]}]}
    (act,) = actions_of(event("bulk_task_instances", actions))
    assert (act.kind, act.run_id, act.tasks) == (ActionKind.DELETE, "c2", ("a",))


@pytest.mark.parametrize(
    ("name", "command", "kind"),
    [
        ("cli_dag_pause", "dags pause automation_c1", ActionKind.PAUSE),
        ("cli_dag_unpause", "dags unpause automation_c1", ActionKind.UNPAUSE),
        ("cli_dag_pause", "dags list", None),
        ("cli_create_backfill", "backfill create --dag-id automation_c1", ActionKind.BACKFILL),
        ("cli_create_backfill", "backfill create --dag-id automation_c1 --dry-run", None),
        ("cli_task_clear", "tasks clear -y automation_c1", ActionKind.CLEAR),
        ("cli_task_clear", "tasks clear automation_c1", None),
    ],
)
def test_what_is_done_by_airflows_command_line_is_told_with_the_command(
    name: str, command: str, kind: ActionKind | None
) -> None:
    words = ["/opt/airflow/bin/airflow", *command.split()]
    said = {"host_name": "h", "full_command": f"{words}"}  # as airflow.utils.cli notes it
    told = [(act.kind, dict(act.more)) for act in actions_of(event(name, said, run_id=None))]
    assert told == ([] if kind is None else [(kind, {"command": f"airflow {command}"})])
    assert pauses(event(name, said)) == (kind == ActionKind.PAUSE)


@pytest.mark.parametrize("noted", [None, 5, "", "airflow dags pause", "['a'", "('a', 'b')"])
def test_of_a_command_that_cannot_be_read_nothing_is_told(noted: Any) -> None:
    said = event("cli_dag_pause", {"full_command": noted}, run_id=None)
    assert (actions_of(said), pauses(said)) == ([], False)


def test_what_is_done_to_a_backfill_names_it_by_its_number() -> None:
    (act,) = actions_of(event("cancel_backfill", {"backfill_id": "3"}, dag_id=None, run_id=None))
    assert (act.kind, act.dag_id, act.more) == (
        ActionKind.CANCEL_BACKFILL,
        "",
        {"backfillId": "3"},
    )


def test_a_group_that_is_marked_is_told_of_by_its_name() -> None:
    said = {"new_state": "failed", "group_id": "if__then", "note": "so"}
    (act,) = actions_of(event("patch_task_group_instances", said))
    assert (act.kind, act.state, act.note) == (ActionKind.MARK, "failed", "so")
    assert (act.tasks, act.more) == ((), {"group": "if__then"})


@pytest.mark.parametrize("extra", [None, "", "no JSON", "[]", "{}"])
@pytest.mark.parametrize(
    "name",
    [
        "patch_dag",
        "patch_dag_run",
        "patch_task_instance",
        "patch_task_group_instances",
        "clear_dag_runs",
        "cancel_backfill",
        "cli_dag_pause",
        "other",
    ],
)
def test_what_changes_nothing_is_no_act(name: str, extra: str | None) -> None:
    assert list(actions_of(event(name, extra))) == []
