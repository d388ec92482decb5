"""A semaphore of an event loop of which no workspace may hold all places.

Whoever finds no place waits for one; see ``permits`` for what is refused instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class FairSemaphore:
    """Places of one kind.

    Args:
        limit: of all, one at least.
        per_key: of each workspace, or of what stands for one.
    """

    def __init__(self, limit: int, *, per_key: int) -> None:
        self._all = asyncio.Semaphore(max(1, limit))
        self._per_key = max(1, per_key)
        self._each: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it within the block."""
        # Its own first: who waits for that holds nothing that others could have.
        async with self._semaphore_of(key), self._all:
            yield

    def _semaphore_of(self, key: str) -> asyncio.Semaphore:
        """The places of a workspace, which are there as long as somebody has or wants one."""
        semaphore = self._each.get(key)
        if semaphore is None:
            semaphore = self._each[key] = asyncio.Semaphore(self._per_key)
        return semaphore
