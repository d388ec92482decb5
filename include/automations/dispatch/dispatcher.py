"""Carries committed work to Airflow: matches events, creates DagRuns, delivers answers.

Any number of dispatchers may run, in bridges or alone; what one had claimed when it died is
carried by another some seconds later. Delivery to Airflow is at-least-once: the run's id is the
DagRun's id, so a second start changes nothing.
"""

from __future__ import annotations

import logging
import secrets
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from automations.db.queue import jobs
from automations.db.queue.lanes import Turns
from automations.db.session import Session, raw_connection, unit_of_work
from automations.db.tables import Job, JobKind
from automations.dispatch import slow_work
from automations.dispatch.breaker import Breaker
from automations.dispatch.capacity import Capacity, Permits
from automations.dispatch.housekeeping import Housekeeper
from automations.dispatch.jobs.registry import HANDLERS, Handlers
from automations.dispatch.reconciler import Reconciler
from automations.dispatch.slow_work import SlowWork
from automations.errors import (
    AutomationsError,
    DatabaseUnavailable,
    NotVisibleYet,
    OrchestratorError,
    OrchestratorUnavailable,
    StepError,
)
from automations.kit import common_clock, logs
from automations.kit.storable import nearest
from automations.ports import Orchestrator, Ports
from automations.settings import get_settings

log = logging.getLogger(__name__)

_WORKERS = 4
"""They wait for Airflow's API, which answers a few starts at a time, rather than compute."""
_BATCH = 8
"""Jobs of a claim: fewer round trips, and still little that waits behind a slow one."""
_TOGETHER = 32
"""Starts of a claim, which are made in one go: some hundredths of a second each, at Airflow's."""
_SHOWN_TOGETHER = 100
"""Runs of a claim that have ended: Airflow is given rows only, and nobody waits for them there."""
_IDLE = 20.0
"""Seconds; only a net, since whoever adds a job wakes a worker; each look is some statements."""
_MIN_PAUSE = 0.01
"""Seconds: what is due by the database's clock need not be so by this one's."""
_PAUSE_AFTER_ERROR = 1.0
"""Seconds: a database that comes back is not met by a flood, nor is the log."""
_GATHERING = 0.01
"""Seconds in which further notifications wake nobody anew: in a burst there is one per commit."""
_LOOK_FOR_ABANDONED = 5.0
"""Seconds; so late is, at most, what a dispatcher had in hand that has died."""
_STOOD_IN_FOR = 100
"""Runs that are given to Airflow at once where no express worker is there."""
_LOOK_FOR_ROOM = 0.25
"""Seconds; nothing says when a run leaves Airflow, and each look counts those that are there."""
_STOPPING = 10.0
"""Seconds for what is in hand; what waits longer for others is done again by the next one."""
_MAX_FAILURES = 12
"""With pauses that double, a job is given up after about a quarter of an hour."""
_MAX_DELAY = timedelta(seconds=10)
"""So late, at most, is noticed that Airflow is back, or that it has parsed a DAG."""

_SLOW_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.slow)
_AIRFLOW_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.airflow)
_LIMITED_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.limited)
_EXPRESS_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.express)
_SHOWN_KINDS = frozenset({JobKind.SHOW_RUN})
_OWN_KINDS = frozenset(HANDLERS) - _SLOW_KINDS - _AIRFLOW_KINDS - _EXPRESS_KINDS


_GROUPS = {
    "own": _OWN_KINDS,
    "airflow": _AIRFLOW_KINDS - _LIMITED_KINDS - _SHOWN_KINDS,
    "starts": _LIMITED_KINDS,
    "shown": _SHOWN_KINDS,
}
"""What a worker takes at a time is of one group: a quick job waits for no slow one."""


class Taken(NamedTuple):
    """What a worker has claimed; and, when that is nothing, the kinds that it rests for."""

    jobs: Sequence[Job]
    awaited: frozenset[str] = frozenset()


