"""The rows of a table: a grid of them, each one whole, and what is done to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Query as FromQuery
from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from api_bridge.console import responses, urls
from api_bridge.console.form_data import Posted, text, texts
from api_bridge.console.routes.tables import ROOT
from api_bridge.console.views import cell_inputs, conflicts, grid
from api_bridge.console.views.cell_inputs import CellEdits, CellInput
from api_bridge.console.views.grid import GridQuery, GridView
from api_bridge.deps import Member, Viewer
from api_bridge.endpoint_marks import changing, searching
from api_bridge.routing import Router
from automations.domain.principals import Principal
from automations.domain.tables.columns import Column, columns_of
from automations.domain.tables.filters import is_sortable, operators_of
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit.canonical_json import mark_of
from automations.kit.values import Errors
from automations.services.tables import aggregates, rows, tables
from automations.services.tables.aggregates import Question
from automations.services.tables.rows import Query, Row
from automations.services.tables.tables import Table
from automations.services.workflows import uses

router = Router(prefix=ROOT, tags=["tables"])

_MAX_BULK = grid.MAX_ROWS


@dataclass(frozen=True, slots=True)
class _Edit:
    """A row that is changed in its place, and of which columns."""

    row_id: str
    inputs: dict[str, CellInput]
    wrong: Errors


@router.get("/{table_id}")
@searching
def show(
    request: Request, caller: Viewer, table_id: str, asked: Annotated[GridQuery, FromQuery()]
) -> Response:
    """A table's rows, as its address asks for them."""
    table = tables.get(caller.workspace_id, table_id)
    place = GridView.of(asked)
    if asked.column and asked.operator:
        rule = grid.rule_of(asked.column, asked.operator, asked.value)
        return responses.redirect(f"{ROOT}/{table_id}{place.with_rule(rule).query()}")
    edit = None
    if asked.edit and caller.may("MEMBER"):
        row = rows.get(caller.workspace_id, table_id, asked.edit)
        columns = [column for column in _own(table) if asked.cell in ("", column.key)]
        edit = _Edit(row.id, _by_key(cell_inputs.inputs(columns, row.data)), {})
    return _grid(request, caller, table, asked, edit)


@router.get("/{table_id}/rows/new")
def show_new(request: Request, caller: Member, table_id: str) -> Response:
    """The values of a row to be added."""
    table = tables.get(caller.workspace_id, table_id)
    if table.form_id is not None:
        raise Conflict(f"The rows of the table '{table.name}' are the submissions of a form.")
    return _row_page(request, caller, table, None, cell_inputs.inputs(_own(table), {}))


@router.post("/{table_id}/rows")
@changing
def add(request: Request, caller: Member, table_id: str, form: Posted) -> Response:
    """Add a row."""
    table = tables.get(caller.workspace_id, table_id)
    typed = cell_inputs.read(_own(table), {}, form)
    try:
        if typed.wrong:
            raise ValidationFailed(
                {f"data.{key}": messages for key, messages in typed.wrong.items()}
            )
        created = rows.create(caller.workspace_id, table_id, typed.data)
    except ValidationFailed as error:
        problems = _at_columns(error)
        inputs = cell_inputs.inputs(_own(table), {}, form, problems)
        return _row_page(request, caller, table, None, inputs, problems)
    if text(form, "then") == "another":
        return responses.redirect(f"{ROOT}/{table_id}/rows/new", "row.added")
    return responses.redirect(f"{ROOT}/{table_id}/rows/{created.id}", "row.added")


@router.post("/{table_id}/rows/delete")
@changing
def delete(caller: Member, table_id: str, form: Posted) -> Response:
    """Delete the rows that were chosen; what is gone already is none of them."""
    tables.get(caller.workspace_id, table_id)
    chosen = texts(form, "row")
    if not 0 < len(chosen) <= _MAX_BULK:
        raise ValidationFailed({"row": [f"choose 1 to {_MAX_BULK} rows"]})
    missing = 0
    for row_id in chosen:
        try:
            rows.delete(caller.workspace_id, table_id, row_id)
        except NotFound:
            missing += 1
    then = _then(form, f"{ROOT}/{table_id}")
    return responses.redirect(then, "rows.were_gone" if missing else "rows.deleted")


@router.get("/{table_id}/rows/{row_id}")
def show_row(request: Request, caller: Viewer, table_id: str, row_id: str) -> Response:
    """One row with all that it has."""
    table = tables.get(caller.workspace_id, table_id)
    row = rows.get(caller.workspace_id, table_id, row_id)
    inputs = cell_inputs.inputs(_own(table), row.data)
    return _row_page(request, caller, table, row, inputs)


