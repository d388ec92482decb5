"""Passwords of members, and their sessions in the console."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import column, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.session import statement
from automations.db.tables import Member, MemberPassword, SignIn, Workspace

IDLE_TIMEOUT = timedelta(days=1)
"""How long a session lasts without being used."""

# Every request of the console asks this: so it is one plain statement.
_SIGNED_IN = text("""
SELECT sign_in.id, sign_in.workspace_id, member.id, member.email, member.role,
    sign_in.expires_at, sign_in.last_used_at < clock_timestamp() - interval '1 minute'
FROM sign_in JOIN member ON member.id = sign_in.member_id
WHERE sign_in.token_hash = :hash AND sign_in.expires_at > clock_timestamp()
    AND sign_in.last_used_at > clock_timestamp() - :idle
""").columns(
    column("id"),
    column("workspace_id"),
    column("member_id"),
    column("email"),
    column("role"),
    column("expires_at"),
    column("use_is_old"),
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session as a request that carries its token needs it, with its member as they are now."""

    id: str
    workspace_id: str
    member_id: str
    email: str
    role: str
    expires_at: datetime
    use_is_old: bool


def find_session(token_hash: str) -> SignedIn | None:
    """The session that has this hash, while it lasts."""
    with statement() as connection:
        row = connection.execute(_SIGNED_IN, {"hash": token_hash, "idle": IDLE_TIMEOUT}).first()
    return SignedIn(*row) if row else None


def workspace(session: Session, slug: str) -> Workspace | None:
    """The workspace with this slug."""
    return session.scalar(select(Workspace).where(Workspace.slug == slug))


def member(session: Session, workspace_id: str, email: str) -> Member | None:
    """The member with this address, in lower case."""
    return session.scalar(
        select(Member).where(Member.workspace_id == workspace_id, Member.email == email)
    )


def password(session: Session, member_id: str) -> MemberPassword | None:
    """A member's password, as the database has it now, until the end of the transaction."""
    return session.get(MemberPassword, member_id, with_for_update=True, populate_existing=True)


def invite(session: Session, member_id: str, invite_hash: str, expires_at: datetime) -> None:
    """Let a member set a password; an invitation before is void."""
    values = {"invite_hash": invite_hash, "invite_expires_at": expires_at}
    query = insert(MemberPassword).values(member_id=member_id, **values)
    session.execute(query.on_conflict_do_update(index_elements=["member_id"], set_=values))


def void_invitation(session: Session, member_id: str) -> None:
    """Let nobody set a member's password by an invitation that was given out."""
    values = {"invite_hash": None, "invite_expires_at": None}
    session.execute(
        update(MemberPassword).where(MemberPassword.member_id == member_id).values(values)
    )


def lock_invited(session: Session, invite_hash: str) -> tuple[Member, MemberPassword] | None:
    """Who was invited by this hash, until the end of the transaction; no longer than it lasts."""
    invitation = session.scalar(
        select(MemberPassword)
        .where(
            MemberPassword.invite_hash == invite_hash,
            MemberPassword.invite_expires_at > func.clock_timestamp(),
        )
        .with_for_update()
    )
    return (
        None if invitation is None else (session.get_one(Member, invitation.member_id), invitation)
    )


def note_use(session: Session, sign_in_id: str) -> None:
    """Note that a session was used."""
    now = func.clock_timestamp()
    session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(last_used_at=now))


def end(session: Session, sign_in_id: str) -> None:
    """End a session."""
    session.execute(delete(SignIn).where(SignIn.id == sign_in_id))


def end_others(session: Session, member_id: str, sign_in_id: str | None) -> None:
    """End all sessions of a member but one."""
    session.execute(
        delete(SignIn).where(SignIn.member_id == member_id, SignIn.id.is_distinct_from(sign_in_id))
    )


def forget_ended(session: Session) -> None:
    """Delete the sessions that last no longer."""
    now = func.clock_timestamp()
    ended = or_(SignIn.expires_at < now, SignIn.last_used_at < now - IDLE_TIMEOUT)
    session.execute(delete(SignIn).where(ended))
