"""How members and what they are told look in answers."""

from __future__ import annotations

from typing import Any

from automations.db.tables import Member, Notification
from automations.kit.clock import timestamp


def pagination(number: int, size: int, total: int) -> dict[str, int]:
    """Where a page stands."""
    return {"page": number, "limit": size, "total": total, "pages": -(-total // size)}


def member(row: Member) -> dict[str, Any]:
    """A member."""
    return {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "role": row.role,
        "createdAt": timestamp(row.created_at),
    }


def notification(row: Notification) -> dict[str, Any]:
    """A notification."""
    return {
        "id": row.id,
        "type": row.type,
        "title": row.title,
        "message": row.message,
        "link": row.link,
        "read": row.read_at is not None,
        "createdAt": timestamp(row.created_at),
    }
