"""API keys: shown once, stored as a hash; created, rotated and revoked by administrators."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from automations.db.access import api_keys, members, rate_limits
from automations.db.access.api_keys import Credential
from automations.db.session import Session, unit_of_work
from automations.db.tables import ApiKey as ApiKeyRow
from automations.domain import people
from automations.domain.principals import RANKS, Principal
from automations.errors import NotAllowed, NotAuthenticated, NotFound, ValidationFailed
from automations.kit import common_clock, cursors
from automations.kit.values import from_attributes
from automations.services.access import key_cache
from automations.services.access.bootstrap import ensure_workspace
from automations.services.audit import audit

MAX_GRACE = timedelta(days=7)
"""Time to bring a new token to all who use the key; the old one may be a leaked one."""
_PREFIX_LENGTH = 11
"""``sk_`` and 8 characters: people tell keys by them, and 35 more are left to guess."""
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as administrators see it: nobody sees its token again."""

    id: str
    prefix: str
    name: str
    role: str
    scopes: Sequence[str] | None
    member_id: str | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    previous_expires_at: datetime | None


def create_key(role: str, name: str, workspace_id: str | None = None) -> str:
    """Make a key for a workspace, the default one when none is given; returns the token."""
    workspace = workspace_id or ensure_workspace()
    with unit_of_work() as session:
        token, key = _new(workspace_id=workspace, name=name, role=role)
        session.add(key)
        audit.record(session, "api_key.create", key, name=name, role=role)
    return token


def create(
    by: Principal,
    *,
    name: str,
    role: str,
    scopes: Sequence[str] | None,
    expires_at: datetime | None,
    member_id: str | None,
) -> tuple[str, ApiKey]:
    """Make a key that may do no more than whoever makes it; returns its token, which is not kept.

    Raises:
        NotAllowed: the role or the scopes reach beyond those of the maker.
        ValidationFailed: it would be expired from the beginning, or there is no such member.
    """
    _check_reach(by, role, scopes)
    if expires_at is not None and expires_at <= common_clock.now():
        raise ValidationFailed({"expiresAt": ["must be in the future"]})
    with unit_of_work() as session:
        _check_member(session, by, role, member_id)
        token, key = _new(
            workspace_id=by.workspace_id,
            name=name,
            role=role,
            scopes=None if scopes is None else sorted(set(scopes)),
            expires_at=expires_at,
            member_id=member_id,
            created_by=people.identity_of(by),
        )
        session.add(key)
        session.flush()
        session.refresh(key)
        audit.record(session, "api_key.create", key, name=name, role=role, scopes=key.scopes)
        return token, from_attributes(ApiKey, key)


