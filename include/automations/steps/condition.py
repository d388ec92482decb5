"""Choose a way by comparing data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from automations.domain.fields import AsWritten, Model
from automations.domain.templating import Kind
from automations.errors import StepError
from automations.kit.comparison import Operator, compare, kind_of
from automations.kit.excerpts import excerpt
from automations.kit.values import JSON
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Branch, Outcome, Stop

if TYPE_CHECKING:
    from automations.steps.base import Step

_MAY_MISS = ("exists", "empty")
_MAX_SHOWN = 200
"""Characters of a value in the step's log."""


class Rule(Model):
    """One comparison, or a nested group of them."""

    field: JSON = Field(None, description="The value to test, usually a template.")
    operator: Operator | None = Field(
        None,
        description="How to compare. Comparing different types, such as a text and a number, is "
        "refused; before and after read a time without an offset in the automation's "
        "time zone.",
    )
    value: JSON = Field(None, description="The value to compare with; not for exists and empty.")
    match: Literal["all", "any"] = Field(
        "all", description="How the rules of a nested group are combined."
    )
    rules: list[Rule] | None = Field(
        None, min_length=1, max_length=50, description="A nested group."
    )

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
    """The comparison, and the steps of each branch."""

    match: Literal["all", "any"] = Field("all", description="Whether all rules must match, or any.")
    rules: Annotated[list[Rule] | None, AsWritten()] = Field(
        None, min_length=1, max_length=50, description="Typed comparisons."
    )
    expression: Annotated[str | None, AsWritten()] = Field(
        None,
        max_length=5_000,
        description="Instead of rules: an expression that evaluates to a boolean. Its comparison "
        "operators work like those of rules.",
    )
    then: Annotated[list[Step], AsWritten()] = Field(
        default_factory=list, description="Steps to run if the condition is true."
    )
    else_: Annotated[list[Step], AsWritten()] = Field(
        default_factory=list, alias="else", description="Steps to run if it is false."
    )
    stop: bool = Field(
        False, strict=True, description="End the run, successfully, if the condition is false."
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
    example: ClassVar = {"expression": "input.amount > 1000"}
    outputs: ClassVar = {
        "result": "whether the condition is true",
    }
    arms = ("then", "else")
    falls_through = False

    def is_idempotent(self, config: ConditionConfig) -> bool:
        # After a crash the clock may lead another way.
        return "now" not in config.model_dump_json(include={"rules", "expression"})

    def run(self, config: ConditionConfig, ctx: StepContext) -> Outcome:
        if config.expression is not None:
            text = "{{" + _bare(config.expression) + "}}"
            result = ctx.render(text, where="config.expression", kind=Kind.CONDITION)
            if not isinstance(result, bool):
                raise StepError(
                    f"config.expression gives {kind_of(result)}, not a boolean.", kind="config"
                )
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
    may_miss = operator in _MAY_MISS
    left = ctx.render(rule.field, missing_ok=may_miss, where=f"{path}.field", kind=Kind.CONDITION)
    right = ctx.render(rule.value, where=f"{path}.value", kind=Kind.CONDITION)
    try:
        holds = compare(operator, left, right, ctx.timezone)
    except (TypeError, ValueError) as error:
        raise StepError(f"{path}: {error}", kind="config") from error
    if ctx.say is not None:
        words = (_shown(left), operator, *(() if may_miss else (_shown(right),)))
        ctx.say(f"{path}: {' '.join(words)} {'holds' if holds else 'does not hold'}.")
    return holds


def _shown(value: JSON) -> str:
    """A value in full, or else what kind it is: of a part of a secret, nobody would know it."""
    text = excerpt(value, _MAX_SHOWN)
    if len(text) > _MAX_SHOWN:
        return kind_of(value)
    return f'"{text}"' if isinstance(value, str) else text
