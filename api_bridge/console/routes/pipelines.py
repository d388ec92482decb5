"""Pipelines: where rows come from, how their syncs went, and what listens to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted, text, yes_or_no
from api_bridge.console.queries import Text
from api_bridge.console.views.typed_values import json_of
from api_bridge.deps import Admin, Member, Viewer
from api_bridge.endpoint_marks import outside, repeatable, slow
from api_bridge.routing import Router
from automations import wiring
from automations.definitions.pipelines import PUSH
from automations.domain.fields import parse_duration
from automations.domain.principals import Principal
from automations.domain.statuses import SyncStatus
from automations.errors import ValidationFailed
from automations.kit.values import JSON, Errors
from automations.services.pipelines import connections, probes, pulls, syncs, webhooks
from automations.services.tables import tables
from automations.services.workflows import uses

ROOT = "/console/pipelines"
router = Router(prefix=ROOT, tags=["pipelines"])


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done by a button of the page, beside what it shows anyway.

    Args:
        tested: why the source could not be read; None when it could.
        webhook: the address that was asked for.
        records: what was typed and could not be taken.
    """

    tested: tuple[str | None] | None = None
    webhook: str = ""
    records: str = ""
    problems: Errors = field(default_factory=dict)


@router.get("")
def show_list(request: Request, caller: Viewer, cursor: Text = "") -> Response:
    """The connections by name, and what became of the newest sync of each."""
    page, following = connections.page_after(caller.workspace_id, cursor or None, queries.PAGE_SIZE)
    return responses.page(
        request,
        "pipelines.html",
        caller,
        rows=page,
        every=parse_duration,
        newest=syncs.newest_of_each(caller.workspace_id),
        can_sync=any(
            connection.enabled and connection.connector_type != PUSH for connection in page
        ),
        following=queries.following(request, following),
        is_first=not cursor,
    )


@router.get("/{connection_id}")
def show(request: Request, caller: Viewer, connection_id: str, cursor: Text = "") -> Response:
    """One connection: its source, its tables, its syncs, and what listens to them."""
    return _page(request, caller, connection_id, cursor=cursor)


@router.post("/sync")
def sync_all(caller: Member, form: Posted) -> Response:
    """Begin to read the sources of all that are on and are not being read."""
    pulls.start_all(caller.workspace_id)
    return responses.redirect(ROOT, "pipeline.all_begun")


@router.post("/{connection_id}/sync")
def sync(caller: Member, connection_id: str, form: Posted) -> Response:
    """Begin to read the source now."""
    pulls.start(caller.workspace_id, connection_id)
    return responses.redirect(f"{ROOT}/{connection_id}", "pipeline.begun")


@router.post("/{connection_id}/records")
@slow
def push(request: Request, caller: Member, connection_id: str, form: Posted) -> Response:
    """Sync records that were typed, of a connection that records are sent to."""
    written = text(form, "records")
    try:
        syncs.push(caller.workspace_id, connection_id, _records(written))
    except ValidationFailed as error:
        done = _Done(records=written, problems=error.field_errors)
        return _page(request, caller, connection_id, done)
    return responses.redirect(f"{ROOT}/{connection_id}", "pipeline.pushed")


@router.post("/{connection_id}/webhook")
def webhook(request: Request, caller: Admin, connection_id: str, form: Posted) -> Response:
    """Show the address by which an outside system syncs, or give it another one; on record."""
    act = webhooks.rotate if text(form, "do") == "rotate" else webhooks.reveal
    address = act(caller.workspace_id, connection_id)
    return _page(request, caller, connection_id, _Done(webhook=address))


@router.post("/{connection_id}/syncs/{sync_id}/stop")
def stop(caller: Member, connection_id: str, sync_id: str, form: Posted) -> Response:
    """Stop a sync; what it has changed stays."""
    syncs.stop(caller.workspace_id, connection_id, sync_id)
    return responses.redirect(f"{ROOT}/{connection_id}", "pipeline.stopped")


@router.post("/{connection_id}/check")
@slow
@outside
@repeatable
def check(request: Request, caller: Admin, connection_id: str, form: Posted) -> Response:
    """Read the first page of the source; no row is written."""
    connection = connections.get(caller.workspace_id, connection_id)
    http = wiring.ports().http
    problem = probes.problem(
        caller.workspace_id, connection.connector_type, connection.config, http
    )
    return _page(request, caller, connection_id, _Done(tested=(problem,)))


@router.post("/{connection_id}/enabled")
def enable(caller: Admin, connection_id: str, form: Posted) -> Response:
    """Let a connection sync, or no longer."""
    connections.get(caller.workspace_id, connection_id)
    enabled = yes_or_no(form, "enabled")
    connections.update(caller.workspace_id, connection_id, {"enabled": enabled})
    notice = "pipeline.enabled" if enabled else "pipeline.disabled"
    return responses.redirect(f"{ROOT}/{connection_id}", notice)


def _records(written: str) -> list[JSON]:
    """A list of records as JSON, or one of them."""
    content = json_of(written, "records")
    return content if isinstance(content, list) else [content]


def _page(
    request: Request,
    caller: Principal,
    connection_id: str,
    done: _Done | None = None,
    cursor: str = "",
) -> Response:
    done = done or _Done()
    connection = connections.get(caller.workspace_id, connection_id)
    history, following = syncs.page_after(
        caller.workspace_id, connection_id, cursor or None, queries.PAGE_SIZE
    )
    ids = [str(mapping["tableId"]) for mapping in connection.tables]
    return responses.page(
        request,
        "pipeline.html",
        caller,
        400 if done.problems else 200,
        one=connection,
        every=parse_duration,
        is_push=connection.connector_type == PUSH,
        history=history,
        running=next((run for run in history if run.status == SyncStatus.RUNNING), None),
        names={table.id: table.name for table in tables.list_all(caller.workspace_id)},
        listeners=uses.of_synced_tables(caller.workspace_id, ids),
        done=done,
        following=queries.following(request, following),
        is_first=not cursor,
    )
