"""Syncs that read their records from an HTTP source, a page at a time.

A page's rows and the place of the next page are one transaction: after a crash a sync goes on
where it was, and who has lost its place meanwhile writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from automations.db import pipelines
from automations.db.queue import jobs
from automations.db.session import Session, unit_of_work
from automations.db.tables import JobKind, PipelineConnection, PipelineRun
from automations.definitions.paging import Page
from automations.definitions.pipelines import PUSH, HttpConfig
from automations.domain.fields import parse_duration
from automations.domain.response_bodies import json_in_parts, json_of
from automations.domain.statuses import SyncStatus
from automations.errors import Conflict, DomainError, StepError, Unavailable, ValidationFailed
from automations.kit import common_clock
from automations.kit.declared_text import legible
from automations.kit.masking import Masker
from automations.kit.queries import pairs_of, remove_parameter
from automations.kit.record_paths import NOTHING, value_at
from automations.kit.retry_after import MAX_DELAY, requested_delay
from automations.kit.storable import Unkept
from automations.kit.values import JSON, from_attributes
from automations.ports import HttpClient, HttpRequest, HttpResponse
from automations.services.audit import audit
from automations.services.integrations import secrets
from automations.services.pipelines.connections import mappings_of
from automations.services.pipelines.syncs import Sync, finish, usable, write

_PULL = "pull"
"""The key of all pulls: a connection has one at a time."""
_TIMEOUT = timedelta(seconds=30)
"""For one page of a source: a slow one has page sizes to be set."""
_MAX_EXCERPT = 200
"""Characters of a source's error that are kept with the sync."""
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page that was read, and the cursor of the one behind it."""

    records: Sequence[JSON]
    following: str | None


def start(workspace_id: str, connection_id: str) -> Sync:
    """Begin a sync of a connection that reads its records itself.

    Raises:
        ValidationFailed: records are sent to it.
        Conflict: one runs already, or the connection is disabled.
    """
    with unit_of_work() as session:
        connection = usable(session, workspace_id, connection_id)
        if connection.connector_type == PUSH:
            raise ValidationFailed({"records": ["is required: this connection reads none"]})
        run, is_new = _begin(session, connection, "pull")
        if not is_new:
            raise Conflict(f"The connection is syncing already: run {run.id}.")
        audit.record(session, "pipeline.start", run, name=connection.name)
        return from_attributes(Sync, run)


def start_all(workspace_id: str) -> list[Sync]:
    """Begin a sync of each enabled connection that reads its records itself and is not syncing."""
    begun = []
    with unit_of_work() as session:
        for connection in pipelines.list_all(session, workspace_id):
            if connection.enabled and connection.connector_type != PUSH:
                run, is_new = _begin(session, connection, "pull")
                if is_new:
                    audit.record(session, "pipeline.start", run, name=connection.name)
                    begun.append(from_attributes(Sync, run))
    return begun


def trigger(
    session: Session, workspace_id: str, connection_id: str, delivery_id: str | None
) -> tuple[PipelineRun, bool]:
    """Begin a sync because the source says that it has changed; whether it is new.

    One that runs already may have read what has changed before it did: another one follows it.

    Raises:
        Conflict: the connection is disabled.
    """
    connection = usable(session, workspace_id, connection_id)
    run, is_new = _begin(session, connection, "webhook", delivery_id)
    repeated = delivery_id is not None and run.delivery_id == delivery_id
    if is_new or repeated or pipelines.request_rerun(session, run.id):
        return run, is_new
    return _begin(session, connection, "webhook", delivery_id)


def due(session: Session, connection_id: str) -> timedelta | None:
    """Begin the sync that is due, unless one runs; how long until the next, None for never."""
    connection = session.get(PipelineConnection, connection_id)
    if connection is None or connection.interval is None or not connection.enabled:
        return None
    _begin(session, connection, "schedule")
    return parse_duration(connection.interval)


def advance(run_id: str, http: HttpClient) -> bool:
    """Read a sync's next page and write its rows; whether there is another one.

    Raises:
        StepError: the page cannot be had, or its rows cannot be written.
    """
    with unit_of_work() as session:
        run = session.get(PipelineRun, run_id)
        connection = session.get(PipelineConnection, run.connection_id) if run else None
    if run is None or connection is None or run.status != SyncStatus.RUNNING:
        return False
    try:
        config = HttpConfig.model_validate(connection.config)
        page = read(connection.workspace_id, config, run.cursor, http)
        return _take(run, config, page)
    except Unavailable as error:
        raise StepError(error.message, kind="unavailable", retryable=True) from error
    except DomainError as error:
        raise StepError(error.message, kind="config") from error


def note(run_id: str, error: StepError) -> bool:
    """Note what keeps a sync from going on; whether it has ended by that."""
    with unit_of_work() as session:
        if not error.retryable:
            fail(session, run_id, error.message)
            return True
        run = pipelines.lock_run(session, run_id)
        if run is not None and run.status == SyncStatus.RUNNING:
            run.error = error.message
    return False


def fail(session: Session, run_id: str, error: str) -> None:
    """End a sync that cannot go on; what it has changed stays, and is announced."""
    run = pipelines.lock_run(session, run_id)
    connection = session.get(PipelineConnection, run.connection_id) if run else None
    if run is not None and connection is not None:
        _end(session, run, connection, SyncStatus.FAILED, error)


def read(workspace_id: str, config: HttpConfig, cursor: str | None, http: HttpClient) -> ReadPage:
    """The page at a cursor; the first one without.

    Raises:
        StepError: it cannot be had, or is not what was configured.
    """
    secret = _secret(workspace_id, config)
    address, query = config.paging.address(config.url, config.query, cursor)
    headers = {"accept": "application/json"}
    headers |= {name.lower(): value for name, value in config.headers.items()}
    if config.auth is not None:
        config.auth.model_copy(update={"secret": secret}).sign(headers, query)
    request = HttpRequest(
        "GET", address, _TIMEOUT, pairs_of(query), headers, max_bytes=config.max_bytes
    )
    response = http.request(request)
    if not 200 <= response.status < 300:
        raise _error_of(response, Masker([secret] if secret else []))
    body = _parse(response)
    records = value_at(body, config.records_path)
    if isinstance(records, Unkept):
        raise StepError(f"'{config.records_path}' of the answer {records.why}.", kind="shape")
    if not isinstance(records, list):
        where = "is no list" if config.records_path == "$" else f"has no '{config.records_path}'"
        kind = "nothing" if records is NOTHING else type(records).__name__
        raise StepError(f"The answer {where} of records but {kind}.", kind="shape")
    page = Page(config.url, response.url, response.headers, body, len(records))
    following = config.paging.following(page, cursor)
    if following is not None and config.auth is not None and config.auth.type == "query":
        following = remove_parameter(following, str(config.auth.name))
    if following is not None and following == cursor:
        raise StepError("The source leads from a page to the same page again.", kind="paging")
    return ReadPage(records, following)


def _begin(
    session: Session,
    connection: PipelineConnection,
    started_by: str,
    delivery_id: str | None = None,
) -> tuple[PipelineRun, bool]:
    run, is_new = pipelines.begin_run(session, connection, started_by, _PULL, delivery_id)
    if is_new:
        jobs.enqueue(session, JobKind.SYNC_PIPELINE, run.id, workspace_id=connection.workspace_id)
    return run, is_new


def _take(seen: PipelineRun, config: HttpConfig, page: ReadPage) -> bool:
    with unit_of_work() as session:
        connection = pipelines.find(session, seen.workspace_id, seen.connection_id, lock="runs")
        run = pipelines.lock_run(session, seen.id)
        if connection is None or run is None or run.status != SyncStatus.RUNNING:
            return False
        if run.fence != seen.fence:
            # Another worker has taken this page, or the connection was changed.
            return True
        write(session, run, mappings_of(connection), page.records)
        run.pages, run.fence, run.error = run.pages + 1, run.fence + 1, None
        run.cursor = page.following
        if page.following is None:
            _end(session, run, connection, SyncStatus.COMPLETED)
        elif run.pages >= config.max_pages:
            error = f"The source has more than {config.max_pages} pages, which is maxPages."
            _end(session, run, connection, SyncStatus.FAILED, error)
        return run.status == SyncStatus.RUNNING


def _end(
    session: Session,
    run: PipelineRun,
    connection: PipelineConnection,
    status: SyncStatus,
    error: str | None = None,
) -> None:
    follows = run.rerun_requested and run.status == SyncStatus.RUNNING and connection.enabled
    finish(session, run, connection.name, status, error)
    if follows:
        _begin(session, connection, "webhook")


def _secret(workspace_id: str, config: HttpConfig) -> str | None:
    if config.secret is None:
        return None
    values = secrets.read(workspace_id, {config.secret})
    if config.secret not in values:
        raise StepError(
            f"There is no secret {config.secret}. An administrator can set it by "
            f"PUT /api/secrets/{config.secret}.",
            kind="secret",
        )
    return values[config.secret]


def _error_of(response: HttpResponse, masker: Masker) -> StepError:
    now = common_clock.now()
    delay = requested_delay(response.headers.get("retry-after"), now)
    limited = response.headers.get("x-ratelimit-remaining") == "0"
    if delay is None and limited:
        delay = _until(response.headers.get("x-ratelimit-reset"), now)
    media = response.headers.get("content-type", "")
    excerpt = legible(response.content[: 4 * _MAX_EXCERPT], media)
    detail = masker.text(excerpt)[:_MAX_EXCERPT].replace("\0", "\ufffd").strip()
    return StepError(
        f"The source answered {response.status}{': ' if detail else '.'}{detail}",
        kind="status",
        # GitHub refuses with 403 who asks too often.
        retryable=response.status in _RETRYABLE or (response.status == 403 and delay is not None),
        retry_after=delay,
    )


def _until(reset: str | None, now: datetime) -> timedelta | None:
    """How long until a rate limit ends, an hour at most."""
    if reset is None or not reset.isdecimal() or len(reset) > 12:
        return None
    return min(
        max(timedelta(seconds=int(reset) - now.timestamp()), timedelta(seconds=1)), MAX_DELAY
    )


def _parse(response: HttpResponse) -> Any:
    """The answer; a part that cannot be kept is that of one record, and none of the others'."""
    media = response.headers.get("content-type", "")
    try:
        return json_of(response.content, media)
    except ValueError as error:
        try:
            return json_in_parts(response.content, media)
        except ValueError:
            raise StepError(f"The answer {error}.", kind="shape") from error
