"""Edits a form: adds, moves, copies and removes fields and sections.

What is changed is JSON that need not be valid yet. A change gives a new value and leaves the old
one as it is, so that it can be taken back.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from automations.domain.forms.schema import DISPLAY
from automations.errors import NotFound
from automations.kit.ids import new_id
from automations.kit.keys import key_of

Draft = dict[str, Any]
"""``title``, ``description`` and ``schema`` of a form."""
_PLACE = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)
_MAX_KEY = 60
WITH_OPTIONS = ("select", "radio", "multiselect", "checkbox", "country")
"""Types whose values are chosen of some."""


@dataclass(frozen=True, slots=True)
class FieldPosition:
    """Where a section is, or a field of it, or may be."""

    section: int
    field: int | None = None

    def __str__(self) -> str:
        return str(self.section) if self.field is None else f"{self.section}.{self.field}"

    @property
    def path(self) -> str:
        """As errors name it."""
        path = f"schema.sections.{self.section}"
        return path if self.field is None else f"{path}.fields.{self.field}"


def place_of(text: str) -> FieldPosition:
    """A place as it is written: ``0`` or ``0.3``.

    Raises:
        NotFound: it is none.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise NotFound("There is no such place in the form.")
    return FieldPosition(int(match[1]), None if match[2] is None else int(match[2]))


def lay_out(title: str, description: str, schema: Mapping[str, Any]) -> Draft:
    """A form as it is changed: every section with a list of fields."""
    draft = copy.deepcopy(dict(schema))
    for section in draft.get("sections", ()):
        section.setdefault("fields", [])
    return {"title": title, "description": description, "schema": draft}


def sections(draft: Draft) -> list[Any]:
    """The sections."""
    listed = draft["schema"].get("sections")
    return listed if isinstance(listed, list) else []


def find(draft: Draft, place: FieldPosition) -> Draft:
    """The section or field at a place.

    Raises:
        NotFound: there is none.
    """
    try:
        section = sections(draft)[place.section]
        part = section if place.field is None else section["fields"][place.field]
    except (IndexError, KeyError) as error:
        raise NotFound("That part of the form is gone: somebody has taken it out.") from error
    return dict(part)


def replace(draft: Draft, place: FieldPosition, part: Mapping[str, Any]) -> Draft:
    """With another section or field at a place."""
    find(draft, place)
    new = copy.deepcopy(draft)
    if place.field is None:
        sections(new)[place.section] = dict(part)
    else:
        sections(new)[place.section]["fields"][place.field] = dict(part)
    return new


def add(draft: Draft, place: FieldPosition, kind: str, label: str) -> Draft:
    """With a new field of a type at a place."""
    field: Draft = {"id": new_id(), "key": key_for(label or kind, _keys(draft)), "type": kind}
    if kind != "divider":
        field["label"] = label
    if kind in WITH_OPTIONS:
        field["options"] = []
    return _put(draft, place, field)


def add_section(draft: Draft, index: int, title: str = "") -> Draft:
    """With a new section at a place."""
    new = copy.deepcopy(draft)
    listed = new["schema"].setdefault("sections", [])
    listed.insert(min(index, len(listed)), {"id": new_id(), "title": title, "fields": []})
    return new


def duplicate(draft: Draft, place: FieldPosition) -> tuple[Draft, FieldPosition]:
    """With a copy of a section or field behind it, and where that is."""
    copied = copy.deepcopy(find(draft, place))
    copied["id"] = new_id()
    taken = set(_keys(draft))
    for field in [copied] if place.field is not None else copied.get("fields", ()):
        if place.field is None:
            field["id"] = new_id()
        field["key"] = key_for(str(field.get("key", "")), taken)
        taken.add(field["key"])
    if place.field is None:
        new = copy.deepcopy(draft)
        sections(new).insert(place.section + 1, copied)
        return new, FieldPosition(place.section + 1)
    behind = FieldPosition(place.section, place.field + 1)
    return _put(draft, behind, copied), behind


def remove(draft: Draft, place: FieldPosition) -> tuple[Draft, FieldPosition | None]:
    """Without a section or field, and what is next to where it was."""
    find(draft, place)
    new = copy.deepcopy(draft)
    if place.field is None:
        del sections(new)[place.section]
        left = len(sections(new))
        return new, FieldPosition(min(place.section, left - 1)) if left else None
    fields = sections(new)[place.section]["fields"]
    del fields[place.field]
    if fields:
        return new, FieldPosition(place.section, min(place.field, len(fields) - 1))
    return new, FieldPosition(place.section)


def move(draft: Draft, place: FieldPosition, to: FieldPosition) -> tuple[Draft, FieldPosition]:
    """With a section or field before what is at another place now, and where it is then."""
    part = find(draft, place)
    new = copy.deepcopy(draft)
    if place.field is None:
        listed = sections(new)
        del listed[place.section]
        index = min(to.section - (to.section > place.section), len(listed))
        listed.insert(index, part)
        return new, FieldPosition(index)
    del sections(new)[place.section]["fields"][place.field]
    index = to.field or 0
    if to.section == place.section and index > place.field:
        index -= 1
    then = FieldPosition(to.section, index)
    return _put(new, then, part), then


def neighbours(draft: Draft, place: FieldPosition) -> Mapping[str, FieldPosition]:
    """Where a section or field comes by one step up or down, as ``move`` takes it."""
    ways: dict[str, FieldPosition] = {}
    listed = sections(draft)
    if place.field is None:
        if place.section > 0:
            ways["up"] = FieldPosition(place.section - 1)
        if place.section < len(listed) - 1:
            ways["down"] = FieldPosition(place.section + 2)
        return ways
    if place.field > 0:
        ways["up"] = FieldPosition(place.section, place.field - 1)
    elif place.section > 0:
        ways["up"] = FieldPosition(place.section - 1, len(listed[place.section - 1]["fields"]))
    if place.field < len(listed[place.section]["fields"]) - 1:
        ways["down"] = FieldPosition(place.section, place.field + 2)
    elif place.section < len(listed) - 1:
        ways["down"] = FieldPosition(place.section + 1, 0)
    return ways


def walk(draft: Draft) -> Iterator[tuple[FieldPosition, Mapping[str, Any]]]:
    """All fields, in their order."""
    for number, section in enumerate(sections(draft)):
        for index, field in enumerate(section["fields"]):
            yield FieldPosition(number, index), field


def keys_but(draft: Draft, place: FieldPosition) -> set[str]:
    """The keys of all other fields."""
    return {str(field.get("key")) for at, field in walk(draft) if at != place}


def key_for(label: str, taken: Collection[str]) -> str:
    """A key made of a label, that no other field has."""
    return key_of(label, taken, otherwise="field", longest=_MAX_KEY)


def is_shown_only(kind: object) -> bool:
    """Whether a type of fields asks for nothing."""
    return kind in DISPLAY


def _keys(draft: Draft) -> list[str]:
    return [str(field.get("key")) for _, field in walk(draft)]


def _put(draft: Draft, place: FieldPosition, field: Draft) -> Draft:
    find(draft, FieldPosition(place.section))
    new = copy.deepcopy(draft)
    fields = sections(new)[place.section]["fields"]
    fields.insert(min(place.field or 0, len(fields)), field)
    return new
