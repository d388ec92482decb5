"""The designer: a form's sections and fields are written, seen as people will, and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import responses
from api_bridge.console.form_data import Posted, number, place_named, text
from api_bridge.console.queries import Text
from api_bridge.console.routes import form_designer_pages as pages
from api_bridge.console.views import form_parts
from api_bridge.deps import Admin
from api_bridge.endpoint_marks import changing
from api_bridge.routing import Router
from automations.domain.forms import editing
from automations.domain.forms.editing import Draft, FieldPosition, place_of
from automations.domain.principals import Principal
from automations.errors import Conflict, ValidationFailed
from automations.kit.storable import identical
from automations.services.forms import edits
from automations.services.forms.edits import Edit

router = Router(prefix=pages.ROOT, tags=["forms"])


@router.get("/{form_id}/edit")
def show(request: Request, caller: Admin, form_id: str, at: Text = "") -> Response:
    """What the form is to become, and what is open of it."""
    return pages.page(request, edits.get(caller, form_id), caller, at, pages.Problems())


@router.post("/{form_id}/edit")
@changing
def change(request: Request, caller: Admin, form_id: str, form: Posted) -> Response:
    """Keep what was typed, then do what the button says."""
    at = text(form, "at")
    try:
        edit = _keep(caller, form_id, at, form)
        return _apply_button(caller, edit, at, form)
    except Conflict as error:
        problems = pages.Problems(refused=str(error))
        return pages.page(request, edits.get(caller, form_id), caller, at, problems, 409)
    except ValidationFailed as error:
        problems = pages.Problems(wrong=error.field_errors)
        return pages.page(request, edits.get(caller, form_id), caller, at, problems, 400)


def _keep(caller: Principal, form_id: str, at: str, form: FormData) -> Edit:
    """What was typed into what is open, kept; numbered as this window has seen it."""

    def apply_typed(draft: Draft) -> Draft:
        opened = pages.panel_at(draft, at)
        if opened.name != at:
            return draft
        if opened.kind == pages.FORM:
            return form_parts.read_form(draft, form)
        if opened.kind != "part" or opened.place is None:
            return draft
        if opened.place.field is None:
            part = form_parts.read_section(opened.part, form)
        else:
            part = form_parts.read_field(draft, edit.saved, opened.place, form)
        return editing.replace(draft, opened.place, part)

    edit = edits.get(caller, form_id)
    base, seen = number(form, "base"), number(form, "number")
    if identical(apply_typed(edit.draft), edit.draft):
        return replace(edit, number=seen)
    return edits.apply(caller, form_id, base, seen, at, apply_typed)


def _apply_button(caller: Principal, edit: Edit, at: str, form: FormData) -> Response:
    """Do what a button says, as ``verb:what``, and lead on to what is open then."""
    verb, _, what = text(form, "do").partition(":")
    if verb in _CHANGES:
        parts: list[str] = []

        def act(draft: Draft) -> Draft:
            changed, then = _CHANGES[verb](draft, what, at, form)
            parts.append(then)
            return changed

        edits.apply(caller, edit.form_id, edit.base_version, edit.number, "", act)
        return responses.redirect(pages.address(edit.form_id, parts[0]))
    notice = None
    match verb:
        case "at":
            at = what
        case "undo" | "redo":
            edits.step_back(caller, edit.form_id, edit.number, 1 if verb == "undo" else -1)
        case "discard":
            edits.discard(caller, edit.form_id, edit.number)
            notice = "edit.discarded"
        case "follow":
            edits.follow(caller, edit.form_id, edit.number)
            notice = "edit.followed"
        case "save":
            edits.save(caller, edit.form_id, edit.number)
            notice = "edit.saved"
        case "publish":
            edits.save(caller, edit.form_id, edit.number, public=True)
            return responses.redirect(f"{pages.ROOT}/{edit.form_id}", "form.published")
    return responses.redirect(pages.address(edit.form_id, at), notice)


_Change = Callable[[Draft, str, str, FormData], tuple[Draft, str]]
"""Gives a new draft by what a button names and what is open, and what is open then."""


def _new(draft: Draft, kind: str, at: str, form: FormData) -> tuple[Draft, str]:
    place = pages.panel_at(draft, at).place
    if place is None or place.field is None:
        raise ValidationFailed({"do": ["choose a place first"]})
    if kind not in pages.KINDS:
        raise ValidationFailed({"type": [f"unknown type '{kind[:100]}'"]})
    changed = editing.add(draft, place, kind, form_parts.word(kind))
    index = min(place.field, len(editing.sections(draft)[place.section]["fields"]))
    return changed, f"{pages.PART}{FieldPosition(place.section, index)}"


def _section(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    index = len(editing.sections(draft))
    return editing.add_section(draft, index), f"{pages.PART}{FieldPosition(index)}"


def _move(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    place, _, to = what.partition(":")
    changed, then = editing.move(draft, place_of(place), place_of(to))
    return changed, f"{pages.PART}{then}"


def _copy(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    changed, then = editing.duplicate(draft, place_of(what))
    return changed, f"{pages.PART}{then}"


def _delete(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    changed, then = editing.remove(draft, place_of(what))
    return changed, pages.FORM if then is None else f"{pages.PART}{then}"


def _option(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    """Move an option up, or take it out: by its row, of which those that are empty are none."""
    way, _, row = what.partition(":")
    opened = pages.panel_at(draft, at)
    listed = list(opened.part.get("options") or [])
    at_row = place_named(row)
    if way not in ("up", "out") or at_row < 0:
        raise ValidationFailed({"do": ["there is no such button"]})
    before = form_parts.option_rows(form)[:at_row]
    index = sum(1 for option in before if any(option))
    if opened.place is None or index >= len(listed):
        return draft, at
    if way == "out":
        del listed[index]
    elif index > 0:
        listed[index - 1 : index + 1] = [listed[index], listed[index - 1]]
    return editing.replace(draft, opened.place, {**opened.part, "options": listed}), at


_CHANGES: Mapping[str, _Change] = {
    "new": _new,
    "section": _section,
    "move": _move,
    "copy": _copy,
    "delete": _delete,
    "option": _option,
}
