"""Automations and their versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, cast, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from automations.db.plain_rows import plain_rows
from automations.db.queue import jobs
from automations.db.tables import RunCount, Workflow, WorkflowVersion
from automations.db.workflows.versions import IS_NEWEST
from automations.domain.overviews import NamedWorkflow
from automations.domain.statuses import WorkflowStatus
from automations.domain.workflows import HeldUp, WorkflowDetail, WorkflowFilter

PUBLISHED = "automations_published"
_REVISIONS = 0x7265766E

_RUNS = (
    select(cast(func.coalesce(func.sum(RunCount.runs), 0), BigInteger))
    .where(RunCount.workspace_id == Workflow.workspace_id, RunCount.workflow_id == Workflow.id)
    .scalar_subquery()
)
# The columns of a value, and not rows: a workspace may have ten thousand of them.
_LISTED = (
    select(
        Workflow.id,
        Workflow.workspace_id,
        Workflow.key,
        Workflow.name,
        Workflow.status,
        Workflow.version,
        Workflow.webhook_salt,
        Workflow.webhook_hash,
        Workflow.created_at,
        Workflow.updated_at,
        WorkflowVersion.definition,
        _RUNS,
        Workflow.held_up,
        Workflow.held_up_by,
        Workflow.held_up_since,
    )
    .join(WorkflowVersion, IS_NEWEST)
    .where(Workflow.workspace_id == bindparam("workspace_id"), Workflow.deleted_at.is_(None))
    .order_by(Workflow.created_at.desc(), Workflow.id)
    .limit(bindparam("limit", type_=BigInteger))
)
# Made once, like those around it: to make a statement costs as much as to ask it.
_OF_WORKSPACE = (
    Workflow.id == bindparam("workflow_id"),
    Workflow.workspace_id == bindparam("workspace_id"),
)
_ANY = select(Workflow).where(*_OF_WORKSPACE)
_THERE = _ANY.where(Workflow.deleted_at.is_(None))
_NEWEST = (
    select(Workflow, WorkflowVersion.definition)
    .join(WorkflowVersion, IS_NEWEST)
    .where(*_OF_WORKSPACE, Workflow.deleted_at.is_(None))
)
_COUNT = (
    select(Workflow.status, func.count())
    .where(Workflow.workspace_id == bindparam("workspace_id"), Workflow.deleted_at.is_(None))
    .group_by(Workflow.status)
)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What an automation's next version says.

    Args:
        workflow: with the version's number and status.
        scheduled_since: since when its schedule has been in force.
    """

    workflow: Workflow
    definition: Mapping[str, Any]
    scheduled_since: datetime | None = None


def find_any(session: Session, workspace_id: str, workflow_id: str) -> Workflow | None:
    """An automation of a workspace, also a deleted one: its history stays."""
    values = {"workflow_id": workflow_id, "workspace_id": workspace_id}
    return session.scalar(_ANY, values)


def find(
    session: Session, workspace_id: str, workflow_id: str, *, lock: bool = False
) -> Workflow | None:
    """An automation of a workspace that is not deleted."""
    values = {"workflow_id": workflow_id, "workspace_id": workspace_id}
    return session.scalar(_THERE.with_for_update() if lock else _THERE, values)


def find_newest(
    session: Session, workspace_id: str, workflow_id: str
) -> tuple[Workflow, Mapping[str, Any]] | None:
    """An automation of a workspace that is not deleted, and what its newest version says."""
    values = {"workflow_id": workflow_id, "workspace_id": workspace_id}
    row = session.execute(_NEWEST, values).first()
    return None if row is None else (row[0], row[1])


def matching(
    session: Session,
    workspace_id: str,
    ids: Collection[str],
    keys: Collection[str],
    names: Collection[str],
) -> Sequence[Workflow]:
    """Automations that have one of these ids or keys, or no key and one of these names; locked.

    The first one first, so that two that lock many do not wait for each other.
    """
    query = select(Workflow).where(
        Workflow.workspace_id == workspace_id,
        Workflow.deleted_at.is_(None),
        or_(
            Workflow.id.in_(ids),
            Workflow.key.in_(keys),
            Workflow.key.is_(None) & Workflow.name.in_(names),
        ),
    )
    ordered = query.order_by(Workflow.created_at, Workflow.id)
    return session.scalars(ordered.with_for_update()).all()


