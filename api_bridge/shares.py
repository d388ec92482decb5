"""Shares of what there is little of: so many at once, and of one workspace no more than some.

Who finds no place waits for one. An event loop has its own; see ``places`` for what is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Share:
    """Places of one kind.

    Args:
        at_once: of all, one at least.
        of_one: of each workspace, or of what stands for one.
    """

    def __init__(self, at_once: int, *, of_one: int) -> None:
        self._all = asyncio.Semaphore(max(1, at_once))
        self._of_one = max(1, of_one)
        self._each: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def one(self, whose: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it within the block."""
        # Its own first: who waits for that holds nothing that others could have.
        async with self._of(whose), self._all:
            yield

    def _of(self, whose: str) -> asyncio.Semaphore:
        """The places of a workspace, which are there as long as somebody has or wants one."""
        found = self._each.get(whose)
        if found is None:
            found = self._each[whose] = asyncio.Semaphore(self._of_one)
        return found
