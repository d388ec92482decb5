"""Checks a definition when it is saved: orders, ids and the names in its templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from functools import partial
from itertools import takewhile
from operator import eq
from typing import Any

from pydantic import BaseModel, ValidationError

from automations.definitions.field_errors import add_error, field_errors
from automations.definitions.flow_control import FlowControl
from automations.definitions.model import (
    DEFINITION,
    MAX_STEPS,
    Definition,
    enabled_steps,
    nested_lists,
    walk,
)
from automations.definitions.triggers import (
    BY_EVENTS,
    CONTEXT_VARIABLES,
    FormSubmission,
    Trigger,
    WebhookTrigger,
)
from automations.domain import error_kinds
from automations.domain.fields import Verbatim, is_template, parse_duration
from automations.domain.secret_templates import secrets_named
from automations.domain.templating import names_in, size_of
from automations.kit.storable import faults
from automations.kit.values import JSON, Errors
from automations.steps.registry import STEP_TYPES

ROOTS = CONTEXT_VARIABLES | {
    "trigger", "submission", "input", "variables", "steps", "run", "workflow", "callback", "now",
    "secret",
}  # fmt: skip
AT_START = CONTEXT_VARIABLES | {"trigger", "submission", "input", "variables"}
"""What is known before there is a run."""

_SECRET = frozenset({"secret"})

IN_BODY = frozenset({"loop"})
"""What is known in the body of a loop only."""

OF_LOOPS = ("item", "index", "first", "last", "parent")
"""What ``loop.…`` has."""

MAX_PARTS = 20_000
"""Names, signs and values in all templates of one automation: a third of a second to read."""
_EXPRESSIONS = ("expression",)


def parse(payload: Any) -> tuple[Definition | None, Errors]:
    """A definition from a payload, or what is wrong with it by field."""
    # Before anything goes through it: by whatever door it came, it is to be stored and published.
    if problems := faults(payload, ""):
        return None, problems
    try:
        definition = DEFINITION.validate_python(payload)
    except ValidationError as error:
        return None, field_errors(error, payload)
    return definition, check(definition)


def check(definition: Definition) -> Errors:
    """What is wrong with a definition that has the right form."""
    errors: Errors = {}
    places = list(walk(definition.steps))
    # Not in the model: a version that was stored with more still runs.
    if len(places) > MAX_STEPS:
        return {"steps": [too_many_steps(len(places))]}
    _check_blank(definition, errors)
    if definition.form_id is not None:
        _check_form(definition.form_id, definition.trigger, errors)
    _check_orders(definition.steps, "steps", errors)
    ids = Counter(step.id for _, step in places)
    for path, step in places:
        if ids[step.id] > 1:
            add_error(errors, f"{path}.id", f"'{step.id}' is the id of another step, too")
    names = Counter(step.name for _, step in places)
    templates = _Templates(names, errors)
    templates.check_steps(definition.steps, "steps", set(), ROOTS)
    for path, step in places:
        _check_waits(step, path, errors)
        _check_retry(step, path, errors)
        _check_durations(step, path, errors)
        if definition.budget is not None and step.type == "ai" and step.config.max_tokens is None:
            add_error(errors, f"{path}.config.maxTokens", "is required, since there is a budget")
    for field, info in FlowControl.model_fields.items():
        limit = getattr(definition, field)
        if limit is not None and limit.key is not None:
            templates.check(limit.key, f"{info.alias}.key", set(), AT_START)
    if definition.debounce is not None:
        _check_debounce(definition.trigger, errors)
    return errors


def too_many_steps(count: int) -> str:
    """What is said of an automation with more steps than one may have."""
    return f"are {count} with those inside of others: {MAX_STEPS} at most"


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


def _check_retry(step: Any, path: str, errors: Errors) -> None:
    if step.retry is None:
        return
    for index, kind in enumerate(step.retry.on):
        if fault := error_kinds.fault_of(kind):
            add_error(errors, f"{path}.retry.on.{index}", fault)
    delays = {"delay": step.retry.delay, "max_delay": step.retry.max_delay}
    if delays.keys() <= step.retry.model_fields_set and not any(map(is_template, delays.values())):
        delay, longest = map(parse_duration, delays.values())
        if delay > longest:
            add_error(errors, f"{path}.retry.maxDelay", "must not be shorter than delay")


def _check_durations(step: Any, path: str, errors: Errors) -> None:
    """What holds for a step whatever its run was given: its task is made before any run is."""
    durations = {"timeout": step.timeout}
    if step.retry is not None:
        durations |= {"retry.delay": step.retry.delay, "retry.maxDelay": step.retry.max_delay}
    for field, value in durations.items():
        if is_template(value):
            add_error(errors, f"{path}.{field}", "must not be a template: no run is there yet")


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


class _Templates:
    """The templates of a definition, of which each is checked with what is known at its place.

    Args:
        names: how many steps have each name.
    """

    def __init__(self, names: Counter[str], errors: Errors) -> None:
        self._names = names
        self._errors = errors
        self._parts = 0

    def check_steps(
        self, steps: list[Any], path: str, known_names: set[str], roots: Set[str], loops: int = 0
    ) -> set[str]:
        """Walk in the order of running; returns what is known after the list.

        Args:
            loops: in how many loops the steps stand.
        """
        places = {id(step): f"{path}.{index}" for index, step in enumerate(steps)}
        for step in enabled_steps(steps):
            step_path = places[id(step)]
            own = step.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
            for name in _verbatim(step.config):
                own.pop(name, None)
            nested = list(nested_lists(step))
            for _, field, _ in nested:
                own.pop(field.removeprefix("config."), None)
            usable = roots - _SECRET if STEP_TYPES[step.type].keeps else roots
            for where, text in _texts(own, f"{step_path}.config"):
                self.check(text, where, known_names, usable, loops)
            before, known_names = known_names, known_names | {step.id, step.name}
            after = known_names
            body = STEP_TYPES[step.type].body
            for name, field, inner in nested:
                place = f"{step_path}.{field}"
                if name in body:
                    self.check_steps(inner, place, before, roots | IN_BODY, loops + 1)
                else:
                    after = after | self.check_steps(inner, place, known_names, roots, loops)
            known_names = after
        return known_names

    def check(
        self, text: str, path: str, known_names: Set[str], roots: Set[str], loops: int = 0
    ) -> None:
        """Check one text."""
        if self._parts > MAX_PARTS:
            return
        try:
            names = names_in(text)
            secrets_named(text)
            self._parts += size_of(text)
        except ValueError as error:
            add_error(self._errors, path, str(error))
            return
        if self._parts > MAX_PARTS:
            problem = f"the automation's templates have more than {MAX_PARTS} parts together"
            add_error(self._errors, path, problem)
        for name in sorted({root for root, *_ in names} - roots):
            problem = f"unknown name '{name}'; known are {', '.join(sorted(roots))}"
            if name in _SECRET and roots > AT_START:
                problem = "may name no secret: what it says is kept, and members read it"
            add_error(self._errors, path, problem)
        for _, *rest in sorted(name for name in names if name[0] == "loop" and loops):
            around = len(list(takewhile(partial(eq, "parent"), rest)))
            if around >= loops:
                add_error(self._errors, path, "loop.parent: there is no loop around that one")
            elif rest[around:] and rest[around] not in OF_LOOPS:
                problem = f"a loop has no '{rest[around]}', but {', '.join(OF_LOOPS)}"
                add_error(self._errors, path, problem)
        for name in sorted({rest[0] for root, *rest in names if root == "steps" and rest}):
            if name not in known_names:
                add_error(self._errors, path, f"there is no step '{name}' before this one")
            elif self._names[name] > 1:
                problem = f"several steps are named '{name}'; use the step's id"
                add_error(self._errors, path, problem)


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
