"""A row's values as inputs, and back; untouched values stay as they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import FormData

from api_bridge.console.form_data import text, texts
from automations.domain.tables.cells import is_nothing, parse_text, text_of
from automations.domain.tables.columns import Column
from automations.kit.canonical_json import mark_of
from automations.kit.line_breaks import normalise_breaks
from automations.kit.values import JSON, Errors

VALUE, SEEN, BLANK = "v.", "seen.", "blank."
"""What the names of inputs begin with: a value, the mark of what it was, and that it is ``""``."""


@dataclass(frozen=True, slots=True)
class CellInput:
    """The input of one value.

    Args:
        control: text, area, date, choice or choices.
        blank: whether it may be an empty text beside none at all, and is one; None if it may not.
        seen: the mark of the value that is shown.
    """

    column: Column
    name: str
    control: str
    text: str
    chosen: Sequence[str]
    options: Sequence[tuple[str, str]]
    blank: bool | None
    seen: str
    wrong: Sequence[str]


@dataclass(frozen=True, slots=True)
class CellEdits:
    """What somebody has changed, the marks of what it was, and what cannot be read."""

    data: dict[str, JSON] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    wrong: Errors = field(default_factory=dict)


def inputs(
    columns: Iterable[Column],
    data: Mapping[str, JSON],
    form: FormData | None = None,
    problems: Mapping[str, Sequence[str]] | None = None,
    anew: Collection[str] | None = None,
) -> list[CellInput]:
    """The inputs of a row's values.

    Args:
        form: what was typed, which is shown again.
        problems: what is wrong with it, by columns.
        anew: the columns for which it is shown again, over what their values are now; the others
            are shown as they are.
    """
    return [
        _input(
            column,
            data.get(column.key),
            form if anew is None or column.key in anew else None,
            (problems or {}).get(column.key, ()),
            anew is not None,
        )
        for column in columns
    ]


def read(columns: Iterable[Column], data: Mapping[str, JSON], form: FormData) -> CellEdits:
    """What was typed into those inputs that a form has.

    Args:
        data: the row's values now.
    """
    typed = CellEdits()
    for column in columns:
        seen = text(form, f"{SEEN}{column.key}")
        if not seen:
            continue
        now = data.get(column.key)
        try:
            if mark_of(now) == seen and _is_untouched(column, now, form):
                continue
            value = _value(column, now, form, seen)
        except ValueError as error:
            typed.wrong[column.key] = [str(error)]
            continue
        if mark_of(value) != seen:
            typed.data[column.key] = value
            typed.seen[column.key] = seen
    return typed


def _input(
    column: Column, value: JSON, form: FormData | None, problems: Sequence[str], is_fresh: bool
) -> CellInput:
    name = f"{VALUE}{column.key}"
    control, shown = _control(column, value), _format(column, value)
    chosen = _choices(column, value, control)
    options = [(option.value, option.label or option.value) for option in column.options]
    if column.type == "boolean":
        options = [("true", ""), ("false", "")]
    listed = {option for option, _ in options}
    options += [(option, option) for option in chosen if option and option not in listed]
    options = _in_order_of(chosen, options)
    blank = None
    if column.type == "text" and not column.required and not value:
        blank = value == ""
    seen = text(form, f"{SEEN}{column.key}") if form is not None else ""
    if form is not None and seen:
        chosen = texts(form, name)
        shown = "" if control == "choices" else text(form, name)
        blank = None if blank is None else f"{BLANK}{column.key}" in form
    return CellInput(
        column,
        name,
        control,
        shown,
        chosen,
        options,
        blank,
        mark_of(value) if is_fresh or not seen else seen,
        problems,
    )


def _control(column: Column, value: JSON) -> str:
    if column.type == "boolean" or (column.type == "select" and column.options):
        return "choice"
    if column.type == "multiselect" and column.options:
        return "choices"
    if column.type == "date":
        return "date"
    # A browser takes line breaks out of what is no area.
    is_long = any(sign in _format(column, value) for sign in "\r\n")
    return "area" if column.type in ("text", "json") or is_long else "text"


def _format(column: Column, value: JSON) -> str:
    if column.type == "json" and isinstance(value, dict | list) and value:
        return json.dumps(value, ensure_ascii=False, indent=2)
    return text_of(column, value)


def _choices(column: Column, value: JSON, control: str) -> list[str]:
    if control == "choices":
        return list(value or ())
    return [text_of(column, value)] if control == "choice" else []


def _is_untouched(column: Column, now: JSON, form: FormData) -> bool:
    control, name = _control(column, now), f"{VALUE}{column.key}"
    if control in ("choice", "choices"):
        return {
            normalise_breaks(choice) for choice in _choices(column, now, control) if choice
        } == {normalise_breaks(line) for line in texts(form, name) if line}
    if now in (None, "") and column.type == "text" and f"{BLANK}{column.key}" in form:
        return now == "" and text(form, name) == ""
    return (
        normalise_breaks(text(form, name)) == normalise_breaks(_format(column, now)) and now != ""
    )


def _in_order_of(
    chosen: Sequence[str], options: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Options so that a browser, which sends those chosen as they stand, sends them as they are."""
    places = {value: place for place, (value, _) in enumerate(options)}
    sorted_values = [value for value in chosen if value in places]
    if sorted_values == sorted(sorted_values, key=places.__getitem__):
        return list(options)
    first = [options[places[value]] for value in dict.fromkeys(sorted_values)]
    return [*first, *(option for option in options if option not in first)]


def _value(column: Column, now: JSON, form: FormData, seen: str) -> JSON:
    name, control = f"{VALUE}{column.key}", _control(column, now)
    # A browser sends line breaks of its own, even for those of an option.
    exact = {
        normalise_breaks(value): value
        for value in (*(option.value for option in column.options), *_choices(column, now, control))
    }
    if control == "choices":
        sent = [normalise_breaks(line) for line in texts(form, name) if line]
        chosen: list[JSON] = [exact.get(line, line) for line in sent]
        return chosen if chosen or seen == mark_of([]) else None
    typed = normalise_breaks(text(form, name))
    typed = exact.get(typed, typed)
    if column.type == "text" and typed == "" and f"{BLANK}{column.key}" in form:
        return ""
    return None if is_nothing(column, typed) else parse_text(column, typed)
