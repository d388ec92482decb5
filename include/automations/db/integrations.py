"""Integrations of a workspace."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from automations.db.tables import Integration, Workspace


def lock(session: Session, workspace_id: str) -> None:
    """Let no other transaction change this workspace's integrations until this one ends."""
    session.execute(
        select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    )


def find(session: Session, workspace_id: str, integration_id: str) -> Integration | None:
    """An integration of a workspace."""
    return session.scalar(
        select(Integration).where(
            Integration.id == integration_id, Integration.workspace_id == workspace_id
        )
    )


def list_all(session: Session, workspace_id: str) -> Sequence[Integration]:
    """All integrations of a workspace, by name."""
    return session.scalars(
        select(Integration)
        .where(Integration.workspace_id == workspace_id)
        .order_by(Integration.name)
    ).all()


def id_of_name(session: Session, workspace_id: str, name: str) -> str | None:
    """The id of the integration with a name."""
    return session.scalar(
        select(Integration.id).where(
            Integration.workspace_id == workspace_id, Integration.name == name
        )
    )


def newest_enabled(session: Session, workspace_id: str, kind: str) -> Integration | None:
    """The integration of a type that is in use."""
    return session.scalar(
        select(Integration)
        .where(
            Integration.workspace_id == workspace_id,
            Integration.type == kind,
            Integration.enabled,
        )
        .order_by(Integration.created_at.desc())
        .limit(1)
    )


def site_email_provider(session: Session, workspace_id: str) -> Integration | None:
    """The mail server that a workspace has chosen, unless it is disabled."""
    return session.scalar(
        select(Integration).where(
            Integration.workspace_id == workspace_id,
            Integration.is_site_email_provider,
            Integration.enabled,
        )
    )


def clear_site_email_provider(session: Session, workspace_id: str) -> None:
    """Let no integration be the workspace's mail server."""
    session.execute(
        update(Integration)
        .where(Integration.workspace_id == workspace_id, Integration.is_site_email_provider)
        .values(is_site_email_provider=False, updated_at=func.clock_timestamp())
    )
