"""The stored secrets, encrypted."""

from __future__ import annotations

from collections.abc import Sequence, Set

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import Secret


def list_all(session: Session, workspace_id: str) -> Sequence[Secret]:
    """All secrets of a workspace, by name."""
    return session.scalars(
        select(Secret).where(Secret.workspace_id == workspace_id).order_by(Secret.name)
    ).all()


def page_after(
    session: Session, workspace_id: str, name: str | None, limit: int
) -> Sequence[Secret]:
    """The secrets whose names come behind one, by name."""
    query = select(Secret).where(Secret.workspace_id == workspace_id)
    if name is not None:
        query = query.where(Secret.name > name)
    return session.scalars(query.order_by(Secret.name).limit(limit)).all()


def find_by_names(session: Session, workspace_id: str, names: Set[str]) -> Sequence[Secret]:
    """Some secrets of a workspace."""
    return session.scalars(
        select(Secret).where(Secret.workspace_id == workspace_id, Secret.name.in_(names))
    ).all()


def put(
    session: Session, workspace_id: str, name: str, *, ciphertext: str, fingerprint: str
) -> Secret:
    """Set a secret, whether it was there or not."""
    new = {"ciphertext": ciphertext, "fingerprint": fingerprint}
    query = (
        insert(Secret)
        .values(workspace_id=workspace_id, name=name, **new)
        .on_conflict_do_update(
            index_elements=["workspace_id", "name"],
            set_={**new, "updated_at": func.clock_timestamp()},
        )
        .returning(Secret)
    )
    return session.scalars(query).one()


def remove(session: Session, workspace_id: str, name: str) -> bool:
    """Delete a secret; False when there was none."""
    deleted_id = session.scalar(
        delete(Secret)
        .where(Secret.workspace_id == workspace_id, Secret.name == name)
        .returning(Secret.name)
    )
    return deleted_id is not None
