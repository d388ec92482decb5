"""Runs the body of a loop: its steps, in order, for each item, inside the loop's own task.

What the steps of an iteration came to is kept until it has ended: after a crash, or a pause of one
of them, the iteration is gone through once more and takes what is kept instead of doing it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automations import logs, tracing
from automations.db import callbacks
from automations.db.session import unit_of_work
from automations.failures import failure
from automations.loop_progress import Cursor, Interrupted, Progress, ProgressLost
from automations.model import nested_lists, ordered
from automations.outcomes import JSON, Answer, Branch, Done, Fail, Inside, Outcome, Stop
from automations.ports import Ports
from automations.recording import Entered, fail_output
from automations.secrecy import Secrecy
from automations.services import secrets
from automations.steps.base import RENDERED, StepContext, parse_duration
from automations.steps.registry import STEP_TYPES

LONGEST_DELAY = timedelta(seconds=30)
"""Between attempts at a step in a body, which hold the worker."""


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
        answer: how the wait of a step in the body has ended, when one has.
    """

    def __init__(self, entered: Entered, ports: Ports, answer: Answer | None) -> None:
        ref, step = entered.ref, entered.step
        self.entered = entered
        self.ports = ports
        limited = step.timeout is not None and not step.may_wait()
        seconds = parse_duration(step.timeout).total_seconds() if limited else None
        self.progress = Progress((ref.run_id, ref.node_id, ref.generation), seconds)
        self._answer = answer
        self._secrets: dict[str, str] = {}
        self._unknown: set[str] = set()

    def outermost(self, config: Any, items: list[JSON]) -> Outcome:
        """Go through the items of the node's own loop."""
        try:
            return _Loop(self, "", self.entered.names, self.entered.where).go_through(config, items)
        except Interrupted as interrupted:
            return interrupted.fail

    def answer_to(self, key: str) -> Answer | None:
        """How the wait of the step of this key ended, if that is what woke the loop."""
        if self._answer is None or not self.progress.waits_at(key):
            return None
        return self._answer

    def read(self, names: Set[str]) -> Mapping[str, str]:
        """The values of secrets, each read once."""
        wanted = set(names) - self._secrets.keys() - self._unknown
        if wanted:
            found = secrets.read(self.entered.workspace_id, wanted)
            self._secrets.update(found)
            self._unknown |= wanted - found.keys()
        return {name: self._secrets[name] for name in names if name in self._secrets}


@dataclass(frozen=True, slots=True)
class _Loop:
    """One loop, at one place."""

    loops: Loops
    path: str
    names: Mapping[str, JSON]
    where: str

    def go_through(self, config: Any, items: list[JSON]) -> Outcome:
        progress = self.loops.progress
        cursor = progress.cursor(self.path, len(items))
        todo = iter([index for index, entry in enumerate(cursor.entries) if entry is None])
        work = _Work(self, config, items, cursor, todo)
        try:
            work.done_by(config.concurrency)
        except _Parked as parked:
            return parked.outcome
        except _Failure as failed:
            progress.begin()
            return failed.fail
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
            except BaseException:
                self.broken = True
                raise

    def _next(self) -> int | None:
        with self.lock:
            return None if self.broken else next(self.todo, None)

    def _item(self, index: int) -> None:
        iteration = _Iteration(self.loop, self.cursor, index, self._about(index))
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


class _Iteration:
    """One iteration: its steps, and what they have put out."""

    def __init__(self, loop: _Loop, cursor: Cursor, index: int, about: dict[str, JSON]) -> None:
        self._loop = loop
        self._loops = loop.loops
        self._cursor = cursor
        self._index = index
        self._path = f"{loop.path}[{index}]"
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
        if record is None:
            record = self._record(step, self._tried(step))
            acts = STEP_TYPES[step.type].acts
            self._loops.progress.step(self._cursor, self._index, step.id, record, acts=acts)
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
                    raise _ItemFailed(step.name, outcome)
                rescued = isinstance(step.on_error, list)
                return {"output": fail_output(outcome), "arm": "onError" if rescued else None}
            case Inside():
                raise _Parked(outcome)
            case _:
                key = self._key(step)
                self._loops.progress.park(key)
                raise _Parked(Inside(outcome, key))

    def _tried(self, step: Any) -> Outcome:
        """What a step comes to after as many attempts as it may have."""
        attempt = 1
        while True:
            outcome = self._attempt(step, attempt)
            retry = step.retry
            if not isinstance(outcome, Fail) or retry is None or not outcome.retryable:
                return outcome
            if not retry.covers(outcome.kind, attempt):
                return outcome
            delay = max(retry.delay_after(attempt), outcome.retry_after or timedelta(0))
            self._loops.progress.write()
            time.sleep(min(delay, LONGEST_DELAY).total_seconds())
            attempt += 1

    def _attempt(self, step: Any, attempt: int) -> Outcome:
        step_type = STEP_TYPES[step.type]
        secrecy = Secrecy(self._loops.read)
        names = self._names()
        if step_type.calls_back(step.config):
            names["callback"] = {"url": self._callback(step)}
        if step_type.acts:
            self._loops.progress.begin()
        where = f"{self._loop.where}, item {self._index}, step '{step.name}'"
        try:
            rendered, _ = secrecy.config(step.config, names, where=where)
            config = type(step.config).model_validate(rendered, context=RENDERED)
            answer = self._loops.answer_to(self._key(step))
            kept = self._loops.entered.kept if answer is not None else {}
            ctx = self._context(step, attempt, secrecy, names, where, kept)
            with logs.masked(secrecy.text):
                outcome: Outcome = (
                    step_type.run(config, ctx)
                    if answer is None
                    else step_type.resume(config, ctx, answer)
                )
        except (Interrupted, ProgressLost):
            raise
        except Exception as error:  # as in the engine: a step's bug fails that step only
            outcome = failure(error, where)
        return secrecy.outcome(outcome)

    def _names(self) -> dict[str, JSON]:
        names = self._loop.names
        return {**names, "loop": self._about, "steps": {**names["steps"], **self._outputs}}

    def _key(self, step: Any) -> str:
        return f"{self._loops.entered.key}{self._path}/{step.id}"

    def _callback(self, step: Any) -> str:
        with unit_of_work() as session:
            return callbacks.hand_out(session, self._loops.entered.ref.run_id, self._key(step))

    def _context(
        self,
        step: Any,
        attempt: int,
        secrecy: Secrecy,
        names: Mapping[str, JSON],
        where: str,
        kept: Mapping[str, JSON],
    ) -> StepContext:
        entered = self._loops.entered
        inner = _Loop(self._loops, f"{self._path}/{step.id}", names, where)

        def render(text: str, *, missing_ok: bool = False, where: str = "config") -> JSON:
            place = f"{inner.where}, {where}"
            return secrecy.render(text, names, where=place, missing_ok=missing_ok)

        return StepContext(
            run_id=entered.ref.run_id,
            workflow_id=entered.ref.workflow_id,
            workspace_id=entered.workspace_id,
            node_id=entered.ref.node_id,
            step_name=step.name,
            idempotency_key=self._key(step),
            attempt=attempt,
            now=datetime.now(UTC),
            timeout=parse_duration(step.timeout) if step.timeout else STEP_TYPES[step.type].timeout,
            ports=self._loops.ports,
            render=render,
            kept=kept,
            iterate=inner.go_through,
            traceparent=tracing.current(),
        )
