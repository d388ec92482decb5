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


def identities(session: Session, workspace_id: str, aliases: Iterable[str]) -> Set[str]:
    """All identities of the people who have these."""
    collected: set[str] = set()
    for identity in aliases:
        collected.add(identity)
        kind, _, name = identity.partition(":")
        if kind == "key":
            kind, name = _holder(session, name, collected)
        if kind == "member":
            collected |= _of_member(members.find(session, workspace_id, name))
        elif kind == "airflow":
            collected.add(people.mailbox(name))
            for member in members.find_by_name(session, workspace_id, name):
                collected |= _of_member(member)
    return collected


def administer(session: Session, workspace_id: str, aliases: Iterable[str]) -> bool:
    """Whether one of the people who have these identities is an administrator's member."""
    kinds = (identity.partition(":") for identity in identities(session, workspace_id, aliases))
    holders = (
        members.find(session, workspace_id, name) for kind, _, name in kinds if kind == "member"
    )
    return any(holder is not None and RANKS[holder.role] >= RANKS["ADMIN"] for holder in holders)


def _holder(session: Session, key_id: str, collected: set[str]) -> tuple[str, str]:
    """Kind and name of whoever a key belongs to; adds those of the keys on the way."""
    for _ in range(_MAX_MAKERS):
        key = api_keys.find(session, key_id)
        if key is None:
            break
        holder = people.member(key.member_id) if key.member_id else key.created_by or OPERATOR
        collected.add(holder)
        kind, _, key_id = holder.partition(":")
        if kind != "key":
            return kind, key_id
    return OPERATOR, ""


def _of_member(member: Member | None) -> set[str]:
    if member is None:
        return set()
    names = {people.member(member.id), people.mailbox(member.email)}
    if is_of_airflow(member.email):
        # The database has no way of its own to fold a name as Airflow's users' are.
        names.add(people.airflow_user(member.name))
    return names
