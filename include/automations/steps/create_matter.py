"""Make a matter from a board."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, cast

from pydantic import AfterValidator, Field

from automations.domain.fields import FROM_TEMPLATE, Model, OptionalText, OrTemplate, Text, Words
from automations.domain.matters import MAX_TAGS, Priority, Title
from automations.ports import NewMatter
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.outcomes import Done, Outcome

MAX_PROPERTIES_BYTES = 500_000
"""As of a table's row."""


def _tags(tags: list[str]) -> list[str]:
    bare = [tag.strip() for tag in tags]
    if any(not 0 < len(tag) <= 100 for tag in bare):
        raise ValueError("a tag must have 1 to 100 characters")
    return bare


def _not_too_large(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, default=str)) > MAX_PROPERTIES_BYTES:
        raise ValueError(f"may have {MAX_PROPERTIES_BYTES} characters of JSON at most")
    return value


Properties = Annotated[dict[str, Any], AfterValidator(_not_too_large)]


class CreateMatterConfig(Model):
    """The matter to create."""

    template_id: Text = Field(
        min_length=1, max_length=200, description="Id of the board; the matter gets its steps."
    )
    title: Annotated[Title, FROM_TEMPLATE] = Field(description="Title of the matter.")
    tags: Annotated[Words, AfterValidator(_tags)] = Field(
        default_factory=list,
        max_length=MAX_TAGS,
        description="Tags: a list, or one text separated by commas.",
    )
    priority: OrTemplate[Priority] = Field("MEDIUM", description="LOW, MEDIUM, HIGH or URGENT.")
    assignee_id: OptionalText = Field(
        None, min_length=1, description="Id of the responsible member."
    )
    properties: OrTemplate[Properties] = Field(
        default_factory=dict, description="Further values under names of your own."
    )


class CreateMatter(StepType[CreateMatterConfig]):
    """Create a matter with the steps of its board; it gets the workspace's next number."""

    type = "create_matter"
    title = "Create a matter"
    Config = CreateMatterConfig
    refers_to: ClassVar = {"template_id": Subject.BOARD, "assignee_id": Subject.MEMBER}
    example: ClassVar = {"templateId": "<template id>", "title": "Onboard {{input.name}}"}
    keeps = True
    outputs: ClassVar = {
        "matterId": "the matter",
        "number": "its number, such as MAT-0012",
        "title": "its title",
        "templateId": "its board",
        "stepIds": "its steps, in their order",
        "currentStepId": "the first of them",
    }

    def is_idempotent(self, config: CreateMatterConfig) -> bool:
        return True

    def run(self, config: CreateMatterConfig, ctx: StepContext) -> Outcome:
        receipt = ctx.ports.matters.create(
            NewMatter(
                template_id=config.template_id,
                title=config.title,
                tags=tuple(config.tags),
                priority=config.priority,
                assignee_id=config.assignee_id,
                properties=cast("dict[str, Any]", config.properties),
            ),
            workspace_id=ctx.workspace_id,
            run_id=ctx.run_id,
            key=ctx.idempotency_key,
        )
        return Done(
            {
                "matterId": receipt.matter_id,
                "number": receipt.number,
                "title": config.title,
                "templateId": config.template_id,
                "stepIds": list(receipt.step_ids),
                "currentStepId": receipt.step_ids[0],
            }
        )
