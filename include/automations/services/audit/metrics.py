"""The metrics of the whole installation, read from the database by any bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automations.db import counters, gauges
from automations.db.session import unit_of_work
from automations.domain.metrics import CounterValue, Gauges

_MAX_COUNTER_ROWS = 5_000
"""So many are still read in a few milliseconds; above it they are put together."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How things stand, and what has happened so far."""

    gauges: Gauges
    counters: Sequence[CounterValue]


def read() -> Totals:
    """The metrics of this moment: the same, whichever bridge reads them."""
    with unit_of_work() as session:
        totals = Totals(gauges.read(session), counters.totals(session))
        counters.compact(session, above=_MAX_COUNTER_ROWS)
        return totals
