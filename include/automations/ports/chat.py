"""The port for messages to a team's chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from automations.ports.connections import HostConnection


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message to post, in Slack's terms.

    Args:
        channel: None for the account's own.
        webhook: the address to post to instead of a channel.
        key: idempotency key; the same for every attempt.
        connection: by which it is posted instead of the workspace's account.
    """

    workspace_id: str
    key: str
    timeout: timedelta
    text: str | None
    blocks: tuple[Mapping[str, Any], ...] = ()
    channel: str | None = None
    thread: str | None = None
    webhook: str | None = None
    connection: HostConnection | None = None


@dataclass(frozen=True, slots=True)
class ChatReceipt:
    """Where a message was posted; a webhook does not say."""

    ts: str | None
    channel: str | None


class Chat(Protocol):
    """Posts messages to a team's chat; raises StepError."""

    def post(self, message: ChatMessage) -> ChatReceipt: ...
