"""Tables: the list of them, what their rows may hold, and making, changing and deleting one."""

from __future__ import annotations

from functools import partial

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import drafts, queries, responses
from api_bridge.console.form_data import Posted, check_sure_though_used, text
from api_bridge.console.queries import Page, Text
from api_bridge.console.views import conflicts, shapes, timestamps
from api_bridge.console.views.shapes import ShapeDraft
from api_bridge.deps import Admin, Viewer
from api_bridge.endpoint_marks import searching
from api_bridge.routing import Router
from automations.domain.principals import Principal
from automations.domain.tables.columns import columns_of
from automations.errors import ValidationFailed
from automations.kit.values import Errors
from automations.services.tables import overviews, tables
from automations.services.tables.tables import Table
from automations.services.workflows import uses

ROOT = "/console/tables"
router = Router(prefix=ROOT, tags=["tables"])


@router.get("")
@searching
def show_list(request: Request, caller: Viewer, q: Text = "", page: Page = 1) -> Response:
    """The tables, newest first."""
    size = queries.PAGE_SIZE
    page_tables, more = overviews.page(caller.workspace_id, q.strip(), (page - 1) * size, size)
    return responses.page(
        request,
        "tables.html",
        caller,
        rows=page_tables,
        uses=uses.of_ids(caller.workspace_id, [overview.table.id for overview in page_tables]),
        q=q,
        following=queries.page_url(request, page + 1) if more else None,
        is_first=page == 1,
    )


@router.get("/new")
def show_new(request: Request, caller: Admin) -> Response:
    """What a new table is to hold."""
    return _page(request, caller, None, "", shapes.empty())


@router.post("/new")
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Make a table, or change what its form offers."""

    def save(draft: ShapeDraft) -> Response:
        created = tables.create(caller.workspace_id, shapes.shape(draft, ()))
        return responses.redirect(f"{ROOT}/{created.id}", "table.made")

    show = partial(_page, request, caller, None, "")
    return drafts.respond(form, shapes.read(form), show, done=shapes.apply, save=save)


@router.get("/{table_id}/columns")
def show_columns(request: Request, caller: Admin, table_id: str) -> Response:
    """What a table holds, to be changed."""
    return _as_it_is(request, caller, tables.get(caller.workspace_id, table_id))


@router.post("/{table_id}/columns")
@searching
def change(request: Request, caller: Admin, table_id: str, form: Posted) -> Response:
    """Give a table another name, or other columns."""
    table = tables.get(caller.workspace_id, table_id)
    before, seen = columns_of(table.columns), text(form, "seen")

    def save(draft: ShapeDraft) -> Response:
        shape = shapes.shape(draft, before, table.category)
        if draft.removed_columns(before) and text(form, "sure") != "yes":
            raise ValidationFailed({"sure": ["say that the values may be deleted"]})
        seen_at = timestamps.read_seen(seen, table.updated_at)
        tables.replace(caller.workspace_id, table_id, shape, seen=seen_at)
        return responses.redirect(f"{ROOT}/{table_id}", "table.changed")

    show = partial(_page, request, caller, table, seen)
    return drafts.respond(
        form,
        shapes.read(form, shapes.from_shape(table.name, table.description, before)),
        show,
        done=shapes.apply,
        save=save,
    )


@router.post("/{table_id}/delete")
@searching
def delete(caller: Admin, table_id: str, form: Posted) -> Response:
    """Delete a table with its rows."""
    tables.get(caller.workspace_id, table_id)
    force = check_sure_though_used(form)
    tables.delete(caller.workspace_id, table_id, force=force)
    return responses.redirect(ROOT, "table.deleted")


def _as_it_is(request: Request, caller: Principal, table: Table) -> Response:
    columns = columns_of(table.columns)
    draft = shapes.from_shape(table.name, table.description, columns)
    return _page(request, caller, table, "", draft)


def _page(
    request: Request,
    caller: Principal,
    table: Table | None,
    seen: str,
    draft: ShapeDraft,
    problems: Errors | None = None,
) -> Response:
    before = columns_of(table.columns) if table else []
    if table is not None and not seen:
        seen = timestamps.stamp(table.updated_at)
    return responses.page(
        request,
        "table_columns.html",
        caller,
        conflicts.status(problems),
        table=table,
        draft=draft,
        gone=draft.removed_columns(before),
        filled=set(table.form_columns.values()) if table else set(),
        seen=seen,
        types=shapes.TYPES,
        problems=problems or {},
    )
