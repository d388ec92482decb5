"""Repeat steps for each item of a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from automations.domain.fields import AsWritten, Model, OrTemplate
from automations.domain.loops import items_of
from automations.kit.storable import MAX_DEPTH, storable
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Answer, Fail, Outcome

if TYPE_CHECKING:
    from automations.steps.base import Step

MAX_ITEMS = 10_000
"""What one task can go through in minutes, and hold in memory with all that is put out."""

_MAX_DEPTH = 3 * MAX_DEPTH
"""Of items, which are kept while the loop goes on: what steps have put out, in a list."""


def _check_items(value: object) -> object:
    if not isinstance(value, list | dict):
        raise ValueError("must be a list or an object")
    return value


Items = Annotated[list[Any] | dict[str, Any], BeforeValidator(_check_items)]


class LoopConfig(Model):
    """The collection, and the steps to run for each item."""

    collection: OrTemplate[Items] = Field(
        description="A list, or an object, whose items are then each `{key, value}`; usually a "
        "template such as `{{steps.rows.items}}`. The items are read once, when the "
        "loop begins: later changes, in a pause or by the loop's own steps, have no "
        "effect."
    )
    steps: Annotated[list[Step], AsWritten()] = Field(
        min_length=1,
        max_length=100,
        description="Steps to run for each item. The item is `loop.item`; there are also "
        "`loop.index` (from 0), `loop.first` and `loop.last`. In a nested loop, "
        "`loop.parent` has those of the outer loop, as in `loop.parent.item`. "
        "`steps.<name>` refers to these steps in the same iteration.",
    )
    on_item_error: Literal["fail", "continue"] = Field(
        "fail", description="Whether the loop fails with the first failed item, or continues."
    )
    max_items: int = Field(
        MAX_ITEMS, ge=1, le=MAX_ITEMS, strict=True, description="A longer collection is refused."
    )
    concurrency: int = Field(
        1,
        ge=1,
        le=10,
        strict=True,
        description="Number of items processed in parallel; 1 if a step inside waits.",
    )


class Loop(StepType[LoopConfig]):
    """Run steps for each item of a list; a condition's `stop` ends the current iteration.

    The run's log has a line for each step of the first and last ten items, and for each failure, a
    thousand at most, with the item's index as `iteration`. Workflow variables that a step sets are
    visible to the steps that follow, including those of later items. If the next attempt at a step
    is more than five seconds away, the loop waits for it without occupying a worker; items that run
    in parallel continue meanwhile.
    """

    type = "loop"
    title = "Loop"
    Config = LoopConfig
    heavy = True
    example: ClassVar = {
        "collection": ["{{input.name}}", "Bob"],
        "steps": [
            {
                "name": "Is it Ada?",
                "type": "condition",
                "order": 0,
                "config": {"expression": "loop.item == 'Ada'"},
            }
        ],
    }
    outputs: ClassVar = {
        "count": "how many items there were",
        "results": "the output of the last step for each item; nothing for a failed one",
        "errors": "the items that failed: each with index and error",
    }
    body = ("steps",)
    repeats_for = "collection"

    def waits(self, config: LoopConfig) -> bool:
        return any(step.may_wait() for step in config.steps)

    def is_idempotent(self, config: LoopConfig) -> bool:
        return True

    def run(self, config: LoopConfig, ctx: StepContext) -> Outcome:
        try:
            items = storable(items_of(config.collection), _MAX_DEPTH)
        except ValueError as error:
            return Fail(f"config.collection {error}.", kind="config")
        if len(items) > config.max_items:
            return Fail(
                f"config.collection has {len(items)} items, more than maxItems allows: "
                f"{config.max_items}.",
                kind="config",
            )
        return ctx.iterate(config, items)

    def resume(self, config: LoopConfig, ctx: StepContext, answer: Answer) -> Outcome:
        # The step inside that waits is given the answer when the loop comes to it again. The items
        # are those with which it began.
        return self.run(config, ctx)
