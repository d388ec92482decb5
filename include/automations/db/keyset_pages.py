"""Keyset pages of lists ordered by time: the parts of their queries that are common to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

T = TypeVar("T")


def between(
    query: Select[T],
    at: InstrumentedAttribute[datetime],
    since: datetime | None,
    until: datetime | None,
) -> Select[T]:
    """Only what is at or after one instant, and before another; either may be open."""
    if since is not None:
        query = query.where(at >= since)
    if until is not None:
        query = query.where(at < until)
    return query


def equal(query: Select[T], expected: Mapping[InstrumentedAttribute[Any], Any]) -> Select[T]:
    """Only what has these values; a column whose value is None may have any."""
    for column, value in expected.items():
        if value is not None:
            query = query.where(column == value)
    return query


def newest(
    query: Select[T],
    place: tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[Any]],
    after: tuple[datetime, Any] | None,
    limit: int,
) -> Select[T]:
    """Only the rows that come behind one in a list with the newest first, as far as a page goes.

    Args:
        place: the columns of a row's instant and id.
        after: the instant and id of the row; None to begin with the newest.
    """
    at, row_id = place
    if after is not None:
        query = query.where(tuple_(at, row_id) < after)
    return query.order_by(at.desc(), row_id.desc()).limit(limit)


def page_after(
    session: Session,
    query: Select[T],
    place: tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[Any]],
    after: tuple[datetime, Any] | None,
    limit: int,
) -> Sequence[T]:
    """The rows of ``newest``."""
    return session.scalars(newest(query, place, after, limit)).all()
