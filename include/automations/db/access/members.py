"""The members of a workspace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from automations.db.tables import (
    ApiKey,
    FormEdit,
    Member,
    Notification,
    RowFile,
    Workflow,
    WorkflowEdit,
)


def list_page(
    session: Session, workspace_id: str, offset: int = 0, limit: int | None = None
) -> Sequence[Member]:
    """The members of a workspace from one on, the first one first; all of them without a limit."""
    return session.scalars(
        select(Member)
        .where(Member.workspace_id == workspace_id)
        .order_by(Member.created_at, Member.id)
        .offset(offset)
        .limit(limit)
    ).all()


def find(session: Session, workspace_id: str, member_id: str) -> Member | None:
    """A member of a workspace."""
    return session.scalar(
        select(Member).where(Member.id == member_id, Member.workspace_id == workspace_id)
    )


def find_by_name(session: Session, workspace_id: str, name: str) -> Sequence[Member]:
    """The members whom a user's name in another system may stand for.

    It is their address, the part before the @ or their name, in upper or lower case.
    """
    lowered = name.lower()
    local = func.split_part(Member.email, "@", 1)
    return session.scalars(
        select(Member).where(
            Member.workspace_id == workspace_id,
            or_(Member.email == lowered, local == lowered, func.lower(Member.name) == lowered),
        )
    ).all()


def lock(session: Session, workspace_id: str, member_id: str) -> Member | None:
    """A member of a workspace, as the database has it now, until the end of the transaction."""
    return session.scalar(
        select(Member)
        .where(Member.id == member_id, Member.workspace_id == workspace_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def lock_existing(session: Session, workspace_id: str, member_ids: Iterable[str]) -> set[str]:
    """Those of the ids that are members of the workspace, who stay until the transaction ends."""
    query = select(Member.id).where(
        Member.workspace_id == workspace_id, Member.id.in_(list(member_ids))
    )
    return set(
        session.scalars(query.order_by(Member.id).with_for_update(read=True, key_share=True))
    )


def lock_owners(session: Session, workspace_id: str) -> set[str]:
    """The ids of the workspace's OWNERs; nobody else changes them until the transaction ends."""
    query = select(Member.id).where(Member.workspace_id == workspace_id, Member.role == "OWNER")
    return set(session.scalars(query.order_by(Member.id).with_for_update()))


def save(session: Session, member: Member) -> bool:
    """Write a member; False when another one of the workspace has the address."""
    try:
        with session.begin_nested():
            session.add(member)
            session.flush()
            session.refresh(member)
    except IntegrityError:
        return False
    return True


def lower_keys(session: Session, member: Member, roles: Iterable[str]) -> None:
    """Let a member's API keys of some roles have the member's own."""
    session.execute(
        update(ApiKey)
        .where(
            ApiKey.member_id == member.id, ApiKey.revoked_at.is_(None), ApiKey.role.in_(list(roles))
        )
        .values(role=member.role)
    )


def remove(session: Session, member: Member) -> None:
    """Delete a member with what they were told or have not saved, and revoke their API keys."""
    session.execute(
        update(ApiKey)
        .where(ApiKey.member_id == member.id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp())
    )
    session.execute(delete(Notification).where(Notification.user_id == member.id))
    session.execute(delete(WorkflowEdit).where(WorkflowEdit.editor_id == member.id))
    session.execute(delete(FormEdit).where(FormEdit.editor_id == member.id))
    session.execute(delete(RowFile).where(RowFile.editor_id == member.id))
    session.execute(delete(Member).where(Member.id == member.id))


def automation_owners(session: Session, workspace_id: str, workflow_id: str) -> list[str]:
    """Who owns an automation.

    The member who made it, or whose API key did; else the workspace's OWNERs; else the key
    itself, while it is valid.
    """
    maker = session.scalar(
        select(Workflow.created_by_member_id).where(
            Workflow.id == workflow_id, Workflow.workspace_id == workspace_id
        )
    )
    if maker is not None:
        return [maker]
    key = session.scalar(
        select(ApiKey)
        .join(Workflow, Workflow.created_by_key_id == ApiKey.id)
        .where(Workflow.id == workflow_id, Workflow.workspace_id == workspace_id)
    )
    if key is not None and key.member_id is not None:
        return [key.member_id]
    owners = [member.id for member in list_page(session, workspace_id) if member.role == "OWNER"]
    if owners or key is None or key.revoked_at is not None:
        return owners
    return [key.id]
