"""The public page of an approval: GET shows, POST decides."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape

from api_bridge.deps import client_address
from api_bridge.errors import STATUSES, domain_error
from automations.clock import timestamp
from automations.errors import DomainError, TooManyRequests, ValidationFailed
from automations.forms import DISPLAY, FormSchema
from automations.services import decisions, rate_limits
from automations.services.decisions import CallbackView

router = APIRouter(prefix="/api/workflows/callback", tags=["callback"])

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
_PER_TOKEN, _PER_ADDRESS = 20, 60
_NUMBERS = ("number", "currency", "rating")

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


@router.get("/{token}")
def show(request: Request, token: str) -> Response:
    """Show what is to be decided; changes nothing."""
    try:
        _limit(request, token)
        return _page(request, 200, view=decisions.view(token))
    except DomainError as error:
        return _failed(request, error)


@router.post("/{token}")
async def decide(request: Request, token: str) -> Response:
    """Decide, once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    given: dict[str, Any] = {}
    if kind == "application/json":
        parsed = json.loads(await request.body() or b"{}")
        given = parsed if isinstance(parsed, dict) else {}
    elif kind == "application/x-www-form-urlencoded":
        given = {"form": await request.form()}
    elif kind:
        raise HTTPException(415, "Send a form (urlencoded) or JSON.")
    return await run_in_threadpool(_decide, request, token, given)


def _decide(request: Request, token: str, given: dict[str, Any]) -> Response:
    try:
        _limit(request, token)
        if "form" in given:
            given = _from_page(decisions.view(token), given["form"])
        decision = given.get("decision")
        view = decisions.decide(token, decision=str(decision), data=given.get("data"))
    except DomainError as error:
        return _failed(request, error)
    if _wants_json(request):
        return JSONResponse(
            {
                "runId": view.run_id,
                "decision": view.decision,
                "decidedAt": timestamp(view.decided_at) if view.decided_at else None,
            },
            headers=HEADERS,
        )
    return _page(request, 200, view=view)


def _limit(request: Request, token: str) -> None:
    # A hash: the token itself is a secret and kept nowhere.
    hashed = hashlib.sha256(token.encode()).hexdigest()[:32]
    rate_limits.check(
        {
            f"callback:token:{hashed}": _PER_TOKEN,
            f"callback:address:{client_address(request)}": _PER_ADDRESS,
        }
    )


def _from_page(view: CallbackView, form: Any) -> dict[str, Any]:
    if any("\0" in value for _, value in form.multi_items()):
        raise ValidationFailed({"body": ["must not hold a NUL character"]})
    data: dict[str, Any] = {}
    if view.form is not None:
        for field in _fields(view):
            values = [value for value in form.getlist(f"data.{field.key}") if value != ""]
            if field.type in ("checkbox", "multiselect"):
                data[field.key] = values
            elif field.type == "yesno":
                data[field.key] = bool(values)
            elif values:
                data[field.key] = _number(values[0]) if field.type in _NUMBERS else values[0]
    elif form.get("comment"):
        data["comment"] = str(form["comment"])
    return {"decision": form.get("decision"), "data": data or None}


def _fields(view: CallbackView) -> list[Any]:
    schema = FormSchema.model_validate(view.form)
    return [
        field
        for section in schema.sections
        if not section.repeatable
        for field in section.fields
        if field.type not in DISPLAY
    ]


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def _failed(request: Request, error: DomainError) -> Response:
    if _wants_json(request):
        answer: Response = domain_error(request, error)
        answer.headers.update(HEADERS)
        return answer
    problems = error.field_errors if isinstance(error, ValidationFailed) else {}
    page = _page(request, STATUSES[type(error)], message=error.message, problems=problems)
    if isinstance(error, TooManyRequests):
        page.headers["Retry-After"] = str(error.retry_after)
    return page


def _page(
    request: Request,
    status: int,
    *,
    view: CallbackView | None = None,
    message: str | None = None,
    problems: dict[str, list[str]] | None = None,
) -> Response:
    text = _pages.get_template("callback.html").render(
        view=view,
        fields=_fields(view) if view is not None and view.form is not None else None,
        data=json.dumps(view.data, indent=2, ensure_ascii=False)
        if view is not None and view.data is not None
        else None,
        message=message,
        problems=problems,
    )
    return Response(text, status, HEADERS, "text/html")


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    content = request.headers.get("content-type", "")
    return "application/json" in accept or "application/json" in content
