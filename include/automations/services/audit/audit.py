"""The only way to write the audit log: ``record(session, "workflow.create", workflow)``.

Who acts is known per request: the bridge begins an origin and names the actor in it once the API
key is checked. Threads that serve the request share that origin, since their contexts are copies.
Outside of a request the system itself acts.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

from automations.db.session import Session
from automations.db.tables import AuditLog
from automations.domain import people
from automations.kit.values import JSON


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Args:
        type: ``api_key``, ``member`` with a session, ``recipient`` of a link, ``airflow`` user,
            ``anonymous`` or ``system``.
        name: for people: the key's name, an address.
    """

    type: str
    name: str
    id: str | None = None


SYSTEM = Actor("system", "system")
ANONYMOUS = Actor("anonymous", "anonymous")


@dataclass(slots=True)
class Origin:
    """Where what happens comes from, and in whose workspace, as far as that is known."""

    actor: Actor = SYSTEM
    ip: str | None = None
    request_id: str | None = None
    workspace_id: str | None = None


class Resource(NamedTuple):
    """Something that has no row of its own."""

    workspace_id: str
    type: str
    id: str


_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


def begin(ip: str | None, request_id: str) -> None:
    """A request begins; nobody has been named yet."""
    _origin.set(Origin(ANONYMOUS, ip, request_id))


def identify(workspace_id: str, actor: Actor | None = None) -> None:
    """Name the workspace that the request concerns, and who makes it; nothing outside of one."""
    origin = _origin.get()
    if origin is not None:
        origin.workspace_id = workspace_id
        origin.actor = actor or origin.actor


def current() -> Origin:
    """The origin of what happens now."""
    return _origin.get() or Origin()


def actors() -> list[str]:
    """The identity of whoever acts now; none of the system and of who is not known."""
    actor = current().actor
    match actor.type:
        case "api_key":
            return [people.key(str(actor.id))]
        case "member":
            return [people.member(str(actor.id))]
        case "recipient":
            return [people.mailbox(actor.name)]
    return []


def record(
    session: Session, action: str, resource: Any, *, by: Actor | None = None, **details: JSON
) -> None:
    """Record a write or a decision in its own transaction.

    Args:
        action: a noun and a verb, such as ``workflow.create``.
        resource: the row that was written, or a ``Resource``.
        by: who did it, when it was not whoever made the request.
        details: what people should know of it; never a secret, never a whole payload.
    """
    if not isinstance(resource, Resource):
        resource = _of_row(session, resource)
    origin = current()
    actor = by or origin.actor
    session.add(
        AuditLog(
            workspace_id=resource.workspace_id,
            actor_type=actor.type,
            actor=actor.name,
            actor_id=actor.id,
            action=action,
            resource_type=resource.type,
            resource_id=resource.id,
            ip=origin.ip,
            request_id=origin.request_id,
            details=details,
        )
    )


def _of_row(session: Session, row: Any) -> Resource:
    if hasattr(row, "id") and row.id is None:
        session.flush()
    return Resource(row.workspace_id, row.__tablename__, getattr(row, "id", None) or row.name)
