"""Choose a way by comparing data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import SchemaError, SchemaValidator, core_schema

from automations.errors import StepError
from automations.steps.base import AsWritten, Model, StepContext, StepType
from automations.steps.outcomes import JSON, Branch, Outcome, Stop

if TYPE_CHECKING:
    from automations.steps.base import Step

Operator = Literal[
    "equals", "notEquals", "contains", "startsWith", "endsWith", "gt", "gte", "lt", "lte",
    "in", "exists", "empty", "before", "after", "matches",
]  # fmt: skip
_MAY_MISS = ("exists", "empty")


class Rule(Model):
    """One comparison, or a nested group of them."""

    field: JSON = Field(None, description="What to look at, usually a template.")
    operator: Operator | None = Field(None, description="How to compare.")
    value: JSON = Field(None, description="What to compare with; not for exists and empty.")
    match: Literal["all", "any"] = Field("all", description="How a nested group is joined.")
    rules: list[Rule] | None = Field(None, max_length=50, description="A nested group.")

    @model_validator(mode="after")
    def _row_or_group(self) -> Self:
        if (self.operator is None) == (self.rules is None):
            raise ValueError("give field and operator, or a nested match and rules")
        if self.operator is not None and "field" not in self.model_fields_set:
            raise ValueError("field is required")
        if self.operator not in (None, *_MAY_MISS) and "value" not in self.model_fields_set:
            raise ValueError(f"operator {self.operator} needs a value")
        return self


class ConditionConfig(Model):
    """What is compared, and what follows."""

    match: Literal["all", "any"] = Field("all", description="Whether all rules or any must hold.")
    rules: Annotated[list[Rule] | None, AsWritten()] = Field(
        None, min_length=1, max_length=50, description="Typed comparisons."
    )
    expression: Annotated[str | None, AsWritten()] = Field(
        None, max_length=5_000, description="Instead of rules: an expression that gives a boolean."
    )
    then: Annotated[list[Step], AsWritten()] = Field(
        default_factory=list, description="Steps when it holds."
    )
    else_: Annotated[list[Step], AsWritten()] = Field(
        default_factory=list, alias="else", description="Steps when it does not."
    )
    stop: bool = Field(
        False, strict=True, description="End the run, successfully, when it does not hold."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.rules is None) == (self.expression is None):
            raise ValueError("give exactly one of rules and expression")
        if self.stop and self.else_:
            raise ValueError("stop and else exclude each other")
        return self


class Condition(StepType[ConditionConfig]):
    """Choose between two lists of steps, or end the run."""

    type = "condition"
    title = "Condition"
    Config = ConditionConfig
    outputs: ClassVar = {
        "result": "whether it holds",
    }
    arms = ("then", "else")
    falls_through = False

    def once(self, config: ConditionConfig) -> bool:
        # After a crash the clock may lead another way.
        return "now" not in config.model_dump_json(include={"rules", "expression"})

    def run(self, config: ConditionConfig, ctx: StepContext) -> Outcome:
        if config.expression is not None:
            result = ctx.render("{{" + _bare(config.expression) + "}}", where="config.expression")
            if not isinstance(result, bool):
                raise StepError(f"config.expression gives {_kind(result)}, not a boolean.")
        else:
            result = _holds(config.match, config.rules or [], ctx, "config.rules")
        output = {"result": result}
        if result:
            return Branch(output, "then")
        return Stop(output) if config.stop else Branch(output, "else")


def _bare(expression: str) -> str:
    text = expression.strip()
    return text[2:-2] if text.startswith("{{") and text.endswith("}}") else text


def _holds(match: str, rules: list[Rule], ctx: StepContext, path: str) -> bool:
    join: Callable[[Any], bool] = all if match == "all" else any
    return join(_rule(rule, ctx, f"{path}.{index}") for index, rule in enumerate(rules))


def _rule(rule: Rule, ctx: StepContext, path: str) -> bool:
    if rule.rules is not None:
        return _holds(rule.match, rule.rules, ctx, f"{path}.rules")
    operator = str(rule.operator)
    left = ctx.render(rule.field, missing_ok=operator in _MAY_MISS, where=f"{path}.field")
    right = ctx.render(rule.value, where=f"{path}.value")
    try:
        return compare(operator, left, right)
    except (TypeError, ValueError) as error:
        raise StepError(f"{path}: {error}", kind="config") from error


def compare(operator: str, left: JSON, right: JSON) -> bool:
    """Whether two values stand in a relation.

    Raises:
        TypeError: the values cannot be compared so; the message says how to convert.
    """
    match operator:
        case "exists":
            return left is not None
        case "empty":
            return left in (None, "", [], {})
        case "equals" | "notEquals":
            if left is not None and right is not None:
                _same_kind(left, right)
            return bool(left == right) == (operator == "equals")
        case "contains":
            return _contains(left, right)
        case "in":
            return _contains(right, left)
        case "matches":
            return _matches(_text(left), _text(right))
        case "startsWith" | "endsWith":
            text, part = _text(left), _text(right)
            return text.startswith(part) if operator == "startsWith" else text.endswith(part)
        case "before" | "after":
            first, second = _moment(left), _moment(right)
            return first < second if operator == "before" else first > second
        case _:
            return _ordered(operator, left, right)


def _ordered(operator: str, left: Any, right: Any) -> bool:
    _same_kind(left, right)
    if not isinstance(left, int | float | str) or isinstance(left, bool):
        raise TypeError(f"{operator} compares numbers or texts, not {_kind(left)}")
    match operator:
        case "gt":
            return bool(left > right)
        case "gte":
            return bool(left >= right)
        case "lt":
            return bool(left < right)
        case _:
            return bool(left <= right)


def _same_kind(left: JSON, right: JSON) -> None:
    if _kind(left) != _kind(right):
        raise TypeError(
            f"{_kind(left)} and {_kind(right)} cannot be compared; convert one, "
            "for example {{input.amount | float}}"
        )


def _contains(whole: JSON, part: JSON) -> bool:
    if isinstance(whole, str):
        return _text(part) in whole
    if isinstance(whole, list | dict):
        return part in whole
    raise TypeError(f"{_kind(whole)} contains nothing: a text, a list or an object is needed")


def _matches(text: str, pattern: str) -> bool:
    # Rust's engine: it never backtracks, so that no pattern can hang the worker.
    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError as error:
        raise ValueError(f"'{pattern}' is not a pattern that can be used") from error
    try:
        validator.validate_python(text)
    except ValidationError:
        return False
    return True


def _text(value: JSON) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {_kind(value)}")
    return value


def _moment(value: JSON) -> datetime:
    text = _text(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is not an ISO 8601 date or time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _kind(value: JSON) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)
