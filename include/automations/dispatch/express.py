"""The threads of one express worker, which runs express automations before Airflow has the runs.

Any number of workers may run, on several machines. They claim runs as dispatchers claim jobs, in
the same turns. The runs of a worker that dies are given to Airflow some seconds later, by another
worker or a dispatcher.
"""

from __future__ import annotations

import logging
import secrets
import select
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta

from automations.db.queue import jobs
from automations.db.queue.lanes import Room, Turns
from automations.db.session import raw_connection, unit_of_work
from automations.db.tables import Job, JobKind
from automations.dispatch import threads
from automations.dispatch.coalescing import Coalescing
from automations.errors import DatabaseUnavailable
from automations.execution.engine import Engine
from automations.execution.express import ExpressLeg
from automations.kit import logs
from automations.settings import get_settings

log = logging.getLogger(__name__)

THREADS = 16
"""Many, so that steps which wait for others overlap; each has two connections at most."""
_WORKSPACE_LIMIT = 12
"""Runs of one workspace at most: if its servers hang, that holds up only its own runs."""
_BATCH_SIZE = 8
"""Runs per claim, which costs no more than for a single one."""
_MIN_FREE_THREADS = 4
"""Free threads that are enough to claim at once while others are busy."""
_COALESCE_WINDOW = 0.01
"""Seconds after which fewer free threads are enough."""
_IDLE_TIMEOUT = 20.0
"""Seconds; only a safety net, since whoever adds a run wakes the worker."""
_HEARTBEAT_INTERVAL = 15.0
"""Seconds between two renewals of leases, a quarter of one."""
_ABANDONED_INTERVAL = 5.0
_SHUTDOWN_TIMEOUT = 10.0
"""Seconds for runs in flight; Airflow repeats steps that take longer, under the same keys."""
_STUCK_AFTER = 900.0
"""Seconds; no step may take so long, so the process should be replaced."""
_SWITCH_INTERVAL = 0.001
"""Seconds: a thread that the database has answered should not wait long for the interpreter."""
_KINDS = (JobKind.EXPRESS_RUN,)


