"""The members of a workspace: who they are and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from automations.db.access import members, sign_ins
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Member as MemberRow
from automations.domain.email_addresses import normalise
from automations.domain.fields import LITERAL
from automations.domain.principals import RANKS, Principal
from automations.errors import Conflict, NotAllowed, NotFound, ValidationFailed
from automations.kit.values import from_attributes
from automations.services.access import key_cache
from automations.services.audit import audit
from automations.steps.email import Address

_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
AIRFLOW_DOMAIN = "@airflow.invalid"
"""What addresses of users of Airflow end with, who come from there and have no mail."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a workspace."""

    id: str
    workspace_id: str
    name: str
    email: str
    role: str
    created_at: datetime

    @property
    def is_of_airflow(self) -> bool:
        """Whether it is Airflow that says who this is, and no password."""
        return is_of_airflow(self.email)


def is_of_airflow(address: str) -> bool:
    """Whether an address is that of a user of Airflow."""
    return address.endswith(AIRFLOW_DOMAIN)


def list_all(workspace_id: str) -> Sequence[Member]:
    """All members of a workspace."""
    with unit_of_work() as session:
        return [from_attributes(Member, row) for row in members.list_page(session, workspace_id)]


def page(workspace_id: str, offset: int, size: int) -> tuple[Sequence[Member], bool]:
    """The members from one on, the first one first; whether there are more."""
    with reading() as session:
        rows = members.list_page(session, workspace_id, offset, size + 1)
        return [from_attributes(Member, row) for row in rows[:size]], len(rows) > size


def get(workspace_id: str, member_id: str) -> Member | None:
    """One member, if there is such a one."""
    with unit_of_work() as session:
        row = members.find(session, workspace_id, member_id)
    return None if row is None else from_attributes(Member, row)


def create(by: Principal, *, name: str, email: str, role: str) -> Member:
    """Add a member.

    Raises:
        ValidationFailed: the address is none.
        NotAllowed: only an OWNER makes OWNERs.
        Conflict: another member has the address.
    """
    _check_owner(by, role)
    member = MemberRow(workspace_id=by.workspace_id, name=name, email=_address(email), role=role)
    with unit_of_work() as session:
        _save(session, member)
        audit.record(session, "member.create", member, email=member.email, role=member.role)
        return from_attributes(Member, member)


def update(
    by: Principal,
    member_id: str,
    *,
    name: str | None = None,
    email: str | None = None,
    role: str | None = None,
) -> Member:
    """Change what is given of a member; their API keys may do no more than they.

    Raises:
        NotAllowed: only an OWNER changes OWNERs or makes them.
        Conflict: another member has the address, or the workspace would be left without an OWNER.
    """
    with unit_of_work() as session:
        owners = members.lock_owners(session, by.workspace_id)
        member = _find(session, by.workspace_id, member_id)
        before = member.role
        _check_owner(by, member.role, role)
        if role is not None and role != "OWNER":
            _check_owner_remains(owners, member)
        if role == "OWNER" and before != "OWNER":
            # Whoever has it may be an ADMIN, who would come to be an OWNER by it.
            sign_ins.void_invitation(session, member.id)
        member.name = name or member.name
        member.role = role or member.role
        if email is not None and email.lower() != member.email:
            member.email = _address(email)
        _save(session, member)
        above = [name for name, rank in RANKS.items() if rank > RANKS[member.role]]
        members.lower_keys(session, member, above)
        audit.record(
            session, "member.update", member, email=member.email, role=[before, member.role]
        )
    key_cache.forget()
    return from_attributes(Member, member)


def delete(by: Principal, member_id: str) -> None:
    """Remove a member; their API keys are revoked, their notifications and edits deleted.

    Raises:
        NotAllowed: only an OWNER removes OWNERs.
        Conflict: the workspace would be left without an OWNER.
    """
    with unit_of_work() as session:
        owners = members.lock_owners(session, by.workspace_id)
        member = _find(session, by.workspace_id, member_id)
        _check_owner(by, member.role)
        _check_owner_remains(owners, member)
        audit.record(session, "member.delete", member, email=member.email, role=member.role)
        members.remove(session, member)
    key_cache.forget()


def as_known(email: str) -> str:
    """An address in the form in which members have it; what is none, as it was written."""
    bare = email.strip()
    try:
        return normalise(bare).lower()
    except ValueError:
        return bare.lower()


def _find(session: Session, workspace_id: str, member_id: str) -> MemberRow:
    member = members.lock(session, workspace_id, member_id)
    if member is None:
        raise NotFound(f"There is no member {member_id}.")
    return member


def _check_owner(by: Principal, *roles: str | None) -> None:
    if "OWNER" in roles and not by.may("OWNER"):
        raise NotAllowed("Only an OWNER may make, change or remove an OWNER.")


def _check_owner_remains(owners: set[str], member: MemberRow) -> None:
    if owners == {member.id}:
        raise Conflict(f"{member.name} is the last OWNER; make another member OWNER first.")


def _address(email: str) -> str:
    try:
        address = _ADDRESS.validate_python(email, context=LITERAL).lower()
    except ValidationError as error:
        raise ValidationFailed({"email": ["must be an e-mail address"]}) from error
    if is_of_airflow(address):
        # Whoever has it is taken for that user, with the role that Airflow gives them.
        raise ValidationFailed({"email": ["is kept for a user of Airflow, who comes from there"]})
    return address


def _save(session: Session, member: MemberRow) -> None:
    address = member.email
    if not members.save(session, member):
        raise Conflict(f"Another member has the address {address}.")
