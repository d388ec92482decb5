"""The figures of the whole installation, read from the database by whoever is asked for metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automations.db import counters as tallies
from automations.db import gauges
from automations.db.counters import Tally
from automations.db.gauges import Gauges
from automations.db.session import unit_of_work

_MANY = 5_000
"""Rows of the ledger that are still read in a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How things stand, and what has happened so far."""

    gauges: Gauges
    tallies: Sequence[Tally]


def read() -> Figures:
    """The figures of this moment: the same, whichever bridge reads them."""
    with unit_of_work() as session:
        found = Figures(gauges.read(session), tallies.totals(session))
        tallies.fold(session, above=_MANY)
        return found
