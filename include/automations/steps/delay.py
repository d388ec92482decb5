"""Wait for a while, or until a moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from automations.domain.fields import (
    MAX_DURATION,
    Duration,
    Model,
    OptionalText,
    OrTemplate,
    Real,
    Zone,
    is_rendered,
    is_template,
    parse_duration,
)
from automations.domain.statuses import Decision
from automations.errors import StepError
from automations.kit.clock import parse_instant, timestamp
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Answer, Done, Outcome, WaitUntil

TOO_LONG = f"a delay may take {MAX_DURATION.days} days at most"


class DelayConfig(Model):
    """How long to wait: exactly one of ``duration``, ``amount`` with ``unit``, or ``until``."""

    duration: Duration | None = Field(None, description="ISO 8601, such as PT90S or P2D.")
    amount: OrTemplate[Real] | None = Field(None, description="Number of units.")
    unit: Literal["seconds", "minutes", "hours", "days", "weeks"] | None = Field(
        None, description="Unit of amount."
    )
    until: OptionalText = Field(
        None,
        description="An ISO 8601 date or time. Without an offset, it is wall-clock time in the "
        "time zone: a time that a clock change skips is read as if the clock had not "
        "changed, and a time that occurs twice means the first. A time in the past "
        "does not wait.",
    )
    timezone: Zone | None = Field(
        None, description="IANA time zone of until; by default the automation's own, or else UTC."
    )

    @field_validator("until")
    @classmethod
    def _is_an_instant(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and (is_rendered(info) or not is_template(value)):
            parse_instant(value, "UTC")
        return value

    @model_validator(mode="after")
    def _exactly_one_way(self) -> Self:
        if (self.amount is None) != (self.unit is None):
            raise ValueError("amount and unit go together")
        if sum(value is not None for value in (self.duration, self.amount, self.until)) != 1:
            raise ValueError("give exactly one of duration, amount with unit, or until")
        return self

    @model_validator(mode="after")
    def _can_be_waited_for(self) -> Self:
        """As far as it is known: a template gives its value later."""
        if isinstance(self.amount, str) or is_template(self.duration) or self.until is not None:
            return self
        if self.span() < timedelta(0):
            raise ValueError("a delay cannot be negative")
        if self.span() > MAX_DURATION:
            raise ValueError(TOO_LONG)
        return self

    def span(self) -> timedelta:
        """How long ``duration``, or ``amount`` and ``unit``, are."""
        if self.duration is not None:
            return parse_duration(self.duration)
        try:
            return timedelta(**{str(self.unit): float(self.amount or 0)})
        except OverflowError as error:
            raise ValueError(TOO_LONG) from error


class Delay(StepType[DelayConfig]):
    """Wait for a duration, or until a given time; resuming the run ends the wait early."""

    type = "delay"
    title = "Delay"
    Config = DelayConfig
    example: ClassVar = {"amount": "{{input.days}}", "unit": "days"}
    outputs: ClassVar = {
        "waitedUntil": "when the wait ended",
        "resumedEarly": "whether somebody ended the wait early",
        "by": "who did",
    }
    pauses = True

    def run(self, config: DelayConfig, ctx: StepContext) -> Outcome:
        try:
            due = self._due(config, ctx)
        except ValueError as error:
            raise StepError(f"config.until {error}.", kind="config") from error
        if due - ctx.now > MAX_DURATION:
            raise StepError(f"config.until: {TOO_LONG}.", kind="config")
        return WaitUntil(due)

    def resume(self, config: DelayConfig, ctx: StepContext, answer: Answer) -> Outcome:
        return Done(
            {
                "waitedUntil": timestamp(answer.at),
                "resumedEarly": answer.decision != Decision.ELAPSED,
                "by": answer.by,
            }
        )

    @staticmethod
    def _due(config: DelayConfig, ctx: StepContext) -> datetime:
        if config.until is not None:
            return parse_instant(config.until, config.timezone or ctx.timezone)
        return ctx.now + config.span()
