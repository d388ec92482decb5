"""The names that a template may use at a place of a draft, with sample values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api_bridge.console import texts
from api_bridge.console.views import timestamps
from automations.definitions import editing
from automations.definitions.editing import LocatedStep
from automations.domain.fields import is_template, parse_duration
from automations.domain.loops import items_of, names_of_item
from automations.domain.templating import render
from automations.errors import StepError
from automations.kit.masking import MASK
from automations.kit.storable import showable
from automations.kit.values import JSON
from automations.steps.registry import STEP_TYPES

_MAX_SHOWN = 160
_MAX_OFFERED = 60
"""Values of one group: who wants others knows their names."""
_MAX_DEPTH = 4
_NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
_PLACE = re.compile(r"^(\d+)(?:\.\w+)?: ")
_FILTERS = (
    "default('')",
    "upper",
    "lower",
    "title",
    "trim",
    "replace('a', 'b')",
    "round(2)",
    "length",
    "join(', ')",
    "first",
    "last",
    "sum",
    "tojson",
    "urlencode",
)
"""Those of the template language that are wanted most."""
_AT_ONCE = ("input", "submission", "trigger")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something that can be inserted.

    Args:
        inserted: the template.
        value: what it is in the sample; None where that is not known.
    """

    inserted: str
    label: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """What is offered of one kind."""

    title: str
    offers: Sequence[Suggestion]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a text with templates would come to; or why it cannot be said."""

    value: str
    is_fault: bool


def names_at(
    definition: editing.Draft,
    placed: LocatedStep | None,
    names: Mapping[str, JSON],
    outputs: Mapping[str, JSON],
    secrets: Sequence[str],
) -> dict[str, JSON]:
    """The names that a step has, with the values of a sample.

    Args:
        placed: None for the automation itself.
        outputs: of steps, by their ids or names.
    """
    values: dict[str, JSON] = {**names, "secret": dict.fromkeys(secrets, MASK)}
    steps: dict[str, JSON] = {}
    for earlier in steps_before(definition, placed):
        step_id, name = str(earlier.step.get("id")), str(earlier.step.get("name"))
        for key in (step_id, name):
            if key in outputs:
                steps[step_id] = steps[name] = outputs[key]
    values["steps"] = steps
    for parent in _loops(definition, placed):
        values["loop"] = _first_item(parent.step, values)
    values["callback"] = {"url": "https://…"}
    return values


def steps_before(definition: editing.Draft, placed: LocatedStep | None) -> list[LocatedStep]:
    """The steps whose outputs a step may use: those before it, and not inside of other loops."""
    if placed is None:
        return []
    earlier: list[LocatedStep] = []
    around = set(placed.parents)
    bodies: set[str] = set()
    for located in editing.walk(definition):
        if located.step.get("id") == placed.step.get("id"):
            break
        kind, step_id = str(located.step.get("type")), str(located.step.get("id"))
        if kind in STEP_TYPES and STEP_TYPES[kind].body:
            bodies.add(step_id)
        hidden = any(parent in bodies and parent not in around for parent in located.parents)
        is_own_loop = step_id in around and step_id in bodies
        if not hidden and not is_own_loop:
            earlier.append(located)
    return earlier


def groups(
    definition: editing.Draft,
    placed: LocatedStep | None,
    names: Mapping[str, JSON],
    secrets: Sequence[str],
) -> list[Group]:
    """What can be inserted at a place, by where it comes from."""
    shown: list[Group] = []
    if "loop" in names:
        shown.append(Group(texts.text("offer.loop"), list(_offers("loop", "loop", names["loop"]))))
    for root in _AT_ONCE:
        offers = list(_offers(root, root, names.get(root)))
        if root == "input":
            offers = offers or list(_of_schema(definition))
        shown.append(Group(texts.text(f"offer.{root}"), offers))
    steps = names.get("steps")
    for earlier in reversed(steps_before(definition, placed)):
        shown.append(_of_step(earlier, steps if isinstance(steps, Mapping) else {}))
    variables = list(_offers("variables", "variables", names.get("variables")))
    shown.append(Group(texts.text("offer.variables"), variables))
    named = [Suggestion(f"{{{{secret.{name}}}}}", name, None) for name in secrets]
    shown.append(Group(texts.text("offer.secrets"), named))
    more = [
        offer
        for root in ("run", "workflow", "now")
        for offer in _offers(root, root, names.get(root))
    ]
    shown.append(Group(texts.text("offer.more"), more))
    changes = [(name, texts.text(f"template_filter.{name}")) for name in _FILTERS]
    filters = [Suggestion(f" | {name}", name, about) for name, about in changes]
    shown.append(Group(texts.text("offer.filters"), filters))
    return [replace(group, offers=group.offers[:_MAX_OFFERED]) for group in shown if group.offers]


def preview(value: Any, names: Mapping[str, JSON]) -> Preview | None:
    """What a field would come to; None for what has no template, and is no duration."""
    if isinstance(value, str) and not is_template(value):
        return _duration(value)
    if not _has_template(value):
        return None
    try:
        rendered = render(value, names, where="")
    except StepError as error:
        message = str(error).removeprefix(": ").lstrip(". ")
        return Preview(_PLACE.sub(_name_row, message, count=1), True)
    return Preview(_format(rendered), False)


def _name_row(place: re.Match[str]) -> str:
    """Where in a list something is amiss, as the rows beside it are counted."""
    return texts.text("builder.fault_row", number=int(place[1]) + 1)


def _has_template(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_template, value.values()))
    if isinstance(value, list):
        return any(map(_has_template, value))
    return is_template(value)


def _duration(value: str) -> Preview | None:
    if not value.startswith("P") or len(value) > 40:
        return None
    try:
        return Preview(timestamps.duration(parse_duration(value)), False)
    except ValueError:
        return None


def _loops(definition: editing.Draft, placed: LocatedStep | None) -> list[LocatedStep]:
    parents = [editing.find(definition, parent) for parent in (placed.parents if placed else ())]
    return [
        located
        for located in parents
        if (kind := STEP_TYPES.get(str(located.step.get("type")))) is not None and kind.body
    ]


def _first_item(step: Mapping[str, Any], names: Mapping[str, JSON]) -> JSON:
    config = step.get("config")
    collection = config.get("collection") if isinstance(config, Mapping) else None
    try:
        items = items_of(render(collection, names, where=""))
    except (StepError, TypeError):
        items = []
    item_names = names_of_item(items or [None], 0, names.get("loop"))
    if item_names["item"] is None:
        # What is not known is not offered.
        del item_names["item"]
    return item_names


def _of_step(placed: LocatedStep, outputs: Mapping[str, JSON]) -> Group:
    step = placed.step
    name = str(step.get("name"))
    base = f"steps[{_quote(name)}]"
    title = texts.text("offer.step", name=name)
    if (output := outputs.get(str(step.get("id")))) is not None:
        return Group(title, list(_offers(base, "", output)))
    kind = STEP_TYPES.get(str(step.get("type")))
    described = kind.outputs if kind is not None else {}
    return Group(title, [Suggestion(f"{{{{{base}.{key}}}}}", key, None) for key in described])


def _of_schema(definition: Mapping[str, Any]) -> Iterator[Suggestion]:
    trigger = definition.get("trigger")
    schema = trigger.get("inputSchema") if isinstance(trigger, Mapping) else None
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    for key in properties if isinstance(properties, Mapping) else ():
        path = _path("input", str(key))
        yield Suggestion(f"{{{{{path}}}}}", path, None)


def _offers(path: str, label: str, value: JSON, depth: int = 0) -> Iterator[Suggestion]:
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for key, item in list(value.items())[:_MAX_OFFERED]:
            named = _path(label, key) if label else key
            yield from _offers(_path(path, key), named, item, depth + 1)
        return
    if value is None and depth == 0:
        return
    if value == {} and depth == 0:
        return
    yield Suggestion(f"{{{{{path}}}}}", label or path, _format(value))
    if isinstance(value, list) and value and depth < _MAX_DEPTH and isinstance(value[0], dict):
        yield from _offers(f"{path}[0]", f"{label}[0]", value[0], depth + 1)


def _path(base: str, key: str) -> str:
    is_name = bool(key) and not key[0].isdigit() and all(letter in _NAME for letter in key)
    return f"{base}.{key}" if is_name else f"{base}[{_quote(key)}]"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\")
    if "'" not in escaped:
        return f"'{escaped}'"
    return '"{}"'.format(escaped.replace('"', '\\"'))


def _format(value: JSON) -> str:
    text = value if isinstance(value, str) else json.dumps(showable(value), ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
