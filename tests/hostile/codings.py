"""Answers that are packed to grow, to end early, or to be taken for what they are not."""

from __future__ import annotations

import gzip
import zlib

TEXT = b"what the service has to say, " * 40
_PACKED = gzip.compress(TEXT)


def _deflated(content: bytes, window: int = -15) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(content) + packer.flush()


def _nested(times: int) -> bytes:
    content = b"\0" * 1_000_000
    for _ in range(times):
        content = gzip.compress(content)
    return content


TAKEN: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", _PACKED),
    "gzip in capitals": (" GZip ", _PACKED),
    "gzip by its old name": ("x-gzip", _PACKED),
    "gzip after nothing": ("identity, gzip", _PACKED),
    "members of gzip": ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    "members that are empty": ("gzip", gzip.compress(b"") * 500 + _PACKED + gzip.compress(b"")),
    "gzip with a padding": ("gzip", _PACKED + b"\0" * 600),
    "gzip that was not compressed": ("gzip", gzip.compress(TEXT, 0)),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "deflate without its frame": ("deflate", _deflated(TEXT)),
    "nothing": ("identity", TEXT),
    "no name": ("", TEXT),
    "only commas": (" , ,", TEXT),
    "none by its name": ("none", TEXT),
    "a charset": ("UTF-8", TEXT),
    "a transfer coding": ("chunked, gzip", _PACKED),
}
"""Unpacked, each is the text."""

REFUSED: dict[str, tuple[str, bytes]] = {
    "two codings": ("gzip, gzip", _nested(2)),
    "three codings": ("gzip, gzip, gzip", _nested(3)),
    "two codings of two kinds": ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
    "brotli": ("br", b"\x0b\x02\x80hello\x03"),
    "zstandard": ("zstd", b"\x28\xb5\x2f\xfd\x04\x00\x29\x00\x00hello"),
    "a coding of nobody's": ("rot13", TEXT),
    "gzip that is none": ("gzip", TEXT),
    "gzip that is cut": ("gzip", _PACKED[:-20]),
    "gzip without its sum": ("gzip", _PACKED[:-8]),
    "gzip without its last byte": ("gzip", _PACKED[:-1]),
    "one byte": ("gzip", b"\x1f"),
    "a header of gzip": ("gzip", _PACKED[:10]),
    "gzip with a wrong sum": ("gzip", _PACKED[:-8] + b"\0\0\0\0" + _PACKED[-4:]),
    "gzip with a wrong length": ("gzip", _PACKED[:-4] + b"\1\0\0\0"),
    "gzip and something else": ("gzip", _PACKED + b"<script>"),
    "a second member that is cut": ("gzip", _PACKED + _PACKED[:-9]),
    "deflate that is none": ("deflate", b"\xff" * 100),
    "deflate that is cut": ("deflate", zlib.compress(TEXT)[:-5]),
    "bare deflate that is cut": ("deflate", _deflated(TEXT)[:-2]),
    "deflate and something else": ("deflate", zlib.compress(TEXT) + b"more"),
    "a dictionary of somebody's": ("deflate", b"\x78\xbb\0\0\0\1" + _deflated(TEXT)),
}
"""Cannot be unpacked."""

BOMBS: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(b"\0" * 20_000_000)),
    "deflate": ("deflate", zlib.compress(b"\0" * 20_000_000)),
    "members": ("gzip", gzip.compress(b"\0" * 90_000) * 500),
    "members of nothing": ("gzip", gzip.compress(b"") * 20_000),
    "blocks of nothing": ("deflate", b"\0\0\0\xff\xff" * 100_000),
}
"""Grow beyond 100,000 bytes, or take no end."""
