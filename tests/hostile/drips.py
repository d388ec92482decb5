"""Answers of services that come a little now and then, so that no single silence is too long."""

from __future__ import annotations

import gzip

_BEGUN = b"HTTP/1.1 200 OK\r\n"
_GZIP = _BEGUN + b"Content-Encoding: gzip\r\n\r\n"
_CHUNKED = _BEGUN + b"Transfer-Encoding: chunked\r\n\r\n"
_NAMED = b"\x1f\x8b\x08\x08\0\0\0\0\0\0"
"""The header of a member of gzip, which is followed by a name."""

HTTP: dict[str, tuple[bytes, bytes]] = {
    "a status line": (b"HTTP/1.1 200 ", b"b"),
    "headers": (_BEGUN, b"X-A: b\r\n"),
    "one header": (_BEGUN + b"X-A: ", b"b"),
    "answers before the answer": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "asked to go on": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n", b"X-A: b\r\n"),
    "a body": (_BEGUN + b"\r\n", b" "),
    "a refusal": (b"HTTP/1.1 500 No\r\n\r\n", b" "),
    "the size of a piece": (_CHUNKED, b"0"),
    "an extension of a piece": (_CHUNKED + b"1;", b"a"),
    "pieces": (_CHUNKED, b"1\r\n \r\n"),
    "trailers": (_CHUNKED + b"1\r\na\r\n0\r\n", b"X-A: b\r\n"),
    "members of gzip with nothing in them": (_GZIP, gzip.compress(b"")),
    "a name in gzip": (_GZIP + _NAMED, b"n"),
    "a padding of gzip": (_GZIP + gzip.compress(b"{}"), b"\0"),
}
"""What comes first, and what comes now and then."""

SMTP: dict[str, tuple[bytes, bytes]] = {
    "a letter of a greeting": (b"220 ", b"h"),
    "no greeting at all": (b"", b"x"),
    "lines of a greeting": (b"", b"220-hello\r\n"),
    "a letter of what it can": (b"220 hi\r\n250-", b"x"),
    "lines of what it can": (b"220 hi\r\n", b"250-more\r\n"),
    "a letter of a refusal": (b"220 hi\r\n250 ok\r\n5", b"5"),
}
