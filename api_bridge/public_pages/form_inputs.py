"""Reads what was filled into a form on a public page."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

from starlette.datastructures import FormData

from automations.domain.forms.prefills import ANSWERS
from automations.domain.forms.schema import DISPLAY, FILES, FormField, FormSchema, Section
from automations.domain.forms.uploads import MAX_FILES, Upload, upload
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.clock import in_zone
from automations.kit.form_bodies import CHARSET
from automations.kit.line_breaks import as_it_was, as_they_were, normalise_breaks
from automations.kit.numbers import parse_number

ADD, REMOVE = "add", "remove"
"""The names of the buttons that change how many items there are, and send nothing."""
PAGE = "page"
"""The name of the input that has a page's own mark."""
_PLACE = r"[0-9]{1,6}"
_MAX_INPUTS = 5_000
"""Of all items of a section: a page of more takes seconds to make, and nobody fills it in."""
_MAX_OPTIONS = 50_000
"""For all items of a section together: each option is an element of the page, in every item."""
NUMBERS = ("number", "currency", "rating")
LISTS = ("checkbox", "multiselect")
_TWICE = "is there more than once: send it once"
_NO_FILE = "takes no file"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as a form has sent it."""

    name: str
    content: bytes


@dataclass(slots=True)
class FormInput:
    """What a page's form held.

    Args:
        uploads: the files that the data names.
        problems: files that are not taken, by the paths of their fields.
        focus: the item that was just added, or the section that lost one; None when it was sent.
        page: the mark of the page that it was filled into; empty when it has none.
    """

    data: dict[str, Any] = default(default_factory=dict)
    uploads: list[Upload] = default(default_factory=list)
    problems: dict[str, list[str]] = default(default_factory=dict)
    focus: str | None = None
    page: str = ""


def reason(form: FormData) -> str | None:
    """Why somebody decides so, as the page of a decision has sent it; None when it says nothing."""
    return normalise_breaks(single_text(form, "reason") or "").strip() or None


def edits(form: FormData) -> bool:
    """Whether an item was added or removed, so that nothing is sent yet."""
    return ADD in form or REMOVE in form


def read(schema: Mapping[str, Any], form: FormData, *, beside: Collection[str] = ()) -> FormInput:
    """The data that a page's form holds, in the types of its fields.

    Args:
        beside: the names of what the page sends with it, such as a decision.

    Raises:
        ValidationFailed: it has more items than a page has.
    """
    filled = FormInput(page=single_text(form, PAGE) or "" if PAGE in beside else "")
    form = FormData([(_wire_name(name), value) for name, value in form.multi_items()])
    sent: dict[str, list[Any]] = {}
    for name, value in form.multi_items():
        sent.setdefault(name, []).append(value)
    names = {ADD, REMOVE, CHARSET, *beside}
    for section in FormSchema.model_validate(schema).sections:
        if not section.repeatable:
            filled.data |= _values(section, "data", sent, filled)
            names |= _names(section, "data")
            continue
        key = section.items_key
        places = [f"data.{key}.{index}" for index in range(_number_of_items(section, form))]
        filled.data[key] = items = [_values(section, place, sent, filled) for place in places]
        names |= {_wire_name(f"items.{key}")}.union(*(_names(section, place) for place in places))
        filled.focus = _edit_items(section, items, form) or filled.focus
    filled.problems |= {
        name: ['is no field of this form, all of which begin with "data."']
        for name in sent
        if name not in names
    }
    return filled


def single_text(form: FormData, name: str) -> str | None:
    """The text that a form has sent under a name that may be there once; None when it is absent.

    Raises:
        ValidationFailed: it is there more than once, or is a file.
    """
    sent: list[Any] = form.getlist(name)
    if len(sent) > 1:
        raise ValidationFailed({name: [_TWICE]})
    if sent and not isinstance(sent[0], str):
        raise ValidationFailed({name: [_NO_FILE]})
    return sent[0] if sent else None


def check_names(names: Iterable[str], allowed: Collection[str]) -> None:
    """Raise ValidationFailed for what would be passed over in silence."""
    problems = {name: ["unknown field"] for name in names if name not in (*allowed, CHARSET)}
    if problems:
        raise ValidationFailed(problems)


def _wire_name(name: str) -> str:
    """The name of an input as browsers send it, which encode line breaks and quotes."""
    return normalise_breaks(name.replace("%0D%0A", "\n").replace("%22", '"'))


def _names(section: Section, path: str) -> set[str]:
    shown = (field.key for field in section.fields if field.type not in DISPLAY)
    return {_wire_name(f"{path}.{key}") for key in shown}


def max_items(section: Section) -> int:
    """The most items of a section that a page has."""
    bounds = section.bounds
    options = sum(len(field.options) for field in section.fields)
    fitting = min(_MAX_INPUTS // max(1, len(section.fields)), _MAX_OPTIONS // max(1, options))
    return max(bounds.least, min(bounds.most, fitting))


def _number_of_items(section: Section, form: FormData) -> int:
    """How many the page showed: an item whose boxes are all empty sends nothing itself."""
    shown = str(form.get(_wire_name(f"items.{section.items_key}"), "0"))
    stated = int(shown) if re.fullmatch(_PLACE, shown) else 0
    number = max([stated, *(place + 1 for place in _places(section, form))])
    if number > max_items(section):
        message = f"must have at most {max_items(section)} items"
        raise ValidationFailed({f"data.{section.items_key}": [message]})
    return number


def _places(section: Section, form: FormData) -> Iterator[int]:
    """Where the items stand of which something was sent, whoever has counted them."""
    key = re.escape(_wire_name(section.items_key))
    place = re.compile(rf"data\.{key}\.({_PLACE})\.", re.ASCII)
    return (int(match[1]) for name in form if (match := place.match(name)))


def _edit_items(section: Section, items: list[Any], form: FormData) -> str | None:
    """Add or remove the item that was asked for; what to focus then."""
    key = section.items_key
    added, removed = (_wire_name(str(form.get(name, ""))) for name in (ADD, REMOVE))
    if added == _wire_name(key) and len(items) < max_items(section):
        items.append({})
        return f"data.{key}.{len(items) - 1}"
    for index in range(len(items)):
        if removed == _wire_name(f"{key}.{index}") and len(items) > section.bounds.least:
            del items[index]
            return f"data.{key}"
    return None


def _values(
    section: Section, path: str, sent_values: Mapping[str, Sequence[Any]], filled: FormInput
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in section.fields:
        name = f"{path}.{field.key}"
        if field.type in DISPLAY:
            continue
        sent = sent_values.get(_wire_name(name), ())
        texts = [text for text in sent if isinstance(text, str) and text]
        files = [
            file for file in sent if isinstance(file, SentFile) and (file.name or file.content)
        ]
        value: Any = None
        if field.type in FILES:
            value = _file(name, files, filled) if files else None
            if texts:
                filled.problems[name] = ["takes a file, sent as multipart/form-data"]
        else:
            value = _value(field, name, texts, filled)
            if files:
                filled.problems[name] = [_NO_FILE]
        if value is not None:
            values[field.key] = value
    return values


def _file(name: str, files: Sequence[SentFile], filled: FormInput) -> dict[str, Any] | None:
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


def _value(field: FormField, name: str, texts: Sequence[str], filled: FormInput) -> Any:
    options = [option.value for option in field.options]
    if field.type in LISTS and not options:
        return [line for text in texts for line in normalise_breaks(text).split("\n") if line]
    if field.type in LISTS:
        return list(map(as_they_were(options), texts))
    if not texts:
        return None
    if len(texts) > 1:
        filled.problems[name] = [_TWICE]
    match field.type:
        case "yesno":
            return ANSWERS.get(texts[0].lower(), texts[0])
        case "datetime":
            return _read_time(field, texts[0])
        case "table_fill":
            return _rows(name, normalise_breaks(texts[0]), filled)
        case kind if kind in NUMBERS:
            return _number(name, texts[0], filled)
        case _:
            return as_it_was(texts[0], options)


def _rows(name: str, text: str, filled: FormInput) -> Any:
    """A table that was filled in as JSON, as it is shown; anything else is a text."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json_text.parse_any(text)
    except ValueError as error:
        filled.problems[name] = [str(error)]
        return text


def _number(name: str, text: str, filled: FormInput) -> int | float | str:
    try:
        number = parse_number(text)
    except ValueError as error:
        filled.problems[name] = [str(error)]
        return text
    return text if number is None else number


def _read_time(field: FormField, text: str) -> str:
    """An instant with its offset, of what was typed in the field's time zone."""
    try:
        return in_zone(text, field.timezone)
    except ValueError:
        return text
