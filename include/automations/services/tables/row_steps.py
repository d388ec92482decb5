"""Rows written by steps of automations: once per idempotency key, with the run as the cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from automations.db.runs.effects import once
from automations.db.session import Session, unit_of_work
from automations.domain.tables import filters
from automations.domain.tables.columns import Column, columns_of, row_of_step
from automations.errors import DomainError, StepError
from automations.ports import FoundRow, RowChange, RowReceipt
from automations.ports.tables import RowFilter
from automations.services.tables import rows, tables
from automations.services.tables.rows import Query, Row


class WorkspaceTables:
    """The tables of a run's workspace."""

    def write(
        self, change: RowChange, *, workspace_id: str, run_id: str, key: str, zone: str = "UTC"
    ) -> RowReceipt:
        place = (workspace_id, change.table_id)

        def make(session: Session) -> tuple[Row, bool]:
            values = row_of_step(_columns(session, *place), change.data, zone)
            if change.row_id is not None:
                changed = rows.merge(session, *place, change.row_id, values, cause=run_id)
                return changed, False
            if change.keys:
                return rows.upsert(session, *place, change.keys, values, cause=run_id)
            return rows.add(session, *place, values, cause=run_id), True

        return _write_once(key, make)

    def delete(self, table_id: str, row_id: str, *, workspace_id: str, key: str) -> bool:
        with _step_errors(), unit_of_work() as session:

            def make() -> dict[str, Any]:
                return {"deleted": rows.remove(session, workspace_id, table_id, row_id)}

            return bool(once(session, key, make)["deleted"])

    def query(
        self,
        table_id: str,
        criteria: RowFilter | None,
        *,
        sort: str | None,
        limit: int,
        workspace_id: str,
        zone: str = "UTC",
    ) -> list[FoundRow]:
        with _step_errors():
            if criteria is not None:
                with unit_of_work() as session:
                    columns = _columns(session, workspace_id, table_id)
                criteria = filters.from_step(criteria, columns, zone)
            page_rows, _ = rows.page(workspace_id, table_id, Query(criteria, sort, limit))
        return [FoundRow(row.id, row.data, row.created_at, row.updated_at) for row in page_rows]


def _columns(session: Session, workspace_id: str, table_id: str) -> list[Column]:
    return columns_of(tables.find(session, workspace_id, table_id).columns)


def _write_once(key: str, make: Callable[[Session], tuple[Row, bool]]) -> RowReceipt:
    with _step_errors(), unit_of_work() as session:

        def effect() -> dict[str, Any]:
            row, created = make(session)
            return {"rowId": row.id, "row": dict(row.data), "created": created}

        done = once(session, key, effect)
    return RowReceipt(done["rowId"], done["row"], done["created"])


@contextmanager
def _step_errors() -> Iterator[None]:
    try:
        yield
    except DomainError as error:
        raise StepError(error.message, kind="config") from error
