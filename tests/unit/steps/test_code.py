"""The code step: what it hands to the script, and what it makes of the result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from automations.adapters.quickjs.runner import QuickJsRunner
from automations.domain.fields import RENDERED
from automations.kit.values import JSON
from automations.ports import ScriptLimits, ScriptResult
from automations.steps.code import Code, CodeConfig
from automations.steps.outcomes import Done, Fail, Outcome
from tests.doubles import context

NAMES = {
    "trigger": {"type": "manual"},
    "submission": {"email": "a@b.example"},
    "input": {"amount": 3},
    "variables": {"limit": 5},
    "steps": {"Look up": {"status": 200}},
}


class Recorder:
    """A script runner that keeps the limits it is given."""

    def __init__(self) -> None:
        self.limits: list[ScriptLimits] = []

    def run(
        self, code: str, given: JSON, variables: Mapping[str, JSON], limits: ScriptLimits
    ) -> ScriptResult:
        self.limits.append(limits)
        return ScriptResult(None)


def run(config: dict[str, Any], **more: Any) -> Outcome:
    parsed = CodeConfig.model_validate(config, context=RENDERED)
    return Code().run(parsed, context(NAMES, **{"scripts": QuickJsRunner(), **more}))


def output(outcome: Outcome) -> Mapping[str, JSON]:
    assert isinstance(outcome, Done)
    return outcome.output


def test_what_the_documentation_says_is_there_is_there_and_the_rest_is_not() -> None:
    words = " ".join((Code.__doc__ or "").split())
    match = re.search(r"there are all methods of (.+?)\. There are no (.+?):", words)
    assert match is not None
    there, missing = match.groups()
    code = (
        "return input.filter(path => path.split('.').reduce((at, name) => at?.[name], globalThis))"
    )
    names = [re.split(r"[ (]", name)[0] for name in re.split(r", | and ", there)]
    assert len(names) == 9
    assert output(run({"code": code, "input": names}))["result"] == names
    absent = re.split(r", | and ", missing.replace("timers", "setTimeout"))
    assert len(absent) == 10
    assert output(run({"code": code, "input": absent}))["result"] == []


def test_an_object_is_the_output_as_it_is_with_the_logs_beside_it() -> None:
    outcome = run({"code": "console.log('hi'); return { total: 3 }"})
    assert outcome == Done({"total": 3, "logs": ["hi"]})


@pytest.mark.parametrize(
    ("code", "result"), [("return 3", 3), ("return [1]", [1]), ("", None), ("return null", None)]
)
def test_anything_else_is_the_result(code: str, result: JSON) -> None:
    assert output(run({"code": code or ";"})) == {"result": result, "logs": []}


def test_logs_of_the_scripts_own_are_kept() -> None:
    assert output(run({"code": "return { logs: 1 }"})) == {"logs": 1}


def test_without_an_input_the_code_sees_the_names_of_templates() -> None:
    assert output(run({"code": "return input"})) == {**NAMES, "logs": []}


@pytest.mark.parametrize("given", [{"a": [1]}, "text", 5, None])
def test_an_input_of_its_own_is_all_that_the_code_sees(given: JSON) -> None:
    assert output(run({"code": "return [input]", "input": given}))["result"] == [given]


def test_changed_variables_come_with_the_outcome() -> None:
    outcome = run({"code": "variables.limit += 1; variables.name = 'x'"})
    assert isinstance(outcome, Done)
    assert outcome.variables == {"limit": 6, "name": "x"}


def test_an_error_fails_with_name_message_line_and_logs() -> None:
    code = "variables.limit = 0\nconsole.log('here')\nthrow new RangeError('no such row')"
    assert run({"code": code}) == Fail(
        "RangeError: no such row (line 3)",
        kind="script",
        retryable=True,
        output={"name": "RangeError", "line": 3, "logs": ["here"]},
    )


def test_braces_in_the_code_are_javascript_and_no_template() -> None:
    code = "const a = {b: {c: '{{input.amount}}'}}; return a.b.c"
    assert output(run({"code": code}))["result"] == "{{input.amount}}"


@pytest.mark.parametrize(("timeout", "seconds"), [(2.5, 2.5), (60, 60), (3600, 60)])
def test_the_steps_timeout_is_the_limit_and_a_minute_the_most(
    timeout: float, seconds: float
) -> None:
    recorder = Recorder()
    run({"code": "x", "memoryMb": 16}, timeout=timedelta(seconds=timeout), scripts=recorder)
    assert recorder.limits == [ScriptLimits(seconds, 16_000_000)]


def test_without_a_timeout_it_is_five_seconds() -> None:
    assert Code.timeout == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "Field required"),
        ({"code": ""}, "at least 1 character"),
        ({"code": "x" * 100_001}, "at most 100000"),
        ({"code": ["x"]}, "valid string"),
        ({"code": "x", "memoryMb": 1}, "greater than or equal to 8"),
        ({"code": "x", "memoryMb": 1_000}, "less than or equal to 256"),
        ({"code": "x", "language": "python"}, "Extra inputs"),
    ],
)
def test_a_config_that_cannot_be_run_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CodeConfig.model_validate(config)
