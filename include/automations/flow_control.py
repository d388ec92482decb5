"""How many runs an automation may have, how often, and for what: limits per key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from automations.errors import TemplateError
from automations.outcomes import JSON
from automations.steps.base import Model
from automations.templating import render

_LONGEST_KEY = 200


class Keyed(Model):
    """A limit that holds for each key on its own."""

    key: str | None = Field(
        None,
        min_length=1,
        max_length=2_000,
        description="A template of what the limit is counted for, such as {{submission.email}}; it "
        "may name what the run is started with. Without it, for the automation as a whole. What "
        "is missing when a run starts counts as empty.",
    )


class Concurrency(Keyed):
    """How many runs may be in flight at once, those that pause included."""

    limit: int = Field(ge=1, le=10_000, strict=True, description="The most runs in flight.")
    policy: Literal["queue", "skip", "cancel_running"] = Field(
        "queue",
        description="What becomes of one more: it is RUNNING and waits for its turn, in the order "
        "in which they came; it is CANCELLED at once; or the oldest one in flight is.",
    )


class FlowControl(Model):
    """The limits of one definition."""

    concurrency: Concurrency | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> FlowControl:
        """Those of a stored definition, whatever else is in it."""
        fields = {info.alias: stored.get(info.alias or "") for info in cls.model_fields.values()}
        return cls.model_validate(fields)


def key_of(limit: Keyed, names: Mapping[str, JSON], owner: str) -> str:
    """What a run counts for in a limit of the automation ``owner``."""
    if limit.key is None:
        return owner
    try:
        value = render(limit.key, names, where="key", missing_ok=True)
    except TemplateError:
        value = None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if len(text) > _LONGEST_KEY or "\0" in text:
        text = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{owner}:{text}"
