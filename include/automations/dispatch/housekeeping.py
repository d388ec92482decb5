"""Periodic work: compacts counters, creates partitions, deletes what is old."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from automations.db import counters, locks, partitions, watermarks
from automations.db.access import rate_limits, sign_ins
from automations.db.session import unit_of_work
from automations.errors import OrchestratorError
from automations.kit import common_clock
from automations.ports import Orchestrator
from automations.services.runs import retention
from automations.settings import get_settings

log = logging.getLogger(__name__)

_INTERVAL = 600.0
"""Seconds; what gathers in between costs nothing to speak of."""
_PRUNE_INTERVAL = timedelta(days=1)
"""Whoever keeps runs for 90 days does not miss an hour, and each prune reads large tables."""
_MARK = "retention"


class Housekeeper:
    """Tidies up; one of all dispatchers does it at a time."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator

    def run(self, stopping: threading.Event) -> None:
        """Tidy up, and wait until it is time again or the dispatcher stops."""
        with locks.try_exclusive("housekeeper") as leads:
            if leads:
                self.run_due(stopping)
        stopping.wait(_INTERVAL)

    def run_due(self, stopping: threading.Event) -> None:
        """Do what is due."""
        with unit_of_work() as session:
            counters.compact(session)
        with unit_of_work() as session:
            sign_ins.forget_ended(session)
            rate_limits.forget_ended(session)
        partitions.make_ahead()
        retention_period = get_settings().retention
        if retention_period is not None and self._is_due():
            self._prune(common_clock.now() - retention_period, stopping)

    @staticmethod
    def _is_due() -> bool:
        with unit_of_work() as session:
            last = watermarks.parse(watermarks.get(session, _MARK))
        return last is None or common_clock.now() - last >= _PRUNE_INTERVAL

    def _prune(self, before: datetime, stopping: threading.Event) -> None:
        began = common_clock.now()
        try:
            counts = retention.prune(
                before,
                self._orchestrator,
                extras=get_settings().retention_with,
                going=lambda: not stopping.is_set(),
            )
        except OrchestratorError as error:
            log.warning("Old runs are kept for now, since Airflow keeps theirs: %s", error)
            return
        log.info("Deleted %d runs that ended before %s", counts.get("run", 0), before.isoformat())
        if not stopping.is_set():
            with unit_of_work() as session:
                watermarks.put(session, _MARK, began.isoformat())
