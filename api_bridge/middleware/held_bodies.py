"""How many bytes of bodies are held at once, of each sender and of all together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from automations.errors import TooManyRequests, Unavailable

MAX_HELD, MAX_HELD_OF_ONE = 256_000_000, 64_000_000
"""In one process. Four of the largest bodies of one sender; the others' have room beside them."""
MAX_HELD_OF_STRANGERS = 128_000_000
"""Of all whom nobody knows: addresses are cheap, and the members have room beside them."""
_RETRY_AFTER = 5


class HeldBody:
    """What is held of one body; it counts until it is let go.

    Args:
        sender: a workspace, or the address of whom nobody knows.
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
        """How many bytes all together have here now."""
        with cls._lock:
            return cls._of.total()

    @classmethod
    @contextmanager
    def holding(cls, workspace_id: str, size: int) -> Iterator[None]:
        """Hold what was a body of a workspace's before, while it is read once more.

        Raises:
            TooManyRequests, Unavailable: as for ``more``.
        """
        held = cls(workspace_id, is_known=True)
        try:
            held.grow(size)
            yield
        finally:
            held.release()

    def grow(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            TooManyRequests: the sender has so many bodies here already.
            Unavailable: all senders together have, or all whom nobody knows.
        """
        with self._lock:
            if self._of[self._sender] + size > MAX_HELD_OF_ONE:
                raise TooManyRequests(_RETRY_AFTER)
            room = (MAX_HELD, MAX_HELD_OF_STRANGERS)
            if any(
                counter.total() + size > most
                for counter, most in zip(self._counters, room, strict=False)
            ):
                raise Unavailable("There are too many large bodies at once; try again.")
            for counter in self._counters:
                counter[self._sender] += size
            self._size += size

    def release(self) -> None:
        """Hold nothing any more."""
        with self._lock:
            for counter in self._counters:
                counter[self._sender] -= self._size
                if not counter[self._sender]:
                    del counter[self._sender]
            self._size = 0
