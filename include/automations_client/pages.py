"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from automations_client.errors import json_of

T = TypeVar("T")

_LARGEST = 100
"""The most that a page may have."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list.

    Args:
        total: how long the whole list is; None when it was not counted.
        next_cursor: what leads to the next page; None behind the last.
    """

    items: list[T]
    total: int | None = None
    next_cursor: str | None = None


def page_of(key: str, answer: Any) -> Page[Any]:
    """A page as the API writes it: the items below a key, and where the page stands."""
    stands = answer["pagination"]
    return Page(answer[key], stands.get("total"), stands.get("nextCursor"))


def from_link_header(answer: httpx.Response) -> Page[Any]:
    """A page that is a bare list, whose header ``Link`` leads on."""
    # Only the cursor of the link is used: the key goes nowhere else than to the base address.
    following = answer.links.get("next", {}).get("url")
    cursor = None if following is None else httpx.URL(following).params["cursor"]
    return Page(json_of(answer), next_cursor=cursor)


def all_linked(get: Callable[[dict[str, Any]], httpx.Response]) -> list[Any]:
    """All of a bare list, page by page.

    Args:
        get: asks for a page by what comes behind the address.
    """
    return [*through(lambda cursor: from_link_header(get({"limit": _LARGEST, "cursor": cursor})))]


def through(get: Callable[[str | None], Page[T]], first: str | None = None) -> Iterator[T]:
    """All items from a page on, each page asked for when it is needed.

    Args:
        get: gives the page at a cursor.
        first: the first page's cursor.
    """
    cursor = first
    while True:
        page = get(cursor)
        yield from page.items
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
