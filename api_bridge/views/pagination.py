"""Pagination in answers, in the several forms that the specification has."""

from __future__ import annotations

from typing import Any


def by_size(page: int, page_size: int, total: int) -> dict[str, int]:
    """Of lists that have a ``pageSize``: runs and documents."""
    return {
        "page": page,
        "pageSize": page_size,
        "total": total,
        "totalPages": -(-total // page_size),
    }


def by_limit(page: int, limit: int, total: int) -> dict[str, int]:
    """Of lists that have pages and a ``limit``: matters and notifications."""
    return {"page": page, "limit": limit, "total": total, "pages": -(-total // limit)}


def by_cursor(limit: int, following: str | None) -> dict[str, Any]:
    """Of lists that go on after a cursor."""
    return {"limit": limit, "nextCursor": following}
