"""What is to be attempted, with all that it may know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from automations.definitions.model import Step
from automations.kit.values import JSON
from automations.steps.outcomes import Answer, Outcome

KeepConfig = Callable[[dict[str, JSON]], None]
"""Is told a step's config as it may be recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is attempted, and what it may know.

    Args:
        where: the step, for people.
        names: what its templates may refer to.
        key: its idempotency key.
        number: 1 for the first one.
        iterate: does the steps of its body.
        known: gives those fields of its config that were rendered when it began.
        answer: how the wait ended after which the step goes on; None when it begins.
        kept: what the step had put out when it began to wait.
        iteration: in a loop: the index of the item, after those of the loops around it.
        traceparent: the trace that it goes on with; None for what this thread is doing.
        keep_config: what is to be told the config.
        quiet: whether the task's log says of it only how it fails.
    """

    step: Step
    where: str
    names: Mapping[str, JSON]
    key: str
    number: int
    iterate: Callable[[Any, list[JSON]], Outcome]
    known: Callable[[], Mapping[str, JSON]] = dict
    answer: Answer | None = None
    kept: Mapping[str, JSON] = field(default_factory=dict)
    iteration: tuple[int, ...] = ()
    traceparent: str | None = None
    keep_config: KeepConfig | None = None
    quiet: bool = False
