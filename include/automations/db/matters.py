"""Matters, their steps and their boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import Matter, MatterCounter, MatterStep, MatterTemplate, Member
from automations.domain.statuses import MatterStatus, MatterStepStatus


def find_template(
    session: Session, workspace_id: str, template_id: str, *, lock: bool = False
) -> MatterTemplate | None:
    """A board of a workspace that is not deleted."""
    query = select(MatterTemplate).where(
        MatterTemplate.id == template_id,
        MatterTemplate.workspace_id == workspace_id,
        MatterTemplate.deleted_at.is_(None),
    )
    return session.scalar(query.with_for_update() if lock else query)


def list_templates(session: Session, workspace_id: str) -> Sequence[MatterTemplate]:
    """All boards of a workspace, newest first."""
    return session.scalars(
        select(MatterTemplate)
        .where(MatterTemplate.workspace_id == workspace_id, MatterTemplate.deleted_at.is_(None))
        .order_by(MatterTemplate.created_at.desc(), MatterTemplate.id)
    ).all()


def next_number(session: Session, workspace_id: str) -> int:
    """The workspace's next number; the next caller waits until this one has committed."""
    counted = insert(MatterCounter).values(workspace_id=workspace_id, last=1)
    return session.scalars(
        counted.on_conflict_do_update(
            index_elements=[MatterCounter.workspace_id], set_={"last": MatterCounter.last + 1}
        ).returning(MatterCounter.last)
    ).one()


def find(
    session: Session, workspace_id: str, matter_id: str, *, lock: bool = False
) -> Matter | None:
    """A matter of a workspace."""
    query = select(Matter).where(Matter.id == matter_id, Matter.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


def steps(session: Session, matter_id: str) -> Sequence[MatterStep]:
    """A matter's steps in their order."""
    return session.scalars(
        select(MatterStep)
        .where(MatterStep.matter_id == matter_id)
        .order_by(MatterStep.order)
        .execution_options(populate_existing=True)
    ).all()


def page(
    session: Session,
    workspace_id: str,
    *,
    status: MatterStatus | None,
    template_id: str | None,
    offset: int,
    limit: int,
) -> tuple[Sequence[Matter], int]:
    """A workspace's matters from an offset on, newest first, and how many there are."""
    query = select(Matter).where(Matter.workspace_id == workspace_id)
    if status is not None:
        query = query.where(Matter.status == status)
    if template_id is not None:
        query = query.where(Matter.template_id == template_id)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    newest = query.order_by(Matter.number.desc()).offset(offset).limit(limit)
    return session.scalars(newest).all(), total


def cards(
    session: Session, workspace_id: str, template_id: str, limit: int
) -> Sequence[tuple[Matter, MatterStep, str | None, int]]:
    """A board's active matters, each with its step, who is in charge, and how many are in that.

    The most urgent first, and of these the oldest.

    Args:
        limit: of one step.
    """
    urgency = case({"URGENT": 0, "HIGH": 1, "MEDIUM": 2}, value=Matter.priority.expression, else_=3)
    in_order = (urgency, Matter.number)
    of_step = MatterStep.template_step_id
    ranked = (
        select(
            Matter.id,
            func.row_number().over(partition_by=of_step, order_by=in_order).label("place"),
            func.count().over(partition_by=of_step).label("total"),
        )
        .join(MatterStep, MatterStep.id == Matter.current_step_id)
        .where(
            Matter.workspace_id == workspace_id,
            Matter.template_id == template_id,
            Matter.status == MatterStatus.ACTIVE,
        )
        .subquery()
    )
    query = (
        select(Matter, MatterStep, Member.name, ranked.c.total)
        .join(ranked, ranked.c.id == Matter.id)
        .join(MatterStep, MatterStep.id == Matter.current_step_id)
        .outerjoin(Member, Member.id == Matter.assignee_id)
        .where(ranked.c.place <= limit)
        .order_by(MatterStep.order, *in_order)
    )
    return [(*row,) for row in session.execute(query)]


def active_of_each(session: Session, workspace_id: str) -> Mapping[str, int]:
    """How many active matters boards have; none of those without."""
    counted = session.execute(
        select(Matter.template_id, func.count())
        .where(Matter.workspace_id == workspace_id, Matter.status == MatterStatus.ACTIVE)
        .group_by(Matter.template_id)
    )
    return {row[0]: row[1] for row in counted}


def template_names(session: Session, workspace_id: str) -> Mapping[str, str]:
    """The names of a workspace's boards, also of deleted ones, by their ids."""
    named = session.execute(
        select(MatterTemplate.id, MatterTemplate.name).where(
            MatterTemplate.workspace_id == workspace_id
        )
    )
    return {row[0]: row[1] for row in named}


def decide(
    session: Session, matter_id: str, step_id: str, status: MatterStepStatus, by: str
) -> bool:
    """Settle a step that is still pending; False when it is not, or is not there."""
    settled = session.scalar(
        update(MatterStep)
        .where(
            MatterStep.id == step_id,
            MatterStep.matter_id == matter_id,
            MatterStep.status == MatterStepStatus.PENDING,
        )
        .values(status=status, decided_by=by, decided_at=func.clock_timestamp())
        .returning(MatterStep.id)
    )
    return settled is not None


def reopen(session: Session, step_id: str) -> None:
    """Make a step pending again, whatever was decided on it."""
    session.execute(
        update(MatterStep)
        .where(MatterStep.id == step_id)
        .values(status=MatterStepStatus.PENDING, decided_by=None, decided_at=None)
    )


def cancel(session: Session, workspace_id: str, matter_id: str) -> bool:
    """Cancel a matter that is active; False when it is not, or is not there."""
    now = func.clock_timestamp()
    cancelled = session.scalar(
        update(Matter)
        .where(
            Matter.id == matter_id,
            Matter.workspace_id == workspace_id,
            Matter.status == MatterStatus.ACTIVE,
        )
        .values(status=MatterStatus.CANCELLED, completed_at=now, updated_at=now)
        .returning(Matter.id)
    )
    return cancelled is not None
