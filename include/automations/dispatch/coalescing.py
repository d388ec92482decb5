"""Lets notifications gather, so that a burst of them costs few claims."""

from __future__ import annotations

import select
import threading

from automations.db.session import RawConnection

_SHORTEST, _LONGEST = 0.01, 0.05
"""Seconds: a lone notification delays the next one hardly; in a burst there is one per commit, and
a claim costs more than handing over what it has claimed."""


class Coalescing:
    """A rest between two looks for notifications, which doubles as long as they keep coming."""

    def __init__(self) -> None:
        self._seconds = _SHORTEST

    def rest(self, connection: RawConnection, stopping: threading.Event) -> None:
        """Wait while the server sends, or until told to stop."""
        stopping.wait(self._seconds)
        has_more = bool(select.select([connection], [], [], 0)[0])
        self._seconds = min(self._seconds * 2, _LONGEST) if has_more else _SHORTEST
