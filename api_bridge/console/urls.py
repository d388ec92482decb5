"""Builds addresses within the console, and refuses others to redirect to."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

ROOT = "/console"
HOME = f"{ROOT}/workflows"
SIGN_IN = f"{ROOT}/sign-in"

# No second slash or backslash at the beginning, which browsers read as a host; and no control
# characters.
_OWN = re.compile(r"/console(?:[/?][!-\[\]-~]*)?", re.ASCII)
_MAX_LENGTH = 1_000


def safe(address: str | None) -> str:
    """An address to lead on to, if it is one of the console's; else its first page."""
    if address is None or len(address) > _MAX_LENGTH or not _OWN.fullmatch(address):
        return HOME
    path = address.partition("?")[0]
    # Browsers go up by these, also where their dots are written as %2e.
    if "//" in path or not {".", ".."}.isdisjoint(unquote(path).split("/")):
        return HOME
    return address


def build(path: str, query: str) -> str:
    """The address of a page, as it stands in a link."""
    return f"{path}?{query}" if query else path


def sign_in(then: str) -> str:
    """The address of the sign-in, from where it goes on to another page."""
    return f"{SIGN_IN}?next={quote(safe(then), safe='')}"
