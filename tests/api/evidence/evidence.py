"""Snapshots of evidence."""

from __future__ import annotations

from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Workspace
from automations.ports import EvidenceRequest
from automations.services.evidence.evidence import WorkspaceEvidence


def capture(source: str = "ORG_MEMBERS", title: str = "Title") -> str:
    with unit_of_work() as session:
        home = session.scalars(select(Workspace.id).where(Workspace.slug == "default")).one()
    request = EvidenceRequest(home, None, title, source, title)
    return WorkspaceEvidence().capture(request).snapshot_id
