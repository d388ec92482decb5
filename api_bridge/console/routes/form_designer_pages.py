"""The designer's page: a form as people will see it, and beside it what is open of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import responses
from api_bridge.console.views import form_parts
from automations.domain.forms import editing
from automations.domain.forms.editing import Draft, FieldPosition, place_of
from automations.domain.principals import Principal
from automations.errors import NotFound
from automations.kit.values import JSON, Errors
from automations.services.forms.edits import Edit

ROOT = "/console/forms"
PART, ADD, FORM = "part.", "add.", "form"
"""How what is open is named: a part and its place, a place for a new field, the form itself."""
_MIN_OPTION_ROWS = 2
_WHOLE = ("title", "description")
KINDS: Mapping[str, Mapping[str, str]] = {
    kind: {"title": form_parts.word(kind), "icon": form_parts.icon(kind)}
    for group in form_parts.GROUPS.values()
    for kind in group
}
_UNKNOWN: Mapping[str, str] = {"title": "", "icon": "list"}


@dataclass(frozen=True, slots=True)
class OpenPanel:
    """What is open: the form itself, a part of it, or a place for a new field."""

    kind: str
    place: FieldPosition | None = None
    part: Draft = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How addresses and forms name it."""
        return FORM if self.place is None else f"{self.kind}.{self.place}"


@dataclass(frozen=True, slots=True)
class Problems:
    """What the page is to say of what was just refused."""

    refused: str | None = None
    wrong: Errors = field(default_factory=dict)


def address(form_id: str, at: str = "") -> str:
    """Where the designer shows a part of a form."""
    query = f"?at={quote(at, safe='.')}" if at else ""
    return f"{ROOT}/{form_id}/edit{query}"


def panel_at(draft: Draft, at: str) -> OpenPanel:
    """What is open; the form itself where what was asked for is not there any more."""
    kind, _, where = at.partition(".")
    try:
        if kind == "part":
            place = place_of(where)
            return OpenPanel(kind, place, editing.find(draft, place))
        if kind == "add":
            place = place_of(where)
            if place.field is not None and editing.find(draft, FieldPosition(place.section)):
                return OpenPanel(kind, place)
    except NotFound:
        pass
    return OpenPanel(FORM)


def part_of(draft: Draft, at: str) -> Draft:
    """The schema of a long form with no more than what is drawn of it beside a preview."""
    place = panel_at(draft, at).place or FieldPosition(0, 0)
    shown = []
    for section in editing.sections(draft)[place.section : place.section + 1]:
        start, end = form_parts.window(len(section["fields"]), place.field or 0)
        shown.append({**section, "fields": section["fields"][start:end]})
    return {**draft["schema"], "sections": shown}


def _begin(draft: Draft) -> str:
    """What is open at first: the first field, or a place for it."""
    first = next(editing.walk(draft), None)
    if first is not None:
        return f"{PART}{first[0]}"
    return f"{ADD}{FieldPosition(0, 0)}" if editing.sections(draft) else FORM


def page(
    request: Request, edit: Edit, caller: Principal, at: str, problems: Problems, status: int = 200
) -> Response:
    """The page, with what was just refused.

    Args:
        at: what is open; empty for what is open at first.
    """
    opened = panel_at(edit.draft, at or _begin(edit.draft))
    errors = {**edit.errors, **problems.wrong}
    ways: Mapping[str, FieldPosition] = {}
    if opened.place is None:
        own = {
            path: messages
            for path, messages in errors.items()
            if not path.startswith("schema.sect")
        }
    elif opened.kind == "part":
        own = form_parts.problems_of(errors, opened.place.path)
        ways = editing.neighbours(edit.draft, opened.place)
    else:
        own = {}
    shown = _inputs(opened)
    return responses.framing(
        responses.page(
            request,
            "form_designer.html",
            caller,
            status,
            edit=edit,
            title=str(edit.draft.get("title") or edit.title),
            opened=opened,
            part=opened.part,
            is_long=form_parts.is_long(edit.draft),
            sections=form_parts.build_sections(edit.draft, errors, opened.place),
            form_problems=sum(1 for path in errors if not path.startswith("schema.sect")),
            own=own,
            elsewhere=form_parts.elsewhere(own, shown),
            ways={way: str(place) for way, place in ways.items()},
            kinds=KINDS,
            kind=KINDS.get(str(opened.part.get("type")), _UNKNOWN),
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
    kind, validation = part.get("type"), part.get("validation")
    rules: Mapping[str, Any] = validation if isinstance(validation, dict) else {}
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
    rows = [(str(option.get("label", "")), str(option.get("value", ""))) for option in listed]
    rows += [("", "")] * max(1, _MIN_OPTION_ROWS - len(rows))
    return rows


def _inputs(opened: OpenPanel) -> list[str]:
    """The paths of the inputs that say themselves what is wrong with them."""
    if opened.kind == FORM:
        return list(_WHOLE)
    if opened.kind != "part" or opened.place is None:
        return []
    if opened.place.field is None:
        return ["title", "repeatableConfig.minItems", "repeatableConfig.maxItems"]
    limits = [f"validation.{name}" for name in _limits(opened.part)]
    timezone = ["timezone"] if opened.part.get("type") == "datetime" else []
    return ["label", "key", "help", "type", *timezone, *limits]
