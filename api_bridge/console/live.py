"""Live pages: server-sent events, from one query per second for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from api_bridge.server.permits import Permits
from api_bridge.server.threads import in_thread
from automations.domain.principals import Principal
from automations.errors import DatabaseUnavailable, TooManyRequests
from automations.services.runs import browsing

MAX_STREAMS, MAX_OF_A_WORKSPACE, MAX_OF_A_CALLER = 200, 100, 8
"""Connections of one process that are held open; whoever gets none loads the page again."""
CONNECTION_LIFETIME = 60.0
"""Seconds after which a browser connects again, and is asked once more who it is."""
_POLL_INTERVAL = 1.0
_COMES_BACK_AFTER = b"retry: 2000\n\n"
_AFTER_A_WHILE = 15


class Watch:
    """The runs that pages of this process follow."""

    def __init__(self) -> None:
        self._permits = Permits()
        self._followed: dict[str, set[asyncio.Queue[str]]] = {}
        self._asking: asyncio.Task[None] | None = None

    def check(self, caller: Principal) -> None:
        """Check that one more may follow.

        Raises:
            TooManyRequests: as many do as may.
        """
        if not self._permits.has_room(_limits(caller)):
            raise TooManyRequests(_AFTER_A_WHILE)

    @asynccontextmanager
    async def following(self, caller: Principal, run_id: str) -> AsyncIterator[asyncio.Queue[str]]:
        """Give what is told of a run's changes."""
        # Only the newest is of interest.
        stamps: asyncio.Queue[str] = asyncio.Queue(1)
        with self._permits.hold(_limits(caller)):
            self._followed.setdefault(run_id, set()).add(stamps)
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            try:
                yield stamps
            finally:
                self._followed[run_id].discard(stamps)
                if not self._followed[run_id]:
                    del self._followed[run_id]

    async def _ask(self) -> None:
        last_stamps: dict[str, str] = {}
        while self._followed:
            try:
                new_stamps = await in_thread(browsing.stamps, list(self._followed))
            except DatabaseUnavailable:
                new_stamps = last_stamps
            for run_id, stamp in new_stamps.items():
                if last_stamps.get(run_id) != stamp:
                    for queue in self._followed.get(run_id, ()):
                        if queue.full():
                            queue.get_nowait()
                        queue.put_nowait(stamp)
            last_stamps = dict(new_stamps)
            await asyncio.sleep(_POLL_INTERVAL)


def _limits(caller: Principal) -> dict[str, int]:
    """How many connections there may be of all, of a workspace, and of a person in any session."""
    return {
        "all": MAX_STREAMS,
        f"workspace:{caller.workspace_id}": MAX_OF_A_WORKSPACE,
        f"caller:{caller.member_id or caller.key_id}": MAX_OF_A_CALLER,
    }


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def watch() -> Watch:
    """The watch of this process's event loop."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch())


async def changes(caller: Principal, run_id: str, stamp: str) -> AsyncIterator[bytes]:
    """A run's changes as server-sent events, until the connection is old enough to be renewed.

    Args:
        stamp: as it is now.
    """
    async with watch().following(caller, run_id) as stamps:
        yield _COMES_BACK_AFTER + event(stamp)
        loop = asyncio.get_running_loop()
        until, last = loop.time() + CONNECTION_LIFETIME, stamp
        while (left := until - loop.time()) > 0:
            try:
                fresh = await asyncio.wait_for(stamps.get(), min(left, _AFTER_A_WHILE))
            except TimeoutError:
                # So that whoever is between sees that it is alive, and we that nobody is there.
                yield b": still here\n\n"
                continue
            if fresh != last:
                last = fresh
                yield event(fresh)


def event(stamp: str) -> bytes:
    """One server-sent event."""
    return f"event: changed\ndata: {stamp}\n\n".encode()
