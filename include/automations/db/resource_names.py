"""The names of what definitions name by ids."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import false, select, union_all
from sqlalchemy.orm import Session

from automations.db.tables import DataTable, DocumentTemplate, Form, MatterTemplate, Workflow
from automations.domain.overviews import NamedResource

_NAMED = (
    (DataTable, DataTable.name, DataTable.deleted_at.is_not(None)),
    (DocumentTemplate, DocumentTemplate.name, false()),
    (Form, Form.title, Form.deleted_at.is_not(None)),
    (MatterTemplate, MatterTemplate.name, MatterTemplate.deleted_at.is_not(None)),
    (Workflow, Workflow.name, Workflow.deleted_at.is_not(None)),
)


def of_ids(session: Session, workspace_id: str, ids: Collection[str]) -> dict[str, NamedResource]:
    """The names of the workspace's tables, templates, forms and automations of these ids."""
    queries = [
        select(kind.id, name, deleted_at).where(kind.id.in_(ids), kind.workspace_id == workspace_id)
        for kind, name, deleted_at in _NAMED
    ]
    rows = session.execute(union_all(*queries))
    return {row[0]: NamedResource(row[1], row[2]) for row in rows}
