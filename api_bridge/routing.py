"""How routes are served: the endpoint and the writing of its answer go to one thread together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.utils import is_body_allowed_for_status_code
from pydantic_core import to_json
from starlette.routing import Match

from api_bridge.threads import in_thread

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_PATIENT, _OUTSIDE = "_patient", "_outside"


@dataclass(frozen=True, slots=True)
class Nature:
    """What a route's endpoint was marked as."""

    patient: bool = False
    outside: bool = False


def patient(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that waits for more than the database: its threads are not the others'."""
    setattr(endpoint, _PATIENT, True)
    return endpoint


def outside(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that acts, or waits, outside of the database, and so commits step by step.

    What any other one does under an ``Idempotency-Key`` is one transaction with its answer.
    """
    setattr(endpoint, _OUTSIDE, True)
    return endpoint


def nature_of(scope: MutableMapping[str, Any]) -> Nature:
    """What the route that a request is for was marked as."""
    for route in scope["app"].routes:
        endpoint = getattr(route, "endpoint", None)
        found = Nature(getattr(endpoint, _PATIENT, False), getattr(endpoint, _OUTSIDE, False))
        # Few are marked: to look for the route among these costs next to nothing.
        if found != Nature() and route.matches(scope)[0] is Match.FULL:
            return found
    return Nature()


class Route(APIRoute):
    """A route whose endpoint, when it is no coroutine, is served by one change of thread.

    FastAPI's own way makes three, and writes the answer's JSON in the event loop, where a long
    one keeps everybody waiting.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if not iscoroutinefunction(endpoint):
            endpoint = _served(endpoint, options.get("status_code") or 200)
        super().__init__(path, endpoint, **options)


class Router(APIRouter):
    """A router whose routes are served so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, **options)


def _served(endpoint: Callable[..., Any], status: int) -> Callable[..., Awaitable[Response]]:
    def answer(values: dict[str, Any]) -> Response:
        return _response(endpoint(**values), status, values)

    host = run_in_threadpool if getattr(endpoint, _PATIENT, False) else in_thread

    @wraps(endpoint)
    async def call(**values: Any) -> Response:
        return await host(answer, values)

    return call


def _response(found: Any, status: int, values: dict[str, Any]) -> Response:
    if isinstance(found, Response):
        return found
    # What the endpoint has said about its answer beside what is in it.
    said = next((value for value in values.values() if isinstance(value, Response)), None)
    status = (said.status_code if said is not None else None) or status
    if is_body_allowed_for_status_code(status):
        content = to_json(found, inf_nan_mode="null")
        response = Response(content, status, media_type="application/json")
    else:
        response = Response(status_code=status)
    if said is not None:
        response.raw_headers.extend(said.raw_headers)
    return response
