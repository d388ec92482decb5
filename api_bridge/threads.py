"""Where requests' blocking work is done: in few threads, which then seldom wait for each other.

Each kind of waiting has threads of its own, so that none keeps the others away: for the database,
which answers in milliseconds; for other services, which may take a minute; and for passwords.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache, partial
from typing import ParamSpec, TypeVar

from automations.domain.principals import Principal
from automations.errors import TooManyRequests
from automations.settings import get_settings

P = ParamSpec("P")
T = TypeVar("T")

PATIENT_THREADS = 40
MAX_OF_A_WORKSPACE, MAX_OF_A_CALLER = 20, 8
"""Requests that may wait for other services at once: half of the threads are left to the others."""
_PASSWORD_THREADS = 4
"""Each try takes 19 MiB and a core."""


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what asks the database, in a thread of the pool.

    What waits for others than the database has no place there: it would keep the threads from
    everybody else; see ``natures.patient``.
    """
    return await _in(_pool(), partial(work, *args, **kwargs))


async def patiently(work: Callable[[], T], caller: Principal | None) -> T:
    """Do what waits for other services.

    Raises:
        TooManyRequests: so many requests of the same caller or workspace wait already.
    """
    with _waiting.one_more(caller):
        return await _in(_patient_pool(), work)


async def for_a_password(work: Callable[[], T]) -> T:
    """Do what hashes a password."""
    return await _in(_password_pool(), work)


async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    task = partial(copy_context().run, work)
    return await asyncio.get_running_loop().run_in_executor(pool, task)


class _Waiting:
    """How many requests of whom wait for other services now, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    @contextmanager
    def one_more(self, caller: Principal | None) -> Iterator[None]:
        limits = _limits(caller)
        with self._lock:
            if any(self._counts[key] >= limit for key, limit in limits.items()):
                raise TooManyRequests(1)
            self._counts.update(limits.keys())
        try:
            yield
        finally:
            with self._lock:
                self._counts.subtract(limits.keys())
                # Of who waits for nothing, nothing is kept.
                self._counts += Counter()


def _limits(caller: Principal | None) -> dict[str, int]:
    if caller is None:
        return {"anonymous": MAX_OF_A_WORKSPACE}
    return {
        f"workspace:{caller.workspace_id}": MAX_OF_A_WORKSPACE,
        f"caller:{caller.member_id or caller.key_id}": MAX_OF_A_CALLER,
    }


_waiting = _Waiting()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(get_settings().bridge_threads, "request")


@lru_cache(maxsize=1)
def _patient_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PATIENT_THREADS, "patient")


@lru_cache(maxsize=1)
def _password_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_PASSWORD_THREADS, "password")
