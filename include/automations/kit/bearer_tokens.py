"""Tokens that go behind ``Bearer`` in a header."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_SIGNS = re.compile("[!-~]+")


def is_token(text: str) -> bool:
    """Whether a header can hold it behind ``Bearer``."""
    return _SIGNS.fullmatch(text) is not None


def _check(value: str) -> str:
    if not is_token(value):
        # With a line break behind it, as many are pasted, no request can be sent.
        raise ValueError("must be printable ASCII without blanks and line breaks")
    return value


BearerToken = Annotated[str, AfterValidator(_check)]
