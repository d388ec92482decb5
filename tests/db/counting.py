"""Counts what is asked of the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from automations.db.session import engine


@contextmanager
def commits() -> Iterator[list[None]]:
    """One for each commit meanwhile."""
    seen: list[None] = []

    def note(_: Any) -> None:
        seen.append(None)

    event.listen(engine(), "commit", note)
    try:
        yield seen
    finally:
        event.remove(engine(), "commit", note)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent meanwhile; many rows may be in one."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    # Of any engine: some units of work are apart from the rest.
    event.listen(Engine, "after_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "after_cursor_execute", note)
