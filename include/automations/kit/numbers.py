"""Parses numbers exactly as they were written, or not at all.

Whole numbers are kept at any length. Others are double precision, as they are in JavaScript and in
most senders: what that would change is refused.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

MAX_DIGITS = 4_000
"""Python reads no longer whole numbers, for the time that it takes."""
_ALWAYS_EXACT = 15
"""Digits that double precision has for any number."""
_MAX_DIGITS_OF_A_DOUBLE = 800
"""No double has more digits, written out."""
_WHOLE_ARE_EXACT = 2**53
"""Up to here each whole number is a double, too."""
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_WRITTEN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


class InexactNumber(ValueError):
    """A number would be changed by being kept."""

    def __init__(self, written: str) -> None:
        short = written if len(written) <= 60 else f"{written[:60]}…"
        super().__init__(f"holds the number {short}, which cannot be kept exactly")


class InexactText(ValueError):
    """A text is a number that would be changed by being kept."""

    def __init__(self) -> None:
        super().__init__("has more digits than can be kept; with decimals there may be 15")


def truncate(text: str) -> int | None:
    """The whole part of the number that a text is, exactly; None when it is no number."""
    text = text.strip()
    if len(text) > MAX_DIGITS or not _WRITTEN.fullmatch(text):
        return None
    return int(Decimal(text))


def parse_number(text: str) -> int | float | None:
    """The number that a person has typed, or a cell holds; None when it is no number.

    Raises:
        ValueError: it is one that cannot be kept exactly.
    """
    text = text.strip()
    if not _WRITTEN.fullmatch(text):
        return None
    if len(text) > MAX_DIGITS:
        raise InexactText
    if _WHOLE.fullmatch(text):
        return int(text)
    written, value = Decimal(text), float(text)
    if written == written.to_integral_value() and abs(written) < _WHOLE_ARE_EXACT:
        return int(written)
    if math.isinf(value) or Decimal(repr(value)) != written:
        raise InexactText
    return value


def parse_float(text: str) -> float:
    """A number of JSON that is not written as a whole one.

    Senders write doubles with fewer digits than they have, or with more: all that come to the same
    double are taken.

    Raises:
        InexactNumber: it is no double.
    """
    value = float(text)
    if len(text) <= _ALWAYS_EXACT and "e" not in text and "E" not in text:
        return value
    if math.isinf(value):
        raise InexactNumber(text)
    written = Decimal(text)
    if written == Decimal(repr(value)):
        return value
    digits = len("".join(map(str, written.as_tuple().digits)).rstrip("0"))
    if digits > _MAX_DIGITS_OF_A_DOUBLE or Decimal(f"{value:.{max(digits, 1) - 1}e}") != written:
        raise InexactNumber(text)
    return value
