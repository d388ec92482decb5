"""Rows of tables, and what reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from automations.domain.tables.filters import RowFilter


@dataclass(frozen=True, slots=True)
class RowReceipt:
    """A row that was written; ``row`` has its values by columns, null where it has none."""

    row_id: str
    row: Mapping[str, Any]
    created: bool


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row that was found."""

    row_id: str
    row: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


class Tables(Protocol):
    """Writes rows of tables, once for each key; raises StepError when what is given fits not."""

    def create(
        self, table_id: str, data: Mapping[str, Any], *, workspace_id: str, run_id: str, key: str
    ) -> RowReceipt: ...

    def update(
        self,
        table_id: str,
        row_id: str,
        data: Mapping[str, Any],
        *,
        workspace_id: str,
        run_id: str,
        key: str,
    ) -> RowReceipt:
        """Change some of a row's values; null takes one away."""
        ...

    def upsert(
        self,
        table_id: str,
        keys: Sequence[str],
        data: Mapping[str, Any],
        *,
        workspace_id: str,
        run_id: str,
        key: str,
    ) -> RowReceipt:
        """Change the row that has these values in the key columns, or add it."""
        ...

    def delete(self, table_id: str, row_id: str, *, workspace_id: str, key: str) -> bool:
        """Delete a row; False when it was not there."""
        ...

    def query(
        self,
        table_id: str,
        wanted: RowFilter | None,
        *,
        sort: str | None,
        limit: int,
        workspace_id: str,
    ) -> list[FoundRow]: ...
