"""Forms: which there are, what they look like to whoever fills them in, and who may."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from api_bridge.console import queries, responses, texts
from api_bridge.console.form_data import Posted, check_sure, text, yes_or_no
from api_bridge.console.queries import Text
from api_bridge.console.routes.form_designer_pages import ROOT, address, part_of
from api_bridge.deps import Admin, Viewer
from api_bridge.endpoint_marks import changing
from api_bridge.public_pages import form_groups, pages, shown_form
from api_bridge.routing import Router
from automations.definitions.field_errors import field_errors
from automations.domain.forms.schema import FormSchema, WrittenForm
from automations.domain.forms.uploads import CONTENT_TYPES, MAX_BYTES, MAX_FILES
from automations.domain.principals import Principal
from automations.errors import ValidationFailed
from automations.kit.ids import new_id
from automations.kit.values import Errors
from automations.services.forms import edits, forms, overviews
from automations.services.waits.form_requests import FormView
from automations.settings import get_settings

router = Router(prefix=ROOT, tags=["forms"])

_STATES = {"public": True, "private": False}
"""Whether anybody may fill it in, by the words for it."""


@router.get("")
def show_list(
    request: Request, caller: Viewer, q: Text = "", state: Text = "", cursor: Text = ""
) -> Response:
    """The forms, newest first."""
    return _list(request, caller, q, state, cursor)


@router.post("")
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Make a form of one empty section, and open it in the designer."""
    title = text(form, "title").strip()
    schema = {"sections": [{"id": new_id(), "title": "", "fields": []}]}
    try:
        written = WrittenForm.model_validate({"title": title, "schema": schema})
    except ValidationError as error:
        problems = field_errors(error, {"title": title})
        return _list(request, caller, "", "", "", title, problems)
    created = forms.create(
        caller.workspace_id, title=written.title, description="", form=written.form_schema
    )
    return responses.redirect(address(created.id), "form.begun")


@router.get("/{form_id}")
def show(request: Request, caller: Viewer, form_id: str) -> Response:
    """One form: as it is filled in, by whom, and what became of it."""
    form = forms.get(caller.workspace_id, form_id)
    schema = FormSchema.model_validate(form.schema)
    edit = edits.get(caller, form_id) if caller.administers else None
    return responses.framing(
        responses.page(
            request,
            "form_overview.html",
            caller,
            one=overviews.build(form),
            form=form,
            link=f"{get_settings().bridge_base}/api/forms/{form.id}/public",
            fields=sum(len(section.fields) for section in schema.sections),
            takes_files=form_groups.takes_files(form.schema),
            kinds=sorted(CONTENT_TYPES),
            most_files=MAX_FILES,
            most_bytes=MAX_BYTES // 1_000_000,
            daily=get_settings().uploads_daily // 1_000_000,
            has_edit=edit is not None and edit.is_changed,
        )
    )


@router.get("/{form_id}/preview")
def preview(
    request: Request, caller: Viewer, form_id: str, draft: Text = "", at: Text = ""
) -> Response:
    """The page that the form's public link shows, to be looked at only.

    Args:
        draft: anything, for what the reader has written and not saved yet.
        at: what is open in the designer, for the part of a long form around it.
    """
    form = forms.get(caller.workspace_id, form_id)
    title, description, schema = form.title, form.description, form.schema
    if draft:
        edit = edits.get(caller, form_id)
        if edit.errors:
            message = texts.text("forms.no_preview")
            return _allow_framing(
                pages.page(
                    shown_form.TEMPLATE, 200, view=None, message=message, problems=edit.errors
                )
            )
        title, description = edit.draft["title"], edit.draft["description"]
        schema = edit.draft["schema"]
        if at:
            schema = part_of(edit.draft, at)
    # One item of each section that repeats, so that it is seen.
    sections = FormSchema.model_validate(schema).sections
    prefill: dict[str, Any] = {
        section.items_key: [{}] for section in sections if section.repeatable
    }
    return _allow_framing(
        shown_form.page(FormView(title, description, schema, prefill, "", None, None), 200)
    )


@router.post("/{form_id}/public")
@changing
def publish(caller: Admin, form_id: str, form: Posted) -> Response:
    """Let anybody fill it in who has the link, or nobody any more."""
    forms.get(caller.workspace_id, form_id)
    public = yes_or_no(form, "public")
    forms.update(
        caller.workspace_id,
        form_id,
        title=None,
        description=None,
        form=None,
        public=public,
    )
    return responses.redirect(
        f"{ROOT}/{form_id}", "form.published" if public else "form.unpublished"
    )


@router.post("/{form_id}/duplicate")
def duplicate(caller: Admin, form_id: str, form: Posted) -> Response:
    """Make another form that asks for the same, and open it in the designer."""
    original = forms.get(caller.workspace_id, form_id)
    created = forms.create(
        caller.workspace_id,
        title=original.title[:190] + " (copy)",
        description=original.description,
        form=FormSchema.model_validate(original.schema),
    )
    return responses.redirect(address(created.id), "form.copied")


@router.post("/{form_id}/delete")
@changing
def delete(caller: Admin, form_id: str, form: Posted) -> Response:
    """Delete a form that no active automation needs; its submissions stay."""
    forms.get(caller.workspace_id, form_id)
    check_sure(form)
    forms.delete(caller.workspace_id, form_id)
    return responses.redirect(ROOT, "form.deleted")


def _allow_framing(answer: Response) -> Response:
    """A public page, for a frame of ours only."""
    answer.headers.update(responses.frame_headers())
    del answer.headers["X-Frame-Options"]
    return answer


def _list(
    request: Request,
    caller: Principal,
    q: str,
    state: str,
    cursor: str,
    title: str = "",
    problems: Errors | None = None,
) -> Response:
    if state and state not in _STATES:
        raise ValidationFailed({"state": [f"must be one of {', '.join(_STATES)}"]})
    page, following = overviews.page_after(
        caller.workspace_id, q.strip(), _STATES.get(state), cursor or None, queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "forms.html",
        caller,
        400 if problems else 200,
        rows=page,
        q=q,
        state=state,
        states=list(_STATES),
        base=get_settings().bridge_base,
        title=title,
        problems=problems or {},
        following=queries.following(request, following),
        is_first=not cursor,
    )
