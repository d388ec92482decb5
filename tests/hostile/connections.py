"""What a client may send before it is anybody: heads, pieces and requests without an end."""

from __future__ import annotations

_HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_PIECES = (
    b"POST /api/webhooks/x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
)

ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "one header": (_HEAD + b"X-A: ", b"a" * 4_000),
    "a header's name": (_HEAD, b"a" * 4_000),
    "many headers": (_HEAD, b"X-A: b\r\n" * 500),
    "folded headers": (_HEAD + b"X-A: b\r\n", b" b\r\n" * 1_000),
    "an address": (b"GET /", b"a" * 4_000),
    "a query": (b"GET /healthz?", b"a=b&" * 1_000),
    "a method": (b"", b"G" * 4_000),
    "blank lines": (b"", b"\r\n" * 2_000),
    "headers behind a body": (_PIECES + b"0\r\n", b"X-A: b\r\n" * 500),
    "a remark on a piece": (_PIECES + b"1;", b"a" * 4_000),
    "the length of a piece": (_PIECES, b"0" * 4_000),
    "requests that nobody waits for": (_HEAD + b"\r\n", (_HEAD + b"\r\n") * 100),
    "a request to upgrade": (
        _HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"a" * 4_000,
    ),
}
"""What it begins with, and what then comes again and again; each is cut off."""

SILENT: dict[str, bytes] = {
    "nothing": b"",
    "one letter": b"G",
    "half a head": _HEAD,
    "a head without its last line break": _HEAD + b"\r",
    "a request, and half of another one": _HEAD + b"\r\n" + _HEAD,
    "a body that nobody reads": (
        b"POST /api/workflows HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n{"
    ),
}
"""Each is ended, and what it is heard is a whole answer or none."""
