"""Signing in to the console: passwords, invitations to set one, and sessions."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from automations.db.access import members, sign_ins
from automations.db.session import Session, unit_of_work
from automations.db.tables import Member as MemberRow
from automations.db.tables import SignIn
from automations.domain.principals import Principal
from automations.errors import (
    Conflict,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    ValidationFailed,
)
from automations.kit import common_clock, passwords
from automations.kit.networks import network
from automations.kit.values import from_attributes
from automations.services.access import members as people
from automations.services.access import rate_limits
from automations.services.access.members import Member
from automations.services.audit import audit
from automations.tokens import hash_token

LIFETIME = timedelta(days=7)
"""However much a session is used: a stolen one does not last forever."""
INVITE_LIFETIME = timedelta(days=3)
"""Whoever has an invitation's token becomes the member: it lies in a mailbox, so not for long."""
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 12, 256
"""Characters of a password."""

_HOUR = 3600
_MAX_WRONG_IN_AN_HOUR = 30
"""For one account from everywhere: more is guessing by many machines."""
_MAX_NETWORKS = 10
"""From where a member may sign in whatever happens elsewhere: home, work, the way between."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session; its token is kept by nobody but its holder."""

    token: str
    expires_at: datetime
    member: Member


def sign_in(slug: str, email: str, password: str, address: str) -> NewSession:
    """Begin a session.

    Args:
        slug: the workspace's.
        address: where the request comes from.

    Only wrong passwords count against an account, so that who guesses does not lock its owner out:
    the right one is taken, from where they have signed in before even while all the world guesses.

    Raises:
        NotAuthenticated: there is no such member, or it is not their password.
        TooManyRequests: of this address, or for this account.
    """
    email = people.as_known(email)
    account = hashlib.sha256(f"{slug}\0{email}".encode()).hexdigest()[:32]
    by_hour = f"sign-in:account-hour:{account}"
    rate_limits.check({f"sign-in:address:{network(address)}": 20})
    with unit_of_work() as session:
        workspace = sign_ins.workspace(session, slug)
        member = sign_ins.member(session, workspace.id, email) if workspace else None
        credential = sign_ins.password(session, member.id) if member else None
        password_hash = credential.password_hash if credential else None
        networks = credential.networks if credential else []
    if network(address) not in networks:
        rate_limits.check_exhausted(by_hour, _MAX_WRONG_IN_AN_HOUR)
    if workspace is not None:
        # The event belongs to the workspace; whose account it was is known only if there is one.
        actor = audit.Actor("anonymous", member.email, member.id) if member else None
        audit.identify(workspace.id, actor)
    if not passwords.fits(password, password_hash) or member is None or password_hash is None:
        rate_limits.check({by_hour: _MAX_WRONG_IN_AN_HOUR}, seconds=_HOUR)
        rate_limits.check({f"sign-in:account:{account}": 5})
        raise NotAuthenticated("The address or the password is wrong.")
    # Hashed outside of a transaction, for that takes long: so the password is looked at once more.
    with unit_of_work() as session:
        row = sign_ins.password(session, member.id)
        if row is None or row.password_hash != password_hash:
            raise NotAuthenticated("The password was changed just now.")
        if passwords.is_outdated(password_hash):
            row.password_hash = passwords.hash_password(password)
        return open_session(session, member)


def authenticate(token: str) -> Principal:
    """The member whose session a token belongs to; from now on the actor of the request.

    Raises:
        NotAuthenticated: it has ended.
    """
    signed_in = sign_ins.find_session(hash_token(token))
    if signed_in is None:
        raise NotAuthenticated("The session has ended; please sign in again.")
    audit.identify(
        signed_in.workspace_id, audit.Actor("member", signed_in.email, signed_in.member_id)
    )
    if signed_in.use_is_old:
        with unit_of_work() as session:
            sign_ins.note_use(session, signed_in.id)
    return Principal(
        workspace_id=signed_in.workspace_id,
        role=signed_in.role,
        name=signed_in.email,
        member_id=signed_in.member_id,
        session_id=signed_in.id,
    )


def sign_out(by: Principal) -> None:
    """End a session.

    Raises:
        Conflict: it is the holder of an API key who asks.
    """
    _, session_id = _require_member(by)
    with unit_of_work() as session:
        sign_ins.end(session, session_id)
        ended = audit.Resource(by.workspace_id, "sign_in", session_id)
        audit.record(session, "session.delete", ended)


