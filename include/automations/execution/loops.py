"""Runs the body of a loop: its steps, in order, for each item, inside the loop's own task.

What the steps of an iteration came to is kept until it has ended: after a crash, or a pause of one
of them, the iteration is gone through once more and takes what is kept instead of doing it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automations.db import callbacks
from automations.db.session import unit_of_work
from automations.definitions.model import nested_lists, ordered
from automations.domain.fields import parse_duration
from automations.execution.attempts import Attempt, Attempts
from automations.execution.loop_log import Place
from automations.execution.loop_progress import Cursor, Interrupted, Progress
from automations.execution.recording import fail_output
from automations.kit.values import JSON
from automations.steps.outcomes import (
    Answer,
    Branch,
    Done,
    Fail,
    Inside,
    Outcome,
    Stop,
    WaitToRetry,
)
from automations.steps.registry import STEP_TYPES

MAX_HOLD = timedelta(seconds=5)
"""What is waited for in the worker between attempts; for longer the loop is parked."""


class _Parked(Exception):
    def __init__(self, outcome: Inside) -> None:
        super().__init__()
        self.outcome = outcome


class _Stopped(Exception):
    pass


class _ItemFailed(Exception):
    def __init__(self, step_name: str, fail: Fail) -> None:
        super().__init__(fail.error)
        self.step_name = step_name
        self.fail = fail


class Loops:
    """What the loops of one node share.

    Args:
        attempts: makes those at the steps of their bodies.
    """

    def __init__(self, attempts: Attempts) -> None:
        self.attempts = attempts
        self.entered = entered = attempts.node
        ref, step = entered.ref, entered.step
        limited = step.timeout is not None and not step.may_wait()
        seconds = None
        if limited:
            left = parse_duration(step.timeout) - (datetime.now(UTC) - entered.started_at)
            seconds = left.total_seconds()
        self.progress = Progress(
            (ref.run_id, ref.node_id, ref.generation), seconds, entered.names["variables"]
        )

    def outermost(self, config: Any, items: list[JSON]) -> Outcome:
        """Go through the items of the node's own loop."""
        try:
            outermost = _Loop(self, "", self.entered.names, self.entered.where, Place())
            outcome = outermost.go_through(config, items)
            if isinstance(outcome, Done):
                self.progress.finish()
            else:
                self.progress.write()
            return outcome
        except Interrupted as interrupted:
            return interrupted.fail

    def answer_to(self, key: str) -> Answer | None:
        """How the wait of the step of this key ended, if that is what woke the loop."""
        answer = self.entered.answer
        if answer is None or not self.progress.waits_at(key):
            return None
        return answer


@dataclass(frozen=True, slots=True)
class _Loop:
    """One loop, at one place."""

    loops: Loops
    path: str
    names: Mapping[str, JSON]
    where: str
    place: Place

    def go_through(self, config: Any, items: list[JSON]) -> Outcome:
        progress = self.loops.progress
        cursor = progress.cursor(self.path, len(items))
        todo = iter([index for index, entry in enumerate(cursor.entries) if entry is None])
        work = _Work(self, config, items, cursor, todo)
        try:
            work.done_by(config.concurrency)
        except _Failure as failed:
            return failed.fail
        if work.parked:
            return _soonest(work.parked)
        progress.end(cursor)
        entries = cursor.entries
        return Done(
            {
                "count": len(items),
                "results": [entry.get("output") for entry in entries],
                "errors": [
                    {"index": index, "error": entry["error"]}
                    for index, entry in enumerate(entries)
                    if "error" in entry
                ],
            }
        )


class _Failure(Exception):
    def __init__(self, fail: Fail) -> None:
        super().__init__(fail.error)
        self.fail = fail


@dataclass(slots=True)
class _Work:
    """The iterations of a loop that are still to be done."""

    loop: _Loop
    config: Any
    items: list[JSON]
    cursor: Cursor
    todo: Iterator[int]
    parked: list[Inside] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    broken: bool = False

    def done_by(self, workers: int) -> None:
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
                self._item(index)
            except _Parked as parked:
                self.parked.append(parked.outcome)
                # One at a time means in order; of several at once, the others go on.
                if self.config.concurrency == 1:
                    self.broken = True
            except BaseException:
                self.broken = True
                raise

    def _next(self) -> int | None:
        with self.lock:
            return None if self.broken else next(self.todo, None)

    def _item(self, index: int) -> None:
        place = self.loop.place.inside(index, len(self.items))
        iteration = _Iteration(self.loop, self.cursor, place, self._about(index))
        entry: dict[str, JSON]
        try:
            entry = {"output": iteration.run(self.config.steps)}
        except _ItemFailed as failed:
            fail = failed.fail
            if self.config.on_item_error == "fail":
                raise _Failure(
                    Fail(
                        f"item {index}, step '{failed.step_name}': {fail.error}",
                        fail.kind,
                        fail.retryable,
                        fail.retry_after,
                        {"index": index, "count": len(self.items)},
                    )
                ) from failed
            message = f"step '{failed.step_name}': {fail.error}"
            entry = {"error": {"message": message, "kind": fail.kind}}
        self.loop.loops.progress.item(self.cursor, index, entry)

    def _about(self, index: int) -> dict[str, JSON]:
        return {
            "item": self.items[index],
            "index": index,
            "first": index == 0,
            "last": index == len(self.items) - 1,
        }


