"""Parses JSON as it is sent: in any charset, refusing what could not be stored unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.message import Message
from typing import Any

import jiter
import pydantic_core

from automations.kit import declared_text
from automations.kit.numbers import MAX_DIGITS, parse_float
from automations.kit.storable import MAX_SENT_DEPTH, Unkept, storable
from automations.kit.values import JSON

_BOM = "\ufeff"
_MAY_LOSE = re.compile(rb"(?<![0-9])(?=[0-9.]{16})[0-9]++\.[0-9]|[0-9]{16}[eE]|[eE][-+]?[0-9]{3}")
"""What is in every text that has a number with more digits than any double, or out of its range.

Digits are looked through from the first of them only, and once: senders write millions of them.
"""

_CALLED_JSON = re.compile(
    r"[a-z]+/(?:x-)?json|[a-z]+/[\w.!#$&^+-]+\+json|application/csp-report", re.ASCII
)

MAX_INSIDE = 2_000_000
"""Lists and objects of one text: each takes twenty times the bytes that it is written with."""

_WORDS = ("NaN", "Infinity", "-Infinity")
"""What Python takes for JSON; by themselves they are words."""
_HALVES = ("lone leading surrogate in hex escape", "unexpected end of hex escape")


def decode(body: bytes, charset: str | None) -> str:
    """A text in the charset that it is declared to be in, without byte order marks.

    Args:
        charset: None when none is declared: then it is UTF-8, or UTF-16 or 32 if it looks so.

    Raises:
        ValueError: it is not; says so.
    """
    if charset is None:
        charset = json.detect_encoding(body).removesuffix("-sig")
    text = declared_text.decode(body, charset)
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


def is_json_type(media_type: str) -> bool:
    """Whether senders and services mean JSON by a type, in lower case and without parameters.

    Those that we take it from by ``is_json`` can be told to say it by its own name; others cannot.
    """
    return _CALLED_JSON.fullmatch(media_type) is not None


def parse_json(text: str, max_depth: int = MAX_SENT_DEPTH) -> JSON:
    """What a text in JSON says, exactly.

    Raises:
        ValueError: it is not JSON, or cannot be kept as it is; says what it is.
        NotStorable: the same, where the part that cannot be kept can be named.
    """
    try:
        body = text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error
    if body.count(b"[") + body.count(b"{") > MAX_INSIDE:
        raise ValueError(f"holds more than {MAX_INSIDE:,} lists and objects")
    try:
        # A key that comes twice is refused: readers differ in which of its values they take.
        value = jiter.from_json(
            body, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True
        )
    except ValueError as error:
        raise ValueError(_explain(str(error))) from error
    # Numbers that lose digits first: one that overflows is infinite by now.
    if _MAY_LOSE.search(body) is not None:
        for number in _fractions(jiter.from_json(body, float_mode="lossless-float")):
            parse_float(str(number))
    return storable(value, max_depth)


def parse_stored(text: str) -> JSON:
    """What a text says that a database has kept as JSON.

    Of what Python's own parser takes three times as long for, this one leaves it the rest: halves
    of a surrogate pair, and what is nested deep.
    """
    try:
        return pydantic_core.from_json(text, cache_strings="keys")
    except ValueError:
        return json.loads(text)


def parse_any(text: str) -> JSON:
    """What a text in JSON says; a text that is no JSON stands for itself.

    JSON never does, whatever values are in it: what comes out would be of another type.

    Raises:
        ValueError: it is JSON that cannot be kept as it is; says why.
    """
    try:
        return parse_json(text)
    except ValueError:
        if _is_json(text):
            raise
        return text


def _is_json(text: str) -> bool:
    if text.strip() in _WORDS:
        return False
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def parse_lenient(text: str) -> Any:
    """What a text in JSON says, with ``Unkept`` in place of what ``parse_json`` refuses.

    Texts with a NUL or half of a pair, and what is nested too deep, are in it as they are.

    Raises:
        ValueError: it is not JSON at all; says so.
    """
    if text.count("[") + text.count("{") > MAX_INSIDE:
        raise ValueError(f"holds more than {MAX_INSIDE:,} lists and objects")
    try:
        return json.loads(
            text,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=lambda name: Unkept(f"holds {name}, which JSON does not have"),
            object_pairs_hook=_object,
        )
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _integer(written: str) -> int | Unkept:
    if len(written) > MAX_DIGITS:
        return Unkept(f"holds a number of more than {MAX_DIGITS} digits")
    return int(written)


def _decimal(written: str) -> float | Unkept:
    try:
        return parse_float(written)
    except ValueError as error:
        return Unkept(str(error))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        result[key] = Unkept("is there twice in one object") if key in result else value
    return result


def _explain(problem: str) -> str:
    """What the parser says, in the words of what cannot be kept."""
    explanation, _, place = problem.partition(" at line ")
    if explanation.startswith("Detected duplicate key "):
        explanation = (
            f"holds {explanation.removeprefix('Detected duplicate key ')} twice in one object"
        )
    elif explanation in _HALVES:
        explanation = "holds half of a surrogate pair"
    elif explanation == "number out of range":
        explanation = f"holds a number of more than {MAX_DIGITS} digits"
    else:
        return f"is not valid JSON: {problem}"
    return f"{explanation}, at line {place}"


def _fractions(value: JSON) -> Iterator[jiter.LosslessFloat]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, jiter.LosslessFloat):
            yield item
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
