"""Automations with their runs, as lists show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automations.domain.runs import RunSummary
from automations.domain.statuses import RunStatus, WorkflowStatus
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


@dataclass(frozen=True, slots=True)
class NamedResource:
    """What a definition names by its id."""

    name: str
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class NamedWorkflow:
    """An automation as others are told of it."""

    id: str
    name: str
    status: WorkflowStatus


@dataclass(frozen=True, slots=True)
class Usage:
    """An automation that names a table or a board.

    Args:
        listens: whether it is started by what happens to it; else a step names it.
    """

    workflow: NamedWorkflow
    listens: bool


@dataclass(frozen=True, slots=True)
class UsedResources:
    """The tables and boards that an automation names: their names by their ids."""

    tables: Mapping[str, str]
    boards: Mapping[str, str]
