"""Routes that run an endpoint and serialize its answer together, in one thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant, get_flat_dependant
from fastapi.routing import APIRoute
from fastapi.utils import is_body_allowed_for_status_code
from pydantic_core import to_json
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from api_bridge import json_bodies
from api_bridge.bodies import limit_of
from api_bridge.deps import AtLeast, admitted_caller
from api_bridge.endpoint_marks import marks_of
from api_bridge.middleware.idempotency import Idempotency
from api_bridge.middleware.request_guard import RequestGuard
from api_bridge.query_names import QueryNames
from api_bridge.server.threads import (
    in_change_thread,
    in_password_thread,
    in_search_thread,
    in_slow_thread,
    in_thread,
)
from automations.kit.storable import showable


class Route(APIRoute):
    """A route whose endpoint, unless it is a coroutine, costs a single change of thread.

    FastAPI makes three, and parses and serializes JSON in the event loop, where a long document
    keeps everybody waiting; and it reads the body before it checks who asks.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if not iscoroutinefunction(endpoint):
            endpoint = _wrap_endpoint(endpoint, options.get("status_code") or 200)
        super().__init__(path, endpoint, **options)
        marks, limit = marks_of(endpoint), limit_of(endpoint)
        parameters = get_flat_dependant(self.dependant).query_params
        query = None if marks.any_query else QueryNames(parameters)
        roles = [role for each in self.dependant.dependencies if (role := _role(each))]
        if len(roles) > 1:
            raise TypeError(f"{path} asks for two roles; which one is meant?")
        admit = roles[0].admit if roles else None
        self.app = RequestGuard(Idempotency(self.app, marks), admit, query, limit, marks.look)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        described = self.dependant
        self.dependant = _admitted(described)
        handle = super().get_route_handler()
        self.dependant = described
        field = self.body_field
        declared = None if field is None else json_bodies.Declared(field)

        async def handle_parsed(request: Request) -> Response:
            parsed = json_bodies.ParsedRequest(request.scope, request.receive)
            if declared is not None:
                await json_bodies.read(parsed, declared)
            return await handle(parsed)

        return handle_parsed

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HEAD wherever GET matches, for programs that check links."""
        return super().matches(self._as_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request; the server drops the body of an answer to HEAD."""
        if self._as_get(scope) is scope:
            await super().handle(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _as_get(self, scope: Scope) -> Scope:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        return {**scope, "method": "GET"} if is_head and "GET" in self.methods else scope


class Router(APIRouter):
    """A router of such routes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, **options)


def _role(dependency: Dependant) -> AtLeast | None:
    return dependency.call if isinstance(dependency.call, AtLeast) else None


def _admitted(dependant: Dependant) -> Dependant:
    """The dependencies without those of the caller, whom the guard has admitted already.

    The API's description needs them; to solve them again takes a twentieth of a short request.
    """
    return replace(
        dependant,
        dependencies=[
            get_dependant(path="", call=admitted_caller, name=each.name) if _role(each) else each
            for each in dependant.dependencies
        ],
    )


def _wrap_endpoint(endpoint: Callable[..., Any], status: int) -> Callable[..., Awaitable[Response]]:
    def answer(values: dict[str, Any]) -> Response:
        return _response(endpoint(**values), status, values)

    marks = marks_of(endpoint)

    @wraps(endpoint)
    async def call(**values: Any) -> Response:
        if marks.hashing:
            return await in_password_thread(partial(answer, values))
        if marks.slow:
            work = partial(answer, values)
            return await in_slow_thread(work, values.get("caller"), heavy=marks.heavy)
        if marks.searching:
            return await in_search_thread(partial(answer, values), _whose(values))
        if marks.changing:
            return await in_change_thread(partial(answer, values), _whose(values))
        return await in_thread(answer, values)

    return call


def _whose(values: dict[str, Any]) -> str:
    caller = values.get("caller")
    return "" if caller is None else str(caller.workspace_id)


def _response(result: Any, status: int, values: dict[str, Any]) -> Response:
    if isinstance(result, Response):
        return result
    # The status and headers that the endpoint has set on the ``Response`` it was given.
    injected = next((value for value in values.values() if isinstance(value, Response)), None)
    status = (injected.status_code if injected is not None else None) or status
    if is_body_allowed_for_status_code(status):
        content = _json(result)
        response = Response(content, status, media_type="application/json")
    else:
        response = Response(status_code=status)
    if injected is not None:
        response.raw_headers.extend(injected.raw_headers)
    return response


def _json(result: Any) -> bytes:
    try:
        return to_json(result, inf_nan_mode="null")
    except ValueError:
        # One value that is nested too deep must not keep the rest of a list from being shown.
        return to_json(showable(result), inf_nan_mode="null")
