"""Filters for lists of documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which documents of a workspace are wanted.

    Args:
        name: a part of it; empty for all.
        uploaded: whether people have sent them, and no template was filled in; None for both.
    """

    name: str = ""
    format: str | None = None
    uploaded: bool | None = None
    template_id: str | None = None
    run_id: str | None = None