def page_after(
    workspace_id: str, cursor: str | None, size: int
) -> tuple[Sequence[ApiKey], str | None]:
    """The keys that are not revoked after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with unit_of_work() as session:
        rows = api_keys.page_after(session, workspace_id, after, size + 1)
    page_keys = [from_attributes(ApiKey, row) for row in rows]
    return cursors.page(page_keys, size, lambda key: (key.created_at, key.id))


def get(by: Principal, key_id: str) -> ApiKey:
    """A key that is not revoked.

    Raises:
        NotFound: it is not there.
    """
    with unit_of_work() as session:
        return from_attributes(ApiKey, _find(session, by, key_id))


def rotate(by: Principal, key_id: str, grace: timedelta) -> tuple[str, ApiKey]:
    """Give a key another token; the one it had goes on working for the grace.

    Raises:
        NotAllowed: the key may do more than whoever rotates it.
    """
    with unit_of_work() as session:
        key = _find(session, by, key_id)
        _check_reach(by, key.role, key.scopes)
        token = _token()
        key.previous_token_hash, key.previous_expires_at = None, None
        if grace:
            key.previous_token_hash = key.token_hash
            key.previous_expires_at = common_clock.now() + grace
        key.token_hash, key.prefix = _hash(token), token[:_PREFIX_LENGTH]
        seconds = int(grace.total_seconds())
        audit.record(session, "api_key.rotate", key, name=key.name, graceSeconds=seconds)
    key_cache.forget()
    return token, from_attributes(ApiKey, key)


def revoke(by: Principal, key_id: str) -> None:
    """Make a key useless, at once and forever.

    Raises:
        NotAllowed: the key may do more than whoever revokes it.
    """
    with unit_of_work() as session:
        key = _find(session, by, key_id)
        _check_reach(by, key.role, key.scopes)
        key.revoked_at = common_clock.now()
        audit.record(session, "api_key.revoke", key, name=key.name)
    key_cache.forget()


def find_cached(token: str) -> Principal | None:
    """Whoever has a token, without asking the database; None when that is needed."""
    holder = key_cache.find(_hash(token))
    if holder is not None:
        _identify(holder)
    return holder


def authenticate(token: str) -> Principal:
    """Whoever has a token; from now on its key is the actor of the request.

    Raises:
        NotAuthenticated: it is unknown, revoked or expired.
    """
    token_hash, cache = _hash(token), key_cache.place()
    key = api_keys.credential(token_hash)
    if key is None:
        raise NotAuthenticated
    holder = _holder(key)
    # Also of a key that is no longer valid: its refusal is an event of its workspace.
    _identify(holder)
    if not key.valid:
        raise NotAuthenticated
    key_cache.keep(cache, token_hash, holder)
    if key.use_is_old:
        with unit_of_work() as session:
            noted = api_keys.note_use(session, key.id)
            if noted is not None:
                _record_use(session, noted)
    return holder


def _holder(key: Credential) -> Principal:
    return Principal(
        workspace_id=key.workspace_id,
        role=key.role,
        name=key.name,
        key_id=key.id,
        member_id=key.member_id,
        scopes=key.scopes,
    )


def _identify(holder: Principal) -> None:
    actor = audit.Actor("api_key", holder.name, holder.key_id)
    audit.identify(holder.workspace_id, actor)


def _record_use(session: Session, key: ApiKeyRow) -> None:
    """An hour's first use from an address, as far as it is seen once a minute."""
    place = audit.current().ip
    if rate_limits.hit(session, f"key:{key.id}:{place}", limit=1, seconds=_HOUR) is None:
        audit.record(session, "api_key.use", key, name=key.name)


def _check_reach(by: Principal, role: str, scopes: Sequence[str] | None) -> None:
    if not by.may(role):
        raise NotAllowed(f"A key of role {by.role} cannot make or change one of role {role}.")
    if by.scopes is None:
        return
    beyond = "every scope" if scopes is None else ", ".join(sorted(set(scopes) - set(by.scopes)))
    if beyond:
        raise NotAllowed(f"This API key's scopes do not cover those of the key: {beyond}.")


def _check_member(session: Session, by: Principal, role: str, member_id: str | None) -> None:
    if member_id is None:
        return
    # Its row stays until the key is committed: a removed member's keys are revoked.
    if not members.lock_existing(session, by.workspace_id, [member_id]):
        raise ValidationFailed({"memberId": [f"there is no member {member_id}"]})
    member = members.find(session, by.workspace_id, member_id)
    if member is not None and RANKS[member.role] < RANKS[role]:
        raise ValidationFailed({"role": [f"may not be above that of the member, {member.role}"]})
    if member is not None and not by.may(member.role):
        raise NotAllowed(f"A key of role {by.role} cannot act for a member of role {member.role}.")


def _find(session: Session, by: Principal, key_id: str) -> ApiKeyRow:
    key = api_keys.lock(session, by.workspace_id, key_id)
    if key is None:
        raise NotFound(f"There is no API key {key_id}.")
    return key


def _new(**values: object) -> tuple[str, ApiKeyRow]:
    token = _token()
    return token, ApiKeyRow(prefix=token[:_PREFIX_LENGTH], token_hash=_hash(token), **values)


def _token() -> str:
    return f"sk_{secrets.token_urlsafe(32)}"


def _hash(token: str) -> str:
    # A plain hash is enough: the token has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()
