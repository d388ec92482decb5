"""Pipelines: named sources whose records are rows of tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from automations_client.pages import Page, page_of, through
from automations_client.shapes import Connection, Field, Sync, Verdict, WebhookUrl
from automations_client.transport import Transport, address


class Pipelines:
    """``/api/pipelines``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[Connection]:
        """All connections, by name."""
        return cast(list[Connection], self._transport.all(_path()))

    def get(self, connection_id: str) -> Connection:
        return cast(Connection, self._transport.json("GET", _path(connection_id)))

    def create(self, shape: Mapping[str, Any]) -> Connection:
        return cast(Connection, self._transport.json("POST", _path(), shape))

    def update(self, connection_id: str, change: Mapping[str, Any]) -> Connection:
        """Change a connection; a sync that runs begins with the first page again."""
        return cast(Connection, self._transport.json("PATCH", _path(connection_id), change))

    def delete(self, connection_id: str) -> None:
        """Delete a connection and the record of its syncs; rows stay."""
        self._transport.json("DELETE", _path(connection_id))

    def test(self, connector_type: str, config: Mapping[str, Any]) -> Verdict:
        """Read the first page of a source that is to be connected."""
        body = {"connectorType": connector_type, "config": config}
        return cast(Verdict, self._transport.json("POST", _path("test"), body))

    def check(self, connection_id: str) -> Verdict:
        """Read the first page of a connection's source; no row is written."""
        return cast(Verdict, self._transport.json("POST", _path(connection_id, "check")))

    def discover(self, connection_id: str) -> list[Field]:
        """The paths in the records of the first page, for a mapping."""
        answer = self._transport.json("POST", _path(connection_id, "discover"))
        return cast(list[Field], answer["fields"])

    def webhook_url(self, connection_id: str) -> str:
        """The URL by which an outside system syncs; that it was revealed is on record."""
        return self._webhook("GET", connection_id, "webhook-url")

    def rotate_webhook(self, connection_id: str) -> str:
        """A new webhook URL; the old one is unknown from now on."""
        return self._webhook("POST", connection_id, "rotate-webhook")

    def _webhook(self, method: str, *behind: str) -> str:
        answer = cast(WebhookUrl, self._transport.json(method, _path(*behind)))
        return answer["webhookUrl"]

    def sync(self, connection_id: str, records: Sequence[Mapping[str, Any]] | None = None) -> Sync:
        """Sync records that are given here, or begin to read those of the source."""
        body = {} if records is None else {"records": records}
        return cast(Sync, self._transport.json("POST", _path(connection_id, "runs"), body))

    def sync_all(self) -> list[Sync]:
        """Begin to read all enabled connections that are not being read."""
        answer = self._transport.json("POST", address("pipelines", "run-all"))
        return cast(list[Sync], answer["runs"])

    def syncs(self, connection_id: str, page_size: int = 100) -> Iterator[Sync]:
        """All syncs of a connection, newest first."""

        def page_after(cursor: str | None) -> Page[Sync]:
            query = {"limit": page_size, "cursor": cursor}
            path = _path(connection_id, "runs")
            return page_of("runs", self._transport.json("GET", path, query=query))

        return through(page_after)

    def get_sync(self, connection_id: str, sync_id: str) -> Sync:
        """A sync: how far it has come and what it has changed."""
        return cast(Sync, self._transport.json("GET", _path(connection_id, "runs", sync_id)))

    def stop_sync(self, connection_id: str, sync_id: str) -> Sync:
        """Stop a sync that runs; what it has changed stays."""
        return cast(Sync, self._transport.json("DELETE", _path(connection_id, "runs", sync_id)))


def _path(*behind: str) -> str:
    return address("pipelines", "connections", *behind)
