"""A form on a public page: the inputs that are shown, and what was filled into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from automations.domain.forms.schema import DISPLAY, FILES, FormField, FormSchema, Section
from automations.domain.forms.uploads import MAX_FILES, Upload, upload
from automations.errors import ValidationFailed
from automations.kit.numbers import typed

ADD, REMOVE = "add", "remove"
"""The names of the buttons that change how many items there are, and send nothing."""
_MAX_INPUTS = 5_000
"""Of all items of a section: a page of more takes seconds to make, and nobody fills it in."""
_NUMBERS = ("number", "currency", "rating")
_LISTS = ("checkbox", "multiselect")
_ANSWERS = {
    **dict.fromkeys(("yes", "true", "1", "on"), True),
    **dict.fromkeys(("no", "false", "0", "off"), False),
}
Problems = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as a form has sent it."""

    name: str
    content: bytes


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
        return len(self.items) < _most(self.section)

    @property
    def may_remove(self) -> bool:
        """Whether there may be one item less."""
        return len(self.items) > self.section.bounds.least


@dataclass(slots=True)
class Filled:
    """What a page's form held.

    Args:
        uploads: the files that the data names.
        problems: files that are not taken, by the paths of their fields.
        focus: the item that was just added, or the section that lost one; None when it was sent.
    """

    data: dict[str, Any] = default(default_factory=dict)
    uploads: list[Upload] = default(default_factory=list)
    problems: dict[str, list[str]] = default(default_factory=dict)
    focus: str | None = None


def takes_files(schema: Mapping[str, Any]) -> bool:
    """Whether a form has a field for a file."""
    sections = FormSchema.model_validate(schema).sections
    return any(field.type in FILES for section in sections for field in section.fields)


def edits(form: FormData) -> bool:
    """Whether an item was added or removed, so that nothing is sent yet."""
    return ADD in form or REMOVE in form


def shown(
    schema: Mapping[str, Any],
    data: Mapping[str, Any],
    problems: Problems | None = None,
    focus: str | None = None,
) -> list[Group]:
    """The sections of a form with what is known, or was typed, and what is wrong with it."""
    groups = []
    for place, section in enumerate(FormSchema.model_validate(schema).sections):
        path, here = f"data.{section.items_key}", f"s{place}"
        inputs: list[Input] = []
        items: list[Item] = []
        if section.repeatable:
            for index, item in enumerate(_items(section, data)):
                name, known = f"{path}.{index}", item if isinstance(item, Mapping) else {}
                made = _inputs(section, name, f"{here}i{index}", known, problems or {}, focus)
                items.append(Item(index + 1, name.removeprefix("data."), made))
        else:
            inputs = _inputs(section, "data", here, data, problems or {}, focus)
        wrong = (problems or {}).get(path, ()) if section.repeatable else ()
        groups.append(Group(section, here, inputs, items, wrong, path == focus))
    return groups


def elsewhere(groups: Sequence[Group], problems: Problems) -> Problems:
    """What is wrong, but with no input of the page."""
    names = {f"data.{group.section.items_key}" for group in groups if group.section.repeatable}
    for group in groups:
        rows = [group.inputs, *(item.inputs for item in group.items)]
        names |= {input_.name for row in rows for input_ in row}
    return {path: messages for path, messages in problems.items() if path not in names}


def read(schema: Mapping[str, Any], form: FormData) -> Filled:
    """The data that a page's form holds, in the types of its fields.

    Raises:
        ValidationFailed: it has more items than a page has.
    """
    filled = Filled()
    for section in FormSchema.model_validate(schema).sections:
        if not section.repeatable:
            filled.data |= _values(section, "data", form, filled)
            continue
        key = section.items_key
        filled.data[key] = items = [
            _values(section, f"data.{key}.{index}", form, filled)
            for index in range(_number_of_items(section, form))
        ]
        filled.focus = _edited(section, items, form) or filled.focus
    return filled


def _items(section: Section, data: Mapping[str, Any]) -> list[Any]:
    given = data.get(section.items_key)
    items = given if isinstance(given, list) else []
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
        value, wrong = _typed(field, data.get(field.key)), problems.get(name, ())
        inputs.append(Input(field, name, f"{place}f{number}", value, wrong, focused))
    return inputs


def _most(section: Section) -> int:
    """The most items of a section that a page has."""
    bounds = section.bounds
    return max(bounds.least, min(bounds.most, _MAX_INPUTS // max(1, len(section.fields))))


def _number_of_items(section: Section, form: FormData) -> int:
    """How many the page showed: an item whose boxes are all empty sends nothing itself."""
    try:
        number = int(str(form.get(f"items.{section.items_key}", "0")))
    except ValueError:
        return 0
    if number > _most(section):
        message = f"must have at most {_most(section)} items"
        raise ValidationFailed({f"data.{section.items_key}": [message]})
    return max(0, number)


def _edited(section: Section, items: list[Any], form: FormData) -> str | None:
    """Add or remove the item that was asked for; what to focus then."""
    key = section.items_key
    if form.get(ADD) == key and len(items) < _most(section):
        items.append({})
        return f"data.{key}.{len(items) - 1}"
    for index in range(len(items)):
        if form.get(REMOVE) == f"{key}.{index}" and len(items) > section.bounds.least:
            del items[index]
            return f"data.{key}"
    return None


def _values(section: Section, path: str, form: FormData, filled: Filled) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in section.fields:
        name = f"{path}.{field.key}"
        sent: list[Any] = form.getlist(name)
        value: Any = None
        if field.type in FILES:
            files = [one for one in sent if isinstance(one, SentFile) and one.name]
            value = _file(name, files, filled) if files else None
        elif field.type not in DISPLAY:
            texts = [one for one in sent if isinstance(one, str) and one]
            value = _value(field, name, texts, filled)
        if value is not None:
            values[field.key] = value
    return values


def _file(name: str, files: Sequence[SentFile], filled: Filled) -> dict[str, Any] | None:
    try:
        if len(files) > 1:
            raise ValueError("takes one file")
        if len(filled.uploads) == MAX_FILES:
            raise ValueError(f"is one file too many: there may be {MAX_FILES} in all")
        taken = upload(files[0].name, files[0].content)
    except ValueError as error:
        filled.problems[name] = [str(error)]
        return None
    filled.uploads.append(taken)
    return taken.value


def _value(field: FormField, name: str, given: Sequence[str], filled: Filled) -> Any:
    if field.type in _LISTS:
        return list(given)
    if not given:
        return None
    match field.type:
        case "yesno":
            return _ANSWERS.get(given[0].lower(), given[0])
        case "datetime":
            return _moment(field, given[0])
        case kind if kind in _NUMBERS:
            return _number(name, given[0], filled)
        case _:
            return one_break(given[0])


def one_break(text: str) -> str:
    """A text with one letter for each line break: browsers send two."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _number(name: str, text: str, filled: Filled) -> int | float | str:
    try:
        number = typed(text)
    except ValueError as error:
        filled.problems[name] = [str(error)]
        return text
    return text if number is None else number


def _moment(field: FormField, text: str) -> str:
    """An instant with its offset, of what was typed in the field's time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is not None or "T" not in text:
        return text
    return moment.replace(tzinfo=ZoneInfo(field.timezone)).isoformat().replace("+00:00", "Z")


def _typed(field: FormField, value: Any) -> Any:
    """A value as its input shows it."""
    if field.type != "datetime" or not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    if moment.tzinfo is not None:
        moment = moment.astimezone(ZoneInfo(field.timezone)).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")
