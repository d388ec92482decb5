"""How far a node's loops have come, kept in memory and written in one transaction at a time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automations.db import loop_cursors, run_steps, runs
from automations.db.session import unit_of_work
from automations.execution.loop_log import LoopLog
from automations.kit.values import JSON
from automations.steps.outcomes import Fail

MAX_UNSAVED = 50
"""Iterations that may be lost by a crash when to do them again changes nothing."""

MAX_UNSAVED_SECONDS = 0.5
MAX_RESULTS_BYTES = 32_000_000

_RUN_ENDED = Fail("The run has ended.", kind="ended")
_TOO_LATE = Fail("The loop took longer than its timeout.", kind="timeout", retryable=True)


class Interrupted(Exception):
    """The loop ends here, whatever its steps say."""

    def __init__(self, fail: Fail) -> None:
        super().__init__(fail.error)
        self.fail = fail


class ProgressLost(Exception):
    """Progress could not be written: the task must end, to be started again where it was."""


@dataclass(slots=True)
class Cursor:
    """Where one loop stands.

    Args:
        entries: what each iteration came to; None for one that is still to be done.
        open: what the steps of each iteration that has begun came to.
        saved: the same as it was last written, and the step that waits.
        kept: whether something of it is written.
        fresh: indexes of the iterations that have ended and are not written yet.
    """

    path: str
    entries: list[JSON]
    open: dict[int, dict[str, JSON]]
    saved: tuple[dict[str, JSON], str | None]
    kept: bool
    fresh: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is written in one transaction."""

    lines: list[run_steps.LogLine]
    variables: dict[str, JSON]
    ended: list[str]
    rows: list[tuple[str, int, list[JSON]]]
    cursors: list[tuple[str, dict[str, JSON], str | None]]


