"""What a definition looks like as a DAG."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.types import DagRunType

from automations.domain.statuses import WorkflowStatus
from automations.execution.deaths import MAX_DEATHS
from automations.kit.ids import PATTERN
from automations_airflow.dags.dag_builder import build
from automations_airflow.tasks.operators import BrokenDefinitionOperator
from automations_airflow.tasks.retries import MAX_OUTAGES
from tests.airflow.definitions import approval, condition, delay, email, published, workflow_id


def upstream(dag: DAG) -> dict[str, set[str]]:
    return {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}


def reread(dag: DAG) -> Any:
    return DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))


def test_steps_follow_one_another_in_their_order() -> None:
    dag = build(published(email("b", 2), email("a", 1), delay("c", 3)))
    assert upstream(dag) == {"a": set(), "b": {"a"}, "c": {"b"}}


def test_both_arms_of_a_condition_lead_to_the_step_after_it() -> None:
    ask = condition("ask", then=[email("yes")], else_=[email("no")])
    dag = build(published(ask, email("end", 1)))
    assert upstream(dag) == {"ask": set(), "yes": {"ask"}, "no": {"ask"}, "end": {"yes", "no"}}
    assert dag.get_task("end").trigger_rule == "none_failed_min_one_success"
    assert dag.get_task("yes").trigger_rule == "all_success"


def test_a_nested_list_is_a_task_group_that_leaves_task_ids_alone() -> None:
    inner = condition("inner", then=[email("deep")])
    dag = build(published(condition("outer", then=[inner]), email("The_outer__then", 1)))
    groups = dag.task_group_dict
    # Airflow's page of a group shows its id alone.
    assert {task.task_id for task in groups["The_inner__then"]} == {"deep"}
    assert groups["The_inner__then"].group_display_name == "The inner: then"
    # A step has the group's id, which gives way.
    assert {task.task_id for task in groups["The_outer__outer__then"]} == {"inner", "deep"}


def test_the_dag_says_what_the_automation_is() -> None:
    dag = build(published(email("a"), number=7, description="Sends.", name="Näme {{ x }} 'q'"))
    assert dag.dag_id == f"automation_{workflow_id(7)}"
    assert dag.dag_display_name == "Näme {{ x }} 'q'"
    assert dag.get_task("a").task_display_name == "The a"
    assert dag.tags == {"automation", "manual", "active"}
    assert dag.doc_md is not None
    assert dag.doc_md.startswith("Sends.\n\nVersion 1 of")
    assert dag.doc_md.endswith("| 1 | The a | email |")
    assert dag.owner_links["automations"].endswith(f"/console/workflows/{workflow_id(7)}")
    assert (dag.catchup, dag.is_paused_upon_creation) == (False, False)


def test_it_says_whose_it_is_what_starts_it_and_all_of_its_steps() -> None:
    table = {"type": "event", "triggerType": "ROW_ADDED", "filterTableId": workflow_id(1)}
    body = [email("inner"), {**delay("off", 1), "disabled": True}]
    loop = {**email("each", 1), "type": "loop", "config": {"collection": [1], "steps": body}}
    steps = condition("c", then=[email("yes")], else_=[email("no")]), loop
    one = replace(
        published(*steps, trigger=table),
        workspace="sales",
        subject="Ven|dors",
        owner="Anna, of sales",
        status=WorkflowStatus.PAUSED,
        edited_by="ben",
        edited_at="2026-03-01T09:00:00+00:00",
    )
    dag = build(one)
    assert dag.tags == {"automation", "event", "paused", "workspace:sales"}
    assert dag.get_task("c").owner == "Anna  of sales"
    assert list(dag.owner_links) == ["Anna  of sales"]
    assert reread(dag).timetable.summary == "on ROW_ADDED of Ven|dors"
    text = str(dag.doc_md)
    for said in (
        "PAUSED",
        "workspace sales",
        "started: on ROW\\_ADDED of Ven\\|dors",
        "ask Anna, of sales",
        "last edit by ben on 2026-03-01",
        "| 1 | The c | condition |\n| 1.1 | then: The yes | email |",
        "| 1.1 | else: The no | email |",
        "| 2 | The each | loop |\n| 2.1 | steps: The inner | email |",
        "| 2.2 | steps: The off (disabled) | delay |",
    ):
        assert said in text, text
    assert dag.edge_info["c"] == {"yes": {"label": "then"}, "no": {"label": "else"}}


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ({"type": "manual"}, "by hand"),
        ({"type": "webhook"}, "webhook"),
        ({"type": "form_submission", "formId": workflow_id(1)}, "on submissions of Vendors"),
        ({"type": "event", "triggerType": "com.example.paid"}, "on com.example.paid"),
        (
            {"type": "schedule", "cron": "0 9 * * *", "timezone": "Europe/Warsaw"},
            "0 9 * * *, Europe/Warsaw",
        ),
    ],
)
def test_the_column_of_schedules_says_what_starts_it(trigger: dict[str, Any], words: str) -> None:
    subject = "Vendors" if "formId" in trigger else None
    for since in (None, "2026-03-01T09:00:00+00:00"):
        one = replace(
            published(email("a"), trigger=trigger), subject=subject, scheduled_since=since
        )
        timetable = reread(build(replace(one, version=12))).timetable
        assert timetable.summary == words
        # By its end the dispatcher knows what Airflow has parsed.
        assert timetable.description == f"{words}; version 12"


def test_a_task_says_what_its_step_does_and_no_value_of_its_configuration() -> None:
    dag = build(published(email("a"), email("b", 1, retry={"maxAttempts": 3})))
    doc = str(dag.get_task("a").doc_md)
    assert "email" in doc
    # Beside it Airflow shows its own number of retries, which is larger.
    assert "It is attempted once;" in doc
    assert "It is attempted 3 times at most;" in str(dag.get_task("b").doc_md)
    assert doc.endswith("Configured: to, subject, body.")
    assert "ada@b.example" not in doc


def test_a_description_that_looks_like_a_file_is_not_opened() -> None:
    dag = build(published(email("a"), description="/etc/passwd.md"))
    assert dag.doc_md is not None
    assert dag.doc_md.startswith("/etc/p")


@pytest.mark.parametrize("name", ["x" * 200, "\u2028 \u0007 <b>", "{% raw %}", "..", "🙂" * 100])
def test_any_name_makes_a_dag_that_airflow_can_store(name: str) -> None:
    step = {**email("a"), "name": name}
    again = reread(build(published(step, name=name)))
    assert (again.dag_display_name, again.get_task("a").task_display_name) == (name, name)


def test_users_texts_are_no_templates_of_airflows() -> None:
    dag = build(published(email("a"), approval("b", 1), delay("c", 2), condition("d", 3)))
    # What Airflow shows of a task is given by the engine; until then there is nothing to render.
    assert [getattr(task, "config", 0) for task in dag.tasks] == [None] * 4


def test_airflow_leaves_attempts_deaths_and_outages_room() -> None:
    dag = build(published(email("a", retry={"maxAttempts": 5}), email("b", 1)))
    once = MAX_DEATHS + MAX_OUTAGES
    assert (dag.get_task("a").retries, dag.get_task("b").retries) == (4 + once, once)


def test_only_a_step_that_never_waits_is_stopped_by_airflow() -> None:
    dag = build(published(email("a", timeout="PT10S"), {**delay("b", 1), "timeout": "PT10S"}))
    assert dag.get_task("a").execution_timeout == timedelta(seconds=40)
    assert dag.get_task("b").execution_timeout is None


def test_a_loop_is_one_task_that_airflow_stops_only_when_it_cannot_wait() -> None:
    def looping(name: str, order: int, *body: Any) -> dict[str, Any]:
        config = {"collection": [1], "steps": list(body)}
        kept = {"id": name, "name": name, "type": "loop", "order": order, "config": config}
        return {**kept, "timeout": "PT1M"}

    dag = build(
        published(looping("busy", 0, email("inside")), looping("patient", 1, approval("ask")))
    )
    assert upstream(dag) == {"busy": set(), "patient": {"busy"}}
    assert dag.get_task("busy").execution_timeout is not None
    assert dag.get_task("patient").execution_timeout is None


def test_an_automation_without_steps_has_a_run_that_ends() -> None:
    (task,) = build(published()).tasks
    assert (task.task_id, task.task_type) == ("no_steps", "EmptyOperator")


def test_a_disabled_step_is_left_out() -> None:
    dag = build(published(email("a"), email("b", 1, disabled=True), email("c", 2)))
    assert upstream(dag) == {"a": set(), "c": {"a"}}


def test_a_broken_definition_becomes_a_dag_that_says_why() -> None:
    dag = build(published({"type": "nope"}))
    assert dag.task_ids == ["broken_definition"]
    task = dag.get_task("broken_definition")
    assert isinstance(task, BrokenDefinitionOperator)
    assert "nope" in task.reason
    assert "broken" in dag.tags


def test_a_broken_definition_still_has_the_task_that_is_to_run() -> None:
    assert build(published({"type": "nope"}), "s1").task_ids == ["s1"]


def test_the_dag_survives_airflows_storage() -> None:
    again = reread(build(published(condition("a", then=[email("b")]), email("c", 1))))
    assert again.get_task("a").downstream_task_ids == {"b", "c"}
    assert again.get_task("a").task_type == "ConditionOperator"
    assert again.get_task("a").inherits_from_skipmixin
    assert again.get_task("b").has_retry_policy


def test_the_same_definition_is_stored_the_same() -> None:
    one, other = (
        DagSerialization.to_dict(build(published(condition("a", then=[email("b")]))))
        for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize("status", list(WorkflowStatus))
def test_airflow_starts_an_automation_unless_it_is_archived(status: WorkflowStatus) -> None:
    timetable = reread(build(replace(published(email("a")), status=status))).timetable
    facts = {"run_type": DagRunType.MANUAL, "run_after": None, "data_interval": None}
    if status == WorkflowStatus.ARCHIVED:
        with pytest.raises(ValueError, match="An archived automation cannot be executed"):
            timetable.generate_run_id(**facts)
    else:
        assert timetable.generate_run_id(**facts)


def test_a_run_started_by_hand_gets_an_id_like_the_apis() -> None:
    timetable = reread(build(published(email("a")))).timetable
    facts = {"run_after": None, "data_interval": None}
    run_id = timetable.generate_run_id(run_type=DagRunType.MANUAL, **facts)
    assert re.match(PATTERN, run_id)
    assert not timetable.can_be_scheduled