def save(session: Session, changes: Sequence[tuple[Workflow, Mapping[str, Any]]]) -> set[str]:
    """Write automations, new or locked, with new values of columns; all of them at once.

    Returns:
        The ids of those that are not written, since others of the workspace have their keys.
    """
    ids = [workflow.id for workflow, _ in changes]
    try:
        # Behind the savepoint: what is changed before it is written before it.
        with session.begin_nested():
            for workflow, values in changes:
                for name, value in values.items():
                    setattr(workflow, name, value)
            session.add_all(workflow for workflow, _ in changes)
            session.flush()
    except IntegrityError:
        if len(changes) == 1:
            return set(ids)
        return {taken for change in changes for taken in save(session, [change])}
    return set()


def by_id(session: Session, workflow_id: str) -> Workflow | None:
    """An automation of any workspace, deleted or not."""
    return session.get(Workflow, workflow_id)


def lock(session: Session, workflow_id: str) -> Workflow | None:
    """The same, held against others that lock it; runs of it can still be inserted."""
    query = select(Workflow).where(Workflow.id == workflow_id)
    return session.scalar(query.with_for_update(key_share=True))


def hold_named(session: Session, workspace_id: str) -> None:
    """Have what automations may name by its id stay until this commits.

    Taken before anything is written: whoever is asked for it later might wait for who waits here.
    """
    session.execute(select(func.pg_advisory_xact_lock_shared(_names_lock(workspace_id))))


def _names_lock(workspace_id: str) -> ColumnElement[int]:
    return func.hashtextextended(f"named:{workspace_id}", 0)


def active_with(session: Session, workspace_id: str, subject_id: str) -> Sequence[str]:
    """The names of the ACTIVE automations that name something by its id, wherever it stands.

    For who then deletes it: whoever would name it meanwhile waits, and finds it gone.
    """
    session.execute(select(func.pg_advisory_xact_lock(_names_lock(workspace_id))))
    query = (
        select(Workflow.name)
        .join(WorkflowVersion, IS_NEWEST)
        .where(
            Workflow.workspace_id == workspace_id,
            Workflow.deleted_at.is_(None),
            Workflow.status == WorkflowStatus.ACTIVE,
            cast(WorkflowVersion.definition, Text).contains(f'"{subject_id}"', autoescape=True),
        )
        .order_by(Workflow.number)
    )
    return session.scalars(query).all()


def lock_import(session: Session, workspace_id: str) -> None:
    """Have nobody else apply a file to a workspace until this commits."""
    key = func.hashtextextended(f"import:{workspace_id}", 0)
    session.execute(select(func.pg_advisory_xact_lock(key)))


def keys(session: Session, workspace_id: str) -> dict[str, str]:
    """The keys of a workspace's automations, by their ids."""
    rows = session.execute(
        select(Workflow.id, Workflow.key).where(
            Workflow.workspace_id == workspace_id,
            Workflow.deleted_at.is_(None),
            Workflow.key.is_not(None),
        )
    )
    return {row[0]: str(row[1]) for row in rows}


def scheduled_since(session: Session, workflow_id: str, version: int) -> datetime | None:
    """Since when a version's schedule has been in force."""
    return session.scalar(
        select(WorkflowVersion.scheduled_since).where(
            WorkflowVersion.workflow_id == workflow_id, WorkflowVersion.version == version
        )
    )


def list_all(
    session: Session,
    workspace_id: str,
    after: tuple[datetime, str] | None = None,
    limit: int | None = None,
    criteria: WorkflowFilter | None = None,
) -> Sequence[WorkflowDetail]:
    """Automations of a workspace, newest first, with their newest definitions and their runs.

    Args:
        after: only those that come behind this one.
        criteria: only those; all when there is none.
    """
    query = _LISTED
    if criteria is not None:
        query = query.where(*_conditions(criteria))
    if after is not None:
        at, workflow_id = after
        later = (Workflow.created_at == at) & (Workflow.id > workflow_id)
        query = query.where((Workflow.created_at < at) | later)
    rows = plain_rows(session, query, {"workspace_id": workspace_id, "limit": limit})
    return [WorkflowDetail(*_with_held_up(*values)) for values in map(tuple, rows)]