class Progress:
    """The cursors of a node's loop and of the loops in it; safe to be used by several threads.

    Each thread notes what it has done, and then sees to it that it is written. While one of them
    writes, the others go on noting: the next one writes for all that have come meanwhile.
    """

    def __init__(
        self, node: loop_cursors.Node, seconds: float | None, variables: Mapping[str, JSON]
    ) -> None:
        """Go on from what was written before.

        Args:
            seconds: how long the loop may go on; None for as long as it takes.
            variables: the run's, as they were written before.
        """
        self.variables = variables
        """The run's variables as they are now, with those that are not written yet."""
        self.log = LoopLog()
        self._node = node
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._over: Fail | str | None = None
        """Why nothing can be written any more: the run has ended, or the database fails."""
        self._cursors: dict[str, Cursor] = {}
        self._set: dict[str, JSON] = {}
        self._ended: list[str] = []
        self._unsaved = False
        self._urgent = False
        self._written_at = time.monotonic()
        self._late_at = None if seconds is None else self._written_at + seconds
        self._size = 0
        with unit_of_work() as session:
            rows = loop_cursors.cursors(session, node)
            results = loop_cursors.results(session, node)
        self._stored = {row.path: (row.open, row.waiting) for row in rows}
        self._results: dict[str, dict[int, JSON]] = {}
        for row in results:
            of_loop = self._results.setdefault(row.path, {})
            of_loop.update(enumerate(row.entries, row.index))
        self._waiting = next((row.waiting for row in rows if row.waiting), None)

    def cursor(self, path: str, count: int) -> Cursor:
        """Where the loop at a place stands; it has so many items."""
        with self._lock:
            if path in self._cursors:  # another attempt at it
                return self._cursors[path]
            done = self._results.pop(path, {})
            kept = path in self._stored or bool(done)
            saved = self._stored.pop(path, ({}, None))
            opened = {int(index): dict(steps) for index, steps in saved[0].items()}
            entries = [done.get(index) for index in range(count)]
            made = self._cursors[path] = Cursor(path, entries, opened, saved, kept)
            return made

    def waits_at(self, key: str) -> bool:
        """Whether the step of this key was the one that waited; said once."""
        with self._lock:
            if self._waiting != key:
                return False
            self._waiting = None
            return True

    def begin(self) -> None:
        """Have written what cannot be repeated at no harm, before another step is begun."""
        with self._lock:
            urgent = self._urgent
        if urgent:
            self.write()

    def step(
        self,
        cursor: Cursor,
        index: int,
        step_id: str,
        record: JSON,
        *,
        once: bool,
        variables: Mapping[str, JSON],
    ) -> None:
        """Note what a step of an iteration came to, and which of the run's variables it set.

        Args:
            once: whether to do it again, after a crash, changes nothing and gives the same.
        """
        with self._lock:
            if variables:
                self.variables = {**self.variables, **variables}
                self._set.update(variables)
            cursor.open.setdefault(index, {})[step_id] = record
            self._unsaved = True
            self._urgent = self._urgent or not once

    def retry(
        self, cursor: Cursor, index: int, step_id: str, attempt: int, delay: timedelta
    ) -> datetime:
        """Note and write which attempt at a step is the next; when it is due.

        Raises:
            Interrupted: as ``write``; also when it is due after the loop's timeout.
        """
        late = (
            self._late_at is not None and time.monotonic() + delay.total_seconds() > self._late_at
        )
        with self._lock:
            due = datetime.now(UTC) + delay
            record = {"attempt": attempt, "dueAt": due.isoformat()}
            cursor.open.setdefault(index, {})[step_id] = record
            self._unsaved = True
        self.write()
        if late:
            raise Interrupted(_TOO_LATE)
        return due

    def give_up(self, cursor: Cursor, index: int, step_id: str) -> None:
        """Forget the attempts at a step that has failed for good."""
        with self._lock:
            if cursor.open.get(index, {}).pop(step_id, None) is not None:
                self._unsaved = True

    def item(self, cursor: Cursor, index: int, entry: dict[str, JSON]) -> None:
        """Note what an iteration came to."""
        with self._lock:
            self._size += len(json.dumps(entry, default=str))
            if self._size > MAX_RESULTS_BYTES:
                raise Interrupted(
                    Fail(
                        f"The results are larger than {MAX_RESULTS_BYTES // 1_000_000} MB; let the "
                        "loop's last step put out less.",
                        kind="too_large",
                    )
                )
            self._end_inside(f"{cursor.path}[{index}]/")
            cursor.entries[index] = entry
            cursor.open.pop(index, None)
            cursor.fresh.add(index)
            self._unsaved = True
            late = time.monotonic() - self._written_at > MAX_UNSAVED_SECONDS
            due = self._urgent or late or len(cursor.fresh) >= MAX_UNSAVED
        if due:
            self.write()

    def _end_inside(self, place: str) -> None:
        """Forget the loops that an iteration has left before their end."""
        for path in [path for path in self._cursors if path.startswith(place)]:
            self.end(self._cursors[path])

    def end(self, cursor: Cursor) -> None:
        """Forget a loop that stands in another one, and has come to its end."""
        with self._lock:
            if cursor.path:
                del self._cursors[cursor.path]
                if cursor.kept:
                    self._ended.append(cursor.path)

    def park(self, key: str) -> None:
        """Write everything, since a step waits."""
        with self._lock:
            self._waiting = key
            self._unsaved = True
        self.write()

    def finish(self) -> None:
        """Have written what is not in the results, which are recorded with the step itself."""
        with self._lock:
            if not self._urgent:
                self._cursors.clear()
                self._ended.clear()
                self._unsaved = bool(self._set)
        self.write()

    def write(self) -> None:
        """Have everything written that was noted until now, if the run still goes on.

        Raises:
            Interrupted: the run has ended, the step was cleared, or it takes too long.
            ProgressLost: the database cannot be written to.
        """
        with self._writing:
            if self._over is None and (batch := self._take()) is not None:
                try:
                    self._over = None if self._write(batch) else _RUN_ENDED
                except Exception as error:
                    self._over = str(error)
                    raise ProgressLost(self._over) from error
            if isinstance(self._over, str):
                raise ProgressLost(self._over)
        if self._over is not None:
            raise Interrupted(self._over)
        if self._late_at is not None and time.monotonic() > self._late_at:
            raise Interrupted(_TOO_LATE)

    def _take(self) -> _Batch | None:
        with self._lock:
            lines = self.log.take()
            if not self._unsaved and not lines:
                return None
            batch = _Batch(lines, self._set, self._ended, [], [])
            for cursor in self._cursors.values():
                for index, entries in _in_a_row(cursor):
                    batch.rows.append((cursor.path, index, entries))
                opened = {str(index): dict(steps) for index, steps in cursor.open.items()}
                standing = (opened, None if cursor.path else self._waiting)
                if standing != cursor.saved:
                    batch.cursors.append((cursor.path, *standing))
                    cursor.saved = standing
                    cursor.kept = True
                cursor.kept = cursor.kept or bool(cursor.fresh)
                cursor.fresh.clear()
            self._set, self._ended = {}, []
            self._unsaved = self._urgent = False
            self._written_at = time.monotonic()
            return batch

    def _write(self, batch: _Batch) -> bool:
        run_id, _, generation = self._node
        with unit_of_work() as session:
            standing = loop_cursors.standing(session, run_id)
            if standing is None or standing[1] != generation:
                return False
            if batch.lines:
                # What was done is on record also when the run was ended meanwhile.
                run_steps.log(session, run_id, batch.lines)
            if standing[0] not in runs.UNFINISHED:
                return False
            if batch.variables:
                runs.set_variables(session, run_id, batch.variables)
            if batch.ended:
                loop_cursors.forget(session, self._node, batch.ended)
            for row in batch.rows:
                loop_cursors.add(session, self._node, *row)
            for cursor in batch.cursors:
                loop_cursors.save(session, self._node, *cursor)
        return True


def _in_a_row(cursor: Cursor) -> Iterator[tuple[int, list[Any]]]:
    """The entries that are not written yet: the first index and the entries of each row."""
    row: list[Any] = []
    start = 0
    for index in sorted(cursor.fresh):
        if row and index != start + len(row):
            yield start, row
            row = []
        if not row:
            start = index
        row.append(cursor.entries[index])
    if row:
        yield start, row
