"""Notices automations that are held up, since somebody has paused or deleted their DAG."""

from __future__ import annotations

from datetime import timedelta

from automations.db.session import unit_of_work
from automations.db.workflows import held_up
from automations.definitions.published import dag_id, workflow_id
from automations.dispatch.interval_timer import IntervalTimer
from automations.domain.statuses import Hold
from automations.domain.workflows import HeldUp
from automations.kit import common_clock
from automations.ports import Orchestrator

_INTERVAL = timedelta(seconds=2)
"""An automation that stands still says so while its owner still wonders; and one request each."""


class Holds:
    """Keeps what is known here of DAGs that are paused or gone; for one thread."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._timer = IntervalTimer(_INTERVAL)

    def poll_when_due(self) -> None:
        """Look for them, from time to time."""
        if self._timer.is_due():
            self.poll()

    def poll(self) -> None:
        """Note which DAGs somebody has paused since, and which are as they should be again."""
        dags = map(workflow_id, self._orchestrator.paused_dags())
        paused = {automation for automation in dags if automation is not None}
        with unit_of_work() as session:
            held = held_up.kinds(session)
        for automation in paused - held.keys():
            paused_by = self._orchestrator.paused_by(dag_id(automation))
            by, since = paused_by or (None, common_clock.now())
            with unit_of_work() as session:
                held_up.put(session, automation, HeldUp(Hold.PAUSED, by, since))
        for automation, kind in held.items():
            if kind == Hold.PAUSED:
                ended = automation not in paused
            else:
                ended = self._orchestrator.knows(dag_id(automation))
            if ended:
                with unit_of_work() as session:
                    held_up.end(session, automation, kind)
