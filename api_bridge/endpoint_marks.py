"""Decorators by which an endpoint says how it is to be served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fastapi import Request, Response

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_MARKS = "_marks"


@dataclass(frozen=True, slots=True)
class Marks:
    """What an endpoint was marked as."""

    slow: bool = False
    heavy: bool = False
    searching: bool = False
    changing: bool = False
    hashing: bool = False
    outside: bool = False
    repeatable: bool = False
    any_query: bool = False
    look: Callable[[Request], Response | None] | None = None


def marks_of(endpoint: Callable[..., Any]) -> Marks:
    """What an endpoint was marked as."""
    marks: Marks = getattr(endpoint, _MARKS, Marks())
    return marks


def slow(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that waits for more than the database: it gets a thread of another pool."""
    return _mark(endpoint, slow=True)


def searching(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint whose query may take seconds, depending on what is asked for."""
    return _mark(endpoint, searching=True)


def changing(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that may wait for somebody who changes the shape of the same table."""
    return _mark(endpoint, changing=True)


def heavy(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that takes much memory or CPU: few of them run at once."""
    return _mark(endpoint, slow=True, heavy=True)


def hashing(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that hashes a password: its threads are kept free for signing in."""
    return _mark(endpoint, hashing=True)


def outside(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that acts or waits outside of the database, and so commits step by step.

    What any other endpoint does under an ``Idempotency-Key`` is one transaction with its answer.
    """
    return _mark(endpoint, outside=True)


def repeatable(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that changes nothing: what a page sends it twice is answered anew."""
    return _mark(endpoint, repeatable=True)


def any_query(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that accepts query parameters that it does not declare."""
    return _mark(endpoint, any_query=True)


def behind(look: Callable[[Request], Response | None]) -> Callable[[Endpoint], Endpoint]:
    """Mark a public endpoint that reads large bodies only for addresses that exist.

    Args:
        look: refuses an unknown address with a response or an error; called in a thread.
    """
    return lambda endpoint: _mark(endpoint, look=look)


def _mark(endpoint: Endpoint, **marks: Any) -> Endpoint:
    setattr(endpoint, _MARKS, replace(marks_of(endpoint), **marks))
    return endpoint
