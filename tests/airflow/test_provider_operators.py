"""Operators of Airflow's providers: listed, and made with arguments of JSON."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import BaseOperator

from api_bridge.airflow.client import AirflowClient
from automations_airflow.dags.provider_operators import Refused, list_operators, make
from tests.environment import Environment

STANDARD = "airflow.providers.standard"
BASH = f"{STANDARD}.operators.bash.BashOperator"
TIME_DELTA = f"{STANDARD}.sensors.time_delta.TimeDeltaSensor"


class Dated(BaseOperator):
    """Takes what JSON does not have, by annotations as providers write them."""

    def __init__(
        self,
        *,
        day: dt.date | None = None,
        moment: dt.datetime | None = None,
        either: datetime | time | None = None,
        part: Literal["date", "time"] = "date",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.day, self.moment, self.either, self.part = day, moment, either, part


class Named(BaseOperator):
    """Needs a name."""

    def __init__(self, *, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name


class Greeting(Named):
    """Names itself."""

    def __init__(self, *, text: str, **kwargs: Any) -> None:
        super().__init__(name="greeting", **kwargs)
        self.text = text


DATED, GREETING = f"{__name__}.Dated", f"{__name__}.Greeting"


def made(path: str, **arguments: Any) -> Any:
    return make(path, arguments, "a_dag")


def test_an_operator_is_made_with_its_arguments_as_the_task_of_a_dag() -> None:
    operator = made(BASH, bash_command="echo", env={"A": "1"})
    assert isinstance(operator, BashOperator)
    assert (operator.bash_command, operator.env) == ("echo", {"A": "1"})
    assert (operator.task_id, operator.dag.dag_id) == ("operator", "a_dag")


@pytest.mark.parametrize(
    ("path", "arguments", "said"),
    [
        (BASH, {"bash_command": "x", "command": "x"}, "has no parameter command; it has bash_comm"),
        (BASH, {"bash_command": "x", "retries": 3}, "has no parameter retries"),
        (BASH, {"bash_command": "x", "on_failure_callback": "x"}, "no parameter on_failure_call"),
        (TIME_DELTA, {}, "needs the arguments delta"),
        (TIME_DELTA, {"delta": "soon"}, "The argument delta: must be an ISO 8601 duration"),
        (GREETING, {}, "needs the arguments text."),
        (GREETING, {"text": "x", "name": "x"}, "does not take these arguments"),
        (DATED, {"day": "2024-01-01T00:00:00Z"}, "The argument day: "),
        (DATED, {"moment": "2024-01-01T12:00:00"}, "The argument moment: must have an offset"),
        (DATED, {"moment": "2024-01-01"}, "The argument moment: must have an offset"),
        (DATED, {"either": "noon"}, "The argument either: "),
        (TIME_DELTA, {"delta": "PT1S", "mode": "sit"}, "does not take these arguments"),
        (f"{STANDARD}.operators.bash.Nothing", {}, "There is no operator"),
        ("no_such_module.Operator", {}, "There is no operator"),
        ("os.path.join", {}, "is no operator"),
        (f"{STANDARD}.operators.bash.BaseOperator", {}, "another name"),
        (f"{STANDARD}.operators.hitl.SkipMixin", {}, "is no operator"),
        ("automations_airflow.tasks.operators.EmailOperator", {}, "is no operator"),
        ("automations_airflow.dags.operator_dag.CarryingOperator", {}, "is no operator"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(
    path: str, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        make(path, arguments, "a_dag")
    assert said in str(refused.value)


def test_durations_and_moments_are_written_as_json_has_them() -> None:
    assert made(TIME_DELTA, delta="PT90S").delta == timedelta(seconds=90)
    assert made(TIME_DELTA, delta=2).delta == 2, "a number where the parameter takes one"
    sensor = f"{STANDARD}.sensors.date_time.DateTimeSensor"
    assert made(sensor, target_time="2030-01-01T00:00:00").target_time == "2030-01-01T00:00:00"
    branch = f"{STANDARD}.operators.datetime.BranchDateTimeOperator"
    operator = made(
        branch,
        follow_task_ids_if_true=["a"],
        follow_task_ids_if_false=["b"],
        target_lower="2030-01-01T00:00:00Z",
        target_upper="2031-01-01T00:00:00+00:00",
    )
    assert operator.target_upper == datetime(2031, 1, 1, tzinfo=UTC)
    assert operator.target_lower == datetime(2030, 1, 1, tzinfo=UTC)


def test_dates_and_times_of_day_are_themselves_and_no_moments() -> None:
    operator = made(
        DATED, day="2024-01-01", moment="2024-01-01T12:00:00+02:00", either="12:30", part="time"
    )
    assert (operator.day, type(operator.day)) == (date(2024, 1, 1), date)
    assert operator.moment == datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert (operator.either, operator.part) == (time(12, 30), "time")
    assert made(DATED, either="2024-01-01T12:00Z").either == datetime(2024, 1, 1, 12, tzinfo=UTC)
    sensor = f"{STANDARD}.sensors.time.TimeSensor"
    assert made(sensor, target_time="12:30").target_datetime.minute == 30


def test_what_an_operator_passes_to_its_base_itself_is_not_asked_for() -> None:
    assert made(GREETING, text="hello").name == "greeting"
    (listed,) = list_operators((GREETING,))
    assert {parameter.name: parameter.required for parameter in listed.parameters} == {
        "text": True,
        "name": False,
    }


def test_those_that_are_allowed_are_listed_with_their_parameters() -> None:
    listed = {
        operator.operator: operator
        for operator in list_operators((f"acme/{STANDARD}.operators.bash.*", TIME_DELTA))
    }
    assert set(listed) == {BASH, TIME_DELTA}
    assert "Bash" in listed[BASH].description
    parameters = {parameter.name: parameter for parameter in listed[TIME_DELTA].parameters}
    assert (parameters["delta"].required, parameters["delta"].annotation) == (
        True,
        "timedelta | int",
    )
    assert (parameters["mode"].required, parameters["mode"].default) == (False, "poke")
    assert "task_id" not in parameters


def test_a_pattern_lists_all_that_it_names_and_no_more() -> None:
    assert list_operators(()) == []
    everything = {operator.operator for operator in list_operators((f"{STANDARD}.*",))}
    assert {BASH, TIME_DELTA} <= everything
    assert all(operator.startswith(f"{STANDARD}.") for operator in everything)
    assert list_operators(("automations_airflow.*",)) == []


def test_a_pattern_that_is_no_path_lists_all_the_same() -> None:
    assert BASH in {operator.operator for operator in list_operators(("*",))}


@pytest.mark.parametrize("path", ["BashOperator", ".", "..bash.BashOperator", "a..b", "a\0.b", " "])
def test_what_is_no_path_is_no_operator(path: str) -> None:
    with pytest.raises(Refused, match="There is no operator"):
        make(path, {}, "dag")


def test_airflows_server_lists_to_the_bridge_what_the_setting_allows(
    client: AirflowClient, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=f"acme/{BASH}")
    assert client.operators() == list_operators((BASH,))
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=None)
    assert client.operators() == []
