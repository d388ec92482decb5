"""Scopes, which limit an API key below its role: ``<tag>:<verb>`` of the routes.

A route asks for its tag with ``read`` (GET) or ``write`` (everything else); a few, which are
worth a key of their own, ask for a name of theirs instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute

from automations.errors import NotAllowed, ValidationFailed

TEST = "workflows:test"
"""Of doing one step for real: it acts with the workspace's secrets on data of the caller's."""

_TEST = ("POST", "/api/workflows/{workflow_id}/steps/{step_id}/test")

_OWN_NAMES = {
    ("POST", "/api/workflows/{workflow_id}/execute"): "workflows:execute",
    _TEST: TEST,
    # It shows what steps read, on data of the caller's.
    ("POST", "/api/workflows/{workflow_id}/test"): TEST,
    ("POST", "/api/workflows/runs/{run_id}/resume"): "runs:resume",
    ("POST", "/console/workflows/{workflow_id}/execute"): "workflows:execute",
    ("POST", "/console/workflows/{workflow_id}/edit/test"): TEST,
    ("POST", "/console/workflows/{workflow_id}/edit/try"): TEST,
    ("POST", "/console/runs/{run_id}/resume"): "runs:resume",
    ("POST", "/console/approvals/bulk"): "runs:resume",
    ("POST", "/console/approvals/{run_id}"): "runs:resume",
    ("POST", "/api/submissions"): "forms:submit",
    ("POST", "/api/members/{member_id}/invitation"): "members:write",
    ("POST", "/api/workflows/send-email"): "mail:send",
    # It reads what one can write with.
    ("GET", "/api/pipelines/connections/{connection_id}/webhook-url"): "pipelines:write",
    # They read; their filters are only too long for an address.
    ("POST", "/api/tables/{table_id}/rows/query"): "tables:read",
    ("POST", "/api/tables/{table_id}/aggregate"): "tables:read",
}

# A dry run shows what executing would do; the route itself asks for TEST when it is none.
_INSTEAD = {_TEST: "workflows:execute"}


def check(request: Request, scopes: Sequence[str] | None) -> None:
    """Check that a key's scopes cover the route.

    Raises:
        NotAllowed: the message names the scope that is missing.
    """
    route = request.scope["route"]
    if scopes is not None and _INSTEAD.get((request.method, route.path)) in scopes:
        return
    require(scopes, _scope(route, request.method))


def require(scopes: Sequence[str] | None, needed: str) -> None:
    """Check that a key's scopes hold one.

    Raises:
        NotAllowed: the message names the scope that is missing.
    """
    if scopes is not None and needed not in scopes:
        raise NotAllowed(f"This needs the scope {needed}; the API key is limited to others.")


def check_known(app: FastAPI, scopes: Sequence[str] | None) -> None:
    """Check that routes ask for all of these scopes.

    Raises:
        ValidationFailed: names those that none asks for, and those that there are.
    """
    there_are = list_scopes(app)
    unknown = sorted(set(scopes or ()) - set(there_are))
    if unknown:
        raise ValidationFailed(
            {"scopes": [f"unknown: {', '.join(unknown)}; there are {', '.join(there_are)}"]}
        )


@lru_cache(maxsize=8)
def list_scopes(app: FastAPI) -> list[str]:
    """All scopes that there are."""
    return sorted(
        {
            _scope(route, method)
            for route in app.routes
            if isinstance(route, APIRoute) and _is_kept(route)
            for method in route.methods
        }
    )


def _is_kept(route: APIRoute) -> bool:
    """Whether a route asks for an API key at all."""
    return any(part.name == "caller" for part in route.dependant.dependencies)


def _scope(route: APIRoute, method: str) -> str:
    method = "GET" if method == "HEAD" else method
    own = _OWN_NAMES.get((method, route.path))
    if own is not None:
        return own
    noun = str(route.tags[0]).replace(" ", "-")
    return f"{noun}:{'read' if method == 'GET' else 'write'}"
