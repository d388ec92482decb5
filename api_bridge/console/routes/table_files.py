"""Files of rows: looked at before they are added, and what is downloaded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Annotated

from fastapi import Query, Request
from fastapi.responses import Response, StreamingResponse

from api_bridge.bodies import MAX_FILES_BYTES, body_limit
from api_bridge.console import responses
from api_bridge.console.form_data import Posted, chosen_file, is_ticked, text, texts
from api_bridge.console.routes.tables import ROOT
from api_bridge.console.views import grid, imports
from api_bridge.console.views.grid import GridView
from api_bridge.deps import Member, Viewer
from api_bridge.downloads import attachment_headers
from api_bridge.endpoint_marks import heavy, slow
from api_bridge.middleware.held_bodies import HeldBody
from api_bridge.routing import Router
from automations.domain.tables import exports
from automations.domain.tables.columns import columns_of
from automations.errors import ValidationFailed
from automations.kit.filenames import file_name
from automations.services.tables import row_files, rows, tables

router = Router(prefix=ROOT, tags=["tables"])

_CHUNK_SIZE = 65_536
_TEXTS: dict[str, tuple[exports.Kind, str, str]] = {
    "csv": ("csv", "csv", "text/csv; charset=utf-8"),
    "spreadsheet": ("spreadsheet", "csv", "text/csv; charset=utf-8"),
    "json": ("json", "json", "application/json"),
}
_WORKBOOK = "xlsx"


@router.get("/{table_id}/import")
@heavy
def show_import(
    request: Request,
    caller: Member,
    table_id: str,
    asked: Annotated[imports.ImportQuery, Query()],
) -> Response:
    """Choose a file, or look at what the one that was chosen would add."""
    table = tables.get(caller.workspace_id, table_id)
    with HeldBody.holding(caller.workspace_id, row_files.size(caller, table_id)):
        file = row_files.find(caller, table_id, asked.choices())
    return responses.page(
        request,
        "table_import.html",
        caller,
        table=table,
        columns=columns_of(table.columns),
        kept=file,
        asked=asked,
        summary=imports.summary(file.preview, columns_of(table.columns)) if file else None,
        separators=imports.SEPARATORS,
        charsets=imports.charsets(file),
        limit=MAX_FILES_BYTES // 1_000_000,
    )


@router.post("/{table_id}/import")
@body_limit(multipart=MAX_FILES_BYTES)
@slow
def keep(caller: Member, table_id: str, form: Posted) -> Response:
    """Take a file, to be looked at."""
    tables.get(caller.workspace_id, table_id)
    sent = chosen_file(form, "file")
    pasted = text(form, "pasted")
    if sent is not None and pasted.strip():
        raise ValidationFailed({"pasted": ["choose a file or paste rows, not both"]})
    if sent is not None and sent.content:
        row_files.keep(caller, table_id, sent.name, sent.content)
    elif pasted.strip():
        row_files.keep(caller, table_id, "", pasted.encode())
    else:
        raise ValidationFailed({"file": ["choose one that has rows, or paste them"]})
    return responses.redirect(f"{ROOT}/{table_id}/import")


@router.post("/{table_id}/import/rows")
@heavy
def load(caller: Member, table_id: str, form: Posted) -> Response:
    """Add the rows of the file that was looked at, read as it was shown."""
    tables.get(caller.workspace_id, table_id)
    query = imports.read_query(
        {
            "charset": text(form, "charset"),
            "separator": text(form, "separator"),
            "headed": text(form, "headed"),
            "sheet": text(form, "sheet"),
            "to": texts(form, "to"),
        }
    )
    with HeldBody.holding(caller.workspace_id, row_files.size(caller, table_id)):
        row_files.load(
            caller,
            table_id,
            query.choices(),
            seen=text(form, "seen"),
            leave_out=is_ticked(form, "leave_out"),
        )
    return responses.redirect(f"{ROOT}/{table_id}?sort=-createdAt", "rows.imported")


@router.post("/{table_id}/import/discard")
def discard(caller: Member, table_id: str, form: Posted) -> Response:
    """Forget the file that was looked at."""
    row_files.drop(caller, table_id)
    return responses.redirect(f"{ROOT}/{table_id}/import", "rows.discarded")


@router.get("/{table_id}/export")
@slow
def export(
    caller: Viewer,
    table_id: str,
    asked: Annotated[imports.ExportQuery, Query()],
) -> Response:
    """The rows that a page asks for, all of them, as a file."""
    table = tables.get(caller.workspace_id, table_id)
    columns = columns_of(table.columns)
    if asked.kind not in (_WORKBOOK, *_TEXTS):
        raise ValidationFailed({"kind": [f"must be one of {', '.join((_WORKBOOK, *_TEXTS))}"]})
    place = GridView(asked.q.strip(), tuple(asked.rule), asked.match, asked.sort)
    exported = rows.export(
        caller.workspace_id, table_id, grid.read_filter(place, columns), asked.sort or None
    )
    # Written before it is sent: how long the other end takes is nothing to the database.
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed when it was sent
    ending, content_type = _WORKBOOK, exports.WORKBOOK
    try:
        if asked.kind == _WORKBOOK:
            exports.write_workbook(file, table.name, columns, exported)
        else:
            kind, ending, content_type = _TEXTS[asked.kind]
            for part in exports.serialize(kind, columns, exported):
                file.write(part.encode())
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = attachment_headers(file_name(table.name, ending))
    return StreamingResponse(_chunks(file), headers=headers, media_type=content_type)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(_CHUNK_SIZE):
            yield part
