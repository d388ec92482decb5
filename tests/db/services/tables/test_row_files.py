"""Files of rows that somebody looks at: kept, and added as they were seen."""

from __future__ import annotations

import pytest

from automations.db.rows import row_files as stored
from automations.db.session import unit_of_work
from automations.db.tables import RowFile
from automations.domain.principals import Principal
from automations.domain.tables.columns import TableShape
from automations.domain.tables.previews import Choices
from automations.errors import Conflict
from automations.services.tables import row_files, rows, tables
from automations.services.tables.rows import Query
from tests.db.workspace import behind, principal

COLUMNS = [{"key": "name", "type": "text"}]
READ = Choices()


@pytest.fixture
def by(here: str) -> Principal:
    return principal(here)


@pytest.fixture
def table(by: Principal) -> str:
    shape = TableShape.model_validate({"name": "Clients", "columns": COLUMNS})
    return tables.create(by.workspace_id, shape).id


def test_of_two_uploads_at_once_the_later_one_is_kept(by: Principal, table: str) -> None:
    behind(
        lambda session: stored.keep(session, table, by.editor, "a.csv", b"name\nFirst\n"),
        lambda: row_files.keep(by, table, "b.csv", b"name\nSecond\n"),
    )
    with unit_of_work() as session:
        kept = [(file.name, file.content) for file in session.query(RowFile)]
    assert kept == [("b.csv", b"name\nSecond\n")]


def test_no_other_file_is_added_than_was_seen(by: Principal, table: str) -> None:
    row_files.keep(by, table, "a.csv", b"name\nSeen\n")
    seen = row_files.find(by, table, READ)
    assert seen is not None
    row_files.keep(by, table, "b.csv", b"name\nOther\n")
    with pytest.raises(Conflict, match="another file"):
        row_files.load(by, table, READ, seen=seen.mark, leave_out=False)
    assert rows.page(by.workspace_id, table, Query())[0] == []
    row_files.keep(by, table, "a.csv", b"name\nSeen\n")
    assert row_files.load(by, table, READ, seen=seen.mark, leave_out=False) == 1
