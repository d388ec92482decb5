"""The sections of a form on a public page, as the page shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api_bridge.public_pages.form_inputs import LISTS, NUMBERS, max_items
from automations.domain.forms.prefills import ANSWERS
from automations.domain.forms.schema import DISPLAY, FILES, FormField, FormSchema, Section

_AS_IT_IS = (*LISTS, *NUMBERS, *FILES, "yesno", "signature")
"""The types whose inputs show no text, or other things than texts as none."""
_DECIMALS = re.compile(r"[.,]([0-9]+)")
"""Of a second: more than Python's times have."""
Problems = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Input:
    """One field as it is shown.

    Args:
        name: of the input; the path of what is wrong with its value, too.
    """

    field: FormField
    name: str
    id: str
    value: Any
    wrong: Sequence[str]
    focused: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a repeatable section."""

    number: int
    place: str
    inputs: Sequence[Input]


@dataclass(frozen=True, slots=True)
class Group:
    """One section as it is shown: with inputs, or with items when it is repeatable."""

    section: Section
    id: str
    inputs: Sequence[Input]
    items: Sequence[Item]
    wrong: Sequence[str]
    focused: bool

    @property
    def may_add(self) -> bool:
        """Whether there may be one more item."""
        return len(self.items) < max_items(self.section)

    @property
    def may_remove(self) -> bool:
        """Whether there may be one item less."""
        return len(self.items) > self.section.bounds.least


def takes_files(schema: Mapping[str, Any]) -> bool:
    """Whether a form has a field for a file."""
    sections = FormSchema.model_validate(schema).sections
    return any(field.type in FILES for section in sections for field in section.fields)


def build(
    schema: Mapping[str, Any],
    data: Mapping[str, Any],
    problems: Problems | None = None,
    focus: str | None = None,
) -> list[Group]:
    """The sections of a form with what is known, or was typed, and what is wrong with it."""
    groups = []
    for place, section in enumerate(FormSchema.model_validate(schema).sections):
        path, item_prefix = f"data.{section.items_key}", f"s{place}"
        inputs: list[Input] = []
        items: list[Item] = []
        if section.repeatable:
            for index, item in enumerate(_items(section, data)):
                name, values = f"{path}.{index}", item if isinstance(item, Mapping) else {}
                item_inputs = _inputs(
                    section, name, f"{item_prefix}i{index}", values, problems or {}, focus
                )
                items.append(Item(index + 1, name.removeprefix("data."), item_inputs))
        else:
            inputs = _inputs(section, "data", item_prefix, data, problems or {}, focus)
        messages = (problems or {}).get(path, ()) if section.repeatable else ()
        groups.append(Group(section, item_prefix, inputs, items, messages, path == focus))
    return groups


def elsewhere(groups: Sequence[Group], problems: Problems) -> Problems:
    """What is wrong, but with no input of the page."""
    names = {f"data.{group.section.items_key}" for group in groups if group.section.repeatable}
    for group in groups:
        rows = [group.inputs, *(item.inputs for item in group.items)]
        names |= {input_.name for row in rows for input_ in row}
    return {path: messages for path, messages in problems.items() if path not in names}


def _items(section: Section, data: Mapping[str, Any]) -> list[Any]:
    listed = data.get(section.items_key)
    items = listed if isinstance(listed, list) else []
    return items + [{}] * (section.bounds.least - len(items))


def _inputs(
    section: Section,
    path: str,
    place: str,
    data: Mapping[str, Any],
    problems: Problems,
    focus: str | None,
) -> list[Input]:
    inputs: list[Input] = []
    to_focus = path == focus
    for number, field in enumerate(section.fields):
        name = f"{path}.{field.key}"
        focused = to_focus and field.type not in DISPLAY
        to_focus = to_focus and not focused
        value, messages = _to_input(field, data.get(field.key)), problems.get(name, ())
        inputs.append(Input(field, name, f"{place}f{number}", value, messages, focused))
    return inputs


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _to_input(field: FormField, value: Any) -> Any:
    """A value as its input shows it."""
    if field.type == "yesno" and isinstance(value, str):
        return ANSWERS.get(value.lower(), value)
    if field.type in LISTS and not field.options and isinstance(value, list):
        return "\n".join(map(_as_text, value))
    if field.type not in _AS_IT_IS and value is not None:
        value = _as_text(value)
    if field.type != "datetime" or value is None:
        return value
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return value
    if instant.tzinfo is not None:
        try:
            instant = instant.astimezone(ZoneInfo(field.timezone)).replace(tzinfo=None)
        except OverflowError:
            # The first and last days of the calendar are in no other zone.
            return value
    if decimals := _DECIMALS.search(value):
        return f"{instant.replace(microsecond=0).isoformat()}.{decimals[1]}"
    return instant.isoformat(timespec="seconds" if instant.second else "minutes")
