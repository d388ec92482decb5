"""Parses multipart bodies as browsers, services and mail programs write them (RFC 2046)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MAX_HEADERS = 16_000
"""Bytes of a part's headers."""
# What stands behind a boundary: the end of all, or of a line, where programs leave blanks.
_BEHIND = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")


def parts(body: bytes, boundary: bytes) -> Iterator[tuple[list[tuple[bytes, bytes]], bytes]]:
    """The headers and the content of each part, in their order.

    Lines end as the first one does: RFC 2046 asks for CRLF, and some programs write LF.

    Raises:
        ValueError: it is no such body, or is cut off; says why.
    """
    mark = b"--" + boundary
    delimiter = _first(body, mark)
    newline = b"\r\n" if delimiter.group().endswith(b"\r\n") else b"\n"
    while not delimiter[1]:
        begin = delimiter.end()
        # A part may have no line at all: its end is that of the boundary before it.
        end, delimiter = _next(body, newline + mark, begin - len(newline))
        yield _part(body[begin : max(begin, end)], newline)


def _first(body: bytes, mark: bytes) -> re.Match[bytes]:
    """The end of the first boundary: what stands before it is for nobody."""
    start = body.find(mark)
    while start >= 0:
        match = _BEHIND.match(body, start + len(mark))
        if match is not None and (start == 0 or body[start - 1 : start] == b"\n"):
            return match
        start = body.find(mark, start + 1)
    raise ValueError("is not a valid form: the boundary of its content type is not in it")


def _next(body: bytes, delimiter: bytes, begin: int) -> tuple[int, re.Match[bytes]]:
    """Where the next boundary begins, with the end of the line before it, and how it ends."""
    start = body.find(delimiter, begin)
    while start >= 0:
        match = _BEHIND.match(body, start + len(delimiter))
        # Without the end of a line it is one that was cut off, unless it is the last one.
        if match is not None and (match[1] or match.group().endswith(b"\n")):
            return start, match
        start = body.find(delimiter, start + 1)
    raise ValueError("is a form that was cut off")


def _part(whole: bytes, newline: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    if not whole or whole.startswith(newline):
        return [], whole[len(newline) :]
    head, _, content = whole.partition(2 * newline)
    if len(head) > _MAX_HEADERS:
        raise ValueError(f"has a part whose headers are over {_MAX_HEADERS} bytes")
    headers: list[tuple[bytes, bytes]] = []
    for line in head.removesuffix(newline).split(newline):
        if line[:1] in (b" ", b"\t") and headers:
            # A long header may go on in the next line.
            name, value = headers[-1]
            headers[-1] = (name, value + b" " + line.strip())
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("is not a valid form: a header of a part has no colon")
        headers.append((name.strip().lower(), value.strip()))
    return headers, content
