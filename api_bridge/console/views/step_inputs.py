"""The fields of a draft as inputs, and back.

What somebody has not touched stays exactly what it was, also where an input could not show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import FormData

from api_bridge.console.form_data import text
from api_bridge.console.views import input_schemas
from api_bridge.console.views.input_schemas import Line
from api_bridge.console.views.schema_fields import Spec
from api_bridge.console.views.typed_values import format_value, parse_value
from automations.domain.fields import is_template
from automations.kit.line_breaks import as_they_were, normalise_breaks
from automations.kit.values import JSON, Errors

_SPARE_ROWS = 2
"""Empty rows below those that are filled in."""
PREFIX = "f:"
STEPS = "steps"
"""The way of a field whose value is a list of steps."""
_TICKED = "on"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of several inputs: a key and its value, or a comparison."""

    name: str
    key: str = ""
    value: str = ""
    operator: str = ""
    whole: str | None = None
    ticked: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """A field with what is in it.

    Args:
        name: of its input; those of its rows go on behind it.
        problems: what is wrong with it, in the API's words.
        is_open: whether it is shown at once.
    """

    spec: Spec
    name: str
    value: str = ""
    rows: Sequence[Row] = ()
    inside: Sequence[Input] = ()
    problems: Sequence[str] = ()
    is_open: bool = False
    raw: Any = field(default=None, compare=False)


def inputs(specs: Sequence[Spec], holder: Mapping[str, Any], errors: Errors) -> list[Input]:
    """The fields of a step, a trigger or a definition.

    Args:
        holder: what has them: paths of specs begin there, but for ``trigger.`` of a trigger.
        errors: by paths as those of the specs.
    """
    return [_input(spec, holder, errors) for spec in specs]


def read(specs: Sequence[Spec], holder: dict[str, Any], form: FormData) -> dict[str, Any]:
    """What has the fields, with what was typed into them."""
    changed = dict(holder)
    for spec in specs:
        *above, key = _parts(spec)
        inside = changed
        for part in above:
            inside[part] = dict(inside[part]) if isinstance(inside.get(part), dict) else {}
            inside = inside[part]
        _take(spec, inside, key, form)
    return changed


def problems_elsewhere(shown: Sequence[Input], errors: Errors) -> Errors:
    """What is wrong at no field that is shown."""
    paths = [shown_input.spec.path for shown_input in _all(shown)]
    return {
        path: messages
        for path, messages in errors.items()
        if not any(path == shown_path or path.startswith(f"{shown_path}.") for shown_path in paths)
    }


def _all(shown: Sequence[Input]) -> Iterator[Input]:
    for shown_input in shown:
        if not shown_input.inside:
            yield shown_input
        yield from _all(shown_input.inside)


def _parts(spec: Spec) -> list[str]:
    return spec.path.removeprefix("trigger.").split(".")


def _raw(spec: Spec, holder: Mapping[str, Any]) -> Any:
    value: Any = holder
    for part in _parts(spec):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _input(spec: Spec, holder: Mapping[str, Any], errors: Errors) -> Input:
    raw = _raw(spec, holder)
    name = f"{PREFIX}{spec.path}"
    inside = [_input(inner, holder, errors) for inner in spec.inside]
    problems = [
        message if path == spec.path else f"{path.removeprefix(f'{spec.path}.')}: {message}"
        for path, messages in errors.items()
        if path == spec.path or (path.startswith(f"{spec.path}.") and not inside)
        for message in messages
    ]
    filled = raw not in (None, "", [], {})
    return Input(
        spec=spec,
        name=name,
        value=_format(spec, raw),
        rows=_rows(spec, raw, name),
        inside=inside,
        problems=problems,
        is_open=spec.first or filled or bool(problems) or any(inner.problems for inner in inside),
        raw=raw,
    )


def _format(spec: Spec, raw: Any) -> str:
    match spec.control:
        case "group" | "rules":
            return ""
        case "boolean":
            effective = spec.default if raw is None else raw
            return _TICKED if effective is True else ""
        case "ways" if isinstance(raw, list):
            return STEPS
        case "ways" if raw is None:
            return str(spec.default)
        case "list" if isinstance(raw, list) and raw:
            return "\n".join(
                format_value(item) if _on_a_line(item) else format_line(item) for item in raw
            )
        case "pairs" if isinstance(raw, dict):
            return ""
        case "inputs" if input_schemas.lines(raw) is not None:
            return ""
        case "number" | "value" | "pairs" | "list" | "inputs":
            return "" if raw is None else format_value(raw)
    if raw is None:
        return ""
    return raw if isinstance(raw, str) else format_value(raw)


def _on_a_line(item: Any) -> bool:
    return "\n" not in format_value(item)


def format_line(item: JSON) -> str:
    """A value on one line."""
    return " ".join(format_value(item).split())


def _rows(spec: Spec, raw: Any, name: str) -> list[Row]:
    if spec.control == "pairs" and (raw is None or isinstance(raw, dict | str)):
        if isinstance(raw, str):
            # One template that gives them all: it has no key.
            return [Row(f"{name}:0", "", raw), Row(f"{name}:1")]
        filled = [(key, format_value(value)) for key, value in (raw or {}).items()]
        spare = [("", "")] * _SPARE_ROWS
        return [
            Row(f"{name}:{number}", key, value)
            for number, (key, value) in enumerate([*filled, *spare])
        ]
    if spec.control == "rules":
        rules = [_rule(rule) for rule in raw] if isinstance(raw, list) else []
        return [
            Row(f"{name}:{number}", *parts) for number, parts in enumerate([*rules, _EMPTY_RULE])
        ]
    if spec.control == "inputs" and (lines := input_schemas.lines(raw)) is not None:
        described = [*lines, *[Line("", "", "", False)] * _SPARE_ROWS]
        return [
            Row(f"{name}:{number}", line.key, line.title, line.kind, ticked=line.required)
            for number, line in enumerate(described)
        ]
    return []


