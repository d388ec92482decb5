"""The mark that a page puts into its forms: what a page sends twice is one request.

It follows the token that every form of the console holds. Two pages never have the same, so the
same inputs from another page are another request; other inputs from the same page are, too.
"""

from __future__ import annotations

import re
import secrets

from automations.kit.form_bodies import MULTIPART, URLENCODED, media_type
from automations.kit.header_parameters import parameter

FIELD = "csrf"
"""The input that holds the token and the mark."""
SEPARATOR = "."
_BYTES = 9
_VALUE = rb"[\w-]{20,200}\.[\w-]{12}"
_PATTERNS = {
    URLENCODED: re.compile(rb"(?:^|&)%s=%s(?:&|$)" % (FIELD.encode(), _VALUE)),
    MULTIPART: re.compile(rb'; name="%s"\r\n\r\n%s\r\n' % (FIELD.encode(), _VALUE)),
}


def new() -> str:
    """The mark of one page."""
    return secrets.token_urlsafe(_BYTES)


def marked(content_type: str, body: bytes) -> bytes | None:
    """What tells a form that a page has sent from all others; None when it has no mark."""
    kind = media_type(content_type)
    pattern = _PATTERNS.get(kind)
    if pattern is None or pattern.search(body) is None:
        return None
    if kind == URLENCODED:
        return body
    # A browser makes up another boundary whenever it sends a form.
    boundary = _boundary(content_type)
    return body.replace(boundary, b"") if boundary else body


def _boundary(content_type: str) -> bytes:
    try:
        return (parameter(content_type, "boundary") or "").encode()
    except ValueError:
        return b""
