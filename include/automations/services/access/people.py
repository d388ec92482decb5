"""Which identities belong to one person, so that nobody acts twice by using a second key.

A key without a member is its maker's, who has seen its token. Keys that the launcher has made are
all the operator's: whoever can call it holds every key that there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from automations.db.access import api_keys, members
from automations.db.session import Session
from automations.db.tables import Member
from automations.domain import people
from automations.domain.principals import RANKS
from automations.services.access.members import is_of_airflow

OPERATOR = "operator"
"""Whoever runs the installation."""

_MAX_MAKERS = 20
"""Keys that make each other in turn: further up nobody needs to look."""


def identities(session: Session, workspace_id: str, given: Iterable[str]) -> Set[str]:
    """All identities of the people who have these."""
    found: set[str] = set()
    for identity in given:
        found.add(identity)
        kind, _, name = identity.partition(":")
        if kind == "key":
            kind, name = _holder(session, name, found)
        if kind == "member":
            found |= _of_member(members.find(session, workspace_id, name))
        elif kind == "airflow":
            found.add(people.mailbox(name))
            for known in members.find_by_name(session, workspace_id, name):
                found |= _of_member(known)
    return found


def administer(session: Session, workspace_id: str, given: Iterable[str]) -> bool:
    """Whether one of the people who have these identities is an administrator's member."""
    kinds = (identity.partition(":") for identity in identities(session, workspace_id, given))
    found = (
        members.find(session, workspace_id, name) for kind, _, name in kinds if kind == "member"
    )
    return any(one is not None and RANKS[one.role] >= RANKS["ADMIN"] for one in found)


def _holder(session: Session, key_id: str, found: set[str]) -> tuple[str, str]:
    """Kind and name of whoever a key belongs to; adds those of the keys on the way."""
    for _ in range(_MAX_MAKERS):
        key = api_keys.find(session, key_id)
        if key is None:
            break
        holder = people.member(key.member_id) if key.member_id else key.made_by or OPERATOR
        found.add(holder)
        kind, _, key_id = holder.partition(":")
        if kind != "key":
            return kind, key_id
    return OPERATOR, ""


def _of_member(member: Member | None) -> set[str]:
    if member is None:
        return set()
    found = {people.member(member.id), people.mailbox(member.email)}
    if is_of_airflow(member.email):
        # The database has no way of its own to fold a name as Airflow's users' are.
        found.add(people.airflow_user(member.name))
    return found
