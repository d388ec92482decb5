"""JSON as senders write it: in any charset, and only what can be kept as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.message import Message

import jiter

from automations.kit import declared_text
from automations.kit.numbers import of_json
from automations.kit.storable import faults
from automations.kit.values import JSON, Errors

_BOM = "\ufeff"
_MAY_LOSE = re.compile(rb"(?=[0-9.]{16})[0-9]+\.[0-9]|[0-9]{16}[eE]|[eE][-+]?[0-9]{3}")
"""What is in every text that has a number with more digits than any double, or out of its range."""


def decoded(body: bytes, charset: str | None) -> str:
    """A text in the charset that it is declared to be in, without byte order marks.

    Args:
        charset: None when none is declared: then it is UTF-8, or UTF-16 or 32 if it looks so.

    Raises:
        ValueError: it is not; says so.
    """
    if charset is None:
        charset = json.detect_encoding(body).removesuffix("-sig")
    text = declared_text.decoded(body, charset)
    if text is None:
        raise ValueError(f"is not {'UTF-8' if charset == 'utf-8' else charset[:40]}")
    return text.lstrip(_BOM)


def is_json(content_type: str) -> bool:
    """Whether a body of this type is JSON: ``application/json``, or a type of it ending so."""
    message = Message()
    message["content-type"] = " ".join(content_type.splitlines())
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )


def parsed(text: str) -> JSON:
    """What a text in JSON says, exactly.

    Raises:
        ValueError: it is not JSON, or cannot be kept as it is; says what it is.
        NotKept: the same, where the part that cannot be kept can be named.
    """
    try:
        body = text.encode()
        # A key that comes twice is refused: readers differ in which of its values they take.
        value = jiter.from_json(
            body, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True
        )
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error
    except ValueError as error:
        raise ValueError(f"is not valid JSON: {error}") from error
    # Numbers that lose digits first: one that overflows is infinite by now.
    if _MAY_LOSE.search(body) is not None:
        for number in _fractions(jiter.from_json(body, float_mode="lossless-float")):
            of_json(str(number))
    wrong = faults(value, "")
    if wrong:
        raise NotKept(wrong)
    return value


class NotKept(ValueError):
    """A part of a value cannot be kept.

    Args:
        errors: what is wrong with it, by its path; ``body`` for the whole.
    """

    def __init__(self, errors: Errors) -> None:
        ((path, problems),) = errors.items()
        super().__init__(problems[0] if path == "body" else f"{problems[0]} ({path})")
        self.errors = errors


def _fractions(value: JSON) -> Iterator[jiter.LosslessFloat]:
    found = [value]
    while found:
        item = found.pop()
        if isinstance(item, jiter.LosslessFloat):
            yield item
        elif isinstance(item, dict):
            found.extend(item.values())
        elif isinstance(item, list):
            found.extend(item)
