"""Limits how many bytes of request bodies are in memory at once, per sender and in total."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from automations.errors import TooManyRequests, Unavailable

MAX_HELD, MAX_HELD_OF_ONE = 256_000_000, 64_000_000
"""In one process: four of the largest bodies of one sender, with room left for others."""
MAX_HELD_OF_STRANGERS = 128_000_000
"""For all unauthenticated senders together: addresses are cheap, and members need room, too."""
_RETRY_AFTER = 5


class HeldBody:
    """The bytes in memory of one body; they count until they are released.

    Args:
        sender: a workspace, or the network of an unauthenticated sender.
        is_known: whether it is a workspace.
    """

    _lock: ClassVar = threading.Lock()
    _of: ClassVar[Counter[str]] = Counter()
    _of_strangers: ClassVar[Counter[str]] = Counter()

    def __init__(self, sender: str, *, is_known: bool) -> None:
        self._sender = sender
        self._counters = (self._of,) if is_known else (self._of, self._of_strangers)
        self._size = 0

    @classmethod
    def total_held(cls) -> int:
        """The bytes of all bodies in this process."""
        with cls._lock:
            return cls._of.total()

    @classmethod
    @contextmanager
    def holding(cls, workspace_id: str, size: int) -> Iterator[None]:
        """Count a workspace's body again, while it is read from where it was stored.

        Raises:
            TooManyRequests, Unavailable: as for ``grow``.
        """
        held = cls(workspace_id, is_known=True)
        try:
            held.grow(size)
            yield
        finally:
            held.release()

    def grow(self, size: int) -> None:
        """Count more bytes.

        Raises:
            TooManyRequests: the sender has reached its limit.
            Unavailable: all senders together, or all unauthenticated ones, have reached theirs.
        """
        with self._lock:
            if self._of[self._sender] + size > MAX_HELD_OF_ONE:
                raise TooManyRequests(_RETRY_AFTER)
            room = (MAX_HELD, MAX_HELD_OF_STRANGERS)
            if any(
                counter.total() + size > limit
                for counter, limit in zip(self._counters, room, strict=False)
            ):
                raise Unavailable("There are too many large bodies at once; try again.")
            for counter in self._counters:
                counter[self._sender] += size
            self._size += size

    def release(self) -> None:
        """Count nothing any more."""
        with self._lock:
            for counter in self._counters:
                counter[self._sender] -= self._size
                if not counter[self._sender]:
                    del counter[self._sender]
            self._size = 0
