"""What an endpoint's author says of it, where the endpoint stands."""

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
    any_query: bool = False
    look: Callable[[Request], Response | None] | None = None


def marks_of(endpoint: Callable[..., Any]) -> Marks:
    """What an endpoint was marked as."""
    found: Marks = getattr(endpoint, _MARKS, Marks())
    return found


def slow(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that waits for more than the database: its threads are not the others'."""
    return _mark(endpoint, slow=True)


def searching(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint whose statement may take seconds, by what somebody asks for."""
    return _mark(endpoint, searching=True)


def changing(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that waits while somebody else gives the same table another shape."""
    return _mark(endpoint, changing=True)


def heavy(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that takes much, in a process of its own or here: few are at once."""
    return _mark(endpoint, slow=True, heavy=True)


def hashing(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that hashes a password: others that wait keep nobody from signing in."""
    return _mark(endpoint, hashing=True)


def outside(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that acts, or waits, outside of the database, and so commits step by step.

    What any other one does under an ``Idempotency-Key`` is one transaction with its answer.
    """
    return _mark(endpoint, outside=True)


def any_query(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint whose address may have parameters that nobody here has named."""
    return _mark(endpoint, any_query=True)


def behind(look: Callable[[Request], Response | None]) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint that everybody may ask: large bodies are read where its address is known.

    Args:
        look: refuses an address that is unknown, by an answer or an error; for a thread.
    """
    return lambda endpoint: _mark(endpoint, look=look)


def _mark(endpoint: Endpoint, **marks: Any) -> Endpoint:
    setattr(endpoint, _MARKS, replace(marks_of(endpoint), **marks))
    return endpoint
