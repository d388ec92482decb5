"""Automations with what became of their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automations.domain.runs import RunSummary
from automations.domain.statuses import RunStatus
from automations.domain.workflows import WorkflowDetail


@dataclass(frozen=True, slots=True)
class WorkflowOverview:
    """An automation with what became of its runs.

    Args:
        owner: who made it.
        recent: its newest runs, the newest first.
        counts: numbers of its runs by status.
    """

    workflow: WorkflowDetail
    owner: str | None
    recent: Sequence[RunSummary]
    counts: Mapping[RunStatus, int]
