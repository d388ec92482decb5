"""Post a Slack message."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from automations.domain.fields import (
    Blocks,
    Model,
    Mrkdwn,
    OptionalText,
    OrTemplate,
    Text,
    is_rendered,
    is_template,
)
from automations.ports import ChatMessage
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Done, Outcome


def _timestamp(value: str, info: ValidationInfo) -> str:
    if is_rendered(info) or not is_template(value):
        whole, _, part = value.partition(".")
        if not (whole.isascii() and whole.isdigit() and part.isascii() and part.isdigit()):
            raise ValueError("must be the ts of a message, such as 1503435956.000247")
    return value


def _web_address(value: str, info: ValidationInfo) -> str:
    if (is_rendered(info) or not is_template(value)) and not value.lower().startswith(
        ("https://", "http://")
    ):
        raise ValueError("must be an https address")
    return value


class SlackConfig(Model):
    """The message and its channel."""

    text: Annotated[OptionalText, Mrkdwn()] = Field(
        None,
        min_length=1,
        max_length=40_000,
        description="The message, in Slack's mrkdwn; with blocks, the text of notifications. "
        "Inserted template values are escaped, so they show unchanged and mention "
        "nobody; the filter mrkdwn, as in `{{input.link | mrkdwn}}`, turns this off.",
    )
    blocks: Annotated[OrTemplate[list[dict[str, Any]]] | None, Blocks()] = Field(
        None,
        description="Block Kit blocks, 50 at most. Template values in their texts are escaped as "
        "in text, even if a template produces whole blocks.",
    )
    channel: OptionalText = Field(
        None,
        min_length=1,
        max_length=255,
        description="Channel id or #name; by default the Slack integration's own.",
    )
    thread_ts: Annotated[Text, AfterValidator(_timestamp)] | None = Field(
        None, description="The ts of the message whose thread to reply in."
    )
    webhook: Annotated[Text, AfterValidator(_web_address)] | None = Field(
        None,
        max_length=2_000,
        description="Instead of a channel: the https address of an incoming webhook.",
    )

    conn_id: OptionalText = Field(
        None,
        min_length=1,
        max_length=250,
        description="An Airflow connection of type slack (then set `channel`) or slackwebhook, "
        "used instead of the Slack integration. The setting "
        "AUTOMATIONS_CONNECTION_ALLOW must name it.",
    )

    @model_validator(mode="after")
    def _one_place_and_something_to_say(self) -> Self:
        if self.text is None and not self.blocks:
            raise ValueError("give text, blocks or both")
        if isinstance(self.blocks, list) and len(self.blocks) > 50:
            raise ValueError("blocks may be 50 at most")
        if self.channel is not None and self.webhook is not None:
            raise ValueError("give channel or webhook, not both")
        if self.conn_id is not None and self.webhook is not None:
            raise ValueError("give connId or webhook, not both")
        return self


class Slack(StepType[SlackConfig]):
    """Post a Slack message, at least once: after a crash or a lost answer, it may be posted again.

    Slack has no idempotency key; every attempt carries the same client_msg_id.
    """

    type = "slack"
    title = "Post a Slack message"
    Config = SlackConfig
    example: ClassVar = {"text": "{{input.name}} has signed up", "channel": "#sales"}
    outputs: ClassVar = {
        "ts": "the message's timestamp, which is its id in the channel; null for a webhook",
        "channel": "the channel's id; null for a webhook",
    }

    def run(self, config: SlackConfig, ctx: StepContext) -> Outcome:
        connection = None if config.conn_id is None else ctx.connection(config.conn_id)
        receipt = ctx.ports.chat.post(
            ChatMessage(
                text=config.text,
                blocks=tuple(config.blocks) if isinstance(config.blocks, list) else (),
                channel=config.channel,
                thread=config.thread_ts,
                webhook=config.webhook,
                key=ctx.idempotency_key,
                workspace_id=ctx.workspace_id,
                timeout=ctx.timeout,
                connection=connection,
            )
        )
        return Done({"ts": receipt.ts, "channel": receipt.channel})
