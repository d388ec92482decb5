"""The public page of an approval: GET shows, POST decides; and the URLs that services call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import FormData

from api_bridge.bodies import MAX_FILES_BYTES, body_limit, delivery_of
from api_bridge.endpoint_marks import any_query, behind
from api_bridge.public_pages import form_groups, form_inputs, pages
from api_bridge.routing import Router
from api_bridge.server.threads import in_thread
from automations.domain.webhook_deliveries import Delivery
from automations.errors import DomainError, ValidationFailed
from automations.kit.clock import timestamp
from automations.services.waits import decisions
from automations.services.waits.decisions import CallbackView

router = Router(prefix="/api/workflows/callback", tags=["callback"])

TEMPLATE = "callback.html"
_BESIDE = ("decision", "reason")
"""What a decision sends beside its answer."""


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """What was typed into the page of a decision."""

    data: Mapping[str, Any]
    reason: str


def _look(request: Request) -> Response | None:
    def view(token: str) -> None:
        if not decisions.is_callback(token):
            decisions.view(token)

    return pages.refusal(request, TEMPLATE, "callback", request.path_params["token"], view)


@router.get("/{token}", responses=pages.SHOWN)
@any_query
def show(request: Request, token: str) -> Response:
    """Show the pending decision; changes nothing."""
    try:
        pages.limit(request, "callback", token)
        if decisions.is_callback(token):
            return pages.page(TEMPLATE, 200, view=None, callback=True)
        return _page(decisions.view(token))
    except DomainError as error:
        return pages.render_error(request, TEMPLATE, error)


@router.post("/{token}", responses=pages.SHOWN, openapi_extra=pages.TAKEN)
@any_query
@body_limit(multipart=MAX_FILES_BYTES)
@behind(_look)
async def decide(request: Request, token: str) -> Response:
    """Decide, once; or call a step's callback, whose body is read like a webhook's."""
    try:
        body = await pages.read_body(request)
    except (HTTPException, DomainError) as error:
        # People's pages send nothing else; services call with what they have.
        body = {"refused": error}
    return await in_thread(_decide, request, token, body, await delivery_of(request))


def _decide(request: Request, token: str, body: dict[str, Any], delivery: Delivery) -> Response:
    try:
        pages.limit(request, "callback", token, body)
        if decisions.is_callback(token):
            run_id = decisions.receive(token, _callback_data(delivery))
            return JSONResponse({"runId": run_id, "received": True}, headers=pages.HEADERS)
        if "refused" in body:
            raise body["refused"]
        question = decisions.view(token) if "form" in body else None
        if question is not None and question.form is not None:
            return _decide_form(request, token, body["form"], question, question.form)
        decision, data, reason = _answer(body)
        view = decisions.decide(token, decision=decision, data=data, reason=reason)
        return _decision_answer(request, view)
    except DomainError as error:
        return pages.render_error(request, TEMPLATE, error)


def _decide_form(
    request: Request, token: str, form: FormData, question: CallbackView, schema: Mapping[str, Any]
) -> Response:
    decision = str(form_inputs.single_text(form, "decision"))
    filled = form_inputs.read(schema, form, beside=_BESIDE)
    typed = DecisionInput(filled.data, form_inputs.reason(form) or "")
    if form_inputs.edits(form):
        return _page(question, 200, typed, filled.problems, filled.focus)
    try:
        if filled.problems:
            raise ValidationFailed(filled.problems)
        view = decisions.decide(
            token,
            decision=decision,
            data=filled.data or None,
            sent=filled.uploads,
            reason=typed.reason or None,
        )
    except ValidationFailed as error:
        if pages.wants_json(request):
            raise
        # What was typed is shown again, so that nothing has to be typed twice.
        return _page(question, 400, typed, error.field_errors)
    return _decision_answer(request, view)


def _decision_answer(request: Request, view: CallbackView) -> Response:
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


def _callback_data(delivery: Delivery) -> Any:
    content = delivery.content()
    if content.uploads:
        raise HTTPException(415, "A callback takes no files.")
    if "bodyBase64" in content.shown:
        raise HTTPException(415, "A callback takes JSON, a form or text, in its charset.")
    return content.shown["body"]


def _answer(sent: dict[str, Any]) -> tuple[str, Any, str | None]:
    if "form" not in sent:
        body = sent.get("json")
        body = body if isinstance(body, dict) else {}
        names = {*_BESIDE, "data"}
        unknown = {field: ["unknown field"] for field in sorted(body.keys() - names)}
        if unknown:
            raise ValidationFailed(unknown)
        reason = body.get("reason")
        if not isinstance(reason, str | None):
            raise ValidationFailed({"reason": ["must be a text"]})
        return str(body.get("decision")), body.get("data"), reason
    form = sent["form"]
    form_inputs.check_names(form, _BESIDE)
    return str(form_inputs.single_text(form, "decision")), None, form_inputs.reason(form)


def _page(
    view: CallbackView,
    status: int = 200,
    typed: DecisionInput | None = None,
    problems: dict[str, list[str]] | None = None,
    focus: str | None = None,
) -> Response:
    groups = None
    if view.form is not None:
        groups = form_groups.build(view.form, typed.data if typed else {}, problems, focus)
    return pages.page(
        TEMPLATE,
        status,
        view=view,
        groups=groups,
        reason=typed.reason if typed else "",
        files=view.form is not None and form_groups.takes_files(view.form),
        problems=problems or {},
        elsewhere=form_groups.elsewhere(groups or [], problems or {}),
    )
