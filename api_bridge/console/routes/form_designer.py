"""The designer: a form's sections and fields are written, seen as people will, and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import answers
from api_bridge.console.posted import Posted, number, place_named, text
from api_bridge.console.queries import Text
from api_bridge.console.views import form_parts
from api_bridge.deps import Admin
from api_bridge.routing import Router
from automations.domain.forms import editing
from automations.domain.forms.editing import Draft, Place, place_of
from automations.domain.principals import Principal
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit.storable import same
from automations.kit.values import JSON, Errors
from automations.services.forms import edits
from automations.services.forms.edits import Edit

ROOT = "/console/forms"
router = Router(prefix=ROOT, tags=["forms"])

_PART, _ADD, _FORM = "part.", "add.", "form"
_MIN_OPTION_ROWS = 2
_WHOLE = ("title", "description")
_KINDS: Mapping[str, Mapping[str, str]] = {
    kind: {"title": form_parts.word(kind), "icon": form_parts.icon(kind)}
    for group in form_parts.GROUPS.values()
    for kind in group
}
_UNKNOWN: Mapping[str, str] = {"title": "", "icon": "list"}


@dataclass(frozen=True, slots=True)
class _Open:
    """What is open: the form itself, a part of it, or a place for a new field."""

    kind: str
    place: Place | None = None
    part: Draft = field(default_factory=dict)

    @property
    def name(self) -> str:
        return _FORM if self.place is None else f"{self.kind}.{self.place}"


@dataclass(frozen=True, slots=True)
class _Problems:
    """What the page is to say of what was just refused."""

    refused: str | None = None
    wrong: Errors = field(default_factory=dict)


@router.get("/{form_id}/edit")
def show(request: Request, caller: Admin, form_id: str, at: Text = "") -> Response:
    """What the form is to become, and what is open of it."""
    return _page(request, edits.of(caller, form_id), caller, at, _Problems())


@router.post("/{form_id}/edit")
def change(request: Request, caller: Admin, form_id: str, form: Posted) -> Response:
    """Keep what was typed, then do what the button says."""
    at = text(form, "at")
    try:
        edit = _kept(caller, form_id, at, form)
        return _pressed(caller, edit, at, form)
    except Conflict as error:
        said = _Problems(refused=str(error))
        return _page(request, edits.of(caller, form_id), caller, at, said, 409)
    except ValidationFailed as error:
        said = _Problems(wrong=error.field_errors)
        return _page(request, edits.of(caller, form_id), caller, at, said, 400)


def address(form_id: str, at: str = "") -> str:
    """Where the designer shows a part of a form."""
    query = f"?at={quote(at, safe='.')}" if at else ""
    return f"{ROOT}/{form_id}/edit{query}"


def _kept(caller: Principal, form_id: str, at: str, form: FormData) -> Edit:
    """What was typed into what is open, kept; numbered as this window has seen it."""

    def typed(draft: Draft) -> Draft:
        opened = _opened(draft, at)
        if opened.name != at:
            return draft
        if opened.kind == _FORM:
            return form_parts.read_form(draft, form)
        if opened.kind != "part" or opened.place is None:
            return draft
        if opened.place.field is None:
            made = form_parts.read_section(opened.part, form)
        else:
            made = form_parts.read_field(draft, edit.saved, opened.place, form)
        return editing.changed(draft, opened.place, made)

    edit = edits.of(caller, form_id)
    base, seen = number(form, "base"), number(form, "number")
    if same(typed(edit.draft), edit.draft):
        return replace(edit, number=seen)
    return edits.apply(caller, form_id, base, seen, at, typed)


def _pressed(caller: Principal, edit: Edit, at: str, form: FormData) -> Response:
    """Do what a button says, as ``verb:what``, and lead on to what is open then."""
    verb, _, what = text(form, "do").partition(":")
    if verb in _CHANGES:
        made: list[str] = []

        def act(draft: Draft) -> Draft:
            changed, then = _CHANGES[verb](draft, what, at, form)
            made.append(then)
            return changed

        edits.apply(caller, edit.form_id, edit.base_version, edit.number, "", act)
        return answers.lead_on(address(edit.form_id, made[0]))
    said = None
    match verb:
        case "at":
            at = what
        case "undo" | "redo":
            edits.step_back(caller, edit.form_id, edit.number, 1 if verb == "undo" else -1)
        case "discard":
            edits.discard(caller, edit.form_id, edit.number)
            said = "edit.discarded"
        case "follow":
            edits.follow(caller, edit.form_id, edit.number)
            said = "edit.followed"
        case "save":
            edits.save(caller, edit.form_id, edit.number)
            said = "edit.saved"
        case "publish":
            edits.save(caller, edit.form_id, edit.number, public=True)
            return answers.lead_on(f"{ROOT}/{edit.form_id}", "form.published")
    return answers.lead_on(address(edit.form_id, at), said)


_Change = Callable[[Draft, str, str, FormData], tuple[Draft, str]]
"""Gives a new draft by what a button names and what is open, and what is open then."""


def _new(draft: Draft, kind: str, at: str, form: FormData) -> tuple[Draft, str]:
    place = _opened(draft, at).place
    if place is None or place.field is None:
        raise ValidationFailed({"do": ["choose a place first"]})
    if kind not in _KINDS:
        raise ValidationFailed({"type": [f"unknown type '{kind[:100]}'"]})
    made = editing.added(draft, place, kind, form_parts.word(kind))
    index = min(place.field, len(editing.sections(draft)[place.section]["fields"]))
    return made, f"{_PART}{Place(place.section, index)}"


def _section(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    index = len(editing.sections(draft))
    return editing.added_section(draft, index), f"{_PART}{Place(index)}"


def _move(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    place, _, to = what.partition(":")
    made, then = editing.moved(draft, place_of(place), place_of(to))
    return made, f"{_PART}{then}"


def _copy(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    made, then = editing.copied(draft, place_of(what))
    return made, f"{_PART}{then}"


def _delete(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    made, then = editing.removed(draft, place_of(what))
    return made, _FORM if then is None else f"{_PART}{then}"


def _option(draft: Draft, what: str, at: str, form: FormData) -> tuple[Draft, str]:
    """Move an option up, or take it out: by its row, of which those that are empty are none."""
    way, _, row = what.partition(":")
    opened = _opened(draft, at)
    listed = list(opened.part.get("options") or [])
    at_row = place_named(row)
    if way not in ("up", "out") or at_row < 0:
        raise ValidationFailed({"do": ["there is no such button"]})
    before = form_parts.option_rows(form)[:at_row]
    index = sum(1 for one in before if any(one))
    if opened.place is None or index >= len(listed):
        return draft, at
    if way == "out":
        del listed[index]
    elif index > 0:
        listed[index - 1 : index + 1] = [listed[index], listed[index - 1]]
    return editing.changed(draft, opened.place, {**opened.part, "options": listed}), at


_CHANGES: Mapping[str, _Change] = {
    "new": _new,
    "section": _section,
    "move": _move,
    "copy": _copy,
    "delete": _delete,
    "option": _option,
}


def _opened(draft: Draft, at: str) -> _Open:
    """What is open; the form itself where what was asked for is not there any more."""
    kind, _, where = at.partition(".")
    try:
        if kind == "part":
            place = place_of(where)
            return _Open(kind, place, editing.find(draft, place))
        if kind == "add":
            place = place_of(where)
            if place.field is not None and editing.find(draft, Place(place.section)):
                return _Open(kind, place)
    except NotFound:
        pass
    return _Open(_FORM)


def _begin(draft: Draft) -> str:
    """What is open at first: the first field, or a place for it."""
    first = next(editing.walk(draft), None)
    if first is not None:
        return f"{_PART}{first[0]}"
    return f"{_ADD}{Place(0, 0)}" if editing.sections(draft) else _FORM


def _page(
    request: Request, edit: Edit, caller: Principal, at: str, problems: _Problems, status: int = 200
) -> Response:
    opened = _opened(edit.draft, at or _begin(edit.draft))
    errors = {**edit.errors, **problems.wrong}
    ways: Mapping[str, Place] = {}
    if opened.place is None:
        own = {path: said for path, said in errors.items() if not path.startswith("schema.sect")}
    elif opened.kind == "part":
        own = form_parts.problems_of(errors, opened.place.path)
        ways = editing.neighbours(edit.draft, opened.place)
    else:
        own = {}
    shown = _inputs(opened)
    return answers.framing(
        answers.page(
            request,
            "form_designer.html",
            caller,
            status,
            edit=edit,
            title=str(edit.draft.get("title") or edit.title),
            opened=opened,
            part=opened.part,
            sections=form_parts.drawn(edit.draft, errors, opened.place),
            form_problems=sum(1 for path in errors if not path.startswith("schema.sect")),
            own=own,
            elsewhere=form_parts.elsewhere(own, shown),
            ways={way: str(place) for way, place in ways.items()},
            kinds=_KINDS,
            kind=_KINDS.get(str(opened.part.get("type")), _UNKNOWN),
            refused=problems.refused,
            wrong=problems.wrong,
            groups=form_parts.GROUPS,
            option_rows=_option_rows(opened.part),
            has_options=_has_options(opened.part),
            limits=_limits(opened.part),
        )
    )


def _limits(part: Draft) -> Mapping[str, JSON]:
    """The limits that a field of this type may have, with what they are."""
    kind, given = part.get("type"), part.get("validation")
    rules: Mapping[str, Any] = given if isinstance(given, dict) else {}
    names: tuple[str, ...] = ()
    if kind in form_parts.NUMBERS:
        names = ("min", "max")
    elif kind in form_parts.LETTERS:
        names = ("minLength", "maxLength")
    # What was set for another type is shown, too: nothing counts that nobody sees.
    return {name: rules.get(name) for name in form_parts.LIMITS if name in names or name in rules}


def _has_options(part: Draft) -> bool:
    return part.get("type") in editing.WITH_OPTIONS or bool(part.get("options"))


def _option_rows(part: Draft) -> list[tuple[str, str]]:
    listed = part.get("options") or []
    rows = [(str(one.get("label", "")), str(one.get("value", ""))) for one in listed]
    rows += [("", "")] * max(1, _MIN_OPTION_ROWS - len(rows))
    return rows


def _inputs(opened: _Open) -> list[str]:
    """The paths of the inputs that say themselves what is wrong with them."""
    if opened.kind == _FORM:
        return list(_WHOLE)
    if opened.kind != "part" or opened.place is None:
        return []
    if opened.place.field is None:
        return ["title", "repeatableConfig.minItems", "repeatableConfig.maxItems"]
    limits = [f"validation.{name}" for name in _limits(opened.part)]
    timezone = ["timezone"] if opened.part.get("type") == "datetime" else []
    return ["label", "key", "help", "type", *timezone, *limits]
