"""Metrics, for whoever runs this installation."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from fastapi import Request, Response

from api_bridge.metrics import Metrics
from api_bridge.routing import Router
from automations.errors import NotAllowed, NotAuthenticated
from automations.settings import get_settings

router = Router(tags=["health"])

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Metrics for Prometheus, of all workspaces; for this machine, or with the metrics token."""
    _check(request)
    collected: Metrics = request.app.state.metrics
    body, media_type = collected.text(request.headers.get("accept", ""))
    return Response(body, media_type=media_type)


def _check(request: Request) -> None:
    token = get_settings().metrics_token
    if token is not None:
        header = request.headers.get("authorization", "")
        if not hmac.compare_digest(header.encode(), f"Bearer {token}".encode()):
            raise NotAuthenticated("Metrics need 'Authorization: Bearer <metrics token>'.")
        return
    # A proxy on this machine speaks for others.
    forwarded = any(name in request.headers for name in _FORWARDED)
    if forwarded or not _is_this_machine(request.client.host if request.client else ""):
        raise NotAllowed(
            "Metrics are for this machine only: set AUTOMATIONS_METRICS_TOKEN to read them from "
            "elsewhere."
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
