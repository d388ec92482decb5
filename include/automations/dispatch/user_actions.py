"""Reads what people did to automations in Airflow's UI, and records it here."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from automations.db import watermarks
from automations.db.session import Session, unit_of_work
from automations.dispatch.interval_timer import IntervalTimer
from automations.errors import OrchestratorError, OrchestratorUnavailable
from automations.kit import common_clock
from automations.ports import ActionKind, Orchestrator, Reach, UserAction
from automations.services.runs import user_actions

log = logging.getLogger(__name__)

_INTERVAL = timedelta(seconds=2)
"""Soon enough for who looks at the run that they have just marked, and one request each."""
_LAG = timedelta(seconds=1)
"""Airflow notes what is asked of it a moment before it is done."""
_OVERLAP = timedelta(seconds=5)
"""What was noted earlier may be seen later, and clocks differ."""
_INITIAL_LOOKBACK = timedelta(minutes=5)
"""How far back a new installation looks: what was done before it is none of its business."""
_PAGE_SIZE = 100
"""As many as Airflow's API gives at once."""
_MARK = "airflow_acts"
"""The name under which it is kept how far the log was read."""


class UserActions:
    """Follows Airflow's audit log; for one thread."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._timer = IntervalTimer(_INTERVAL)

    def poll_when_due(self) -> None:
        """Look for them, from time to time."""
        if self._timer.is_due():
            self.poll(common_clock.now() - _LAG)

    def poll(self, until: datetime) -> None:
        """Put on record what people have done since the last time."""
        actions, seen = self._read(until)
        unseen = [action for action in actions if action.id not in seen]
        new = self._each([each for action in unseen for each in self._with_others(action)])
        new_actions = [
            (action, state)
            for action in new
            if not self._was_refused(action)
            and _has_taken_effect(action, state := self._state(action))
        ]
        with unit_of_work() as session:
            for action, state in new_actions:
                _record_alone(session, action, state)
            recent = sorted({action.id for action in actions})
            watermarks.put(session, _MARK, json.dumps({"until": until.isoformat(), "seen": recent}))

    def _with_others(self, action: UserAction) -> Iterator[UserAction]:
        """An action on tasks of a run, and on the same ones of other runs that it extends to."""
        yield action
        past, future = Reach.PAST in action.reach, Reach.FUTURE in action.reach
        if action.run_id is None or not (past or future):
            return
        try:
            beside = self._orchestrator.runs_beside(
                action.dag_id, action.run_id, past=past, future=future
            )
        except OrchestratorUnavailable:
            raise
        except OrchestratorError:  # whoever has named the run may have named none
            return
        for run_id in beside:
            yield replace(action, run_id=run_id, named_run=action.run_id)

    @staticmethod
    def _each(actions: Iterable[UserAction]) -> list[UserAction]:
        """The acts, each on one step where it was on several."""
        with unit_of_work() as session:
            return [single for act in actions for single in user_actions.each(session, act)]

    def are_any(self) -> bool:
        """Whether people have done something since the last time."""
        actions, seen = self._read(common_clock.now() - _LAG)
        return any(action.id not in seen for action in actions)

    def _read(self, until: datetime) -> tuple[list[UserAction], set[int]]:
        """The actions from a little before the last time on, and those seen then."""
        with unit_of_work() as session:
            mark = json.loads(watermarks.get(session, _MARK) or "{}")
        since = watermarks.parse(mark.get("until")) or until - _INITIAL_LOOKBACK
        collected: list[UserAction] = []
        offset, page = 0, _PAGE_SIZE
        while page == _PAGE_SIZE:
            actions, page = self._orchestrator.user_actions(
                since - _OVERLAP, until, offset, _PAGE_SIZE
            )
            collected += actions
            offset += page
        return collected, set(mark.get("seen", ()))

    def _was_refused(self, action: UserAction) -> bool:
        """Whether a run that was to be deleted is there: Airflow deletes none that goes on."""
        if action.kind != ActionKind.DELETE or action.run_id is None or action.tasks:
            return False
        try:
            return self._orchestrator.run_state(action.dag_id, action.run_id) is not None
        except OrchestratorUnavailable:
            raise
        except OrchestratorError:  # whoever has named the run may have named none
            return True

    def _state(self, action: UserAction) -> str | None:
        """How the task stands that was marked, since Airflow may have refused that."""
        if action.kind != ActionKind.MARK or action.run_id is None or len(action.tasks) != 1:
            return None
        try:
            return self._orchestrator.task_state(action.dag_id, action.run_id, action.tasks[0])
        except OrchestratorUnavailable:
            raise
        except OrchestratorError:  # whoever has named the task may have named none
            return None


def _has_taken_effect(action: UserAction, state: str | None) -> bool:
    """Whether a task stands as it was to be marked.

    Airflow notes what is asked of it before it knows whether the user may do that, and changes none
    of the other runs that have no such task.
    """
    if action.kind != ActionKind.MARK or action.state is None:
        return True
    is_unknown = state is None and action.named_run is None
    return is_unknown or state == action.state


def _record_alone(session: Session, action: UserAction, state: str | None) -> None:
    """Put an action on record; what is wrong with it holds up no other one."""
    try:
        with session.begin_nested():
            user_actions.record(session, action, state)
    except Exception:
        log.exception("An action of %s in Airflow is not put on record: %r", action.by, action)
