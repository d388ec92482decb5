"""Syncs whose records a program hands over in batches, as Airflow's tasks do."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

from automations.db import pipelines
from automations.db.access import api_keys
from automations.db.session import Session, unit_of_work
from automations.db.tables import PipelineConnection, PipelineRun
from automations.definitions.pipelines import PUSH
from automations.domain.statuses import SyncStatus
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit.values import JSON, from_attributes
from automations.services.access.bootstrap import DEFAULT_WORKSPACE
from automations.services.audit import audit
from automations.services.pipelines.connections import mappings_of
from automations.services.pipelines.syncs import BATCH_SIZE, Sync, finish, usable, write


def load(reference: str, key: str, by: str, records: Iterable[JSON]) -> Sync:
    """Sync records, some in each transaction; who died and comes back with its key goes on.

    Args:
        reference: a connection's id, or its name in the default workspace.
        key: tells this sync from others of the connection that run meanwhile.
        by: who does it, for the audit log.

    Raises:
        NotFound, ValidationFailed, Conflict: the connection cannot be used for this.
    """
    run = _begin(reference, key)
    remaining = iter(records)
    try:
        while part := list(islice(remaining, BATCH_SIZE)):
            _take(run, part)
    except BaseException as error:
        # A sync that was stopped, or whose connection is gone, has ended already.
        with suppress(NotFound, Conflict):
            _end(run, by, SyncStatus.FAILED, f"{type(error).__name__}: {error}")
        raise
    return from_attributes(Sync, _end(run, by, SyncStatus.COMPLETED, None))


def _begin(reference: str, key: str) -> PipelineRun:
    with unit_of_work() as session:
        row = _find(session, reference)
        connection = usable(session, row.workspace_id, row.id)
        if connection.connector_type != PUSH:
            raise ValidationFailed({"records": ["this connection reads its records itself"]})
        return pipelines.begin_run(session, connection, "airflow", key)[0]


def _find(session: Session, reference: str) -> PipelineConnection:
    row = session.get(PipelineConnection, reference)
    if row is None:
        workspace_id = api_keys.ensure_workspace(session, *DEFAULT_WORKSPACE)
        row = pipelines.find_by_name(session, workspace_id, reference)
    if row is None:
        raise NotFound(f"There is no pipeline connection '{reference}': make it in the API first.")
    return row


def _take(run: PipelineRun, records: list[JSON]) -> None:
    with unit_of_work() as session:
        connection = usable(session, run.workspace_id, run.connection_id)
        write(session, _lock_run(session, run), mappings_of(connection), records)


def _end(run: PipelineRun, by: str, status: SyncStatus, error: str | None) -> PipelineRun:
    with unit_of_work() as session:
        ended = _lock_run(session, run)
        connection = session.get_one(PipelineConnection, run.connection_id)
        finish(session, ended, connection.name, status, error, by=audit.Actor("airflow", by))
        return ended


def _lock_run(session: Session, run: PipelineRun) -> PipelineRun:
    locked = pipelines.lock_run(session, run.id)
    if locked is None:
        raise NotFound(f"The connection has no run {run.id} any more.")
    if locked.status != SyncStatus.RUNNING:
        raise Conflict(f"The sync was ended meanwhile: it is {locked.status}.")
    return locked
