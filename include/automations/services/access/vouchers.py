"""Signing in to the console from Airflow, whose server vouches for a user, once.

A voucher is for the browser that has asked for it, which is known by a cookie that Airflow's
server sets and the bridge sees when both are at one host. Elsewhere whoever comes with one is asked
whether they are this user: somebody else's would make what they do here that one's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from automations.db.access import members, rate_limits, sign_ins
from automations.db.session import Session, unit_of_work
from automations.db.tables import Member
from automations.domain.principals import RANKS
from automations.errors import NotAllowed, NotAuthenticated
from automations.kit import common_clock
from automations.services.access import key_cache
from automations.services.access.bootstrap import ensure_workspace
from automations.services.access.members import AIRFLOW_DOMAIN
from automations.services.access.sign_ins import NewSession, open_session
from automations.services.audit import audit
from automations.settings import get_settings
from automations.tokens import derive_token

LIFETIME = timedelta(seconds=60)
"""From Airflow to the bridge is one redirect."""
_SESSION_LIFETIME = timedelta(hours=12)
"""Whom Airflow lets in no longer is out of the console by the next day."""
BROWSER = "automations_browser"
"""The cookie that says which browser asks; a host's cookies are those of all its ports."""
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
_MADE = re.compile(r".*-[0-9a-f]{20}")
_FOREIGN = re.compile(r"[^a-z0-9._-]+")
_NOT_GOOD = "Airflow’s word for you is used or too old: open the page from Airflow once more."


@dataclass(frozen=True, slots=True)
class Voucher:
    """Who somebody is in Airflow, and which role that gives them here."""

    user: str
    role: str
    until: datetime
    id: str
    browser: str

    def is_asked_by(self, browser: str | None) -> bool:
        """Whether it is for the browser that has this token in its cookie."""
        return browser is not None and hmac.compare_digest(self.browser, _browser_hash(browser))


def role_of(names: Iterable[str]) -> str:
    """The highest role that a user's roles in Airflow give here.

    Raises:
        NotAllowed: they give none.
    """
    pairs = (pair.partition(":") for pair in get_settings().airflow_roles)
    by_name = {name.casefold(): role for name, _, role in pairs}
    roles = [by_name[name.casefold()] for name in names if name.casefold() in by_name]
    if not roles:
        raise NotAllowed("Your role in Airflow gives none here: AUTOMATIONS_AIRFLOW_ROLES.")
    return max(roles, key=lambda role: RANKS[role])


def browser_token(current: str | None) -> str:
    """The token by which a browser is known: the one that it has, so that its tabs have one."""
    return current if current and _BROWSER.fullmatch(current) else secrets.token_urlsafe(32)


def issue(user: str, role: str, browser: str) -> str:
    """Vouch for a user of Airflow, to the browser with this token."""
    until = common_clock.now() + LIFETIME
    claims = {
        "user": user,
        "role": role,
        "until": int(until.timestamp()),
        "id": secrets.token_hex(),
        "browser": _browser_hash(browser),
    }
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{body}.{_signature(body)}"


def read(voucher: str) -> Voucher:
    """What a voucher says.

    Raises:
        NotAuthenticated: it is none of ours, or too old.
    """
    body, _, signature = voucher.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(body).encode()):
        raise NotAuthenticated(_NOT_GOOD)
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    until = datetime.fromtimestamp(claims["until"], UTC)
    if until <= common_clock.now():
        raise NotAuthenticated(_NOT_GOOD)
    return Voucher(claims["user"], claims["role"], until, claims["id"], claims["browser"])


def revoke(voucher: str) -> None:
    """Have a voucher let nobody in any more.

    Raises:
        NotAuthenticated: it is no voucher, or too old.
    """
    claims = read(voucher)
    with unit_of_work() as session:
        rate_limits.use_once(session, f"voucher:{claims.id}", claims.until)


def redeem(voucher: str) -> NewSession:
    """Begin a session of whom Airflow vouches for: a member of the default workspace.

    They are made when they come for the first time, and have the role that Airflow gives them now.
    No other member is ever taken for them, whatever they are called there.

    Raises:
        NotAuthenticated: it is no voucher, is too old, or was used before.
    """
    claims = read(voucher)
    workspace_id = ensure_workspace()
    with unit_of_work() as session:
        if not rate_limits.use_once(session, f"voucher:{claims.id}", claims.until):
            raise NotAuthenticated(_NOT_GOOD)
        member = _member(session, workspace_id, claims)
        return open_session(session, member, _SESSION_LIFETIME)


def _member(session: Session, workspace_id: str, voucher: Voucher) -> Member:
    address = _address(voucher.user)
    member = sign_ins.member(session, workspace_id, address)
    if member is None:
        new_member = Member(
            workspace_id=workspace_id, name=voucher.user, email=address, role=voucher.role
        )
        if members.save(session, new_member):
            audit.record(session, "member.create", new_member, email=address, role=voucher.role)
            return new_member
        # Two pages of theirs were opened at once.
        member = sign_ins.member(session, workspace_id, address)
        if member is None:
            raise NotAuthenticated(_NOT_GOOD)
    if member.role != voucher.role:
        before, member.role = member.role, voucher.role
        above = [name for name, rank in RANKS.items() if rank > RANKS[member.role]]
        members.lower_keys(session, member, above)
        audit.record(session, "member.update", member, email=address, role=[before, member.role])
        key_cache.forget()
    return member


def _address(user: str) -> str:
    """An address that nobody has mail at, and no two users share."""
    if _PLAIN.fullmatch(user) and not _MADE.fullmatch(user):
        return f"{user}{AIRFLOW_DOMAIN}"
    # Names that differ in a letter's size, or in what it is folded to, are two users'.
    readable = _FOREIGN.sub("_", user.casefold())[:40].strip("._") or "user"
    return f"{readable}-{hashlib.sha256(user.encode()).hexdigest()[:20]}{AIRFLOW_DOMAIN}"


def _signature(body: str) -> str:
    return hmac.digest(derive_token("voucher").encode(), body.encode(), hashlib.sha256).hex()


def _browser_hash(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
