"""Webhooks of pipelines: a URL by which an outside system sends records, or has them read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automations.db import pipelines as connections
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import PipelineConnection, PipelineRun
from automations.definitions.pipelines import PUSH
from automations.domain.webhook_deliveries import Content, Delivery
from automations.errors import NotFound, ValidationFailed
from automations.kit.ids import new_id
from automations.kit.values import JSON, from_attributes
from automations.services.access import rate_limits as limits
from automations.services.audit import audit
from automations.services.pipelines import connections as pipelines
from automations.services.pipelines import pulls, syncs
from automations.services.pipelines.syncs import Sync
from automations.settings import get_settings
from automations.tokens import derive_token, hash_token

_MAX_PER_MINUTE = 600
"""Deliveries to one URL: each is a sync, which locks its tables' keys."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery whose sync is on record; one that came before is a duplicate."""

    sync: Sync
    duplicate: bool


def reveal(workspace_id: str, connection_id: str) -> str:
    """The webhook URL of a connection, which has one from its first revealing on.

    Raises:
        NotFound: there is no such connection.
    """
    with unit_of_work() as session:
        row = pipelines.find(session, workspace_id, connection_id, lock="shape")
        if row.webhook_salt is None:
            row.webhook_salt = new_id()
        audit.record(session, "pipeline.reveal_webhook", row, name=row.name)
        return _url(row)


def rotate(workspace_id: str, connection_id: str) -> str:
    """Give a connection a new webhook URL; the old one is unknown from now on.

    Raises:
        NotFound: there is no such connection.
    """
    with unit_of_work() as session:
        row = pipelines.find(session, workspace_id, connection_id, lock="shape")
        row.webhook_salt, row.webhook_hash = new_id(), None
        audit.record(session, "pipeline.rotate_webhook", row, name=row.name)
        return _url(row)


def accept(token: str, delivery: Delivery, address: str) -> Accepted:
    """Sync the records of a delivery, or begin to read those of the source.

    Raises:
        NotFound: no connection has this URL.
        TooManyRequests: the URL is used too often.
        ValidationFailed: the body holds no records, or too many.
        Conflict: the connection is disabled, or does not fit its tables any more.
    """
    delivery.check()
    connection = _find(token, address)
    audit.identify(connection.workspace_id)
    limits.check({f"pipeline:webhook:{connection.id}": _MAX_PER_MINUTE})
    content = delivery.content()
    delivery_id = delivery.id("none", content)
    records = _records(content) if connection.connector_type == PUSH else None
    with unit_of_work() as session:
        run, is_new = _sync(session, connection, records, delivery_id)
        is_repeated = delivery_id is not None and run.delivery_id == delivery_id
        return Accepted(from_attributes(Sync, run), duplicate=is_repeated and not is_new)


def _sync(
    session: Session,
    connection: PipelineConnection,
    records: Sequence[JSON] | None,
    delivery_id: str | None,
) -> tuple[PipelineRun, bool]:
    if records is None:
        return pulls.trigger(session, connection.workspace_id, connection.id, delivery_id)
    return syncs.take(
        session, connection.workspace_id, connection.id, records, "webhook", delivery_id
    )


def require(token: str, address: str) -> None:
    """Refuse a URL that no connection has.

    Raises:
        NotFound: no connection has this URL.
        TooManyRequests: so many that are none were asked for from the address.
    """
    _find(token, address)


def _find(token: str, address: str) -> PipelineConnection:
    with reading() as session:
        row = connections.find_by_webhook(session, hash_token(token))
    if row is None:
        limits.check_misses(address)
        raise NotFound("There is no such webhook.")
    return row


def _url(row: PipelineConnection) -> str:
    token = derive_token(f"pipeline:{row.webhook_salt}", row.webhook_hash)
    # Another one than before only when the key that made that is not in use any more.
    row.webhook_hash = hash_token(token)
    return f"{get_settings().bridge_base}/api/pipelines/webhooks/{token}"


def _records(content: Content) -> Sequence[JSON]:
    body = content.shown["body"]
    records = body.get("records") if isinstance(body, dict) else body
    if not isinstance(records, list):
        raise ValidationFailed({"records": ["must be a list in JSON, or the body must be one"]})
    return records
