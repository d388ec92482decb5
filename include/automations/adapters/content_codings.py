"""Decompresses answers in small pieces, so that a bomb cannot fill memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

ACCEPTED = "gzip, deflate"
"""What is asked for, and can be unpacked."""

_NONE = frozenset({"", "identity", "none", "binary", "8bit", "chunked", "utf-8", "utf8"})
"""What servers say of what is not packed: the last ones belong into other headers."""
_CHUNK_SIZE = 65_536
_GZIP, _ZLIB, _RAW = 31, 15, -15
"""How zlib is told the format: by the size of its window."""


class CodingError(ValueError):
    """How an answer is packed that cannot be unpacked."""


def coding_of(header: str) -> str | None:
    """The coding that a Content-Encoding names: ``gzip``, ``deflate``, or None when there is none.

    Raises:
        CodingError: it is another one, or there are several, each of which multiplies the size.
    """
    names = [name.strip().lower().removeprefix("x-") for name in header.split(",")]
    names = [name for name in names if name not in _NONE]
    if len(names) > 1:
        raise CodingError(f"has {len(names)} content codings; one at most is unpacked")
    if names and names[0] not in ("gzip", "deflate"):
        raise CodingError(f"has the content coding '{names[0][:50]}'; it may be gzip or deflate")
    return names[0] if names else None


def decompress(header: str, parts: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces of what is packed as a Content-Encoding says; nothing of nothing.

    Raises:
        CodingError: it cannot be unpacked, is broken, cut off, or followed by something else.
    """
    for first in parts:
        # Not before: the answer to a HEAD has the header alone.
        coding = coding_of(header)
        whole = chain([first], parts)
        return whole if coding is None else _pieces(coding, whole)
    return iter(())


def _pieces(coding: str, parts: Iterable[bytes]) -> Iterator[bytes]:
    stream, waiting, members = None, b"", 0
    for part in parts:
        waiting += part
        full = False
        while waiting or full:
            if stream is None:
                waiting = _behind_the_end(coding, waiting) if members else waiting
                if len(waiting) < 2:
                    break
                stream = zlib.decompressobj(_format(coding, waiting))
            try:
                piece = stream.decompress(waiting, _CHUNK_SIZE)
            except zlib.error as error:
                raise CodingError(f"is not the {coding} that it says to be") from error
            # A full piece may have left more of what it came from within the stream.
            waiting, full = stream.unconsumed_tail, len(piece) == _CHUNK_SIZE
            if stream.eof:
                waiting, full, stream = stream.unused_data, False, None
                members += 1
            yield piece
    if stream is not None or waiting:
        raise CodingError(f"is {coding}, and cut off")


def _behind_the_end(coding: str, waiting: bytes) -> bytes:
    """What comes behind a member that has ended: another one, or the zeros of a padding."""
    rest = waiting.lstrip(b"\0") if coding == "gzip" else waiting
    if rest and coding != "gzip":
        raise CodingError(f"is {coding}, and followed by something else")
    return rest


def _format(coding: str, begin: bytes) -> int:
    if coding == "gzip":
        return _GZIP
    # Some servers send deflate without the frame of zlib that the standard asks for.
    is_framed = begin[0] & 15 == 8 and (begin[0] << 8 | begin[1]) % 31 == 0
    return _ZLIB if is_framed else _RAW
