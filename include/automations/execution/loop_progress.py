"""The progress of a node's loops, kept in memory and written in one transaction at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from automations.db.runs.loop_cursors import Node
from automations.errors import DatabaseUnavailable
from automations.execution import loop_storage
from automations.execution.loop_log import LoopLog
from automations.execution.loop_records import ItemRecord, NextAttempt, StepRecord, serialize
from automations.execution.loop_storage import Batch, Open, StoredLoop
from automations.kit import common_clock
from automations.kit.values import JSON
from automations.steps.outcomes import Fail

MAX_UNSAVED = 50
"""Iterations of idempotent steps that a crash may lose: a commit for each would take longer than
most of them do."""

MAX_UNSAVED_SECONDS = 0.5
"""After this they are written in any case, so that a slow loop loses little."""

MAX_RESULTS_BYTES = 32_000_000
"""For all loops of a node together: results are held in memory, and recorded as one output."""


class ProgressLost(Exception):
    """Progress cannot be written because of a bug of ours: the task must end, and resume."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The node's loops end here, whatever their steps' outcomes are."""

    fail: Fail


_RUN_ENDED = Interrupted(Fail("The run has ended.", kind="ended"))
_TOO_LATE = Interrupted(
    Fail("The loop took longer than its timeout.", kind="timeout", retryable=True)
)
_TOO_LARGE = Interrupted(
    Fail(
        f"The results are larger than {MAX_RESULTS_BYTES // 1_000_000} MB; let the loop's last "
        "step put out less.",
        kind="too_large",
    )
)


@dataclass(slots=True)
class Cursor:
    """The progress of one loop.

    Args:
        items: what it iterates over.
        entries: the result of each iteration; None for one that is still to be done.
        open: the results of steps in iterations that have begun.
        saved: ``open`` as it was last written, and the step that waits.
        kept: whether anything of it is in the database.
        size: of its entries, in bytes.
        unwritten: its items until they are written; None also if they must not be.
        fresh: the entries that are not written yet, by their index.
    """

    path: str
    items: list[JSON]
    entries: list[ItemRecord | None]
    open: Open
    saved: tuple[Open, str | None]
    kept: bool
    size: int
    unwritten: list[JSON] | None
    fresh: dict[int, ItemRecord] = field(default_factory=dict)

    def record(self, index: int, step_id: str) -> StepRecord | None:
        """The record of a step of an iteration, if there is one."""
        return self.open.get(index, {}).get(step_id)