def _soonest(parked: list[Inside]) -> Inside:
    """Of several that wait, which only attempts do, the one that goes on first."""
    due = [(inside.wait.when, inside) for inside in parked if isinstance(inside.wait, WaitToRetry)]
    return min(due, key=lambda one: one[0])[1] if due else parked[0]


class _Iteration:
    """One iteration: its steps, and what they have put out."""

    def __init__(self, loop: _Loop, cursor: Cursor, place: Place, about: dict[str, JSON]) -> None:
        self._loop = loop
        self._loops = loop.loops
        self._cursor = cursor
        self._place = place
        self._index = place.indexes[-1]
        self._path = f"{loop.path}[{self._index}]"
        self._about = about
        self._outputs: dict[str, JSON] = {}
        self._last: JSON = None

    def run(self, steps: list[Any]) -> JSON:
        """Do the steps; what the last of them put out."""
        with suppress(_Stopped):
            self._run(steps)
        return self._last

    def _run(self, steps: list[Any]) -> None:
        for step in ordered(steps):
            arm = self._step(step)
            if arm is not None:
                nested = {name: inner for name, _, inner in nested_lists(step)}
                self._run(nested.get(arm, []))

    def _step(self, step: Any) -> str | None:
        """Do a step, or take what it came to before; the arm that it chose."""
        record = self._cursor.open.get(self._index, {}).get(step.id)
        if record is None or "attempt" in record:
            outcome = self._tried(step, record)
            record = self._record(step, outcome)
            self._loops.progress.step(
                self._cursor,
                self._index,
                step.id,
                record,
                once=STEP_TYPES[step.type].once(step.config),
                variables=outcome.variables if isinstance(outcome, Done) else {},
            )
        self._last = self._outputs[step.id] = self._outputs[step.name] = record["output"]
        if record.get("stop"):
            raise _Stopped
        arm: str | None = record.get("arm")
        return arm

    def _record(self, step: Any, outcome: Outcome) -> dict[str, JSON]:
        match outcome:
            case Done(output):
                return {"output": dict(output)}
            case Branch(output, arm):
                return {"output": dict(output), "arm": arm}
            case Stop(output):
                return {"output": dict(output), "stop": True}
            case Fail():
                if step.on_error == "fail":
                    self._loops.progress.give_up(self._cursor, self._index, step.id)
                    raise _ItemFailed(step.name, outcome)
                rescued = isinstance(step.on_error, list)
                return {"output": fail_output(outcome), "arm": "onError" if rescued else None}
            case Inside():
                raise _Parked(outcome)
            case WaitToRetry():
                raise _Parked(Inside(outcome, self._key(step)))
            case _:
                key = self._key(step)
                self._loops.progress.park(key)
                raise _Parked(Inside(outcome, key))

    def _tried(self, step: Any, record: Mapping[str, JSON] | None) -> Outcome:
        """What a step comes to after as many attempts as it may have.

        Args:
            record: which attempt is the next, when there were some before.
        """
        progress = self._loops.progress
        attempt = record["attempt"] if record else 1
        due = (
            datetime.fromisoformat(record["dueAt"]) if record else datetime.min.replace(tzinfo=UTC)
        )
        while True:
            left = due - datetime.now(UTC)
            if left > MAX_HOLD:
                return WaitToRetry(due)
            time.sleep(max(left, timedelta(0)).total_seconds())
            began = datetime.now(UTC)
            outcome = self._attempt(step, attempt)
            retry = step.retry
            if (
                not isinstance(outcome, Fail)
                or retry is None
                or not outcome.retryable
                or not retry.covers(outcome.kind, attempt)
            ):
                progress.log.add(self._place, step, outcome, began)
                return outcome
            progress.log.add(self._place, step, outcome, began, retrying=True)
            delay = max(retry.delay_after(attempt), outcome.retry_after or timedelta(0))
            attempt += 1
            due = progress.retry(self._cursor, self._index, step.id, attempt, delay)

    def _attempt(self, step: Any, number: int) -> Outcome:
        loops, key = self._loops, self._key(step)
        names = self._names()
        if STEP_TYPES[step.type].calls_back(step.config):
            names["callback"] = {"url": self._callback(key)}
        loops.progress.begin()
        where = f"{self._loop.where}, item {self._index}, step '{step.name}'"
        inner = _Loop(loops, f"{self._path}/{step.id}", names, where, self._place)
        answer = loops.answer_to(key)
        return loops.attempts.make(
            Attempt(
                step=step,
                where=where,
                names=names,
                key=key,
                number=number,
                iterate=inner.go_through,
                answer=answer,
                kept=loops.entered.kept if answer is not None else {},
                iteration=self._place.indexes,
            )
        )

    def _names(self) -> dict[str, JSON]:
        names = self._loop.names
        return {
            **names,
            "variables": self._loops.progress.variables,
            "loop": self._about,
            "steps": {**names["steps"], **self._outputs},
        }

    def _key(self, step: Any) -> str:
        return f"{self._loops.entered.key}{self._path}/{step.id}"

    def _callback(self, key: str) -> str:
        with unit_of_work() as session:
            return callbacks.hand_out(session, self._loops.entered.ref.run_id, key)