class Dispatcher:
    """The threads of one dispatcher process.

    Args:
        name: by which it is known to be there.
    """

    def __init__(self, orchestrator: Orchestrator, ports: Ports, name: str | None = None) -> None:
        self._name = name
        self._handlers = Handlers(orchestrator, ports)
        self._reconciler = Reconciler(orchestrator)
        self._housekeeper = Housekeeper(orchestrator)
        self._breaker = Breaker()
        self._capacity = Capacity(get_settings().max_runs_in_airflow, _LIMITED_KINDS)
        # Drawn, since pids repeat on other machines; as large as half of an advisory lock's key.
        self._holder = secrets.randbelow(2**31)
        self._attending = threading.Event()
        self._in_hand: set[tuple[int, int]] = set()
        """Ids and claims of jobs, but for slow ones."""
        self._slow = SlowWork(_SLOW_KINDS)
        # Held while some are claimed, too: whose turn it is, is one after the other.
        self._claiming = threading.Lock()
        self._turns = {group: Turns() for group in _GROUPS}
        self._probes = Turns()
        self._order = deque(_GROUPS)
        self._places_in_airflow = threading.Semaphore(_WORKERS - 1)
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._signals = 0
        self._threads = [
            threading.Thread(target=self._loop, args=(target,), name=name, daemon=True)
            for name, target in (
                ("dispatcher-listener", self._listen),
                ("dispatcher-reconciler", lambda: self._reconciler.run(self._stopping)),
                ("dispatcher-housekeeper", lambda: self._housekeeper.run(self._stopping)),
                *((f"dispatcher-{number}", self._work) for number in range(_WORKERS)),
                *(
                    (f"dispatcher-slow-{number}", self._work_slowly)
                    for number in range(slow_work.WORKERS)
                ),
            )
        ]

    def start(self) -> None:
        """Begin to work; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is in hand and end."""
        self._stopping.set()
        # Who waits for the listener would only wait for it to end.
        self._attending.set()
        self._signal(_WORKERS)
        self._slow.signal(slow_work.WORKERS)
        until = time.monotonic() + _STOPPING
        for thread in self._threads:
            thread.join(timeout=max(until - time.monotonic(), 0))

    @property
    def reaches_airflow(self) -> bool:
        """Whether Airflow has answered when it was last asked, as far as is known."""
        return not self._breaker.is_open

    def _loop(self, body: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                body()
            except Exception:  # the database may be away; nothing is lost, so go on
                log.exception("%s goes on after an error", threading.current_thread().name)
                self._stopping.wait(_PAUSE_AFTER_ERROR)

    def _signal(self, workers: int = 1) -> None:
        with self._wake:
            self._signals += 1
            self._wake.notify(workers)

    def _listen(self) -> None:
        connection = raw_connection()
        try:
            connection.autocommit = True
            jobs.attend(connection, self._holder, name=self._name)
            # The connections of claims may have been lost with that of before.
            known = {job_id for job_id, _ in self._in_hand.copy()} | self._slow.in_hand
            with unit_of_work() as session:
                jobs.release_untold(session, self._holder, known)
            self._attending.set()
            self._signal(_WORKERS)  # what was committed before that
            self._slow.signal()
            looked = looked_for_room = 0.0
            while not self._stopping.is_set():
                if time.monotonic() - looked > _LOOK_FOR_ABANDONED:
                    with unit_of_work() as session:
                        jobs.release_abandoned(session, self._holder)
                    looked = 0.0 if self._stand_in_for_express() else time.monotonic()
                is_full = self._capacity.is_full
                if is_full and time.monotonic() - looked_for_room > _LOOK_FOR_ROOM:
                    if self._capacity.has_room():
                        self._signal()
                    looked_for_room = time.monotonic()
                patience = _LOOK_FOR_ROOM if is_full else 1.0
                if select.select([connection], [], [], patience if looked else 0)[0]:
                    connection.poll()
                    if told := {notify.payload for notify in connection.notifies}:
                        connection.notifies.clear()
                        if jobs.SLOW in told:
                            self._slow.signal()
                        if told - {jobs.SLOW, jobs.EXPRESS}:
                            self._signal()
                        self._stopping.wait(_GATHERING)
        finally:
            self._attending.clear()
            connection.close()

    def _stand_in_for_express(self) -> bool:
        """Give to Airflow some of what waits for express workers where none is there.

        Returns:
            whether there may be more of it now.
        """
        with unit_of_work() as session:
            if jobs.express_workers(session):
                return False
            claimed = jobs.claim(session, _STOOD_IN_FOR, _EXPRESS_KINDS, holder=self._holder)
        with self._having(claimed):
            for job in claimed:
                self._carry(job)
        return len(claimed) == _STOOD_IN_FOR

    @contextmanager
    def _having(self, claimed: Sequence[Job]) -> Iterator[None]:
        """Know of jobs that they are in hand."""
        these = {(job.id, job.claims) for job in claimed}
        self._in_hand |= these
        try:
            yield
        finally:
            self._in_hand -= these

    def _work(self) -> None:
        if not self._attending.wait(_IDLE):
            return  # what it claimed now would pass for abandoned
        seen = self._signals
        with self._breaker.probing() as may_probe:
            if may_probe and self._probe():
                return
        # One worker is always there for what needs no Airflow, however long that takes to answer.
        may_ask = self._places_in_airflow.acquire(blocking=False)
        try:
            with self._capacity.permits() as permits:
                taken = self._take(permits, may_ask)
                if len(taken.jobs) > 1:
                    self._signal()  # there may be more, for another worker
                with self._having(taken.jobs):
                    self._carry_all(taken.jobs)
        finally:
            if may_ask:
                self._places_in_airflow.release()
        if not taken.jobs:
            awaited = _OWN_KINDS | _AIRFLOW_KINDS if may_probe else taken.awaited
            with unit_of_work() as session:
                pause = jobs.seconds_to_next(session, awaited)
            self._rest(seen, pause, None if may_probe else self._breaker.seconds_to_probe())

    def _take(self, permits: Permits, may_ask: bool) -> Taken:
        """Claim jobs of one group, each group after the others."""
        awaited = _OWN_KINDS
        with self._claiming:
            for group in tuple(self._order):
                if group != "own" and (not may_ask or self._breaker.is_open):
                    continue
                with unit_of_work() as session:
                    claimed = self._claim(session, group, permits)
                if claimed:
                    self._order.remove(group)
                    self._order.append(group)
                    return Taken(claimed)
                # Starts that wait for room are due: the listener looks for that, not the clock.
                if group != "starts" or not self._capacity.is_full:
                    awaited |= _GROUPS[group]
        return Taken((), awaited)

    def _claim(self, session: Session, group: str, permits: Permits) -> list[Job]:
        limit, room = _SHOWN_TOGETHER if group == "shown" else _BATCH, None
        if group == "starts":
            limit, room = permits.look(session, _TOGETHER)
            if not limit:
                return []
        claimed = jobs.claim(
            session,
            limit,
            _GROUPS[group],
            holder=self._holder,
            turns=self._turns[group],
            room=room,
        )
        if group == "starts":
            permits.hold(str(job.lane) for job in claimed)
        return claimed

    def _probe(self) -> bool:
        """See by one job whether Airflow is back; False when none is there."""
        # Without a permit: one run too many, for a moment, is better than not to notice.
        with unit_of_work() as session:
            # By another automation's each time: Airflow may fail at one of them for good.
            claimed = jobs.claim(
                session, 1, _AIRFLOW_KINDS, holder=self._holder, turns=self._probes
            )
        with self._having(claimed):
            for job in claimed:
                self._carry(job, probe=True)
        return bool(claimed)

    def _carry_all(self, claimed: Sequence[Job]) -> None:
        held_back = []
        todo = [job for job in claimed if not HANDLERS[job.kind].together]
        together = [job for job in claimed if HANDLERS[job.kind].together]
        try:
            if together:
                self._carry_together(together)
            while todo:
                job = todo.pop(0)
                if HANDLERS[job.kind].airflow and self._breaker.is_open:
                    held_back.append(job)
                else:
                    self._carry(job)
        finally:
            # Also when the database is away: without, they would come back with their lease only.
            self._give_back([*held_back, *todo])

    def _carry_together(self, claimed: Sequence[Job]) -> None:
        kept = self._handlers.carry_all(claimed)
        # Those that were done first: one of them shows that Airflow answers.
        for job in sorted(claimed, key=lambda job: job.id in kept):
            with logs.bound(jobId=str(job.id), subjectId=job.subject_id):
                self._settle(job, kept.get(job.id), probe=False)

    def _give_back(self, untried: Sequence[Job]) -> None:
        while untried:
            try:
                with unit_of_work() as session:
                    jobs.release(session, untried)
            except DatabaseUnavailable:
                if self._stopping.wait(_PAUSE_AFTER_ERROR):
                    return
            else:
                return

    def _rest(self, seen: int, *pauses: float | None) -> None:
        """Sleep for the shortest of some pauses, or until there is something to do."""
        shortest = min([_IDLE, *(pause for pause in pauses if pause is not None)])
        with self._wake:
            # Who was told of work since it has looked for some looks again instead.
            if seen == self._signals:
                self._wake.wait(max(shortest, _MIN_PAUSE))

    def _work_slowly(self) -> None:
        """Carry one job that may take long, so that no other one waits for its end."""
        if not self._attending.wait(_IDLE):
            return
        seen = self._slow.signals
        job, pause = self._slow.take(self._holder)
        if job is None:
            pause = _IDLE if pause is None else pause
            self._slow.rest(seen, min(max(pause, _MIN_PAUSE), _IDLE))
            return
        try:
            self._carry(job)
        finally:
            self._slow.put_down(job)

    def _carry(self, job: Job, *, probe: bool = False) -> None:
        with logs.bound(jobId=str(job.id), subjectId=job.subject_id):
            problem = None
            try:
                self._handlers.carry(job)
            except Exception as error:  # noqa: BLE001 -- each is told apart below
                problem = error
            self._settle(job, problem, probe)

    def _settle(self, job: Job, problem: Exception | None, probe: bool) -> None:
        """See a job off that was carried, or put it back as befits what kept it."""
        try:
            self._put_where_it_belongs(job, problem, probe)
        except DatabaseUnavailable as away:
            self._put_back_later(job, away.message)

    def _put_where_it_belongs(self, job: Job, problem: Exception | None, probe: bool) -> None:
        match problem:
            case None:
                self._airflow_answered(job)
            case NotVisibleYet():
                self._airflow_answered(job)
                self._reschedule(job, _patience(job), problem.message)
            case OrchestratorUnavailable():
                self._breaker.failed(job.id, problem.message, probe=probe)
                # Held back by the breaker, it loses no time when Airflow is back.
                alone = min(timedelta(seconds=0.5) * 2 ** min(job.claims, 6), _MAX_DELAY)
                delay = timedelta(0) if self._breaker.is_open else alone
                self._reschedule(job, delay, problem.message)
                self._signal()  # somebody must wait for the next probe
            case DatabaseUnavailable():
                # No fault of the job's; to do it again, in part, is safe.
                self._put_back_later(job, problem.message)
            case _:
                self._failed(job, problem)

    def _failed(self, job: Job, problem: Exception) -> None:
        if isinstance(problem, OrchestratorError):
            self._airflow_answered(job)
        known = isinstance(problem, AutomationsError)
        # It is kept with the job, whatever a server has said: a NUL would keep it from that.
        message = nearest(str(problem) if known else f"{type(problem).__name__}: {problem}")
        # What no try can make better is not tried.
        final = isinstance(problem, StepError) and not problem.retryable
        log.warning("Job %s failed: %s", job.kind, message, exc_info=problem)
        if final or job.failures + 1 >= _MAX_FAILURES:
            self._handlers.give_up(job, message)
        else:
            wished = problem.retry_after if isinstance(problem, StepError) else None
            delay = wished or timedelta(seconds=2 ** min(job.failures, 8))
            with unit_of_work() as session:
                jobs.retry(session, job, delay, message)

    def _airflow_answered(self, job: Job) -> None:
        if HANDLERS[job.kind].airflow and self._breaker.answered():
            self._signal(_WORKERS)

    def _put_back_later(self, job: Job, error: str) -> None:
        while True:
            try:
                self._reschedule(job, timedelta(seconds=_PAUSE_AFTER_ERROR), error)
            except DatabaseUnavailable:
                if self._stopping.wait(_PAUSE_AFTER_ERROR):
                    return
            else:
                return

    @staticmethod
    def _reschedule(job: Job, delay: timedelta, error: str) -> None:
        with unit_of_work() as session:
            jobs.reschedule(session, job, delay, error)


def _patience(job: Job) -> timedelta:
    """How soon to look again for a DAG that is about to be parsed: often at first."""
    age = common_clock.now() - job.created_at
    return min(max(timedelta(seconds=0.1), age / 10), _MAX_DELAY)
