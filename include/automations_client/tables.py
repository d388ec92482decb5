"""Tables and their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from automations_client.errors import json_of
from automations_client.pages import Page, page_of, through
from automations_client.shapes import (
    Aggregate,
    ImportedRows,
    Row,
    Table,
    TableCategory,
    TableGroup,
    TableStats,
)
from automations_client.transport import Content, Transport, address


class Tables:
    """``/api/tables``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, category: TableCategory | None = None) -> list[Table]:
        query = {"category": category}
        return cast(list[Table], self._transport.json("GET", address("tables"), query=query))

    def tree(self) -> list[TableGroup]:
        """The categories that have tables, and their tables by name."""
        return cast(list[TableGroup], self._transport.json("GET", address("tables", "tree")))

    def get(self, table_id: str) -> Table:
        return cast(Table, self._transport.json("GET", address("tables", table_id)))

    def create(self, shape: Mapping[str, Any]) -> Table:
        return cast(Table, self._transport.json("POST", address("tables"), shape))

    def replace(self, table_id: str, shape: Mapping[str, Any]) -> Table:
        """Give a table another shape; rows forget the values of columns that are no more."""
        return cast(Table, self._transport.json("PUT", address("tables", table_id), shape))

    def delete(self, table_id: str, *, force: bool = False) -> None:
        """Delete a table with its rows.

        Args:
            force: also one that ACTIVE automations use, which is a Conflict otherwise.
        """
        query = {"force": "true"} if force else None
        self._transport.json("DELETE", address("tables", table_id), query=query)

    def stats(self, table_id: str) -> TableStats:
        return cast(TableStats, self._transport.json("GET", address("tables", table_id, "stats")))

    def aggregate(
        self,
        table_id: str,
        function: str,
        column: str | None = None,
        *,
        group_by: str | None = None,
        where: Mapping[str, Any] | None = None,
        limit: int = 100,
    ) -> Aggregate:
        """Count, sum, average or compare rows, also by groups.

        Args:
            function: ``count``, ``sum``, ``avg``, ``min`` or ``max``.
            where: a filter, ``{"match": "all", "rules": […]}``.
            limit: how many groups at most, those with the most rows first.
        """
        body = {
            "function": function,
            "column": column,
            "groupBy": group_by,
            "filter": where,
            "limit": limit,
        }
        path = address("tables", table_id, "aggregate")
        return cast(
            Aggregate, json_of(self._transport.send("POST", path, Content(body=body, reads=True)))
        )


class Rows:
    """``/api/tables/{id}/rows``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def iterate(
        self,
        table_id: str,
        *,
        where: Mapping[str, Any] | None = None,
        sort: str | None = None,
        page_size: int = 1_000,
    ) -> Iterator[Row]:
        """All rows, or those that a filter lets through, the oldest first unless sorted.

        Args:
            where: a filter, ``{"match": "all", "rules": […]}``.
            sort: a column's key, or ``createdAt``; with ``-`` before it the other way round.
        """
        path = _path(table_id, "query")

        def page_after(cursor: str | None) -> Page[Row]:
            body = {"filter": where, "sort": sort, "limit": page_size, "cursor": cursor}
            return page_of(
                "rows", json_of(self._transport.send("POST", path, Content(body=body, reads=True)))
            )

        return through(page_after)

    def get(self, table_id: str, row_id: str) -> Row:
        return cast(Row, self._transport.json("GET", _path(table_id, row_id)))

    def create(self, table_id: str, data: Mapping[str, Any]) -> Row:
        return cast(Row, self._transport.json("POST", _path(table_id), {"data": data}))

    def load(self, table_id: str, rows: Sequence[Mapping[str, Any]] | str) -> ImportedRows:
        """Add many rows, all or none.

        Args:
            rows: values by columns, or the text of a CSV file.
        """
        path = _path(table_id, "import")
        if not isinstance(rows, str):
            return cast(ImportedRows, self._transport.json("POST", path, rows))
        headers = {"Content-Type": "text/csv"}
        answer = self._transport.send("POST", path, Content(text=rows, headers=headers))
        return cast(ImportedRows, json_of(answer))

    def change(self, table_id: str, row_id: str, data: Mapping[str, Any]) -> Row:
        """Change some values of a row; None takes one away."""
        return cast(Row, self._transport.json("PATCH", _path(table_id, row_id), {"data": data}))

    def delete(self, table_id: str, row_id: str) -> None:
        self._transport.json("DELETE", _path(table_id, row_id))


def _path(table_id: str, *behind: str) -> str:
    return address("tables", table_id, "rows", *behind)
