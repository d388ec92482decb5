"""Runs the body of a loop: its steps, in order, for each item, inside the loop's own task.

The results of an iteration's steps are kept until the iteration ends. After a crash, or a pause of
one of them, the iteration runs again and takes the kept results instead of redoing those steps.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.definitions.model import walk
from automations.domain.fields import parse_duration
from automations.domain.loops import names_of_item
from automations.domain.secret_templates import names_secrets
from automations.errors import DatabaseUnavailable
from automations.execution.attempts import Attempts
from automations.execution.entered import Entered
from automations.execution.loop_iteration import Iteration, Scope, SharedState
from automations.execution.loop_log import IterationPath, LoopLog
from automations.execution.loop_progress import Cursor, Interrupted, Progress, ProgressLost
from automations.execution.loop_records import ItemDone, ItemFailed, ItemRecord
from automations.kit import common_clock
from automations.kit.values import JSON
from automations.steps.outcomes import Done, Fail, Outcome, WaitInLoop, WaitToRetry


class Loops:
    """A node's loop and the loops in it.

    Args:
        attempts: makes the attempts at the steps of their bodies.
    """

    def __init__(self, attempts: Attempts) -> None:
        node = attempts.node
        # A loop that begins has written no lines. After a crash, which is rare, the count restarts.
        log = LoopLog({} if node.answer is None else _count_lines(node))
        place = (node.ref.run_id, node.ref.node_id, node.ref.generation)
        progress = Progress(place, _seconds_left(node), node.names["variables"], log)
        self._shared = SharedState(attempts, progress, log, self._go_through)

    def run_outermost(self, config: Any, items: list[JSON]) -> Outcome:
        """Run the node's own loop."""
        node, progress = self._shared.attempts.node, self._shared.progress
        scope = Scope("", node.step, node.names, node.where, IterationPath())
        try:
            outcome = self._go_through(scope, config, items)
        except DatabaseUnavailable:
            # Only one connection may be lost: if the database is there, the work done is saved.
            with suppress(DatabaseUnavailable, ProgressLost):
                progress.write()
            raise
        if isinstance(outcome, Interrupted):
            return outcome.fail
        interrupted = progress.finish() if isinstance(outcome, Done) else progress.write()
        return interrupted.fail if interrupted is not None else outcome

    def first_items(self) -> Mapping[str, JSON]:
        """The items of the node's own loop as it began, if it did before."""
        return self._shared.first_items(self._shared.attempts.node.step, "")

    def _go_through(self, scope: Scope, config: Any, items: list[JSON]) -> Outcome | Interrupted:
        progress = self._shared.progress
        # A collection that names a secret is rendered again each time and never stored.
        secret = names_secrets(scope.step.config.collection)
        cursor = progress.cursor(scope.path, items, secret=secret)
        work = _Work(self._shared, scope, config, items, cursor)
        work.run(config.concurrency)
        if work.end is not None:
            return work.end
        if work.parked:
            return _soonest(work.parked)
        progress.end(cursor)
        return Done(_output(cursor.entries))


@dataclass(slots=True)
class _Work:
    """The iterations of a loop that are still to be done.

    Args:
        parked: the waits of steps that wait.
        end: why the loop ends early, if it does.
        broken: whether no further iteration begins.
    """

    shared: SharedState
    scope: Scope
    config: Any
    items: list[JSON]
    cursor: Cursor
    parked: list[WaitInLoop] = field(default_factory=list)
    end: Fail | Interrupted | None = None
    broken: bool = False
    # Guards the three fields above and ``_todo``, so that each item has one worker.
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _todo: list[int] = field(init=False)

    def __post_init__(self) -> None:
        undone = [index for index, entry in enumerate(self.cursor.entries) if entry is None]
        self._todo = undone[::-1]

    def run(self, workers: int) -> None:
        """Do the iterations with some workers; re-raises a worker's error once all have ended."""
        if workers == 1:
            self._drain()
            return
        with ThreadPoolExecutor(workers) as pool:
            working = [pool.submit(copy_context().run, self._drain) for _ in range(workers)]
        for worker in working:
            worker.result()

    def _drain(self) -> None:
        while (index := self._next()) is not None:
            try:
                result = self._item(index)
            except BaseException:
                self.broken = True
                raise
            self._note(result)

    def _next(self) -> int | None:
        with self._lock:
            return None if self.broken or not self._todo else self._todo.pop()

    def _note(self, result: WaitInLoop | Fail | Interrupted | None) -> None:
        with self._lock:
            match result:
                case WaitInLoop():
                    self.parked.append(result)
                    # One at a time means in order; with several workers, the others go on.
                    self.broken = self.broken or self.config.concurrency == 1
                case Fail() | Interrupted():
                    self.end = self.end or result
                    self.broken = True

    def _item(self, index: int) -> WaitInLoop | Fail | Interrupted | None:
        """Do one iteration; returns what stops the loop, if anything does."""
        place = self.scope.place.inside(index, len(self.items))
        names = names_of_item(self.items, index, self.scope.names.get("loop"))
        iteration = Iteration(self.shared, self.scope, self.cursor, place, names)
        result = iteration.run(self.config.steps)
        if isinstance(result, WaitInLoop | Interrupted):
            return result
        if isinstance(result, ItemDone):
            return self.shared.progress.item(self.cursor, index, result)
        fail, message = result.fail, f"step '{result.step_name}': {result.fail.error}"
        if self.config.on_item_error == "fail":
            about = {"index": index, "count": len(self.items)}
            return replace(fail, error=f"item {index}, {message}", output=about)
        return self.shared.progress.item(self.cursor, index, ItemFailed(message, fail.kind))


def _seconds_left(node: Entered) -> float | None:
    """How long the loop may still take; None for no limit."""
    step = node.step
    # A loop that may wait has no limit: the timeout is for an attempt, not for pauses.
    if step.timeout is None or step.may_wait():
        return None
    left = parse_duration(step.timeout) - (common_clock.now() - node.started_at)
    return left.total_seconds()


def _count_lines(node: Entered) -> dict[bool, int]:
    """How many log lines the loop has written since it began, by whether they report failures."""
    inside = [step.id for _, step in walk([node.step]) if step.id != node.step.id]
    with unit_of_work() as session:
        return run_steps.count_lines(session, node.ref.run_id, inside, node.started_at)


def _soonest(parked: list[WaitInLoop]) -> WaitInLoop:
    """The wait that ends first; several at once can only be waits for a retry."""
    due = [(inside.wait.when, inside) for inside in parked if isinstance(inside.wait, WaitToRetry)]
    return min(due, key=lambda wait: wait[0])[1] if due else parked[0]


def _output(entries: list[ItemRecord | None]) -> dict[str, JSON]:
    return {
        "count": len(entries),
        "results": [entry.output if isinstance(entry, ItemDone) else None for entry in entries],
        "errors": [
            {"index": index, "error": entry.to_json()}
            for index, entry in enumerate(entries)
            if isinstance(entry, ItemFailed)
        ],
    }
