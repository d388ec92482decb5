"""The form designer's sections and fields as inputs, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from api_bridge.console import texts
from api_bridge.console.form_data import text
from automations.domain.forms import editing
from automations.domain.forms.editing import WITH_OPTIONS, Draft, FieldPosition
from automations.kit.line_breaks import as_it_was, as_they_were, normalise_breaks
from automations.kit.numbers import parse_number
from automations.kit.values import JSON, Errors

MAX_DRAWN = 120
"""Fields of one page; of a longer form those of one section."""
GROUPS: Mapping[str, Sequence[str]] = {
    "text": ("text", "textarea", "email", "phone", "tel", "url"),
    "choice": ("select", "radio", "multiselect", "checkbox", "yesno", "country"),
    "number": ("number", "currency", "rating"),
    "date": ("date", "time", "datetime"),
    "file": ("file", "document", "signature", "table_fill"),
    "display": ("heading", "paragraph", "divider"),
}
"""Every type of fields, as people look for them."""
_ICONS = {
    "text": "letters",
    "textarea": "lines",
    "email": "mail",
    "phone": "phone",
    "tel": "phone",
    "url": "link",
    "number": "hash",
    "currency": "hash",
    "rating": "star",
    "yesno": "check",
    "country": "globe",
    "date": "calendar",
    "datetime": "calendar",
    "time": "clock",
    "file": "upload",
    "document": "document",
    "signature": "pen",
    "table_fill": "table",
    "heading": "letters",
    "paragraph": "lines",
    "divider": "minus",
}
NUMBERS = ("number", "currency", "rating")
LIMITS = ("min", "max", "minLength", "maxLength")
LETTERS = ("text", "textarea", "email", "phone", "tel", "url", "signature")


@dataclass(frozen=True, slots=True)
class Field:
    """A field as it is drawn.

    Args:
        problems: how many there are with it.
    """

    place: FieldPosition
    label: str
    key: str
    kind: str
    icon: str
    required: bool
    problems: int

    @property
    def title(self) -> str:
        """Its type in a word."""
        return word(self.kind)


@dataclass(frozen=True, slots=True)
class Section:
    """A section as it is drawn.

    Args:
        problems: with itself, not with its fields.
        folded: how many fields it has, where none of them is drawn.
        earlier, later: how many fields stand before and behind those that are drawn.
    """

    place: FieldPosition
    title: str
    repeatable: bool
    problems: int
    fields: Sequence[Field]
    folded: int
    earlier: int
    later: int

    @property
    def end(self) -> FieldPosition:
        """Behind its last field."""
        number = self.earlier + len(self.fields) + self.later + self.folded
        return FieldPosition(self.place.section, number)

    @property
    def before(self) -> FieldPosition:
        """The last of the fields before those that are drawn."""
        return FieldPosition(self.place.section, self.earlier - 1)

    @property
    def behind(self) -> FieldPosition:
        """The first of the fields behind those that are drawn."""
        return FieldPosition(self.place.section, self.earlier + len(self.fields))


def icon(kind: str) -> str:
    """The picture of a type of fields."""
    return _ICONS.get(kind, "list")


def word(kind: str) -> str:
    """A type of fields in a word."""
    is_known = any(kind in group for group in GROUPS.values())
    return texts.text(f"field_type.{kind}") if is_known else kind


def build_sections(draft: Draft, errors: Errors, opened: FieldPosition | None) -> list[Section]:
    """The sections of a form; of a very long one only the fields of what is open."""
    shown = opened.section if opened is not None else 0
    at = (opened.field if opened is not None else None) or 0
    return [
        _section(section, FieldPosition(number), errors, None if is_folded else at)
        for number, section in enumerate(editing.sections(draft))
        for is_folded in (is_long(draft) and number != shown,)
    ]


def is_long(draft: Draft) -> bool:
    """Whether a form has more fields than one page."""
    return sum(1 for _ in editing.walk(draft)) > MAX_DRAWN


def window(count: int, at: int) -> tuple[int, int]:
    """Which of the fields of a section are drawn: those around one."""
    start = max(min(at - MAX_DRAWN // 2, count - MAX_DRAWN), 0)
    return start, min(start + MAX_DRAWN, count)


def problems_of(errors: Errors, path: str) -> Errors:
    """What is wrong with a part of the form itself, by its own fields."""
    own_errors = {
        error_path.removeprefix(path).removeprefix("."): messages
        for error_path, messages in errors.items()
        if error_path == path or error_path.startswith(f"{path}.")
    }
    return {
        error_path: messages
        for error_path, messages in own_errors.items()
        if not error_path.startswith("fields.")
    }


def elsewhere(errors: Errors, shown: Sequence[str]) -> Errors:
    """What is wrong, but with no input of the page."""
    return {path: messages for path, messages in errors.items() if path not in shown}


def read_form(draft: Draft, form: FormData) -> Draft:
    """With what was typed of the form itself."""
    return {
        **draft,
        "title": as_it_was(text(form, "title"), [str(draft.get("title") or "")]),
        "description": as_it_was(text(form, "description"), [str(draft.get("description") or "")]),
    }


def read_section(section: Draft, form: FormData) -> Draft:
    """With what was typed of a section."""
    changed = dict(section)
    _say(changed, "title", normalise_breaks(text(form, "title")))
    _say(changed, "repeatable", "repeatable" in form)
    if "minItems" in form:
        stored_config = section.get("repeatableConfig")
        config = dict(stored_config) if isinstance(stored_config, dict) else {}
        for name in ("minItems", "maxItems"):
            _say(config, name, _number(text(form, name)))
        if config or "repeatableConfig" in section:
            changed["repeatableConfig"] = config
    return changed


def read_field(draft: Draft, saved: Draft, place: FieldPosition, form: FormData) -> Draft:
    """A field with what was typed of it.

    Args:
        saved: the form as it is in force: keys that are in use there stay when a label changes.
    """
    field = editing.find(draft, place)
    changed = {**field, "type": text(form, "type", str(field.get("type")))}
    for name in ("label", "help", "timezone"):
        if name in form:
            _say(changed, name, normalise_breaks(text(form, name)))
    if "key" in form:
        label = str(changed.get("label", ""))
        changed["key"] = _key(draft, saved, place, text(form, "key"), label)
    stored_rules = field.get("validation")
    rules = dict(stored_rules) if isinstance(stored_rules, dict) else {}
    if "key" in form:
        _say(rules, "required", "required" in form)
    for name in LIMITS:
        if name in form:
            _say(rules, name, _number(text(form, name)))
    if rules or "validation" in field:
        changed["validation"] = rules
    if "option.0" in form:
        changed["options"] = read_options(field, form)
    elif changed["type"] in WITH_OPTIONS:
        changed.setdefault("options", [])
    return changed


def read_options(field: Mapping[str, Any], form: FormData) -> list[dict[str, JSON]]:
    """The options that were typed: without a value it is the label."""
    listed = [option for option in field.get("options") or () if isinstance(option, dict)]
    by_value = {option.get("value"): option for option in listed}
    were = [str(option.get(part) or "") for part in ("label", "value") for option in listed]
    as_it_is_known = as_they_were(were)
    options = []
    for row in option_rows(form):
        label, value = map(as_it_is_known, row)
        stored_option = by_value.get(value, {})
        if not value and stored_option.get("label") != label:
            stored_option = by_value.get(label, {})
            value = label
        if label.strip() or value.strip():
            options.append({**stored_option, "label": label or value, "value": value})
    return options


def option_rows(form: FormData) -> list[tuple[str, str]]:
    """The rows of options as they were sent, also those that are empty."""
    rows: list[tuple[str, str]] = []
    while (label := form.get(f"option.{len(rows)}")) is not None:
        rows.append((str(label), text(form, f"option.{len(rows)}:value")))
    return rows


def _key(draft: Draft, saved: Draft, place: FieldPosition, typed_key: str, label: str) -> str:
    """A key that was made of the label follows it, as long as nobody knows it."""
    field = editing.find(draft, place)
    key, others = str(field.get("key", "")), editing.keys_but(draft, place)
    typed_key = as_it_was(typed_key, [key])
    if typed_key != key:
        return typed_key.strip() or editing.key_for(label, others)
    is_known = any(part.get("id") == field.get("id") for _, part in editing.walk(saved))
    follows = key == editing.key_for(str(field.get("label", "")), others)
    return editing.key_for(label, others) if follows and not is_known else key


def _section(
    section: Mapping[str, Any], place: FieldPosition, errors: Errors, at: int | None
) -> Section:
    """A section as it is drawn.

    Args:
        at: around which of its fields; None when they are folded.
    """
    fields = section["fields"]
    start, end = (0, 0) if at is None else window(len(fields), at)
    return Section(
        place=place,
        title=str(section.get("title") or ""),
        repeatable=section.get("repeatable") is True,
        problems=len(problems_of(errors, place.path)),
        fields=[
            _field(field, FieldPosition(place.section, index), errors)
            for index, field in enumerate(fields[start:end], start)
        ],
        folded=len(fields) if at is None else 0,
        earlier=start,
        later=len(fields) - end if at is not None else 0,
    )


def _field(field: Mapping[str, Any], place: FieldPosition, errors: Errors) -> Field:
    kind, rules = str(field.get("type")), field.get("validation")
    return Field(
        place=place,
        label=str(field.get("label") or ""),
        key="" if editing.is_shown_only(kind) else str(field.get("key", "")),
        kind=kind,
        icon=icon(kind),
        required=isinstance(rules, dict) and rules.get("required") is True,
        problems=len(problems_of(errors, place.path)),
    )


def _number(typed: str) -> JSON:
    """A number that was typed; what is none stays as it was typed, to be mended."""
    try:
        number = parse_number(typed)
    except ValueError:
        return typed
    return number if number is not None else typed.strip() or None


def _say(holder: dict[str, Any], name: str, value: JSON) -> None:
    """Have a field say something; where nothing is said that was not, nothing is changed."""
    before = holder.get(name)
    if value == (normalise_breaks(before) if isinstance(before, str) else before):
        return
    if value in (None, "", False):
        if before not in (None, "", False):
            holder.pop(name)
    else:
        holder[name] = value
