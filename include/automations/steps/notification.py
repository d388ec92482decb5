"""Tell people something in the product."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, ValidationInfo

from automations.domain.fields import Model, Text, Texts, is_rendered, is_template
from automations.ports import Notice
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.outcomes import Done, Outcome

MAX_USERS = 100
"""Each is a row of its own; groups of more are told by mail or chat."""
_LINK = re.compile(r"(?:https?://[^\s/\\]|/(?![/\\]))[^\s\\]*", re.IGNORECASE)


def _link(value: str, info: ValidationInfo) -> str:
    # It is shown as a link to click on: no javascript:, and no //host that looks like a path.
    if (is_rendered(info) or not is_template(value)) and not _LINK.fullmatch(value):
        raise ValueError("must be an http or https address, or a path such as /matters")
    return value


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


class NotificationConfig(Model):
    """The notification and its recipients."""

    user_ids: Annotated[Texts, Field(min_length=1, max_length=MAX_USERS)] | None = Field(
        None,
        description="Ids of the members to notify: a list, or one text separated by commas. By "
        "default, the automation's owner: the member whose API key created it; if "
        "that key belongs to no member, every member with the role OWNER; if there is "
        "none, the key itself.",
    )
    title: Annotated[Text, AfterValidator(_not_empty)] = Field(
        max_length=500, description="A short title."
    )
    message: Text = Field("", max_length=10_000, description="The text.")
    link: Annotated[Text, AfterValidator(_link)] | None = Field(
        None,
        max_length=2_000,
        description="Target of the notification: an http or https address, or a path.",
    )


class Notification(StepType[NotificationConfig]):
    """Show members a notification in the product."""

    type = "notification"
    title = "Send a notification"
    Config = NotificationConfig
    refers_to: ClassVar = {"user_ids": Subject.MEMBER}
    example: ClassVar = {"title": "{{input.name}} has signed up"}
    keeps = True
    outputs: ClassVar = {
        "notificationIds": "the created notifications",
        "userIds": "their recipients, in the same order",
    }

    def is_idempotent(self, config: NotificationConfig) -> bool:
        return True

    def run(self, config: NotificationConfig, ctx: StepContext) -> Outcome:
        receipt = ctx.ports.notifier.notify(
            Notice(
                workspace_id=ctx.workspace_id,
                workflow_id=ctx.workflow_id,
                key=ctx.idempotency_key,
                user_ids=None if config.user_ids is None else tuple(config.user_ids),
                title=config.title,
                message=config.message,
                link=config.link,
            )
        )
        return Done(
            {
                "notificationIds": list(receipt.notification_ids),
                "userIds": list(receipt.user_ids),
            }
        )
