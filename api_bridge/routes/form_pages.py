"""Public forms: a page for everybody, and one of each recipient's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from api_bridge.bodies import MAX_FILES_BYTES, body_limit
from api_bridge.endpoint_marks import any_query, behind
from api_bridge.public_pages import form_inputs, pages, shown_form
from api_bridge.public_pages.form_inputs import FormInput
from api_bridge.routing import Router
from api_bridge.server.threads import in_change_thread
from automations.errors import DomainError, ValidationFailed
from automations.services.waits import form_requests
from automations.services.waits.form_requests import FormView

router = Router(prefix="/api/forms", tags=["form pages"])

_PER_PUBLIC_FORM = 3_000
"""Views and submissions a minute, by all who fill it in; each address has its own limit."""
_SENT: dict[int | str, dict[str, Any]] = {
    200: {
        **pages.SHOWN[200],
        "description": "The page with one item more or less; nothing was submitted.",
    },
    201: {"description": "A program's submission."},
    303: {"description": "It was sent: the page that says so, which may be loaded again."},
}


Submit = Callable[[str, dict[str, Any], FormInput], str]
"""Takes what was filled into the form of an address, and gives the submission's id."""


def _look_for_request(request: Request) -> Response | None:
    token = request.path_params["token"]
    return pages.refusal(request, shown_form.TEMPLATE, "form", token, form_requests.view)


def _look_for_public(request: Request) -> Response | None:
    form_id = request.path_params["form_id"]
    return pages.refusal(request, shown_form.TEMPLATE, "form", form_id, form_requests.view_public)


@router.get("/requests/{token}", responses=pages.SHOWN)
@any_query
def show_request(request: Request, token: str) -> Response:
    """Show a form that a run sent to somebody; changes nothing."""
    return _show(request, token, form_requests.view)


@router.post("/requests/{token}", status_code=201, responses=_SENT, openapi_extra=pages.TAKEN)
@any_query
@body_limit(multipart=MAX_FILES_BYTES)
@behind(_look_for_request)
async def submit_request(request: Request, token: str) -> Response:
    """Accept the answers of a recipient's link, once."""
    return await _submit(request, token, form_requests.view, _submit_by_link)


@router.get("/requests/{token}/sent", responses=pages.SHOWN)
def show_request_sent(token: str) -> Response:
    """Confirm that a form was received."""
    return _submitted_page()


@router.get("/{form_id}/public/sent", responses=pages.SHOWN)
def show_public_sent(form_id: str) -> Response:
    """Confirm that a public form was received."""
    return _submitted_page()


@router.get("/{form_id}/public", responses=pages.SHOWN)
@any_query
def show_public(request: Request, form_id: str) -> Response:
    """Show a public form; changes nothing."""
    return _show(request, form_id, form_requests.view_public, per_token=_PER_PUBLIC_FORM)


@router.post("/{form_id}/public", status_code=201, responses=_SENT, openapi_extra=pages.TAKEN)
@any_query
@body_limit(multipart=MAX_FILES_BYTES)
@behind(_look_for_public)
async def submit_public(request: Request, form_id: str) -> Response:
    """Accept the answers of a public form; needs no key."""
    return await _submit(
        request,
        form_id,
        form_requests.view_public,
        _submit_publicly,
        per_token=_PER_PUBLIC_FORM,
    )


def _show(
    request: Request,
    token: str,
    view: Callable[[str], FormView],
    *,
    per_token: int = pages.PER_PERSON,
) -> Response:
    try:
        pages.limit(request, "form", token, per_token=per_token)
        return shown_form.page(view(token), 200)
    except DomainError as error:
        return pages.render_error(request, shown_form.TEMPLATE, error)


def _submitted_page() -> Response:
    return pages.page(shown_form.TEMPLATE, 200, view=None, submitted=True)


def _submit_by_link(token: str, data: dict[str, Any], filled: FormInput) -> str:
    return form_requests.submit(token, data, filled.uploads)


def _submit_publicly(form_id: str, data: dict[str, Any], filled: FormInput) -> str:
    return form_requests.submit_public(form_id, data, filled.uploads, filled.page)


async def _submit(
    request: Request,
    token: str,
    view: Callable[[str], FormView],
    submit: Submit,
    *,
    per_token: int = pages.PER_PERSON,
) -> Response:
    try:
        body = await pages.read_body(request)
    except DomainError as error:
        return pages.render_error(request, shown_form.TEMPLATE, error)
    work = partial(_take, request, token, body, view, submit, per_token)
    return await in_change_thread(work, token)


def _take(
    request: Request,
    token: str,
    body: dict[str, Any],
    view: Callable[[str], FormView],
    submit: Submit,
    per_token: int,
) -> Response:
    shown: FormView | None = None
    data: Any = None
    filled = FormInput()
    try:
        pages.limit(request, "form", token, body, per_token=per_token)
        if "form" in body:
            shown = view(token)
            filled = form_inputs.read(shown.schema, body["form"], beside=[form_inputs.PAGE])
            data = filled.data
            if form_inputs.edits(body["form"]):
                return shown_form.page(shown, 200, data, filled.problems, filled.focus)
            if filled.problems:
                raise ValidationFailed(filled.problems)
        elif isinstance(body.get("json"), dict):
            form_inputs.check_names(body["json"], ["data"])
            data = body["json"].get("data")
        if not isinstance(data, dict):
            raise ValidationFailed({"data": ["must be an object"]})
        submission_id = submit(token, data, filled)
    except ValidationFailed as error:
        if shown is not None and data is not None and not pages.wants_json(request):
            # What was typed is shown again, so that nothing has to be typed twice.
            return shown_form.page(shown, 400, data, error.field_errors)
        return pages.render_error(request, shown_form.TEMPLATE, error)
    except DomainError as error:
        return pages.render_error(request, shown_form.TEMPLATE, error)
    if pages.wants_json(request):
        return JSONResponse({"submissionId": submission_id}, 201, headers=pages.HEADERS)
    # Who loads the page again must not send again. Relative: a proxy may have a path before ours.
    last = request.url.path.rpartition("/")[2]
    return Response(status_code=303, headers={**pages.HEADERS, "Location": f"{last}/sent"})
