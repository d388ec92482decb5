"""Deletes what is old, page by page; never evidence, documents or what is still in use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, delete, exists, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from automations.db.access import idempotency
from automations.db.tables import (
    Approver,
    AuditLog,
    Callback,
    DagCall,
    DebouncedEvents,
    Document,
    DocumentDelivery,
    Effect,
    Event,
    FormEdit,
    FormRequest,
    Handover,
    IdempotencyKey,
    Job,
    PipelineRun,
    RowFile,
    Run,
    RunStep,
    SecurityEvent,
    StepLog,
    Submission,
    SubmissionSnapshot,
    Wait,
    WorkflowEdit,
)
from automations.domain.statuses import UNFINISHED, EventStatus, SyncStatus

BATCH_SIZE = 500
"""Rows of a transaction: few enough that nobody notices that they are locked."""
# In the order in which they refer to each other; loops' rows go with their run.
_OF_RUNS: Sequence[type[Any]] = (
    *(Wait, Callback, FormRequest, DagCall, StepLog, Handover, RunStep),
)
Counts = dict[str, int]
Place = tuple[Any, ...] | None
"""The key of the last row of a page; None before the first."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page came to.

    Args:
        last: where the next one begins; None when there is none.
    """

    deleted: int
    last: Place


@dataclass(frozen=True, slots=True)
class _ExpiredRows:
    """Rows that are to be deleted, by their keys, and where the next page begins."""

    key: Sequence[InstrumentedAttribute[Any]]
    old: ColumnElement[bool]
    places: Sequence[tuple[Any, ...]]
    last: Place


def page_of_runs(session: Session, before: datetime, after: str) -> Sequence[Run]:
    """Runs that ended before an instant, by id, their rows locked so that none is retried."""
    return session.scalars(
        select(Run)
        .where(_ended_runs(before), Run.id > after, ~exists().where(_is_for(Run.id)))
        .order_by(Run.id)
        .limit(BATCH_SIZE)
        .with_for_update(skip_locked=True)
    ).all()


def delete_runs(session: Session, ids: Sequence[str]) -> Counts:
    """Delete runs with all that is only theirs; how many rows of each table that were."""
    waits = select(Wait.id).where(Wait.run_id.in_(ids))
    forms = select(FormRequest.id).where(FormRequest.run_id.in_(ids))
    # Reminders to come would not find what they are about.
    people = select(Approver.id).where(Approver.wait_id.in_(waits))
    calls = select(DagCall.id).where(DagCall.run_id.in_(ids))
    for subjects in (waits, forms, people, calls):
        _rows(session, delete(Job).where(Job.subject_id.in_(subjects)))
    counts = {"approver": _rows(session, delete(Approver).where(Approver.wait_id.in_(waits)))}
    for table in _OF_RUNS:
        statement = delete(table).where(table.run_id.in_(ids))
        counts[table.__tablename__] = _rows(session, statement)
    counts["run"] = _rows(session, delete(Run).where(Run.id.in_(ids)))
    return counts


def delete_events(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of old events that were matched and that no run is left of."""
    free = _old_events(before) & ~exists().where(Run.event_id == Event.id)
    return _delete(session, _page(session, (Event.id,), after, Event.created_at < before, free))


