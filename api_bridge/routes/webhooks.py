"""Webhooks: the public URL of each automation that has one, and its rotation."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from api_bridge.bodies import MAX_FILES_BYTES, body_limit, delivery_of
from api_bridge.deps import Admin, client_address
from api_bridge.endpoint_marks import any_query, behind, outside
from api_bridge.routing import Router
from api_bridge.server.permits import Permits
from api_bridge.server.threads import in_thread
from automations import wiring
from automations.services.events import webhooks
from automations.services.events.webhooks import Result

router = Router(prefix="/api", tags=["webhooks"])

_MAX_WAITING, _MAX_OF_A_WORKSPACE, _MAX_OF_A_URL = 100, 50, 25
"""Senders that may wait for a result at once, of all URLs, those of a workspace and of one; more
are answered as if none did."""
_MIN_POLL_INTERVAL, _MAX_POLL_INTERVAL = 0.05, 0.5

_waiting = Permits()

_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {}}, "*/*": {"schema": {"type": "string"}}},
    }
}


def _look(request: Request) -> None:
    webhooks.require(request.path_params["token"], client_address(request))


@router.post("/webhooks/{token}", status_code=202, openapi_extra=_BODY)
@router.put("/webhooks/{token}", status_code=202, openapi_extra=_BODY)
@outside
@body_limit(multipart=MAX_FILES_BYTES)
@any_query
@behind(_look)
async def deliver(request: Request, token: str) -> JSONResponse:
    """Accept a delivery; its automation starts in the background, or the answer waits for it.

    The answer is 202 with the event's id, or 200 when the delivery was taken before. Where the
    trigger says `respond: result`, it is 200 with the run's outputs as soon as the run has ended,
    and 202 with the run's id when that takes too long.
    """
    delivery = await delivery_of(request)
    accepted = await in_thread(
        webhooks.accept, token, delivery, wiring.signature_verifier(), client_address(request)
    )
    answer: dict[str, Any] = {"eventId": accepted.event_id, "duplicate": accepted.duplicate}
    status = 200 if accepted.duplicate else 202
    if accepted.wait is None:
        return JSONResponse(answer, status)
    with _waiting.hold(_limits(token, accepted.workspace_id)) as is_held:
        result = await _result(accepted.event_id, accepted.wait) if is_held else None
    if result is None or result.run_id is None:
        return JSONResponse(answer, status)
    answer |= {"runId": result.run_id, "status": result.status}
    if not result.ended:
        return JSONResponse(answer, 202)
    return JSONResponse({**answer, "outputs": result.outputs}, 200)


def _limits(token: str, workspace_id: str) -> dict[str, int]:
    return {
        "all": _MAX_WAITING,
        f"workspace:{workspace_id}": _MAX_OF_A_WORKSPACE,
        f"url:{token}": _MAX_OF_A_URL,
    }


async def _result(event_id: str, wait: timedelta) -> Result | None:
    """What the run has come to when it ends, or when the time is up; no thread waits with it."""
    until, pause = time.monotonic() + wait.total_seconds(), _MIN_POLL_INTERVAL
    while True:
        result = await in_thread(webhooks.result, event_id)
        left = until - time.monotonic()
        if left <= 0 or (result is not None and result.ended):
            return result
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _MAX_POLL_INTERVAL)


@router.post("/workflows/{workflow_id}/rotate-webhook")
def rotate_webhook(caller: Admin, workflow_id: str) -> dict[str, str]:
    """Give an automation a new webhook URL; the old one stops working."""
    return {"webhookUrl": webhooks.rotate(caller.workspace_id, workflow_id)}
