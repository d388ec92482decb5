"""Checks of a definition when it is saved: orders, ids and the names in its templates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Set
from typing import Any

import minijinja
from pydantic import BaseModel, ValidationError

from automations.definitions.field_errors import add_error, field_errors
from automations.definitions.flow_control import FlowControl
from automations.definitions.model import (
    DEFINITION,
    Definition,
    nested_lists,
    ordered,
    walk,
)
from automations.definitions.triggers import (
    BY_EVENTS,
    CONTEXT_VARIABLES,
    FormSubmission,
    Trigger,
    WebhookTrigger,
)
from automations.domain.fields import Verbatim, is_template
from automations.domain.secret_templates import secrets_named
from automations.domain.templating import undeclared
from automations.kit.values import JSON, Errors
from automations.steps.registry import STEP_TYPES

ROOTS = CONTEXT_VARIABLES | {
    "trigger", "submission", "input", "variables", "steps", "run", "workflow", "callback", "now",
    "secret",
}  # fmt: skip
AT_START = CONTEXT_VARIABLES | {"trigger", "submission", "input", "variables"}
"""What is known before there is a run."""

IN_BODY = frozenset({"loop"})
"""What is known in the body of a loop only."""

_BRACKET = re.compile(r"""\bsteps\s*\[\s*(["'])(.*?)\1\s*\]""")
_EXPRESSIONS = ("expression",)


def parse(payload: Any) -> tuple[Definition | None, Errors]:
    """A definition from a payload, or what is wrong with it by field."""
    try:
        definition = DEFINITION.validate_python(payload)
    except ValidationError as error:
        return None, field_errors(error, payload)
    return definition, check(definition)


def check(definition: Definition) -> Errors:
    """What is wrong with a definition that has the right form."""
    errors: Errors = {}
    _check_blank(definition, errors)
    if definition.form_id is not None:
        _check_form(definition.form_id, definition.trigger, errors)
    _check_orders(definition.steps, "steps", errors)
    places = list(walk(definition.steps))
    ids = Counter(step.id for _, step in places)
    for path, step in places:
        if ids[step.id] > 1:
            add_error(errors, f"{path}.id", f"'{step.id}' is the id of another step, too")
    names = Counter(step.name for _, step in places)
    _check_names(definition.steps, "steps", set(), names, errors, ROOTS)
    for path, step in places:
        _check_waits(step, path, errors)
        if definition.budget is not None and step.type == "ai" and step.config.max_tokens is None:
            add_error(errors, f"{path}.config.maxTokens", "is required, since there is a budget")
    for field, info in FlowControl.model_fields.items():
        limit = getattr(definition, field)
        if limit is not None and limit.key is not None:
            _check_text(limit.key, f"{info.alias}.key", set(), names, errors, AT_START)
    if definition.debounce is not None:
        _check_debounce(definition.trigger, errors)
    return errors


def _check_blank(definition: Definition, errors: Errors) -> None:
    # Not in the model: a version that was stored with such a name still runs.
    named = [("name", definition.name)]
    named += [(f"{path}.name", step.name) for path, step in walk(definition.steps)]
    for path, name in named:
        if not name.strip():
            add_error(errors, path, "must not be empty")


def _check_form(form_id: str, trigger: Trigger, errors: Errors) -> None:
    if not isinstance(trigger, FormSubmission):
        add_error(errors, "formId", f"is for a form_submission trigger, not '{trigger.type}'")
    elif trigger.form_id != form_id:
        add_error(errors, "formId", "is another form than the trigger's")


def _check_debounce(trigger: Trigger, errors: Errors) -> None:
    if trigger.type not in BY_EVENTS:
        kinds = ", ".join(BY_EVENTS)
        add_error(errors, "debounce", f"needs a trigger by events ({kinds}), not '{trigger.type}'")
    elif isinstance(trigger, WebhookTrigger) and trigger.respond == "result":
        add_error(errors, "debounce", "cannot be used with the webhook's respond 'result'")


def _check_orders(steps: list[Any], path: str, errors: Errors) -> None:
    seen: set[int] = set()
    for index, step in enumerate(steps):
        if step.order in seen:
            add_error(errors, f"{path}.{index}.order", f"{step.order} is another step's order, too")
        seen.add(step.order)
        for _, field, nested in nested_lists(step):
            _check_orders(nested, f"{path}.{index}.{field}", errors)


def _check_waits(step: Any, path: str, errors: Errors) -> None:
    """A loop that waits does one item at a time."""
    if getattr(step.config, "concurrency", 1) == 1:
        return
    for _, body, nested in _bodies(step):
        for _, inner in walk(nested, body):
            if inner.may_wait():
                add_error(
                    errors,
                    f"{path}.config.concurrency",
                    f"must be 1, since step '{inner.name}' in the loop waits",
                )


def _bodies(step: Any) -> list[tuple[str, str, list[Any]]]:
    body = STEP_TYPES[step.type].body
    return [entry for entry in nested_lists(step) if entry[0] in body]


def _check_names(
    steps: list[Any],
    path: str,
    known: set[str],
    names: Counter[str],
    errors: Errors,
    roots: Set[str],
) -> set[str]:
    """Walk in the order of running; returns what is known after the list."""
    places = {id(step): f"{path}.{index}" for index, step in enumerate(steps)}
    for step in ordered(steps):
        here = places[id(step)]
        own = step.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for name in _verbatim(step.config):
            own.pop(name, None)
        nested = list(nested_lists(step))
        for _, field, _ in nested:
            own.pop(field.removeprefix("config."), None)
        for where, text in _texts(own, f"{here}.config"):
            _check_text(text, where, known, names, errors, roots)
        before, known = known, known | {step.id, step.name}
        after = known
        body = STEP_TYPES[step.type].body
        for name, field, inner in nested:
            place = f"{here}.{field}"
            if name in body:
                _check_names(inner, place, before, names, errors, roots | IN_BODY)
            else:
                after = after | _check_names(inner, place, known, names, errors, roots)
        known = after
    return known


def _verbatim(config: BaseModel) -> list[str]:
    return [
        info.alias or name
        for name, info in type(config).model_fields.items()
        if any(isinstance(mark, Verbatim) for mark in info.metadata)
    ]


def _texts(value: JSON, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _EXPRESSIONS and isinstance(item, str) and not is_template(item):
                yield f"{path}.{key}", "{{" + item + "}}"
            else:
                yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}.{index}")
    elif is_template(value):
        yield path, str(value)


def _check_text(
    text: str,
    path: str,
    known: set[str],
    names: Counter[str],
    errors: Errors,
    roots: Set[str],
) -> None:
    try:
        used = undeclared(text)
        secrets_named(text)
    except ValueError as error:
        add_error(errors, path, str(error))
        return
    except minijinja.TemplateError as error:
        add_error(errors, path, f"is not a valid template: {str(error).splitlines()[0]}")
        return
    for name in sorted({dotted.partition(".")[0] for dotted in used} - roots):
        add_error(errors, path, f"unknown name '{name}'; known are {', '.join(sorted(roots))}")
    wanted = {dotted.split(".")[1] for dotted in used if dotted.startswith("steps.")}
    wanted |= {found.group(2) for found in _BRACKET.finditer(text)}
    for name in sorted(wanted):
        if name not in known:
            add_error(errors, path, f"there is no step '{name}' before this one")
        elif names[name] > 1:
            add_error(errors, path, f"several steps are named '{name}'; use the step's id")
