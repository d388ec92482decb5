"""Resumes sleeping tasks as soon as their pauses are over.

A trigger does so, too, and is what can be relied on; but between a task that goes to sleep and its
trigger, and between a trigger that fires and the scheduler, are rounds of a second each: some two
and a half from a child's end to its parent's next step. So the scheduler's process, which hears of
each end, hands the task back as the triggerer would. Whichever comes second finds nothing to do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger, handle_event_submit
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import NEW_SESSION, provide_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import Connection, Engine, select, tuple_
from sqlalchemy.orm import Session

from automations.definitions.published import dag_id
from automations.kit import common_clock
from automations.services.waits import sleepers
from automations.services.waits.sleepers import Sleeper
from automations_airflow.scheduler.scheduler_threads import SchedulerThread
from automations_airflow.waits.triggers import ELAPSED, NOTIFIED

log = logging.getLogger(__name__)

LOOK_INTERVAL = timedelta(seconds=1)
"""Between two looks for pauses that end by themselves until the next one."""
SLEEP_TIMEOUT = timedelta(seconds=5)
"""For a task to go to sleep whose pause is over already; then it is left to its trigger."""
POLL_INTERVAL = 0.05
"""Seconds between two looks for such a task."""
_HURRY_TIME, _HURRY_INTERVAL = 1.0, 0.15
"""Seconds after an answer in which runs are looked at, and how often: a person's is brought to
Airflow by a job, a moment later."""
_BATCH_SIZE = 500
"""Tasks that are looked for by one query."""
_SUBMIT = Trigger.submit_event.__func__  # type: ignore[attr-defined]
"""What the triggerer does with an event, as Airflow has it."""


def take_turns() -> None:
    """Have the triggerer of this process lock whom it resumes.

    By itself it looks who sleeps and writes later: in between we may have resumed the task, and the
    scheduler begun it, which would be taken back.
    """

    @provide_session
    def submit_event(
        cls: type[Trigger], trigger_id: int, event: TriggerEvent, *, session: Session = NEW_SESSION
    ) -> None:
        sleeping = select(TaskInstance.id).where(TaskInstance.trigger_id == trigger_id)
        session.execute(sleeping.with_for_update(of=TaskInstance)).all()
        _SUBMIT(cls, trigger_id, event, session=session)

    Trigger.submit_event = classmethod(submit_event)  # type: ignore[method-assign,assignment]


@dataclass(frozen=True, slots=True)
class _EndedPause:
    """A sleeper whose pause is over.

    Args:
        woken: how, as a trigger tells it.
        until: of ``time.monotonic``; how long it is looked for.
    """

    sleeper: Sleeper
    woken: str
    until: float


def resume(session: Session, ended: Mapping[str, tuple[Sleeper, str]]) -> set[str]:
    """Have the scheduler begin the tasks that sleep for pauses which are over.

    Args:
        ended: by the pause's id, who sleeps, and how it has ended.

    Returns:
        Ids of the pauses whose tasks were asleep.
    """
    tasks = {
        (dag_id(sleeper.workflow_id), sleeper.dag_run_id, sleeper.node_id)
        for sleeper, _ in ended.values()
    }
    asleep = session.scalars(
        select(TaskInstance)
        .where(
            tuple_(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id).in_(tasks),
            TaskInstance.state == TaskInstanceState.DEFERRED,
        )
        # Whoever has it in hand, as the triggerer or another scheduler, sees to it.
        .with_for_update(skip_locked=True, of=TaskInstance)
    ).all()
    resumed = set()
    for task in asleep:
        wait_id = (task.next_kwargs or {}).get("wait_id")
        # A task may sleep for its next pause already.
        if isinstance(wait_id, str) and wait_id in ended:
            event = TriggerEvent({"woken": ended[wait_id][1]})
            handle_event_submit(event, task_instance=task, session=session)
            resumed.add(wait_id)
    return resumed


class Resumer(SchedulerThread):
    """Resumes tasks whose pauses end, while it hears of them.

    Args:
        engine: of Airflow's database, whose statements are parts of transactions.
        poll_soon: is called when runs may have to be looked at.
    """

    task = "resume sleeping tasks"
    interval = 0.0

    def __init__(self, engine: Engine, poll_soon: Callable[[], None]) -> None:
        super().__init__(engine)
        self._hurry = poll_soon
        self._hurried = self._hurry_until = 0.0
        self._due: dict[str, Sleeper] = {}
        self._ended: dict[str, _EndedPause] = {}
        self._seen: dict[str, datetime] = {}
        """Pauses that were due, and when: they stay open until their tasks have begun."""
        self._looked_to = datetime.min.replace(tzinfo=UTC)

    def watch(self, connection: Connection) -> None:
        with sleepers.listening() as hear:
            while not self._stopped.is_set():
                if wait_ids := hear(self._rest()):
                    self._note(sleepers.list_ended(wait_ids), NOTIFIED)
                    self._hurry_until = time.monotonic() + _HURRY_TIME
                self._check_clock()
                if self._ended and self._resume(connection):
                    self._hurry_until = max(self._hurry_until, time.monotonic())
                self._pass_on()

    def _rest(self) -> float:
        """Seconds until there is something to do, if nothing is told."""
        if self._ended:
            return POLL_INTERVAL
        now = common_clock.now()
        left = (
            LOOK_INTERVAL
            if time.monotonic() > self._hurry_until
            else timedelta(seconds=_HURRY_INTERVAL)
        )
        # No longer than a look's time, whatever becomes of the clock.
        instants = [
            self._looked_to,
            now + left,
            *(sleeper.due_at for sleeper in self._due.values()),
        ]
        return max((min(instants) - now).total_seconds(), 0.0)

    def _check_clock(self) -> None:
        sleepers.sync_clock()
        now = common_clock.now()
        # Also when somebody has set the clock back.
        if not now < self._looked_to <= now + LOOK_INTERVAL:
            # What is overdue for longer is its trigger's: it may wait for much else.
            since, self._looked_to = now - SLEEP_TIMEOUT, now + LOOK_INTERVAL
            self._seen = {wait_id: at for wait_id, at in self._seen.items() if at >= since}
            sleepers_due = sleepers.due(since, self._looked_to)
            self._due = {
                sleeper.wait_id: sleeper
                for sleeper in sleepers_due
                if sleeper.wait_id not in self._seen
            }
        overdue_sleepers = [sleeper for sleeper in self._due.values() if sleeper.due_at <= now]
        for overdue in overdue_sleepers:
            self._seen[overdue.wait_id] = self._due.pop(overdue.wait_id).due_at
        self._note(overdue_sleepers, ELAPSED)

    def _note(self, over: Iterable[Sleeper], woken: str) -> None:
        until = time.monotonic() + SLEEP_TIMEOUT.total_seconds()
        for sleeper in over:
            self._ended.setdefault(sleeper.wait_id, _EndedPause(sleeper, woken, until))

    def _resume(self, connection: Connection) -> int:
        """Resume those that sleep by now; how many."""
        some = dict(list(self._ended.items())[:_BATCH_SIZE])
        with Session(connection) as session, session.begin():
            by_wait = {wait_id: (pause.sleeper, pause.woken) for wait_id, pause in some.items()}
            resumed = resume(session, by_wait)
        now = time.monotonic()
        for wait_id, unresumed in some.items():
            # To the end of the others, who have waited as long.
            del self._ended[wait_id]
            if wait_id not in resumed and unresumed.until > now:
                self._ended[wait_id] = unresumed
        if resumed:
            log.info("Resumed %d tasks", len(resumed))
        return len(resumed)

    def _pass_on(self) -> None:
        now = time.monotonic()
        if self._hurried <= self._hurry_until and now - self._hurried >= _HURRY_INTERVAL:
            self._hurried = now
            self._hurry()