def change_password(by: Principal, current: str, new: str) -> None:
    """Give oneself another password; all other sessions of the member end.

    Raises:
        Conflict: it is the holder of an API key who asks.
        ValidationFailed: the current one is wrong, or the new one too weak.
        TooManyRequests: it was tried too often.
    """
    member_id, session_id = _require_member(by)
    rate_limits.check({f"password:member:{member_id}": 5})
    with unit_of_work() as session:
        row = sign_ins.password(session, member_id)
        password_hash = row.password_hash if row else None
        if not passwords.fits(current, password_hash) or row is None:
            raise ValidationFailed({"currentPassword": ["is wrong"]})
        member = session.get_one(MemberRow, member_id)
        _check_strength("newPassword", new, member)
        row.password_hash, row.changed_at = passwords.hash_password(new), common_clock.now()
        sign_ins.end_others(session, member_id, session_id)
        audit.record(session, "member.password", member, email=member.email)


def invite(by: Principal, member_id: str) -> tuple[str, datetime]:
    """Let a member set a password; returns the invitation's token, which is not kept.

    Raises:
        NotAllowed: whoever has the token may do more than whoever asks for it.
        Conflict: it is Airflow that says who the member is.
    """
    token, expires_at = secrets.token_urlsafe(32), common_clock.now() + INVITE_LIFETIME
    with unit_of_work() as session:
        member = members.lock(session, by.workspace_id, member_id)
        if member is None:
            raise NotFound(f"There is no member {member_id}.")
        if not by.may(member.role):
            raise NotAllowed(f"With the role {by.role} nobody of role {member.role} is invited.")
        if people.is_of_airflow(member.email):
            raise Conflict(f"{member.name} comes from Airflow, and has no password here.")
        if by.scopes is not None:
            raise NotAllowed("An API key with scopes cannot invite: a session has no such limits.")
        sign_ins.invite(session, member_id, hash_token(token), expires_at)
        audit.record(session, "member.invite", member, email=member.email)
    return token, expires_at


def invite_by_address(workspace_id: str, email: str, role: str) -> str:
    """Invite whoever has an address, for whoever runs the installation; returns the token.

    Args:
        role: of the member that is made when there is none of that address.

    Raises:
        ValidationFailed: the address is none.
    """
    operator = Principal(workspace_id, "OWNER", "operator")
    with unit_of_work() as session:
        member = sign_ins.member(session, workspace_id, people.as_known(email))
    if member is None:
        name = email.partition("@")[0]
        found_id = people.create(operator, name=name, email=email, role=role).id
    else:
        found_id = member.id
    return invite(operator, found_id)[0]


def accept(token: str, password: str, address: str) -> NewSession:
    """Set a password by an invitation, once, and begin a session; those before end.

    Raises:
        NotFound: the invitation is unknown, was used, or has expired.
        ValidationFailed: the password is too weak.
        TooManyRequests: of this address.
    """
    rate_limits.check({f"invite:address:{network(address)}": 20})
    with unit_of_work() as session:
        invitation = sign_ins.lock_invited(session, hash_token(token))
        if invitation is None:
            raise NotFound("The invitation is unknown, was used, or has expired: ask for another.")
        member, row = invitation
        audit.identify(member.workspace_id, audit.Actor("member", member.email, member.id))
        _check_strength("password", password, member)
        row.password_hash, row.changed_at = passwords.hash_password(password), common_clock.now()
        row.invite_hash = row.invite_expires_at = None
        sign_ins.end_others(session, member.id, None)
        audit.record(session, "member.password", member, email=member.email)
        return open_session(session, member)


def _require_member(by: Principal) -> tuple[str, str]:
    """The member who has signed in, and their session."""
    if by.member_id is None or by.session_id is None:
        raise Conflict("This is for members who have signed in with their password.")
    return by.member_id, by.session_id


def open_session(session: Session, member: MemberRow, lasts: timedelta = LIFETIME) -> NewSession:
    """Begin a session of a member, in a transaction of its own or of others."""
    token = f"ss_{secrets.token_urlsafe(32)}"
    record = SignIn(
        workspace_id=member.workspace_id,
        member_id=member.id,
        token_hash=hash_token(token),
        ip=audit.current().ip,
        expires_at=common_clock.now() + lasts,
    )
    session.add(record)
    row = sign_ins.password(session, member.id)
    current_network = network(record.ip) if record.ip else None
    if row is not None and current_network is not None and current_network not in row.networks[:1]:
        before = [address for address in row.networks if address != current_network]
        row.networks = [current_network, *before][:_MAX_NETWORKS]
    session.flush()
    audit.identify(member.workspace_id, audit.Actor("member", member.email, member.id))
    audit.record(session, "session.create", record, email=member.email)
    return NewSession(token, record.expires_at, from_attributes(Member, member))


def _check_strength(field: str, password: str, member: MemberRow) -> None:
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise ValidationFailed(
            {field: [f"must have {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"]}
        )
    if passwords.is_guessable(password, (member.email, member.name, "automations", "airflow")):
        raise ValidationFailed(
            {field: ["is too easy to guess: take several words that say nothing of you"]}
        )
