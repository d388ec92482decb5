"""What the DAG bundle reads."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select

from automations.db import workflows
from automations.db.session import unit_of_work
from automations.db.tables import Run, Workflow, WorkflowVersion
from automations.definitions.published import PACK_SIZE, Published
from automations.domain.statuses import UNFINISHED


class SqlPublications:
    """Publications from our database; each call is a transaction of its own."""

    def revision(self) -> int:
        with unit_of_work() as session:
            return workflows.newest_revision(session)

    def packs(self, since: int) -> list[int]:
        pack = func.div(Workflow.number, PACK_SIZE)
        query = (
            select(pack)
            .join(WorkflowVersion, WorkflowVersion.workflow_id == Workflow.id)
            .where(or_(WorkflowVersion.revision > since, Workflow.republished > since))
            .group_by(pack)
            .order_by(pack)
        )
        with unit_of_work() as session:
            return [int(number) for number in session.scalars(query)]

    def pack(self, number: int) -> list[Published]:
        # A deleted automation stays until its last run has ended: without its file the run freezes.
        live = or_(
            Workflow.deleted_at.is_(None),
            exists().where(Run.workflow_id == Workflow.id, Run.status.in_(UNFINISHED)),
        )
        first = number * PACK_SIZE
        query = _published(
            WorkflowVersion.version == Workflow.version,
            Workflow.number.between(first, first + PACK_SIZE - 1),
            live,
        ).order_by(Workflow.number)
        with unit_of_work() as session:
            return [_as_published(row) for row in session.execute(query)]

    def at(self, workflow_id: str, revision: int) -> Published | None:
        query = (
            _published(Workflow.id == workflow_id, WorkflowVersion.revision <= revision)
            .order_by(WorkflowVersion.revision.desc())
            .limit(1)
        )
        with unit_of_work() as session:
            row = session.execute(query).first()
            return _as_published(row) if row else None


def _published(*conditions: ColumnElement[bool]) -> Select[Workflow, WorkflowVersion]:
    return (
        select(Workflow, WorkflowVersion)
        .join(WorkflowVersion, WorkflowVersion.workflow_id == Workflow.id)
        .where(and_(*conditions))
    )


def _as_published(row: Row[Workflow, WorkflowVersion]) -> Published:
    workflow, version = row
    since = version.scheduled_since
    return Published(
        workflow_id=workflow.id,
        number=workflow.number,
        version=version.version,
        revision=version.revision,
        status=version.status,
        definition=version.definition,
        scheduled_since=since.isoformat() if since else None,
        republished=workflow.republished,
    )
