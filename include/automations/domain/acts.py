"""What people do to automations in Airflow's own UI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ActKind(StrEnum):
    """The acts that are put on record."""

    MARK = "mark"
    CLEAR = "clear"
    DELETE = "delete"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody has asked of Airflow, which notes it a moment before it is done.

    Args:
        id: of the entry in Airflow's log.
        by: a user of Airflow.
        run_id: the DagRun's; None for what concerns the whole DAG.
        tasks: the ids of those that are named; none for a whole run.
        state: what they, or the run, were marked as.
        note: what was written beside it.
        more: what else there is to know.
    """

    id: int
    at: datetime
    by: str
    kind: ActKind
    dag_id: str
    run_id: str | None = None
    tasks: tuple[str, ...] = ()
    state: str | None = None
    note: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)
