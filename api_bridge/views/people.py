"""How members and what they are told look in answers."""

from __future__ import annotations

from typing import Any

from automations.kit.clock import timestamp
from automations.services.access.members import Member
from automations.services.integrations.notifications import Notification


def member(shown: Member) -> dict[str, Any]:
    """A member."""
    return {
        "id": shown.id,
        "name": shown.name,
        "email": shown.email,
        "role": shown.role,
        "createdAt": timestamp(shown.created_at),
    }


def notification(shown: Notification) -> dict[str, Any]:
    """A notification."""
    return {
        "id": shown.id,
        "type": shown.type,
        "title": shown.title,
        "message": shown.message,
        "link": shown.link,
        "read": shown.read_at is not None,
        "createdAt": timestamp(shown.created_at),
    }
