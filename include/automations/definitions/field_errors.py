"""The errors of a definition, by field and in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from automations.definitions.model import STEP_MODELS
from automations.definitions.triggers import TRIGGER_TYPES
from automations.kit.ids import PATTERN
from automations.kit.values import Errors

MAX_FAULTS = 1_000
"""That are read: each takes a thousand times the bytes that somebody has sent for it."""


def too_many_message(error: ValidationError) -> str:
    """What is said of a payload with more faults."""
    return f"has {error.error_count()} faults, which are too many to be named"


def field_errors(error: ValidationError, payload: Any, prefix: str = "") -> Errors:
    """Pydantic's errors by the path of the field, in words for people."""
    if error.error_count() > MAX_FAULTS:
        return {prefix.rstrip(".") or "body": [too_many_message(error)]}
    errors: Errors = {}
    for item in _of_what_is_written(error.errors(include_url=False)):
        path = prefix + ".".join(_path(item["loc"], payload))
        if item["type"].startswith("union_tag"):
            path += ".type"
        add_error(errors, as_written(path, payload) or "body", describe(item))
    return errors


def _of_what_is_written(problems: Sequence[Any]) -> Iterator[Any]:
    """The errors of fields that are a word or a list, without those of what is not written."""
    words = {item["loc"][:-1] for item in problems if _ends_with(item, "literal[")}
    for item in problems:
        other = "literal[" if isinstance(item["input"], list) else "list["
        if not (item["loc"][:-1] in words and _ends_with(item, other)):
            yield item


def _ends_with(item: Any, mark: str) -> bool:
    return any(str(part).startswith(mark) for part in item["loc"][-1:])


_WRITE_QUOTES = ": write the value in quotes"
_OR_A_TEMPLATE = "must be of the documented type"
_MUST_BE = "must be "


def format_errors(error: ValidationError, rendered: Any, prefix: str = "config.") -> str:
    """What is wrong with a step's config whose templates have been rendered, as one text."""
    problems = field_errors(error, rendered, prefix)
    return "; ".join(
        f"{path.rstrip('.')}: {_of_rendered(messages)}" for path, messages in problems.items()
    )


def _of_rendered(messages: list[str]) -> str:
    """One field's errors, without what is of use to who writes it only."""
    texts = [message for message in messages if message.endswith(_WRITE_QUOTES)]
    templates = [message for message in messages if message.startswith(_OR_A_TEMPLATE)]
    others = [message for message in messages if message not in (*texts, *templates)]
    messages_left = others or [
        message.removesuffix(_WRITE_QUOTES) for message in (*texts, *templates)
    ]
    if all(message.startswith(_MUST_BE) for message in messages_left):
        return _MUST_BE + " or ".join(message.removeprefix(_MUST_BE) for message in messages_left)
    return ", or ".join(messages_left)


def as_written(path: str, payload: Any) -> str:
    """A trigger's field where the client has written it: below ``config``, or not."""
    head, _, field = path.partition(".")
    if head != "trigger" or not isinstance(payload, dict):
        return path
    trigger = payload.get(head)
    if trigger is None and field == "formId":
        return field
    nested = isinstance(trigger, dict) and isinstance(trigger.get("config"), dict)
    return f"trigger.config.{field}" if nested and field not in ("", "type") else path


def _path(loc: tuple[int | str, ...], payload: Any) -> Iterator[str]:
    """The location without pydantic's own marks for unions and discriminators."""
    value = payload
    for position, part in enumerate(loc):
        try:
            value = value[part]
        except (LookupError, TypeError):
            if position < len(loc) - 1 or _is_mark(str(part)):
                continue
        yield str(part)


def _is_mark(part: str) -> bool:
    marks = ("list[", "dict[", "function-", "literal[", "constrained")
    # Fields begin with a small letter, classes with a capital one.
    typed = part in ("str", "int", "float") or part[:1].isupper()
    return typed or part.startswith(marks) or part in STEP_MODELS or part in TRIGGER_TYPES


_IN_WORDS = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "union_tag_not_found": "type is required",
    "timezone_aware": "must have an offset, such as Z or +01:00",
    **dict.fromkeys(
        ("datetime_parsing", "datetime_from_date_parsing"),
        "must be an instant such as 2026-03-01T12:00:00Z",
    ),
}


_SHOULD = "Input should be "


def describe(item: Any) -> str:
    """One of pydantic's errors for people who have never heard of it."""
    kind, context = item["type"], item.get("ctx", {})
    match kind:
        case "union_tag_invalid":
            return f"unknown type '{context['tag']}'; known are {context['expected_tags']}"
        case "value_error":
            return str(context["error"])
        case "string_type" if isinstance(item["input"], int | float):
            return "must be a text: write the value in quotes"
        case "string_pattern_mismatch" if context["pattern"] == PATTERN:
            return "must be an id, such as those in answers"
        case "string_pattern_mismatch":
            return f"must match the pattern {context['pattern']}"
        case "string_too_short" | "too_short" if context["min_length"] == 1:
            return "must not be empty"
        case "string_too_short":
            return f"must have {context['min_length']} characters at least"
        case "too_short":
            return f"must have {context['min_length']} items at least"
        case "string_too_long":
            return f"may have {context['max_length']} characters at most"
        case "too_long":
            return f"may have {context['max_length']} items at most"
    message = _IN_WORDS.get(kind) or str(item["msg"])
    if message.startswith(_SHOULD):
        return f"must be {message.removeprefix(_SHOULD)}"
    return message[:1].lower() + message[1:]


def add_error(errors: Errors, path: str, message: str) -> None:
    """Note what is wrong with a field, once."""
    messages = errors.setdefault(path, [])
    if message not in messages:
        messages.append(message)