@router.post("/{table_id}/rows/{row_id}")
@searching
def change(request: Request, caller: Member, table_id: str, row_id: str, form: Posted) -> Response:
    """Change those values of a row that were newly typed, if they still are as they were shown."""
    table = tables.get(caller.workspace_id, table_id)
    row = rows.get(caller.workspace_id, table_id, row_id)
    then = _then(form, f"{ROOT}/{table_id}/rows/{row_id}")
    typed = cell_inputs.read(_own(table), row.data, form)
    try:
        if typed.wrong:
            raise ValidationFailed(
                {f"data.{key}": messages for key, messages in typed.wrong.items()}
            )
        if typed.data:
            rows.change(caller.workspace_id, table_id, row_id, typed.data, typed.seen)
    except ValidationFailed as error:
        return _render_again(request, caller, table, row, form, _at_columns(error))
    except Conflict as error:
        fresh = rows.get(caller.workspace_id, table_id, row_id)
        problems = {"": [error.message], **_now(table, fresh, typed)}
        return _render_again(request, caller, table, fresh, form, problems, typed.data)
    return responses.redirect(then, "row.changed" if typed.data else None)


def _then(form: FormData, default: str) -> str:
    """Where a form leads: to the grid that it stood in, if its address is not too long."""
    target = urls.safe(text(form, "next", default))
    return default if target == urls.HOME else target


def _render_again(
    request: Request,
    caller: Principal,
    table: Table,
    row: Row,
    form: FormData,
    problems: Errors,
    anew: Collection[str] | None = None,
) -> Response:
    """The page that a row was changed on, with what is wrong."""
    inputs = cell_inputs.inputs(_own(table), row.data, form, problems, anew)
    grid_query = _parse_grid(text(form, "place"))
    if grid_query is None:
        return _row_page(request, caller, table, row, inputs, problems)
    shown = {f"{cell_inputs.SEEN}{cell.column.key}": cell for cell in inputs}
    typed_cells = {cell.column.key: cell for name, cell in shown.items() if name in form}
    return _grid(request, caller, table, grid_query, _Edit(row.id, typed_cells, problems))


def _parse_grid(place: str) -> GridQuery | None:
    """The grid that a row was changed in; None when that was its own page."""
    if not place.startswith("?"):
        return None
    pairs = parse_qsl(place[1:])
    fields: dict[str, Any] = {name: value for name, value in pairs if name != "rule"}
    fields["rule"] = [value for name, value in pairs if name == "rule"]
    try:
        return GridQuery.model_validate(fields)
    except ValidationError:
        return None


def _grid(
    request: Request, caller: Principal, table: Table, asked: GridQuery, edit: _Edit | None
) -> Response:
    columns, place = columns_of(table.columns), GridView.of(asked)
    seen = columns[place.first - 1 :][: grid.MAX_COLUMNS]
    size = max(5, min(grid.MAX_ROWS, grid.MAX_CELLS // max(len(seen), 1)))
    problems: Errors = dict(edit.wrong) if edit else {}
    page: list[Row] = []
    count, following = 0, None
    try:
        criteria = grid.read_filter(place, columns)
        query = Query(criteria, place.sort or None, size, offset=place.start - 1)
        page, following = rows.page(caller.workspace_id, table.id, query)
        counted = Question("count", filter=criteria)
        count = aggregates.answer(caller.workspace_id, table.id, counted).whole.rows
    except ValidationFailed as error:
        problems |= error.field_errors
    open_column = next((column for column in columns if column.key == asked.column), None)
    return responses.page(
        request,
        "table.html",
        caller,
        conflicts.status(edit.wrong if edit and "" in edit.wrong else problems),
        table=table,
        columns=columns,
        seen=seen,
        rows=[(row, grid.cells(seen, row.data)) for row in page],
        count=count,
        size=size,
        more=following is not None,
        place=place,
        chips=grid.chips(place, columns),
        open_column=open_column,
        operators=operators_of(open_column) if open_column else [],
        sortable={column.key for column in columns if is_sortable(column)},
        edit=edit,
        problems=problems,
        uses=uses.of_ids(caller.workspace_id, [table.id]).get(table.id, ()),
        may_add=caller.may("MEMBER") and table.form_id is None,
    )


def _row_page(
    request: Request,
    caller: Principal,
    table: Table,
    row: Row | None,
    inputs: Sequence[CellInput],
    errors: Errors | None = None,
) -> Response:
    errors = errors or {}
    columns = columns_of(table.columns)
    shown_keys = {cell.column.key for cell in inputs}
    return responses.page(
        request,
        "table_row.html",
        caller,
        conflicts.status(errors),
        table=table,
        row=row,
        columns=columns,
        inputs=inputs,
        rest=[column for column in columns if column.key not in shown_keys],
        problems={key: messages for key, messages in errors.items() if key not in shown_keys},
    )


def _own(table: Table) -> list[Column]:
    """The columns that people fill; a form fills the others."""
    filled = set(table.form_columns.values())
    return [column for column in columns_of(table.columns) if column.key not in filled]


def _by_key(inputs: Sequence[CellInput]) -> dict[str, CellInput]:
    return {cell.column.key: cell for cell in inputs}


def _at_columns(error: ValidationFailed) -> Errors:
    return {path.removeprefix("data."): messages for path, messages in error.field_errors.items()}


def _now(table: Table, fresh: Row, typed: CellEdits) -> Errors:
    """What those values are now that somebody else has changed."""
    current: Errors = {}
    for column in columns_of(table.columns):
        mark = typed.seen.get(column.key)
        if mark is not None and mark_of(fresh.data.get(column.key)) != mark:
            current[column.key] = [grid.describe_current(column, fresh.data.get(column.key))]
    return current
