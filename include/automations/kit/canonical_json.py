"""JSON in one canonical form, whose hash shows whether a value was changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_MARK_LENGTH = 16


def canonical(value: Any) -> bytes:
    """The one way a JSON value is written for hashing: sorted keys, no blanks, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sha256_of(value: Any) -> str:
    """The hash of a JSON value's canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def mark_of(value: Any) -> str:
    """What tells a JSON value from another one in a form, without repeating it."""
    return sha256_of(value)[:_MARK_LENGTH]
