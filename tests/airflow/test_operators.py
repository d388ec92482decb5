"""What a step's task does with the engine's verdict, and with what woke it."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped, TaskDeferred
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields
from opentelemetry import trace

from automations import wiring
from automations.execution.deaths import MAX_DEATHS
from automations.execution.verdicts import GiveUp, Proceed, Retry, Skip, Sleep
from automations.kit import tracing
from automations.services.waits.answers import REASON
from automations.settings import get_settings
from automations.steps.registry import STEP_TYPES
from automations_airflow.dags.dag_builder import build
from automations_airflow.tasks import operators
from automations_airflow.tasks.operators import OPERATORS, StepTask, class_name
from automations_airflow.tasks.retries import (
    DEATH_DELAY,
    DEATHS,
    MAX_OUTAGE_DELAY,
    AttemptFailed,
    DatabaseAway,
    StepFailed,
    StepRetryPolicy,
    max_retries,
)
from automations_airflow.waits.triggers import WaitTrigger
from automations_airflow.waits.waiting import answer_of
from tests.airflow.definitions import condition, email, published

SOON = datetime(2030, 1, 1, tzinfo=UTC)


class Pushes:
    """A task instance that keeps what is pushed."""

    id = "ti"
    try_number = 1

    def __init__(self, task: Any) -> None:
        self.task = task
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def task_of(*steps: dict[str, Any], node: str = "a") -> StepTask:
    task = build(published(*steps)).get_task(node)
    assert isinstance(task, StepTask)
    return task


def act(verdict: Any, *steps: dict[str, Any], node: str = "a") -> tuple[Any, Pushes]:
    task = task_of(*(steps or (email("a"), email("b", 1))), node=node)
    ti = Pushes(task)
    return task._act(verdict, {"ti": ti, "dag_run": SimpleNamespace(clear_number=0)}), ti


def skipped(targets: tuple[str, ...], *steps: dict[str, Any], node: str = "a") -> list[str]:
    with pytest.raises(DownstreamTasksSkipped) as raised:
        act(Proceed({}, targets), *steps, node=node)
    return list(raised.value.tasks)


@pytest.mark.parametrize("name", list(STEP_TYPES))
def test_every_step_type_has_an_operator_that_is_importable_by_name(name: str) -> None:
    operator = getattr(importlib.import_module(operators.__name__), class_name(name))
    assert operator is OPERATORS[name]
    assert (operator.__module__, operator.__qualname__) == (operators.__name__, class_name(name))
    assert tuple(operator.template_fields) == ("config",)
    assert issubclass(operator, BaseSensorOperator) == STEP_TYPES[name].pauses


def test_operators_are_named_like_their_step_types() -> None:
    assert class_name("http_request") == "HttpRequestOperator"


def test_success_returns_the_summary() -> None:
    assert act(Proceed({"status": 200}))[0] == {"status": 200}


def test_the_arm_not_taken_is_skipped() -> None:
    steps = (condition("a", then=[email("yes")], else_=[email("no")]), email("end", 1))
    assert skipped(("yes",), *steps) == ["no"]


def test_a_step_that_every_way_leads_to_is_not_skipped() -> None:
    steps = (condition("a", then=[email("yes")]), email("end", 1))
    assert act(Proceed({"result": True}, ("yes",)), *steps)[0] == {"result": True}
    assert skipped(("end",), *steps) == ["yes"]


def test_a_stop_skips_all_that_follows() -> None:
    inner = condition("a", then=[email("b")])
    steps = (condition("outer", then=[inner]), email("end", 1))
    assert skipped((), *steps) == ["b", "end"]


def test_a_step_that_skips_keeps_its_summary() -> None:
    task = task_of(condition("a", then=[email("b")]))
    ti = Pushes(task)
    with pytest.raises(DownstreamTasksSkipped):
        task._act(Proceed({"result": False}, ()), {"ti": ti})
    assert ti.pushed == {"return_value": {"result": False}, "skipmixin_key": {"skipped": ["b"]}}


def test_a_failed_attempt_is_retried_after_the_engines_delay() -> None:
    with pytest.raises(AttemptFailed) as raised:
        act(Retry("busy", timedelta(seconds=7)))
    decision = StepRetryPolicy().evaluate(raised.value, 1, 4)
    assert (decision.action.value, decision.retry_delay) == ("retry", timedelta(seconds=7))


def test_a_database_that_is_away_is_waited_for_ever_longer() -> None:
    away = DatabaseAway("away")
    delays = []
    for number in range(1, 8):
        decision = StepRetryPolicy().evaluate(away, number, max_retries(1))
        assert decision.action.value == "retry"
        assert decision.retry_delay is not None
        delays.append(decision.retry_delay)
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (DEATH_DELAY, MAX_OUTAGE_DELAY)


def test_a_bug_is_met_only_as_often_as_a_step_may_be_attempted_and_killed() -> None:
    policy, most = StepRetryPolicy(), max_retries(3)
    actions = [policy.evaluate(TypeError("bug"), n, most).action.value for n in range(1, most + 2)]
    assert actions[: 2 + MAX_DEATHS] == ["default"] * (2 + MAX_DEATHS)
    assert set(actions[2 + MAX_DEATHS :]) == {"fail"}


def test_a_task_is_told_how_many_of_its_processes_were_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = task_of(email("a"))
    run = SimpleNamespace(
        run_id="r", clear_number=0, run_type="manual", conf={}, triggering_user_name=None,
        logical_date=None,
    )  # fmt: skip
    assert task._ref({"dag_run": run}).deaths == 0
    monkeypatch.setenv(DEATHS, "2")
    assert task._ref({"dag_run": run}).deaths == 2


@pytest.mark.parametrize(("state", "skipped"), [("skipped", True), ("success", False)])
def test_airflow_is_asked_whether_another_task_is_skipped(state: str, skipped: bool) -> None:
    class Instance(Pushes):
        dag_id, run_id = "automation", "r"

        def get_task_states(self, dag_id: str, **of: Any) -> dict[str, Any]:
            assert (dag_id, of) == ("automation", {"task_ids": ["ask"], "run_ids": ["r"]})
            return {"r": {"ask": state}}

    task = task_of(email("a"))
    run = SimpleNamespace(
        run_id="r", clear_number=0, run_type="manual", conf={}, triggering_user_name=None,
        logical_date=None,
    )  # fmt: skip
    ref = task._ref({"dag_run": run, "ti": Instance(task)})
    assert ref.is_skipped("ask") is skipped


def test_giving_up_fails_the_task_without_a_retry() -> None:
    with pytest.raises(StepFailed, match="no such host") as raised:
        act(GiveUp("no such host"))
    assert StepRetryPolicy().evaluate(raised.value, 1, 4).action.value == "fail"


def test_airflow_shows_the_rendered_configuration_and_renders_nothing_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Engine:
        def run(self, ref: Any, journal: Any) -> Any:
            journal.config = {"url": "https://a.example/{{ airflow }}", "key": "***"}
            return Proceed({})

    monkeypatch.setattr(wiring, "engine", lambda _: Engine())
    dag = build(published(email("a")))
    task = dag.get_task("a").prepare_for_execution()
    assert isinstance(task, StepTask)
    task.render_template_fields({}, dag.get_template_env())
    assert _serialize_rendered_fields(task) == {}
    run = SimpleNamespace(
        run_id="r", clear_number=0, run_type="manual", conf={}, triggering_user_name=None,
        logical_date=None,
    )  # fmt: skip
    task.execute({"ti": Pushes(task), "dag_run": run})
    shown = {"url": "https://a.example/{{ airflow }}", "key": "***"}
    assert _serialize_rendered_fields(task) == {"config": shown}


def test_nothing_to_do_skips_the_task() -> None:
    with pytest.raises(AirflowSkipException, match="ended"):
        act(Skip("The run has ended."))


def test_a_sleep_defers_to_the_trigger() -> None:
    with pytest.raises(TaskDeferred) as raised:
        act(Sleep("w1", SOON))
    trigger = raised.value.trigger
    assert isinstance(trigger, WaitTrigger)
    assert trigger.serialize() == (
        "automations_airflow.waits.triggers.WaitTrigger",
        {"wait_id": "w1", "until": SOON},
    )
    assert raised.value.kwargs == {"wait_id": "w1"}


def answered(option: str, user: str = "ada") -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {"note": "fine", REASON: "It is."},
        "responded_at": SOON,
        # As FAB has it: of the simple auth manager's users both are the name.
        "responded_by_user": {"id": "3", "name": user},
    }


def test_an_answer_given_in_airflow_names_who_gave_it() -> None:
    answer = answer_of(answered("Reject"))
    assert answer is not None
    assert (answer.decision, answer.by, answer.at) == ("rejected", "airflow:ada", SOON)
    assert (answer.data, answer.reason) == ({"note": "fine"}, "It is.")


def test_an_answer_that_the_bridge_passed_on_is_read_from_our_database() -> None:
    assert answer_of(answered("Approve", get_settings().airflow_username)) is None


def test_a_timeout_of_airflows_is_an_expiry() -> None:
    answer = answer_of({"error": "…", "error_type": "timeout"})
    assert answer is not None
    assert answer.decision == "expired"


def test_a_delay_elapses_or_was_ended() -> None:
    elapsed = answer_of({"woken": "elapsed"})
    assert elapsed is not None
    assert elapsed.decision == "elapsed"
    assert answer_of({"woken": "notified"}) is None


def test_a_task_sends_its_spans_before_its_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Provider:
        flushed = 0

        def force_flush(self) -> None:
            self.flushed += 1

        def get_tracer(self, name: str) -> Any:
            return trace.NoOpTracer()

    class Engine:
        def run(self, ref: Any, journal: Any) -> Any:
            return GiveUp("no")

    provider = Provider()
    monkeypatch.setattr(wiring, "engine", lambda _: Engine())
    tracing.use(provider)  # type: ignore[arg-type]  # as much of one as is used
    try:
        task = task_of(email("a"))
        run = SimpleNamespace(
            run_id="r", clear_number=0, run_type="manual", conf={}, triggering_user_name=None,
            logical_date=None,
        )  # fmt: skip
        with pytest.raises(StepFailed):
            task.execute({"ti": Pushes(task), "dag_run": run})
    finally:
        tracing.use(None)
    assert provider.flushed == 1
