"""The published versions, as the DAG bundle reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, union

from automations.db.session import Session, unit_of_work
from automations.db.tables import (
    DataTable,
    Form,
    MatterTemplate,
    Run,
    Workflow,
    WorkflowVersion,
    Workspace,
)
from automations.db.workflows import workflows
from automations.definitions.published import PACK_SIZE, Published
from automations.domain.statuses import UNFINISHED


class SqlPublications:
    """Publications from our database; each call is a transaction of its own."""

    def revision(self) -> int:
        with unit_of_work() as session:
            return workflows.newest_revision(session)

    def packs(self, since: int) -> list[int]:
        pack = func.div(Workflow.number, PACK_SIZE)
        # By an index of each: one condition on both tables reads all versions that there are.
        changed = union(
            select(WorkflowVersion.workflow_id).where(WorkflowVersion.revision > since),
            select(Workflow.id).where(Workflow.republished > since),
        )
        query = select(pack).where(Workflow.id.in_(changed)).group_by(pack).order_by(pack)
        with unit_of_work() as session:
            return [int(number) for number in session.scalars(query)]

    def pack(self, number: int) -> list[Published]:
        # A deleted automation stays until its last run has ended: without its file the run freezes.
        live = or_(
            Workflow.deleted_at.is_(None),
            exists().where(Run.workflow_id == Workflow.id, Run.status.in_(UNFINISHED)),
        )
        first = number * PACK_SIZE
        query = _publications(
            WorkflowVersion.version == Workflow.version,
            Workflow.number.between(first, first + PACK_SIZE - 1),
            live,
        ).order_by(Workflow.number)
        with unit_of_work() as session:
            rows = session.execute(query).all()
            names = _subject_names(session, [row[1].definition for row in rows])
            return [_as_published(row, names) for row in rows]

    def at(self, workflow_id: str, revision: int) -> Published | None:
        query = (
            _publications(Workflow.id == workflow_id, WorkflowVersion.revision <= revision)
            .order_by(WorkflowVersion.revision.desc())
            .limit(1)
        )
        with unit_of_work() as session:
            row = session.execute(query).first()
            return _as_published(row, {}) if row else None


_SUBJECTS = {
    "formId": (Form.id, Form.title),
    "filterFormId": (Form.id, Form.title),
    "filterTableId": (DataTable.id, DataTable.name),
    "filterMatterTemplateId": (MatterTemplate.id, MatterTemplate.name),
}
"""What a trigger may be for, by the field that names it."""


def _subject_names(session: Session, definitions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The names of what the triggers of definitions are for, by id."""
    named: dict[str, str] = {}
    for field, (key, name) in _SUBJECTS.items():
        ids = {
            trigger_subject
            for definition in definitions
            if (trigger_subject := _trigger(definition).get(field))
        }
        if ids:
            rows = session.execute(select(key, name).where(key.in_(ids)))
            named |= {subject_id: called for subject_id, called in rows}  # noqa: C416
    return named


def _trigger(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    trigger = definition.get("trigger")
    return trigger if isinstance(trigger, dict) else {}


def _publications(*conditions: ColumnElement[bool]) -> Select[Workflow, WorkflowVersion, str]:
    return (
        select(Workflow, WorkflowVersion, Workspace.slug)
        .join(WorkflowVersion, WorkflowVersion.workflow_id == Workflow.id)
        .join(Workspace, Workspace.id == Workflow.workspace_id)
        .where(and_(*conditions))
    )


def _as_published(
    row: Row[Workflow, WorkflowVersion, str], subjects: Mapping[str, str]
) -> Published:
    workflow, version, workspace = row
    trigger = _trigger(version.definition)
    named = [
        subjects[subject_id]
        for field in _SUBJECTS
        if (subject_id := str(trigger.get(field))) in subjects
    ]
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
        workspace=workspace,
        subject=named[0] if named else None,
        owner=workflow.created_by,
        edited_by=version.created_by,
        edited_at=version.created_at.isoformat(),
    )