def _with_held_up(*values: Any) -> tuple[Any, ...]:
    *others, kind, by, since = values
    return (*others, HeldUp(kind, by, since) if kind else None)


def _conditions(criteria: WorkflowFilter) -> list[ColumnElement[bool]]:
    clauses = [Workflow.status != WorkflowStatus.ARCHIVED]
    if criteria.status is not None:
        clauses = [Workflow.status == criteria.status]
    if criteria.text:
        clauses.append(Workflow.name.icontains(criteria.text, autoescape=True))
    if criteria.trigger_type is not None:
        trigger = WorkflowVersion.definition["trigger"]["type"].as_string()
        clauses.append(trigger == criteria.trigger_type)
    return clauses


def owners(session: Session, ids: Collection[str]) -> dict[str, str | None]:
    """Who has made automations, by their ids."""
    query = select(Workflow.id, Workflow.created_by).where(Workflow.id.in_(ids))
    return {row[0]: row[1] for row in session.execute(query)}


def of_trigger_keys(
    session: Session, workspace_id: str, keys: Collection[str], limit: int
) -> Sequence[NamedWorkflow]:
    """The automations whose triggers have one of some keys, by name."""
    rows = session.execute(
        select(Workflow.id, Workflow.name, Workflow.status)
        .where(
            Workflow.workspace_id == workspace_id,
            Workflow.trigger_key.in_(keys),
            Workflow.deleted_at.is_(None),
        )
        .order_by(func.lower(Workflow.name), Workflow.id)
        .limit(limit)
    )
    return [NamedWorkflow(*row) for row in rows]


def names(session: Session, workspace_id: str) -> dict[str, str]:
    """The names of a workspace's automations by their ids, in their order."""
    query = (
        select(Workflow.id, Workflow.name)
        .where(Workflow.workspace_id == workspace_id, Workflow.deleted_at.is_(None))
        .order_by(func.lower(Workflow.name), Workflow.id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def add_version(
    session: Session, workflow: Workflow, definition: Mapping[str, Any], created_by: str | None
) -> None:
    """Write the automation's next version, as ``add_versions``."""
    add_versions(session, [NewVersion(workflow, definition)], created_by)


def add_versions(
    session: Session, new_versions: Sequence[NewVersion], created_by: str | None
) -> None:
    """Write next versions of automations at the next revisions, and wake the publishers.

    Whoever has written a version holds up all others that write one until it commits, so that
    revisions become visible in their order, or a publisher would miss one.
    """
    if not new_versions:
        return
    session.add_all(
        WorkflowVersion(
            workflow_id=version.workflow.id,
            version=version.workflow.version,
            revision=revision,
            status=version.workflow.status,
            definition=dict(version.definition),
            scheduled_since=version.scheduled_since,
            created_by=created_by,
        )
        for revision, version in enumerate(new_versions, _next_revision(session))
    )
    jobs.notify(session, PUBLISHED)


def republish(session: Session, workflow_id: str) -> None:
    """Have the automation published as it is, at the next revision, and wake the publishers."""
    values = {"republished": _next_revision(session)}
    session.execute(update(Workflow).where(Workflow.id == workflow_id).values(values))
    jobs.notify(session, PUBLISHED)


def note_recovery(session: Session, workflow_id: str, at: datetime) -> None:
    """Note that what somebody's deletion of its DAG at a moment has broken is mended."""
    mended = or_(Workflow.recovered_from.is_(None), Workflow.recovered_from < at)
    session.execute(
        update(Workflow).where(Workflow.id == workflow_id, mended).values(recovered_from=at)
    )


def newest_revision(session: Session) -> int:
    """The newest revision of all; 0 before the first automation."""
    written = select(func.max(WorkflowVersion.revision)).scalar_subquery()
    republished = select(func.max(Workflow.republished)).scalar_subquery()
    return session.scalar(select(func.greatest(written, republished, 0))) or 0


def _next_revision(session: Session) -> int:
    session.execute(select(func.pg_advisory_xact_lock(_REVISIONS)))
    return newest_revision(session) + 1


def count(session: Session, workspace_id: str) -> dict[WorkflowStatus, int]:
    """Numbers of automations by status."""
    rows = plain_rows(session, _COUNT, {"workspace_id": workspace_id})
    return {status: number for status, number in rows}  # noqa: C416 -- a Row is no pair for dict()
