"""The airflow_operator step: what it asks for, waits for and puts out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from automations.domain.fields import RENDERED
from automations.domain.statuses import DagCallStatus, Decision
from automations.ports import OPERATOR_DAG, DagResult
from automations.settings import Settings
from automations.steps.airflow_operator import AirflowOperator, AirflowOperatorConfig
from automations.steps.outcomes import Answer, Done, Fail, WaitForRun
from tests.doubles import NOW, context, ports

ECHO = "airflow.providers.standard.operators.bash.BashOperator"
RESUMED = Answer(Decision.RESUMED, None, NOW)


class Operators:
    """Keeps what is asked for, and says what it came to."""

    def __init__(self, status: DagCallStatus = DagCallStatus.RUNNING, **outputs: Any) -> None:
        self.asked: list[tuple[str, str, Mapping[str, Any], str]] = []
        self._result = DagResult(OPERATOR_DAG, "r1", status, outputs, "no luck")

    def start_operator(
        self, run_id: str, operator: str, arguments: Mapping[str, Any], key: str
    ) -> str:
        self.asked.append((run_id, operator, arguments, key))
        return "r1"

    def operator_forbidden(self, workspace_id: str, operator: str) -> str | None:
        return f"{operator} may not be run in {workspace_id}."

    def result(self, dag_run_id: str) -> DagResult:
        assert dag_run_id == "r1"
        return self._result


def configured(**more: Any) -> AirflowOperatorConfig:
    return AirflowOperatorConfig.model_validate({"operator": ECHO, **more}, context=RENDERED)


def test_it_is_asked_for_once_for_each_attempt_and_waited_for() -> None:
    config, operators = configured(arguments={"bash_command": "true"}), Operators()
    for attempt in (1, 1, 2):
        ctx = context(dags=operators, attempt=attempt)
        assert AirflowOperator().run(config, ctx) == WaitForRun("r1", OPERATOR_DAG)
    assert operators.asked[0] == operators.asked[1]
    assert operators.asked[0][:3] == ("run1", ECHO, {"bash_command": "true"})
    assert operators.asked[2][3] != operators.asked[0][3]


def test_what_it_has_returned_is_put_out() -> None:
    ctx = context(dags=Operators(DagCallStatus.COMPLETED, operator=[1]), kept={"runId": "r1"})
    outcome = AirflowOperator().resume(configured(), ctx, RESUMED)
    assert isinstance(outcome, Done)
    assert outcome.output["result"] == [1]


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [("REFUSED", "config", False), ("FAILED", "operator", True), ("CANCELLED", "operator", True)],
)
def test_what_fails_it_is_said_and_whether_to_try_again(
    status: str, kind: str, retryable: bool
) -> None:
    ctx = context(dags=Operators(DagCallStatus(status)), kept={"runId": "r1"})
    outcome = AirflowOperator().resume(configured(), ctx, RESUMED)
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == (kind, retryable)
    assert "no luck" in outcome.error


def test_what_may_not_be_run_is_told_before_it_is_activated() -> None:
    asked = ports(dags=Operators())
    assert AirflowOperator().unavailable(configured(), "w1", asked) == (
        f"{ECHO} may not be run in w1."
    )
    later = AirflowOperatorConfig(operator="{{input.operator}}")
    assert AirflowOperator().unavailable(later, "w1", asked) is None


@pytest.mark.parametrize("wrong", ["/etc", "a b", "airflow-*", "x/y/z"])
def test_only_paths_are_allowed_by_the_setting(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATIONS_OPERATOR_ALLOW", wrong)
    with pytest.raises(ValueError, match="dotted paths"):
        Settings()