def delete_syncs(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of pipelines' syncs that have ended, but for the last of each."""
    old = PipelineRun.completed_at < before
    return _delete(session, _page(session, (PipelineRun.id,), after, old, _old_syncs(before)))


def delete_jobs(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of jobs that were given up."""
    return _delete(session, _page(session, (Job.id,), after, Job.dead_at < before))


def delete_edits(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of edits that nobody has gone on with, with all their states."""
    key = (WorkflowEdit.workflow_id, WorkflowEdit.editor_id)
    return _delete(session, _page(session, key, after, WorkflowEdit.changed_at < before))


def delete_form_edits(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of edits of forms that nobody has gone on with."""
    key = (FormEdit.form_id, FormEdit.editor_id)
    return _delete(session, _page(session, key, after, FormEdit.changed_at < before))


def delete_row_files(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of files for tables whose rows nobody has added."""
    key = (RowFile.table_id, RowFile.editor_id)
    return _delete(session, _page(session, key, after, RowFile.kept_at < before))


def delete_audit(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of the audit log: of parts of it that are to stay, or could not be dropped."""
    return _delete(session, _page(session, (AuditLog.id,), after, AuditLog.at < before))


def delete_security_events(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of security events, as ``delete_audit``."""
    key = (SecurityEvent.id,)
    return _delete(session, _page(session, key, after, SecurityEvent.at < before))


def delete_submissions(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of old submissions that no run asks for any more, with files and snapshots.

    The rows of a form's table stay: they are the table's own.
    """
    old = Submission.created_at < before
    page = _page(session, (Submission.id,), after, old, _old_submissions(before))
    ids = [place[0] for place in page.places]
    _delete_documents(session, Document.submission_id.in_(ids))
    _rows(session, delete(SubmissionSnapshot).where(SubmissionSnapshot.submission_id.in_(ids)))
    return _delete(session, page)


def delete_documents(session: Session, before: datetime, after: Place) -> Page:
    """Delete a page of old documents of no submission and of no run that is left."""
    old = Document.created_at < before
    page = _page(session, (Document.id,), after, old, _orphaned_documents(before))
    ids = [place[0] for place in page.places]
    return Page(_delete_documents(session, Document.id.in_(ids)), page.last)


def page_of_effects(session: Session, before: datetime, after: str) -> Sequence[str]:
    """Keys of effects that were made before an instant, in order."""
    return session.scalars(
        select(Effect.key)
        .where(Effect.created_at < before, Effect.key > after)
        .order_by(Effect.key)
        .limit(BATCH_SIZE)
    ).all()


def delete_effects_of_no_run(session: Session, keys: Sequence[str]) -> int:
    """Delete those of some effects whose run is no more."""
    begins = {key: _beginnings(key) for key in keys}
    run_ids = {begin for begun_runs in begins.values() for begin in begun_runs}
    runs = set(session.scalars(select(Run.id).where(Run.id.in_(run_ids))))
    orphans = [key for key, begun_runs in begins.items() if runs.isdisjoint(begun_runs)]
    return _rows(session, delete(Effect).where(Effect.key.in_(orphans)))


def count(session: Session, before: datetime, extras: Collection[str]) -> Counts:
    """How many rows of each table would be deleted, but for those that others turn out to need."""
    doomed = select(Run.id).where(_ended_runs(before))
    waits = select(Wait.id).where(Wait.run_id.in_(doomed))
    needed = exists().where(Run.event_id == Event.id, Run.id.not_in(doomed))
    expired = IdempotencyKey.created_at < func.clock_timestamp() - idempotency.RETENTION
    counted: list[tuple[type[Any], ColumnElement[bool]]] = [
        (Approver, Approver.wait_id.in_(waits)),
        *((table, table.run_id.in_(doomed)) for table in _OF_RUNS),
        (Run, _ended_runs(before)),
        (Event, _old_events(before) & ~needed),
        (PipelineRun, _old_syncs(before)),
        (Job, Job.dead_at < before),
        (WorkflowEdit, WorkflowEdit.changed_at < before),
        (FormEdit, FormEdit.changed_at < before),
        (RowFile, RowFile.kept_at < before),
        (IdempotencyKey, expired),
    ]
    if "submissions" in extras:
        counted.append((Submission, _old_submissions(before)))
    if "documents" in extras:
        counted.append((Document, _orphaned_documents(before)))
    if "audit" in extras:
        counted += [(AuditLog, AuditLog.at < before), (SecurityEvent, SecurityEvent.at < before)]
    return {
        table.__tablename__: session.scalar(
            select(func.count()).select_from(table).where(condition)
        )
        or 0
        for table, condition in counted
    }


def _ended_runs(before: datetime) -> ColumnElement[bool]:
    return Run.status.not_in(UNFINISHED) & (Run.completed_at < before)


def _old_submissions(before: datetime) -> ColumnElement[bool]:
    return (Submission.created_at < before) & ~exists().where(
        FormRequest.submission_id == Submission.id
    )


def _orphaned_documents(before: datetime) -> ColumnElement[bool]:
    return (
        (Document.created_at < before)
        & Document.submission_id.is_(None)
        & ~exists().where(Run.id == Document.run_id)
    )


def _old_syncs(before: datetime) -> ColumnElement[bool]:
    later = aliased(PipelineRun)
    return (
        (PipelineRun.completed_at < before)
        & (PipelineRun.status != SyncStatus.RUNNING)
        & exists().where(
            later.connection_id == PipelineRun.connection_id,
            later.started_at > PipelineRun.started_at,
        )
    )


def _is_for(subject: Any) -> ColumnElement[bool]:
    """A job that is still to be done for something, such as to wake a run that waits for it."""
    is_about: ColumnElement[bool] = Job.subject_id == subject
    return is_about & Job.dead_at.is_(None)


def _old_events(before: datetime) -> ColumnElement[bool]:
    return (
        (Event.status != EventStatus.PENDING)
        & (Event.created_at < before)
        & ~exists().where(DebouncedEvents.event_id == Event.id)
    )


def _beginnings(key: str) -> list[str]:
    """What may be the run's id in a key: the id of a run that Airflow made has colons, too."""
    parts = key.split(":")
    return [":".join(parts[:number]) for number in range(1, len(parts) + 1)]


def _delete_documents(session: Session, condition: ColumnElement[bool]) -> int:
    documents = select(Document.id).where(condition)
    _rows(session, delete(DocumentDelivery).where(DocumentDelivery.document_id.in_(documents)))
    return _rows(session, delete(Document).where(condition))


def _page(
    session: Session,
    key: Sequence[InstrumentedAttribute[Any]],
    after: Place,
    old: ColumnElement[bool],
    *free: ColumnElement[bool],
) -> _ExpiredRows:
    """The next rows behind a place, in the order of their keys; those that may go are locked.

    Each page begins where the one before has ended: what stays, and what is deleted and not yet
    tidied up, is passed once, however many pages there are.

    Args:
        old: by the row alone.
        free: by what may need it. It is asked of this page's rows only, since PostgreSQL, which
            takes many for needed, would else read both tables for each page.
    """
    query = select(*key).where(old).order_by(*key).limit(BATCH_SIZE)
    if after is not None:
        query = query.where(tuple_(*key) > after)
    places = [tuple(row) for row in session.execute(query)]
    last = places[-1] if len(places) == BATCH_SIZE else None
    these = select(*key).where(_among(key, places), old, *free).with_for_update(skip_locked=True)
    return _ExpiredRows(key, old, [tuple(row) for row in session.execute(these)], last)


def _among(
    key: Sequence[InstrumentedAttribute[Any]], places: Sequence[tuple[Any, ...]]
) -> ColumnElement[bool]:
    if len(key) == 1:
        return key[0].in_([place[0] for place in places])
    return tuple_(*key).in_(places)


def _delete(session: Session, expired: _ExpiredRows) -> Page:
    """Delete what was found."""
    # That they are old is said again for the sake of parts that hold none of them.
    statement = delete(expired.key[0].class_).where(
        _among(expired.key, expired.places), expired.old
    )
    return Page(_rows(session, statement), expired.last)


def _rows(session: Session, statement: Any) -> int:
    done = session.execute(statement)
    assert isinstance(done, CursorResult)
    return done.rowcount
