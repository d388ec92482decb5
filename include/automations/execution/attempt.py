"""One attempt at a step, described: the step, and all that it may know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from automations.definitions.model import Step
from automations.kit.values import JSON
from automations.steps.outcomes import Answer, Outcome

KeepConfig = Callable[[dict[str, JSON]], None]
"""Receives a step's config in its recordable form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a step.

    Args:
        where: the step, for people.
        names: what its templates may refer to.
        key: its idempotency key.
        number: 1 for the first one.
        iterate: runs the steps of its body, if it is a loop.
        already_rendered: gives the fields of its config that were already rendered when it began.
        answer: how the wait ended after which the step goes on; None when it begins.
        kept: the step's output when it began to wait.
        iteration: in a loop, the index of the item, after those of the enclosing loops.
        traceparent: the trace that it belongs to; None for that of this thread.
        keep_config: receives the config in its recordable form.
        quiet: whether the task's log mentions it only if it fails.
    """

    step: Step
    where: str
    names: Mapping[str, JSON]
    key: str
    number: int
    iterate: Callable[[Any, list[JSON]], Outcome]
    already_rendered: Callable[[], Mapping[str, JSON]] = dict
    answer: Answer | None = None
    kept: Mapping[str, JSON] = field(default_factory=dict)
    iteration: tuple[int, ...] = ()
    traceparent: str | None = None
    keep_config: KeepConfig | None = None
    quiet: bool = False