class Progress:
    """The cursors of a node's loop and of the loops in it; thread-safe.

    Each thread notes what it has done and then has it written. While one thread writes, the others
    go on noting, and the next one to write does so for all of them. A method that returns
    ``Interrupted`` says that the loops may not go on; the caller then begins nothing more.
    """

    def __init__(
        self,
        node: Node,
        seconds: float | None,
        variables: Mapping[str, JSON],
        log: LoopLog,
    ) -> None:
        """Resume from what was written before.

        Args:
            seconds: how long the loop may still take; None for no limit.
            variables: the run's variables as they were last written.
            log: its lines are written together with the progress that they report.
        """
        self.variables = variables
        """The run's variables, including those that are not written yet."""
        self._log = log
        self._node = node
        # Guards everything below, except where it says ``_writing``. It is held briefly, so that
        # noting something never waits for a transaction; and it is reentrant, since ending an
        # iteration ends the loops in it.
        self._lock = threading.RLock()
        # Held during a transaction, so that batches are written in order.
        self._writing = threading.Lock()
        self._interrupted: Interrupted | None = None
        self._lost: Exception | None = None
        """Why a batch could not be written. Like the field above, guarded by ``_writing``."""
        self._cursors: dict[str, Cursor] = {}
        self._set: dict[str, JSON] = {}
        self._ended: list[str] = []
        self._unsaved = False
        self._urgent = False
        self._written_at = time.monotonic()
        self._late_at = None if seconds is None else self._written_at + seconds
        self._kept = loop_storage.read(node)
        self._size = sum(item.size for item in self._kept.values())
        self._waiting = next((item.waiting for item in self._kept.values() if item.waiting), None)

    def items(self, path: str) -> list[JSON] | None:
        """The items that the loop at a path began with, if it began before and they are known."""
        with self._lock:
            if path in self._cursors:  # another attempt at it
                return self._cursors[path].items
            return self._kept.get(path, StoredLoop()).items

    def cursor(self, path: str, items: list[JSON], *, secret: bool) -> Cursor:
        """The cursor of the loop at a path, which iterates over these items.

        Args:
            secret: whether the items must not be written.
        """
        with self._lock:
            if path in self._cursors:  # another attempt at it
                return self._cursors[path]
            stored_loop = self._kept.pop(path, None)
            before = stored_loop or StoredLoop()
            written = secret or before.items is not None
            cursor = self._cursors[path] = Cursor(
                path,
                items=items,
                unwritten=None if written else items,
                entries=[before.entries.get(index) for index in range(len(items))],
                open={index: dict(steps) for index, steps in before.open.items()},
                saved=(before.open, before.waiting),
                kept=stored_loop is not None,
                size=before.size,
            )
            return cursor

    def waits_at(self, key: str) -> bool:
        """Whether the step with this key was the one that waited; true only once."""
        with self._lock:
            if self._waiting != key:
                return False
            self._waiting = None
            return True

    def begin(self) -> Interrupted | None:
        """Before another step begins, write what must not be repeated after a crash.

        Raises:
            DatabaseUnavailable, ProgressLost: as ``write``; so do all methods that write.
        """
        with self._lock:
            urgent = self._urgent
        return self.write() if urgent else None

    def step(
        self,
        cursor: Cursor,
        index: int,
        step_id: str,
        record: StepRecord,
        *,
        idempotent: bool,
        variables: Mapping[str, JSON],
    ) -> None:
        """Note the record of a step of an iteration, and the run's variables that it set.

        Args:
            idempotent: whether repeating it after a crash changes nothing and gives the same.
        """
        with self._lock:
            if variables:
                # A new mapping each time: other threads may be rendering with the old one.
                self.variables = {**self.variables, **variables}
                self._set.update(variables)
            cursor.open.setdefault(index, {})[step_id] = record
            self._unsaved = True
            self._urgent = self._urgent or not idempotent

    def retry(
        self, cursor: Cursor, index: int, step_id: str, number: int, delay: timedelta
    ) -> NextAttempt | Interrupted:
        """Note and write the next attempt at a step and when it is due.

        Returns:
            ``Interrupted`` as from ``write``, and when it is due after the loop's timeout.
        """
        late = (
            self._late_at is not None and time.monotonic() + delay.total_seconds() > self._late_at
        )
        record = NextAttempt(number, common_clock.now() + delay)
        with self._lock:
            cursor.open.setdefault(index, {})[step_id] = record
            self._unsaved = True
        return self.write() or (_TOO_LATE if late else record)

    def give_up(self, cursor: Cursor, index: int, step_id: str) -> None:
        """Forget the attempts at a step that has failed for good."""
        with self._lock:
            if cursor.open.get(index, {}).pop(step_id, None) is not None:
                self._unsaved = True

    def item(self, cursor: Cursor, index: int, entry: ItemRecord) -> Interrupted | None:
        """Note the result of an iteration.

        Returns:
            ``Interrupted`` as from ``write``, and when the results take too much memory.
        """
        size = loop_storage.size([serialize(entry)])
        with self._lock:
            self._end_inside(f"{cursor.path}[{index}]/")
            if self._size + size > MAX_RESULTS_BYTES:
                return _TOO_LARGE
            self._size += size
            cursor.size += size
            cursor.entries[index] = cursor.fresh[index] = entry
            cursor.open.pop(index, None)
            self._unsaved = True
            late = time.monotonic() - self._written_at > MAX_UNSAVED_SECONDS
            due = self._urgent or late or len(cursor.fresh) >= MAX_UNSAVED
        return self.write() if due else None

    def _end_inside(self, place: str) -> None:
        """Forget the loops in an iteration that did not come to their end."""
        for path in [path for path in self._cursors if path.startswith(place)]:
            self.end(self._cursors[path])

    def end(self, cursor: Cursor) -> None:
        """Forget a nested loop that has ended."""
        with self._lock:
            if cursor.path:
                del self._cursors[cursor.path]
                # The results that are still needed are in those of the enclosing loop.
                self._size -= cursor.size
                if cursor.kept:
                    self._ended.append(cursor.path)

    def park(self, key: str) -> Interrupted | None:
        """Write everything, since a step waits."""
        with self._lock:
            self._waiting = key
            self._unsaved = True
        return self.write()

    def finish(self) -> Interrupted | None:
        """Write what is not part of the results, which are recorded with the step itself."""
        with self._lock:
            if not self._urgent:
                self._cursors.clear()
                self._ended.clear()
                self._unsaved = bool(self._set)
        return self.write()

    def write(self) -> Interrupted | None:
        """Write everything that was noted until now, if the run still goes on.

        Returns:
            ``Interrupted`` if the run has ended, the step was cleared, or its time is up.

        Raises:
            DatabaseUnavailable: it cannot be written now.
            ProgressLost: it cannot be written.
        """
        with self._writing:
            if self._lost is not None:
                raise self._lost
            if self._interrupted is None and (batch := self._take()) is not None:
                try:
                    if not loop_storage.write(self._node, batch):
                        self._interrupted = _RUN_ENDED
                # The batch is lost, so no later one may be written.
                except DatabaseUnavailable as away:
                    self._lost = away
                    raise
                except Exception as error:
                    self._lost = ProgressLost(f"{type(error).__name__}: {error}")
                    raise self._lost from error
            if self._interrupted is not None:
                return self._interrupted
        late = self._late_at is not None and time.monotonic() > self._late_at
        return _TOO_LATE if late else None

    def _take(self) -> Batch | None:
        with self._lock:
            lines = self._log.take()
            if not self._unsaved and not lines:
                return None
            batch = Batch(lines, self._set, self._ended, [], [])
            for cursor in self._cursors.values():
                for index, entries in _in_a_row(cursor):
                    batch.rows.append((cursor.path, index, entries))
                opened = {index: dict(steps) for index, steps in cursor.open.items()}
                state = (opened, None if cursor.path else self._waiting)
                if state != cursor.saved or cursor.unwritten is not None:
                    batch.cursors.append((cursor.path, *state, cursor.unwritten))
                    cursor.saved, cursor.unwritten = state, None
                    cursor.kept = True
                cursor.kept = cursor.kept or bool(cursor.fresh)
                cursor.fresh.clear()
            self._set, self._ended = {}, []
            self._unsaved = self._urgent = False
            self._written_at = time.monotonic()
            return batch


def _in_a_row(cursor: Cursor) -> Iterator[tuple[int, list[ItemRecord]]]:
    """The unwritten entries, grouped into rows of consecutive ones: first index, and entries."""
    row: list[ItemRecord] = []
    start = 0
    for index, entry in sorted(cursor.fresh.items(), key=lambda item: item[0]):
        if row and index != start + len(row):
            yield start, row
            row = []
        if not row:
            start = index
        row.append(entry)
    if row:
        yield start, row