class ExpressWorker:
    """The threads of one express worker process.

    Args:
        name: by which it is known to be there.
    """

    def __init__(self, engine: Engine, name: str = "express") -> None:
        self._engine = engine
        self._name = name
        self._holder = secrets.randbelow(2**31)
        self._budget = timedelta(seconds=get_settings().express_seconds)
        self._turns = Turns()
        self._coalescing = Coalescing()
        self._registered = threading.Event()
        self._stopping = threading.Event()
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        # Of the same lock: a job that is there is told to those alone who do them.
        self._queued = threading.Condition(lock)
        self._signals = 0
        self._ended = 0
        self._queue: list[Job] = []
        # By the claim, too: what passed for abandoned may come back to this worker.
        self._in_flight: dict[tuple[int, int], tuple[Job, float]] = {}
        self._threads = [
            threading.Thread(
                target=threads.repeat, args=(target, self._stopping), name=name, daemon=True
            )
            for name, target in (
                ("express-claimer", self._claim),
                ("express-listener", self._listen),
                ("express-heart", self._renew_leases),
                *((f"express-{number}", self._work) for number in range(THREADS)),
            )
        ]

    def start(self) -> None:
        """Begin to work; returns at once."""
        sys.setswitchinterval(_SWITCH_INTERVAL)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is in flight, as far as it has been begun, and end."""
        self._stopping.set()
        self._signal()
        with self._queued:
            self._queued.notify_all()
        until = time.monotonic() + _SHUTDOWN_TIMEOUT
        claimer, *others = self._threads
        claimer.join(timeout=_SHUTDOWN_TIMEOUT)
        self._release()
        for thread in others:
            thread.join(timeout=max(until - time.monotonic(), 0))

    @property
    def is_stuck(self) -> bool:
        """Whether a run is in flight for longer than any may be."""
        with self._changed:
            oldest = min((since for _, since in self._in_flight.values()), default=time.monotonic())
        return time.monotonic() - oldest > _STUCK_AFTER

    def _release(self) -> None:
        """Leave to other workers what nobody here has begun."""
        with self._changed:
            waiting, self._queue = self._queue, []
        if not waiting:
            return
        # Without the database they pass for abandoned, some seconds later.
        with suppress(DatabaseUnavailable), unit_of_work() as session:
            jobs.release(session, waiting)
            jobs.notify(session, jobs.WAKE, jobs.EXPRESS)

    def _signal(self) -> None:
        with self._changed:
            self._signals += 1
            self._changed.notify()

    def _listen(self) -> None:
        connection = raw_connection()
        try:
            connection.autocommit = True
            jobs.register(connection, self._holder, name=self._name, express=True)
            with self._changed:
                job_ids = [job.id for job, _ in self._in_flight.values()]
                job_ids += [job.id for job in self._queue]
            # The connection of a claim may have been lost with that of before.
            with unit_of_work() as session:
                jobs.release_unknown(session, self._holder, job_ids)
            self._registered.set()
            self._signal()  # what was committed before that
            looked = 0.0
            # What is in flight is this worker's to its end: nobody else is to begin it meanwhile.
            while not self._stopping.is_set() or self._in_flight:
                if time.monotonic() - looked > _ABANDONED_INTERVAL:
                    with unit_of_work() as session:
                        jobs.release_abandoned(session, self._holder)
                    looked = time.monotonic()
                if select.select([connection], [], [], 1)[0]:
                    connection.poll()
                    payloads = {notify.payload for notify in connection.notifies}
                    connection.notifies.clear()
                    if jobs.EXPRESS in payloads:
                        self._signal()
                    self._coalescing.rest(connection, self._stopping)
        finally:
            # What is in flight passes for abandoned from here on: nothing more is begun of it.
            self._registered.clear()
            connection.close()

    def _renew_leases(self) -> None:
        self._stopping.wait(_HEARTBEAT_INTERVAL)
        with self._changed:
            claimed = [job for job, _ in self._in_flight.values()] + self._queue
        if claimed:
            with unit_of_work() as session:
                jobs.renew(session, claimed, self._holder)

    def _claim(self) -> None:
        if not self._registered.wait(_IDLE_TIMEOUT):
            return
        signals, ended = self._signals, self._ended
        if not self._wait_for_free_threads():
            return
        limit, full = self._room()
        with unit_of_work() as session:
            claimed = jobs.claim(
                session,
                limit,
                _KINDS,
                holder=self._holder,
                turns=self._turns,
                room=Room(full=full),
            )
            is_all = len(claimed) < limit
            pause = jobs.seconds_to_next(session, _KINDS) if is_all else None
        with self._changed:
            self._queue += claimed
            self._queued.notify(len(claimed))
            if not is_all:
                return

            def may_be_more() -> bool:
                # A workspace that had its share is given more when one of its runs is over.
                has_room = bool(full) and ended != self._ended
                return has_room or signals != self._signals or self._stopping.is_set()

            self._changed.wait_for(
                may_be_more, min(_IDLE_TIMEOUT, max(pause or _IDLE_TIMEOUT, _COALESCE_WINDOW))
            )

    def _room(self) -> tuple[int, list[str]]:
        """How many runs may be claimed, all of one workspace if need be, and of which none."""
        with self._changed:
            claimed = [job for job, _ in self._in_flight.values()] + self._queue
        counts = Counter(str(job.workspace_id) for job in claimed)
        full = [workspace for workspace, count in counts.items() if count >= _WORKSPACE_LIMIT]
        busiest = max((count for count in counts.values() if count < _WORKSPACE_LIMIT), default=0)
        return min(THREADS - len(claimed), _BATCH_SIZE, _WORKSPACE_LIMIT - busiest), full

    def _wait_for_free_threads(self) -> bool:
        """Wait until there are threads for a claim, some of them or all that there will be."""

        def free() -> int:
            return THREADS - len(self._in_flight) - len(self._queue)

        with self._changed:
            self._changed.wait_for(
                lambda: free() >= _MIN_FREE_THREADS or self._stopping.is_set(), _COALESCE_WINDOW
            )
            self._changed.wait_for(lambda: free() > 0 or self._stopping.is_set(), _IDLE_TIMEOUT)
            return free() > 0 and not self._stopping.is_set()

    def _work(self) -> None:
        with self._queued:
            self._queued.wait_for(lambda: self._queue or self._stopping.is_set(), _IDLE_TIMEOUT)
            if not self._queue or self._stopping.is_set():
                return
            job = self._queue.pop(0)
            self._in_flight[job.id, job.claims] = (job, time.monotonic())
        try:
            with logs.bound(jobId=str(job.id), subjectId=job.subject_id):
                self._handle(job)
        finally:
            with self._changed:
                del self._in_flight[job.id, job.claims]
                self._ended += 1
                self._changed.notify()

    def _handle(self, job: Job) -> None:
        leg = ExpressLeg(self._engine, job, self._budget, self._may_go_on)
        try:
            leg.run()
        except DatabaseUnavailable as away:
            threads.put_back(job, away.message, self._stopping)
        except Exception:  # a bug of ours: Airflow's tasks show what comes of it
            log.exception("Run %s is left to Airflow", job.subject_id)
            leg.hand_over()

    def _may_go_on(self) -> bool:
        return self._registered.is_set() and not self._stopping.is_set()
