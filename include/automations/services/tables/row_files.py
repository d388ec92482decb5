"""Uploaded files of rows: stored for a preview, then added to the table or discarded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from automations.db.rows import row_files
from automations.db.session import reading, unit_of_work
from automations.domain.principals import Principal
from automations.domain.tables import previews
from automations.domain.tables.columns import columns_of
from automations.domain.tables.previews import Choices, Preview
from automations.errors import Conflict, ValidationFailed
from automations.services.tables import rows, tables

_MAX_SHOWN = 10
_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file that somebody looks at, as it is read; or why it cannot be.

    Args:
        mark: tells its content from that of another file.
        sheets: of a workbook the names of those that may be read.
    """

    name: str
    size: int
    mark: str
    preview: Preview | None
    problem: ValidationFailed | None = None
    sheets: Sequence[str] = ()


def keep(by: Principal, table_id: str, name: str, content: bytes) -> None:
    """Keep a file for a day, to look at what it would add.

    Raises:
        Conflict: no rows are added to the table.
    """
    with unit_of_work() as session:
        tables.writable(session, by.workspace_id, table_id)
        row_files.keep(session, table_id, by.editor, name[:_MAX_NAME], content)


def size(by: Principal, table_id: str) -> int:
    """How many bytes the file that somebody looks at has; 0 when there is none."""
    with reading() as session:
        tables.find(session, by.workspace_id, table_id)
        return row_files.size(session, table_id, by.editor)


def find(by: Principal, table_id: str, choices: Choices) -> ParsedFile | None:
    """The file that somebody looks at, read as they choose; None when there is none.

    Raises:
        Conflict: no rows are added to the table.
    """
    with unit_of_work() as session:
        table = tables.writable(session, by.workspace_id, table_id)
        file = row_files.find(session, table_id, by.editor)
    if file is None:
        return None
    preview, problem = None, None
    try:
        preview = previews.read(columns_of(table.columns), file.content, choices, _MAX_SHOWN)
    except ValidationFailed as error:
        problem = error
    sheets = previews.sheets(file.content)
    return ParsedFile(file.name, len(file.content), _mark(file.content), preview, problem, sheets)


def load(by: Principal, table_id: str, choices: Choices, *, seen: str, leave_out: bool) -> int:
    """Add the rows of the file that somebody has looked at, as they are one event; how many.

    Args:
        seen: the mark of the file that was shown.
        leave_out: whether rows that do not fit are left out; else none is added when one does not.

    Raises:
        Conflict: there is no such file any more, or it is another one than was shown.
        ValidationFailed: the file, or a row of it, does not fit.
    """
    with unit_of_work() as session:
        table = tables.writable(session, by.workspace_id, table_id)
        # Whoever presses the button twice adds the rows once.
        file = row_files.find(session, table_id, by.editor, lock=True)
        if file is None:
            raise Conflict(
                "The file is not kept any more, or its rows were added: choose it again."
            )
        if _mark(file.content) != seen:
            raise Conflict(
                "You have chosen another file meanwhile than the one that was shown here: look at "
                "it again. Nothing was added."
            )
        preview = previews.read(columns_of(table.columns), file.content, choices, _MAX_SHOWN)
        if choices.targets is not None and list(choices.targets) != list(preview.targets):
            raise Conflict("The file has other columns than were shown: look at it again.")
        if preview.wrong:
            raise ValidationFailed(preview.wrong)
        if preview.refused and not leave_out:
            raise ValidationFailed({"rows": [f"{len(preview.refused)} of them do not fit"]})
        if not preview.rows:
            raise ValidationFailed({"rows": ["none of them fits"]})
        added = rows.add_many(session, by.workspace_id, table_id, list(preview.rows))
        row_files.remove(session, table_id, by.editor)
        return len(added)


def drop(by: Principal, table_id: str) -> None:
    """Forget the file that somebody looks at."""
    with unit_of_work() as session:
        tables.find(session, by.workspace_id, table_id)
        row_files.remove(session, table_id, by.editor)


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
