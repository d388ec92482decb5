"""Parses the queries of lists; empty inputs ask for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request

from automations.errors import ValidationFailed
from automations.kit import common_clock

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

Text = Annotated[str, Query(max_length=500)]
"""A text of a form that filters a list."""
Page = Annotated[int, Query(ge=1, le=100_000)]
"""Of a list whose pages have numbers."""
PAGE_SIZE = 25
MAX_OFFERED = 300
"""Names that a filter offers; lists of what has others lead to the same."""
MAX_EXPORTED = 10_000
"""Lines of a list in one file, which says where it ends: the API goes on from there."""
_EXPORT_BATCH_SIZE = 1_000
PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
"""How far a list goes back, by the words for it."""


def choice(kind: type[E], name: str, value: str) -> E | None:
    """One of several words; None when none was chosen.

    Raises:
        ValidationFailed: there is no such word.
    """
    if not value:
        return None
    try:
        return kind(value)
    except ValueError as error:
        raise ValidationFailed({name: [f"must be one of {', '.join(kind)}"]}) from error


def offered(names: Mapping[str, str], chosen: str) -> dict[str, str]:
    """What one may choose from by name: as many as a page carries, and what is chosen."""
    shown = dict(islice(names.items(), MAX_OFFERED))
    return shown if chosen in shown or chosen not in names else {**shown, chosen: names[chosen]}


def parse_since(period: str) -> datetime | None:
    """From when on something is asked for; None for all that there is.

    Raises:
        ValidationFailed: there is no such period.
    """
    if not period:
        return None
    if period not in PERIODS:
        raise ValidationFailed({"since": [f"must be one of {', '.join(PERIODS)}"]})
    return common_clock.now() - PERIODS[period]


def page_url(request: Request, page: int) -> str:
    """The address of a list's page by its number, with the same filters."""
    kept = [(name, value) for name, value in request.query_params.items() if name != "page"]
    return f"{request.url.path}?{urlencode([*kept, ('page', str(page))])}"


def paginate(request: Request, items: Sequence[T], page: int) -> tuple[Sequence[T], str | None]:
    """One page of a list that is known as a whole, and the address of the next one."""
    start, end = (page - 1) * PAGE_SIZE, page * PAGE_SIZE
    return items[start:end], page_url(request, page + 1) if end < len(items) else None


def following(request: Request, cursor: str | None) -> str | None:
    """The address of a list's next page, with the same filters; None at the end."""
    if cursor is None:
        return None
    kept = [(name, value) for name, value in request.query_params.items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"


def with_size(request: Request, size: int) -> str:
    """The address of a list's first page with so many lines, and the same filters."""
    left_out = ("cursor", "size")
    kept = [(name, value) for name, value in request.query_params.items() if name not in left_out]
    return f"{request.url.path}?{urlencode([*kept, ('size', str(size))])}"


def export_url(request: Request, name: str) -> str:
    """The address of a list as a file: with the same filters, and all of its pages."""
    kept = [(key, value) for key, value in request.query_params.items() if key != "cursor"]
    return f"{request.url.path}/{name}{'?' * bool(kept)}{urlencode(kept)}"


def whole(
    page_after: Callable[[str | None, int], tuple[Sequence[T], str | None]],
) -> tuple[Sequence[T], str | None]:
    """What a list holds as far as a file takes it, and the cursor of what is left out."""
    lines: list[T] = []
    cursor: str | None = None
    while (left := MAX_EXPORTED - len(lines)) > 0:
        page, cursor = page_after(cursor, min(left, _EXPORT_BATCH_SIZE))
        lines.extend(page)
        if cursor is None:
            break
    return lines, cursor
