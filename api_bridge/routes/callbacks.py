"""The public page of an approval: GET shows, POST decides; and the URLs that services call."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from api_bridge import pages
from api_bridge.routing import Router
from api_bridge.threads import in_thread
from automations.clock import timestamp
from automations.errors import DomainError, ValidationFailed
from automations.services import decisions
from automations.services.decisions import CallbackView

router = Router(prefix="/api/workflows/callback", tags=["callback"])

TEMPLATE = "callback.html"


@router.get("/{token}", responses=pages.SHOWN)
def show(request: Request, token: str) -> Response:
    """Show what is to be decided; changes nothing."""
    try:
        pages.limit(request, "callback", token)
        if decisions.is_callback(token):
            return pages.page(TEMPLATE, 200, view=None, callback=True)
        return _page(decisions.view(token))
    except DomainError as error:
        return pages.failed(request, TEMPLATE, error)


@router.post("/{token}", responses=pages.SHOWN, openapi_extra=pages.TAKEN)
async def decide(request: Request, token: str) -> Response:
    """Decide, once; or call a step's callback, whose body is kept as it is."""
    try:
        given = await pages.sent(request)
    except DomainError as error:
        return pages.failed(request, TEMPLATE, error)
    return await in_thread(_decide, request, token, given)


def _decide(request: Request, token: str, given: dict[str, Any]) -> Response:
    try:
        pages.limit(request, "callback", token)
        if decisions.is_callback(token):
            data = given.get("json", dict(given["form"]) if "form" in given else None)
            run_id = decisions.receive(token, data)
            return JSONResponse({"runId": run_id, "received": True}, headers=pages.HEADERS)
        decision, data = _answer(token, given)
        view = decisions.decide(token, decision=decision, data=data)
    except DomainError as error:
        return pages.failed(request, TEMPLATE, error)
    if not pages.wants_json(request):
        return _page(view)
    return JSONResponse(
        {
            "runId": view.run_id,
            "decision": view.decision,
            "decidedAt": timestamp(view.decided_at) if view.decided_at else None,
        },
        headers=pages.HEADERS,
    )


def _answer(token: str, given: dict[str, Any]) -> tuple[str, Any]:
    if "form" not in given:
        body = given.get("json")
        body = body if isinstance(body, dict) else {}
        unknown = {field: ["unknown field"] for field in sorted(body.keys() - {"decision", "data"})}
        if unknown:
            raise ValidationFailed(unknown)
        return str(body.get("decision")), body.get("data")
    form, view = given["form"], decisions.view(token)
    data: dict[str, Any] = {}
    if view.form is not None:
        data = pages.values(view.form, form)
    elif form.get("comment"):
        data["comment"] = str(form["comment"])
    return str(form.get("decision")), data or None


def _page(view: CallbackView) -> Response:
    return pages.page(
        TEMPLATE,
        200,
        view=view,
        fields=pages.fields(view.form) if view.form is not None else None,
        data=json.dumps(view.data, indent=2, ensure_ascii=False) if view.data is not None else None,
    )
