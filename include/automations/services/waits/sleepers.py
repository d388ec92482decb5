"""Tells the host which of its sleeping tasks' pauses are over, or will be shortly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import datetime

from automations.db.queue.channels import Channel
from automations.db.session import reading, sync_clock
from automations.db.waits import sleepers, waits
from automations.db.waits.sleepers import Sleeper

__all__ = ["Sleeper", "due", "list_ended", "listening", "sync_clock"]


def list_ended(wait_ids: Collection[str]) -> list[Sleeper]:
    """Those of them that sleep for pauses which are over."""
    with reading() as session:
        return sleepers.list_ended(session, wait_ids)


def due(since: datetime, before: datetime) -> list[Sleeper]:
    """Those whose pauses end by themselves since a moment and before another."""
    with reading() as session:
        return sleepers.due(session, since, before)


@contextmanager
def listening() -> Iterator[Callable[[float], list[str]]]:
    """Gives a function that waits for pauses to end, at most for some seconds, and tells which."""
    with closing(Channel(waits.WOKEN)) as channel:
        yield channel.wait
