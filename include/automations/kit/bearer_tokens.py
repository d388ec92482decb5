"""Tokens that go behind ``Bearer`` in a header."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_SIGNS = re.compile("[!-~]+")


def _is_token(value: str) -> str:
    if not _SIGNS.fullmatch(value):
        # With a line break behind it, as many are pasted, no request can be sent.
        raise ValueError("must be printable ASCII without blanks and line breaks")
    return value


BearerToken = Annotated[str, AfterValidator(_is_token)]
