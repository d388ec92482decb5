"""The headers that a request may have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from automations.domain.fields import is_template

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te"})
_PRINTABLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def is_printable(text: str) -> bool:
    """Whether a header can hold a text."""
    return _PRINTABLE.fullmatch(text) is not None


def check_headers(headers: Mapping[str, str], *, rendered: bool = True) -> None:
    """ValueError when headers cannot be set.

    Args:
        rendered: whether what looks like a template is none.
    """
    names: set[str] = set()
    for name, text in headers.items():
        check_header(name, text, rendered=rendered)
        if name.lower() in names:
            raise ValueError(f"header '{name}' is given twice: upper and lower case are one")
        names.add(name.lower())


def check_header(name: str, text: str, *, rendered: bool = True) -> None:
    """ValueError when a header cannot be set."""
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        raise ValueError(f"header '{name}' cannot be set")
    if re.search(r"[\r\n\0]", text):
        raise ValueError(f"header '{name}' must be one line")
    if text and not is_printable(text) and (rendered or not is_template(text)):
        raise ValueError(
            f"header '{name}' must be printable ASCII, with no blank at either end; encode what "
            "it is to hold as the service asks for, such as by urlencode"
        )
