"""The trigger that wakes a sleeping task: at a time, or when its wait is notified as ended."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg
from airflow.triggers.base import BaseTrigger, TriggerEvent
from sqlalchemy import make_url

from automations.domain.statuses import WaitStatus
from automations.kit import common_clock
from automations.settings import get_settings

log = logging.getLogger(__name__)

CHANNEL = "automations_wait"
TICK = 1.0
"""Seconds between two looks at the clock, which somebody may set."""
RECHECK_SECONDS = 60.0
"""How late a wait ends at most whose notification was lost."""
DATABASE_TIMEOUT = 5.0
"""Seconds; what hangs for longer holds up the waits that are due."""

_COALESCE_WINDOW = 0.02
"""Seconds in which further new waits come along, to be asked for by one query."""

NOTIFIED = "notified"
ELAPSED = "elapsed"

_STILL_OPEN = f"SELECT id FROM wait WHERE id = ANY($1::text[]) AND status = '{WaitStatus.OPEN}'"  # noqa: S608


class WaitTrigger(BaseTrigger):
    """Fires at a moment, or as soon as the wait is no longer open."""

    def __init__(self, wait_id: str, until: datetime) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow is partly untyped
        self.wait_id = wait_id
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"wait_id": self.wait_id, "until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        woken = await waits().end_of(self.wait_id, self.until)
        yield TriggerEvent({"woken": woken})


class Waits:
    """All waits of one event loop: one timer and one listening connection, however many they are.

    Airflow's shared streams would hand every notification to every waiting trigger.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._waiting: dict[str, set[asyncio.Future[str]]] = {}
        self._due: list[tuple[datetime, int, asyncio.Future[str]]] = []
        self._number = count()
        self._open = 0
        self._unchecked: set[str] = set()
        self._checked_all_at = 0.0
        self._added = asyncio.Event()
        self._server: asyncio.Task[None] | None = None

    async def end_of(self, wait_id: str, until: datetime) -> str:
        """Wait until a wait has ended; return how."""
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(wait_id, set()).add(ended)
        # By number, too, since futures have no order.
        heapq.heappush(self._due, (until, next(self._number), ended))
        self._open += 1
        self._unchecked.add(wait_id)
        self._added.set()
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        try:
            return await ended
        finally:
            self._forget(wait_id, ended)

    def _forget(self, wait_id: str, ended: asyncio.Future[str]) -> None:
        if waiting := self._waiting.get(wait_id):
            waiting.discard(ended)
            if not waiting:
                del self._waiting[wait_id]
        self._open -= 1
        # To take out each by itself would cost the heap's length; so, it costs two steps or so.
        if len(self._due) > 2 * self._open:
            self._due = [entry for entry in self._due if not entry[2].done()]
            heapq.heapify(self._due)

    def _wake(self, wait_id: str) -> None:
        for ended in self._waiting.pop(wait_id, ()):
            if not ended.done():
                ended.set_result(NOTIFIED)

    async def _serve(self) -> None:
        connection: asyncpg.Connection | None = None
        try:
            while self._waiting:
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._listen()
                    await self._check(connection)
                except Exception as error:  # noqa: BLE001 -- what waits would else wait for its time, or for ever
                    log.warning(
                        "Cannot listen for ended waits: %s: %s", type(error).__name__, error
                    )
                    self._drop(connection)
                    connection = None
                self._wake_due()
                await self._rest()
        finally:
            self._drop(connection)

    async def _listen(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._dsn, timeout=DATABASE_TIMEOUT, command_timeout=DATABASE_TIMEOUT
        )
        await connection.add_listener(CHANNEL, lambda *call: self._wake(call[3]))
        # Whatever was notified before now was missed.
        self._checked_all_at = 0.0
        return connection

    async def _check(self, connection: asyncpg.Connection) -> None:
        """Ask the database about new waits, and about all from time to time, lest one be missed."""
        if common_clock.is_stale():
            question = common_clock.Question()
            question.record_answer(await connection.fetchval("SELECT clock_timestamp()"))
        now = time.monotonic()
        if now - self._checked_all_at > RECHECK_SECONDS or not self._checked_all_at:
            self._checked_all_at = now
            self._unchecked |= self._waiting.keys()
        wait_ids = self._unchecked & self._waiting.keys()
        if wait_ids:
            rows = await connection.fetch(_STILL_OPEN, list(wait_ids))
            for wait_id in wait_ids - {row["id"] for row in rows}:
                self._wake(wait_id)
        self._unchecked -= wait_ids

    def _wake_due(self) -> None:
        now = common_clock.now()
        while self._due and self._due[0][0] <= now:
            _, _, ended = heapq.heappop(self._due)
            if not ended.done():
                ended.set_result(ELAPSED)

    async def _rest(self) -> None:
        """Until the next tick, the next due wait or a new one; new ones gather for a moment."""
        left = TICK
        if self._due:
            left = min(left, (self._due[0][0] - common_clock.now()).total_seconds())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._added.wait(), max(left, 0.01))
            await asyncio.sleep(_COALESCE_WINDOW)
        self._added.clear()

    @staticmethod
    def _drop(connection: asyncpg.Connection | None) -> None:
        if connection is not None:
            connection.terminate()


_waits: WeakKeyDictionary[asyncio.AbstractEventLoop, Waits] = WeakKeyDictionary()


def waits() -> Waits:
    """The waits of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _waits:
        url = make_url(get_settings().dsn).set(drivername="postgresql")
        _waits[loop] = Waits(url.render_as_string(hide_password=False))
    return _waits[loop]