_EMPTY_RULE: tuple[str, str, str, str | None] = ("", "", "", None)


def _rule(rule: Any) -> tuple[str, str, str, str | None]:
    """A comparison as its field, its value, its operator; a nested group as a whole."""
    if not isinstance(rule, Mapping) or rule.get("rules") or set(rule) - _OF_A_RULE:
        return "", "", "", format_value(rule)
    left, right = rule.get("field"), rule.get("value")
    return (
        "" if left is None else format_value(left),
        "" if right is None else format_value(right),
        str(rule.get("operator") or ""),
        None,
    )


_OF_A_RULE = {"field", "operator", "value"}


def _take(spec: Spec, holder: dict[str, Any], key: str, form: FormData) -> None:
    """Take one field from a form into what has it; what is not in the form stays."""
    name, raw = f"{PREFIX}{spec.path}", holder.get(key)
    if spec.control == "group":
        inside = dict(raw) if isinstance(raw, dict) else {}
        for inner in spec.inside:
            _take(inner, inside, inner.key, form)
        _set(holder, key, inside or None)
        return
    if spec.control in ("pairs", "rules", "inputs") and f"{name}:0" in form:
        _take_rows(spec, holder, key, form)
        return
    if name not in form:
        return
    if spec.control == "boolean":
        # A box that is not ticked is not sent: a hidden input before it says that it was there.
        typed = _TICKED if _TICKED in list(form.getlist(name)) else ""
    else:
        typed = normalise_breaks(text(form, name))
    if spec.control == "reference" and (
        other := normalise_breaks(text(form, f"{name}:other")).strip()
    ):
        typed = other
    if typed == normalise_breaks(_format(spec, raw)):
        return
    _set(holder, key, _value(spec, typed))


def _value(spec: Spec, typed: str) -> Any:
    if spec.control == "boolean":
        return typed == _TICKED if (typed == _TICKED) is not (spec.default is True) else None
    if not typed.strip():
        return None
    match spec.control:
        case "ways" if typed == STEPS:
            return []
        case "number" | "value" | "inputs":
            return parse_value(typed, spec.path)
        case "list":
            items = [
                parse_value(line.strip(), spec.path) for line in typed.split("\n") if line.strip()
            ]
            single = items[0] if len(items) == 1 else None
            return single if is_template(single) else items
    return typed


def _take_rows(spec: Spec, holder: dict[str, Any], key: str, form: FormData) -> None:
    name, raw = f"{PREFIX}{spec.path}", holder.get(key)
    rows = [
        replace(row, key=normalise_breaks(row.key), value=normalise_breaks(row.value))
        for row in _rows(spec, raw, name)
    ]
    typed = list(_read_rows(name, form))
    if typed == [row for row in rows if row.key or row.value or row.operator or row.whole]:
        return
    if spec.control == "inputs":
        if input_schemas.lines(raw) is None:
            return  # It says more than rows can: there were none to be filled in.
        lines = [Line(row.key.strip(), row.value, row.operator, row.ticked) for row in typed]
        _set(holder, key, input_schemas.build_schema(raw, [line for line in lines if line.key]))
        return
    if spec.control == "rules":
        raw_by_row = dict(zip(rows, raw, strict=False)) if isinstance(raw, list) else {}
        _set(
            holder,
            key,
            [raw_by_row[row] if row in raw_by_row else _as_rule(row, spec.path) for row in typed]
            or None,
        )
        return
    if len(typed) == 1 and not typed[0].key and is_template(typed[0].value):
        _set(holder, key, typed[0].value)
        return
    before = raw if isinstance(raw, dict) else {}
    as_it_is_known = as_they_were(before)
    mapping = {}
    for typed_row in typed:
        known_key = as_it_is_known(typed_row.key)
        is_kept = (
            known_key in before
            and normalise_breaks(format_value(before[known_key])) == typed_row.value
        )
        mapping[known_key] = (
            before[known_key]
            if is_kept
            else parse_value(typed_row.value, f"{spec.path}.{known_key}")
        )
    _set(holder, key, mapping or None)


def _read_rows(name: str, form: FormData) -> Iterator[Row]:
    # A form looks through all that it has for each of its lists.
    all_ticked = {name for name, value in form.multi_items() if value == _TICKED}
    number = 0
    while (row := f"{name}:{number}") in form:
        whole = normalise_breaks(text(form, f"{row}:whole")) or None
        key, value = normalise_breaks(text(form, row)), normalise_breaks(text(form, f"{row}:value"))
        operator = text(form, f"{row}:operator")
        ticked = f"{row}:ticked" in all_ticked
        if key.strip() or value.strip() or operator or whole:
            yield Row(row, key, value, operator, whole, ticked)
        number += 1


def _as_rule(row: Row, name: str) -> Any:
    if row.whole is not None:
        return parse_value(row.whole, name)
    rule: dict[str, Any] = {}
    if row.key.strip():
        rule["field"] = parse_value(row.key, name)
    if row.operator:
        rule["operator"] = row.operator
    if row.value.strip():
        rule["value"] = parse_value(row.value, name)
    return rule


def _set(holder: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        holder.pop(key, None)
    else:
        holder[key] = value
