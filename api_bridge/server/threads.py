"""The threads that do requests' blocking work.

Each kind of waiting has its own threads, so that none blocks the others: for the database, which
answers in milliseconds; for other services, which may take a minute; and for hashing passwords.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache, partial
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from api_bridge.server.fair_semaphore import FairSemaphore
from api_bridge.server.permits import Permits
from automations.domain.principals import Principal
from automations.errors import TooManyRequests
from automations.settings import get_settings

P = ParamSpec("P")
T = TypeVar("T")

SLOW_THREADS = 40
MAX_OF_A_WORKSPACE, MAX_OF_A_CALLER = 20, 8
"""Requests that may wait for other services at once: half of the threads are left to others."""
MAX_HEAVY, MAX_HEAVY_OF_A_WORKSPACE, MAX_HEAVY_OF_A_CALLER = 6, 3, 2
"""Of those, the ones that start a process of hundreds of megabytes, or read files of millions of
values."""
_PASSWORD_THREADS = 4
"""Each hash takes 19 MiB and a core."""


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run database work in a thread of the pool.

    Not for work that waits for other services, which would block the pool for everybody; see
    ``endpoint_marks.slow``.
    """
    return await _in(_pool(), partial(work, *args, **kwargs))


async def in_search_thread(work: Callable[[], T], owner: str) -> T:
    """Run a query that may take seconds; such queries wait for each other.

    Half of the threads are left to quick work, and half of the rest to other workspaces.
    """
    async with _limits_here().searches.hold(owner):
        return await in_thread(work)


async def in_change_thread(work: Callable[[], T], owner: str) -> T:
    """Run quick work that may have to wait for somebody who changes the same table.

    Together with searches it leaves at least one thread to all else, if there are three or more.
    """
    async with _limits_here().changes.hold(owner):
        return await in_thread(work)


class _Limits:
    """How many threads of the pool an event loop gives to work that is not quick."""

    def __init__(self) -> None:
        threads = get_settings().bridge_threads
        self.searches = FairSemaphore(threads // 2, per_key=threads // 4)
        self.changes = FairSemaphore(threads // 2 - 1, per_key=threads // 4)


_limits_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Limits] = WeakKeyDictionary()


def _limits_here() -> _Limits:
    return _limits_of_loops.setdefault(asyncio.get_running_loop(), _Limits())


async def in_slow_thread(
    work: Callable[[], T], caller: Principal | None, *, heavy: bool = False
) -> T:
    """Run work that waits for other services or for processes.

    Raises:
        TooManyRequests: too many requests of the same caller or workspace are waiting already; or,
            if it is heavy, too many heavy ones of anybody.
    """
    with _waiting.hold(_limits(caller, heavy=heavy)) as is_held:
        if not is_held:
            raise TooManyRequests(1)
        return await _in(_slow_pool(), work)


async def in_password_thread(work: Callable[[], T]) -> T:
    """Run work that hashes a password."""
    return await _in(_password_pool(), work)


async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    task = partial(copy_context().run, work)
    return await asyncio.get_running_loop().run_in_executor(pool, task)


def _limits(caller: Principal | None, *, heavy: bool) -> dict[str, int]:
    workspace = "anonymous" if caller is None else f"workspace:{caller.workspace_id}"
    client = "anonymous" if caller is None else f"caller:{caller.member_id or caller.key_id}"
    limits = {client: MAX_OF_A_CALLER, workspace: MAX_OF_A_WORKSPACE}
    if heavy:
        limits |= {
            f"heavy {client}": MAX_HEAVY_OF_A_CALLER,
            f"heavy {workspace}": MAX_HEAVY_OF_A_WORKSPACE,
            "heavy": MAX_HEAVY,
        }
    return limits


_waiting = Permits()
"""Held by the requests that are waiting for other services now."""


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(get_settings().bridge_threads, "request")


@lru_cache(maxsize=1)
def _slow_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(SLOW_THREADS, "slow")


@lru_cache(maxsize=1)
def _password_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_PASSWORD_THREADS, "password")
