"""Tables as the console lists them, with their numbers of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from automations.db.rows import data_tables
from automations.db.session import reading
from automations.kit.values import from_attributes
from automations.services.tables.tables import Table


@dataclass(frozen=True, slots=True)
class TableOverview:
    """A table with what there is in it.

    Args:
        changed_at: when it or one of its rows was changed last.
    """

    table: Table
    rows: int
    changed_at: datetime


def page(workspace_id: str, q: str, offset: int, size: int) -> tuple[Sequence[TableOverview], bool]:
    """The tables whose name has a text in it, newest first, from one on; whether there are more."""
    with reading() as session:
        rows = data_tables.list_page(session, workspace_id, None, q, offset, size + 1)
        shown = rows[:size]
        stats = data_tables.stats_of_each(session, [table.id for table in shown])
    page_tables = []
    for row in shown:
        count, changed = stats.get(row.id, (0, None))
        table = from_attributes(Table, row)
        page_tables.append(
            TableOverview(table, count, max(changed or row.updated_at, row.updated_at))
        )
    return page_tables, len(rows) > size
