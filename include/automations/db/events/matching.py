"""Which automations an event starts, and why it starts none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from automations.db.tables import Event, Run, Workflow
from automations.definitions.triggers import event_key, is_reserved, matching_keys
from automations.domain.statuses import WorkflowStatus
from automations.kit.values import JSON

ERROR = "error"
"""The trigger type of the runs of error workflows, which are meant whatever their trigger is."""

ASSET = "ASSET"
"""The type of the events that Airflow's assets are."""


def listeners(session: Session, event: Event) -> list[Workflow]:
    """The ACTIVE automations that listen to the event."""
    return list(
        session.scalars(
            select(Workflow)
            .where(
                Workflow.workspace_id == event.workspace_id,
                _listens(event),
                Workflow.status == WorkflowStatus.ACTIVE,
                Workflow.deleted_at.is_(None),
            )
            .order_by(Workflow.number)
        )
    )


def listening_to(session: Session, workspace_id: str, prefix: str) -> Sequence[Workflow]:
    """The ACTIVE automations whose trigger's key begins so."""
    return session.scalars(
        select(Workflow)
        .where(
            Workflow.workspace_id == workspace_id,
            Workflow.trigger_key.startswith(prefix, autoescape=True),
            Workflow.status == WorkflowStatus.ACTIVE,
            Workflow.deleted_at.is_(None),
        )
        .order_by(Workflow.number)
    ).all()


def _listens(event: Event) -> ColumnElement[bool]:
    kind, _, workflow_id = event.trigger_key.partition(":")
    if kind == ERROR:
        return Workflow.id == workflow_id
    return Workflow.trigger_key.in_(_keys(event))


def _keys(event: Event) -> tuple[str, ...]:
    if event.type == ASSET:
        uri = event.data.get("assetUri")
        by_uri = isinstance(uri, str) and not is_reserved(uri)
        return (event.trigger_key, event_key(str(uri))) if by_uri else (event.trigger_key,)
    return matching_keys(event.trigger_key)


def depth(session: Session, event: Event) -> int:
    """How many runs have led to the runs that an event starts."""
    if event.cause_run_id is None:
        return 0
    return 1 + (session.scalar(select(Run.depth).where(Run.id == event.cause_run_id)) or 0)


def starters_of_cause(session: Session, event: Event) -> list[str]:
    """Who made the run begin whose step made an event happen."""
    if event.cause_run_id is None:
        return []
    return session.scalar(select(Run.starters).where(Run.id == event.cause_run_id)) or []


def trigger_type(event: Event) -> str:
    """The type of trigger that an event sets off."""
    return event.trigger_key.partition(":")[0]


def input_of(event: Event) -> dict[str, JSON]:
    """The input of the runs that an event starts: an error workflow's is the failure."""
    return event.data if trigger_type(event) == ERROR else {}


def explain_no_match(session: Session, event: Event) -> str:
    """Why an event started no run, for people."""
    statuses = session.scalars(
        select(Workflow.status)
        .where(
            Workflow.workspace_id == event.workspace_id,
            _listens(event),
            Workflow.deleted_at.is_(None),
        )
        .distinct()
    ).all()
    if not statuses:
        return "No automation has a trigger that fits."
    return f"The automations that fit are not ACTIVE: {', '.join(sorted(statuses))}."
