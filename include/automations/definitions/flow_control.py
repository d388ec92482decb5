"""Limits of an automation's runs per key: concurrency, rate and debounce."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from automations.domain.fields import Model, parse_duration
from automations.domain.template_language.meter import Meter
from automations.domain.templating import render_key
from automations.errors import Unreadable
from automations.kit.values import JSON

_MAX_KEY_LENGTH = 200
"""It is in indexes, and shown."""
_MAX_KEY_WORK = 20_000
"""A key is rendered before a run is there, while whoever starts it waits."""


MAX_INTERVAL = timedelta(days=31)
"""A month: what is to be rarer is a schedule's."""


def _span(value: str) -> str:
    if not timedelta(0) < parse_duration(value) <= MAX_INTERVAL:
        raise ValueError("must be longer than zero and P31D at most")
    return value


Span = Annotated[str, AfterValidator(_span)]
"""An ISO 8601 duration that is no template: no run is there yet to fill it."""


class Keyed(Model):
    """A limit that holds for each key on its own."""

    key: str | None = Field(
        None,
        min_length=1,
        max_length=2_000,
        description="A template for the key to which the limit applies, such as "
        "{{submission.email}}; it may use the data that the run starts with. Without "
        "it, the limit applies to the whole automation. A missing part is empty when "
        "a run starts; a run whose key parts are all missing, null or empty, whatever "
        "text surrounds them, counts toward no limit.",
    )


class Concurrency(Keyed):
    """How many runs may be in flight at once, those that pause included."""

    limit: int = Field(
        ge=1, le=10_000, strict=True, description="Maximum number of runs in flight."
    )
    policy: Literal["queue", "skip", "cancel_running"] = Field(
        "queue",
        description="What happens to a run above the limit: it is RUNNING and waits for its turn, "
        "in order of arrival; it is CANCELLED at once; or the oldest run in flight "
        "is.",
    )


class RateLimit(Keyed):
    """How many runs may begin in any stretch of time; more are not started."""

    limit: int = Field(
        ge=1, le=10_000, strict=True, description="Maximum number of runs in the period."
    )
    per: Span = Field(description="The period, up to P31D; the window slides.")

    def rule(self) -> str:
        """The limit for people."""
        suffix = " for each key" if self.key is not None else ""
        runs = "1 run" if self.limit == 1 else f"{self.limit} runs"
        return f"the automation may start {runs} per {self.per}{suffix}"


class Debounce(Keyed):
    """Events that come soon after each other start one run, with the data of the last of them."""

    delay: Span = Field(description="A run starts when no event has arrived for this long.")
    max_wait: Span | None = Field(
        None,
        description="A run starts after this time at the latest, however many events still arrive.",
    )

    @field_validator("max_wait")
    @classmethod
    def _not_shorter(cls, value: str | None, info: ValidationInfo) -> str | None:
        delay = info.data.get("delay")
        if value is not None and delay and parse_duration(value) < parse_duration(delay):
            raise ValueError("must not be shorter than delay")
        return value


class FlowControl(Model):
    """The limits of one definition."""

    concurrency: Concurrency | None = None
    rate_limit: RateLimit | None = None
    debounce: Debounce | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> FlowControl:
        """Those of a stored definition, whatever else is in it.

        Raises:
            Unreadable: this release does not take them any more.
        """
        fields = {info.alias: stored.get(info.alias or "") for info in cls.model_fields.values()}
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise Unreadable("the automation", str(error.errors()[0]["msg"])) from error


def key_of(limit: Keyed, names: Mapping[str, JSON], owner: str) -> str | None:
    """What a run counts for in a limit of the automation ``owner``; None when it counts for none.

    A part of the key that is missing is empty. Where all of it is missing but its own words, runs
    have nothing in common that one of them could be left out for.
    """
    if limit.key is None:
        return owner
    value = render_key(limit.key, names, Meter(_MAX_KEY_WORK))
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if len(text) > _MAX_KEY_LENGTH or "\0" in text:
        text = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{owner}:{text}"
