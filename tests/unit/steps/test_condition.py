"""The condition step: what its rules decide, and what they refuse to decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import automations.definitions.model  # noqa: F401  # completes the configs that nest steps
from automations.domain.templating import Kind, render
from automations.errors import StepError, TemplateError
from automations.kit.comparison import compare
from automations.kit.values import JSON
from automations.steps.base import StepContext
from automations.steps.condition import Condition, ConditionConfig
from automations.steps.delay import Delay, DelayConfig
from automations.steps.outcomes import Branch, Stop, WaitUntil
from tests.doubles import context as double

NAMES = {"input": {"amount": 1500, "plan": "gold", "tags": ["a", "b"], "note": "", "nil": None}}


def context() -> StepContext:
    def render_text(text: JSON, *, where: str = "config", **how: Any) -> JSON:
        return render(text, NAMES, where=f"step 'Big?', {where}", **how)

    return double(step_name="Big?", render=render_text)


def run(**config: Any) -> Branch | Stop:
    outcome = Condition().run(ConditionConfig.model_validate(config), context())
    assert isinstance(outcome, Branch | Stop)
    return outcome


def rule(field: JSON, operator: str, *value: JSON) -> dict[str, JSON]:
    found = {"field": field, "operator": operator}
    return {**found, "value": value[0]} if value else found


@pytest.mark.parametrize(
    "expression",
    [
        "[10, '3'] | min > 5",
        "['9', 10] | max == '9'",
        "[{'n': 1}, {'n': 'a'}] | sort(attribute='n') | length == 2",
        "[true, 1] | max == 1",
    ],
)
def test_values_of_two_kinds_have_no_order_in_an_expression(expression: str) -> None:
    with pytest.raises(TemplateError, match="cannot be compared"):
        run(expression=expression)


def test_its_log_says_what_was_compared() -> None:
    said: list[str] = []
    rules = [
        rule("{{input.amount}}", "gt", 1000),
        {"match": "any", "rules": [rule("{{input.plan}}", "equals", "x" * 300)]},
        rule("{{input.note}}", "empty"),
    ]
    config = ConditionConfig.model_validate({"match": "any", "rules": rules[1:]})
    Condition().run(config, replace(context(), say=said.append))
    config = ConditionConfig.model_validate({"rules": rules[:1]})
    Condition().run(config, replace(context(), say=said.append))
    assert said == [
        'config.rules.0.rules.0: "gold" equals a text does not hold.',
        'config.rules.1: "" empty holds.',
        "config.rules.0: 1500 gt 1000 holds.",
    ]


def test_nothing_among_values_of_one_kind_has_its_place() -> None:
    assert run(expression="[3, none, 2] | max == 3").output == {"result": True}


@pytest.mark.parametrize(
    ("operator", "left", "right", "result"),
    [
        ("equals", 1500, 1500, True),
        ("equals", "a", "b", False),
        ("equals", None, "b", False),
        ("notEquals", "a", "b", True),
        ("contains", "golden", "gold", True),
        ("contains", ["a", "b"], "b", True),
        ("contains", {"a": 1}, "a", True),
        ("in", "b", ["a", "b"], True),
        ("in", "c", ["a", "b"], False),
        ("startsWith", "gold", "go", True),
        ("endsWith", "gold", "go", False),
        ("gt", 2, 1.5, True),
        ("gte", 2, 2, True),
        ("lt", 2, 2, False),
        ("lte", "a", "b", True),
        ("exists", 0, None, True),
        ("exists", None, None, False),
        ("empty", "", None, True),
        ("empty", [], None, True),
        ("empty", 0, None, False),
        ("empty", False, None, False),
        ("contains", ["a", 1], True, False),
        ("contains", [[1], {"b": 0}], {"b": False}, False),
        ("in", 1.0, ["a", 1], True),
        ("in", 0, [False], False),
        ("equals", [1, {"a": 0}], [True, {"a": False}], False),
        ("notEquals", {"a": 1}, {"a": True}, True),
        ("before", "2026-01-01", "2026-01-02", True),
        ("after", "2026-01-01T00:30:00+02:00", "2025-12-31T23:00:00Z", False),
    ],
)
def test_an_operator_decides(operator: str, left: JSON, right: JSON, result: bool) -> None:
    assert compare(operator, left, right) is result


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [
        ("gt", "1500", 1000),
        ("equals", "1500", 1500),
        ("equals", True, 1),
        ("notEquals", [1], "1"),
        ("gt", True, False),
        ("lt", None, 1),
        ("contains", 5, 5),
        ("contains", "5", 5),
        ("startsWith", 5, "5"),
        ("before", 5, "2026-01-01"),
        ("contains", {"5": 1}, 5),
        ("contains", {"5": 1}, ["5"]),
    ],
)
def test_mixed_types_are_an_error_and_never_false(operator: str, left: JSON, right: JSON) -> None:
    with pytest.raises(TypeError):
        compare(operator, left, right)


@pytest.mark.parametrize(
    ("operator", "sign"),
    [
        ("equals", "=="),
        ("notEquals", "!="),
        ("gt", ">"),
        ("gte", ">="),
        ("lt", "<"),
        ("lte", "<="),
        ("in", "in"),
    ],
)
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("5", 1000), (1500, 1000), (True, 1), ("a", "b"), (None, 1), (None, None), ([1], "1"),
        ("5", ["5"]), (True, [1]), (5, "5"), ({"a": True}, {"a": 1}),
    ],
)  # fmt: skip
def test_an_expression_compares_as_the_rule_does(
    operator: str, sign: str, left: JSON, right: JSON
) -> None:
    names = {"input": {"a": left, "b": right}}

    def come_to(**config: Any) -> bool | str:
        parsed = ConditionConfig.model_validate(config)
        try:
            outcome = Condition().run(parsed, double(names))
        except StepError as error:
            return error.message.partition(": ")[2]
        assert isinstance(outcome, Branch)
        return outcome.arm == "then"

    by_rule = come_to(rules=[rule("{{input.a}}", operator, "{{input.b}}")])
    assert come_to(expression=f"input.a {sign} input.b") == by_rule
    assert come_to(rules=[rule(f"{{{{input.a {sign} input.b}}}}", "equals", True)]) == by_rule


@pytest.mark.parametrize(
    ("zone", "now", "result"),
    [
        ("Europe/Warsaw", "2026-07-01T07:59:00Z", "then"),
        ("Europe/Warsaw", "2026-07-01T08:01:00Z", "else"),
        ("UTC", "2026-07-01T08:01:00Z", "then"),
        ("America/New_York", "2026-07-01T13:59:00Z", "then"),
        ("America/New_York", "2026-07-01T14:01:00Z", "else"),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_automations_zone(
    zone: str, now: str, result: str
) -> None:
    config = ConditionConfig.model_validate({"rules": [rule(now, "before", "2026-07-01T10:00")]})
    outcome = Condition().run(config, double(timezone=zone))
    assert isinstance(outcome, Branch)
    assert outcome.arm == result


@pytest.mark.parametrize("clock", ["2026-03-08T02:30", "2026-11-01T01:30", "2026-07-01"])
def test_a_delay_and_a_condition_mean_the_same_instant(clock: str) -> None:
    ctx = double(timezone="America/New_York")
    wait = Delay().run(DelayConfig(until=clock), ctx)
    assert isinstance(wait, WaitUntil)
    for instant, arm in ((-1, "then"), (0, "else")):
        now = (wait.when + timedelta(seconds=instant)).isoformat()
        config = ConditionConfig.model_validate({"rules": [rule(now, "before", clock)]})
        assert getattr(Condition().run(config, ctx), "arm", None) == arm


def test_what_is_no_date_is_an_error() -> None:
    with pytest.raises(ValueError, match="'tomorrow' must be an ISO 8601 date"):
        compare("before", "tomorrow", "2026-01-01")


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(left=numbers, right=numbers)
def test_numbers_are_ordered_as_in_arithmetic(left: float, right: float) -> None:
    assert compare("gt", left, right) is (left > right)
    assert compare("lte", left, right) is not compare("gt", left, right)
    assert compare("lt", left, right) is compare("gt", right, left)


@given(left=st.datetimes(timezones=st.just(UTC)), right=st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_before_another_when_that_one_is_after_it(
    left: datetime, right: datetime
) -> None:
    first, second = left.isoformat(), right.isoformat()
    assert compare("before", first, second) is (left < right)
    assert compare("before", first, second) is compare("after", second, first)


def test_a_rule_that_holds_takes_the_then_arm() -> None:
    outcome = run(rules=[rule("{{input.amount}}", "gt", 1000)])
    assert outcome == Branch({"result": True}, "then")


def test_a_rule_that_does_not_hold_takes_the_else_arm() -> None:
    outcome = run(rules=[rule("{{input.amount}}", "gt", 9000)])
    assert outcome == Branch({"result": False}, "else")


def test_with_stop_a_false_result_ends_the_run_successfully() -> None:
    assert run(rules=[rule("{{input.plan}}", "equals", "x")], stop=True) == Stop({"result": False})


def test_with_stop_a_true_result_goes_on() -> None:
    outcome = run(rules=[rule("{{input.plan}}", "equals", "gold")], stop=True)
    assert outcome == Branch({"result": True}, "then")


@pytest.mark.parametrize(("match", "result"), [("all", False), ("any", True)])
def test_match_joins_the_rules(match: str, result: bool) -> None:
    rules = [rule("{{input.plan}}", "equals", "gold"), rule("{{input.amount}}", "lt", 1)]
    assert run(match=match, rules=rules).output == {"result": result}


def test_groups_nest() -> None:
    group = {
        "match": "any",
        "rules": [rule("{{input.amount}}", "lt", 1), rule("{{input.tags}}", "contains", "b")],
    }
    assert run(rules=[rule("{{input.plan}}", "equals", "gold"), group]).output == {"result": True}


@pytest.mark.parametrize(
    ("field", "operator", "result"),
    [
        ("{{input.missing}}", "exists", False),
        ("{{input.deeply.missing}}", "exists", False),
        ("{{input.missing}}", "empty", True),
        ("{{input.nil}}", "exists", False),
        ("{{input.note}}", "empty", True),
        ("{{input.plan}}", "exists", True),
    ],
)
def test_exists_and_empty_may_look_at_what_is_missing(
    field: str, operator: str, result: bool
) -> None:
    assert run(rules=[rule(field, operator)]).output == {"result": result}


def test_any_other_operator_names_the_rule_whose_field_is_missing() -> None:
    with pytest.raises(StepError, match=r"config\.rules\.0\.field: 'input\.missing'"):
        run(rules=[rule("{{input.missing}}", "equals", "x")])


def test_mixed_types_name_the_rule_and_how_to_convert() -> None:
    group = {"rules": [rule("{{input.amount}}", "equals", "1500")]}
    with pytest.raises(StepError, match=r"config\.rules\.0\.rules\.0: .*\| float") as caught:
        run(rules=[group])
    assert caught.value.kind == "config"
    assert not caught.value.retryable


@pytest.mark.parametrize("expression", ["input.amount > 1000", "{{ input.amount > 1000 }}"])
def test_an_expression_decides_with_and_without_braces(expression: str) -> None:
    assert run(expression=expression) == Branch({"result": True}, "then")


def test_an_expression_that_gives_no_boolean_is_an_error() -> None:
    with pytest.raises(StepError, match="gives a number, not a boolean"):
        run(expression="input.amount")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "exactly one of rules and expression"),
        ({"rules": [rule("a", "exists")], "expression": "true"}, "exactly one of"),
        ({"rules": []}, "at least 1 item"),
        ({"rules": [{"match": "all", "rules": []}]}, "at least 1 item"),
        ({"rules": [{"rules": [{"match": "any", "rules": []}]}]}, "at least 1 item"),
        ({"rules": [{"field": "a"}]}, "give field and operator"),
        ({"rules": [{"operator": "exists"}]}, "field is required"),
        ({"rules": [rule("a", "equals")]}, "operator equals needs a value"),
        ({"rules": [rule("a", "looksLike", "b")]}, "Input should be 'equals'"),
        ({"rules": [rule("a", "exists")], "otherwise": []}, "Extra inputs"),
    ],
)
def test_a_config_that_says_too_little_or_too_much_is_refused(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        ConditionConfig.model_validate(config)


@pytest.mark.parametrize(
    "expression",
    [
        "input.text is eq 5",
        "input.text is ne 5",
        "input.text is gt 4",
        "input.text is le 9",
        "['5'] | select('eq', 5) | list | length > 0",
        "['5'] | reject('==', 5) | list | length > 0",
        "[{'a': '5'}] | selectattr('a', 'eq', 5) | list | length > 0",
    ],
)
def test_an_expressions_words_refuse_what_its_signs_refuse(expression: str) -> None:
    names = {"input": {"text": "5"}}
    with pytest.raises(TemplateError, match="cannot be compared"):
        render(f"{{{{{expression}}}}}", names, where="config", kind=Kind.CONDITION)
    assert render("{{input.text is eq 5}}", names, where="config") is False
