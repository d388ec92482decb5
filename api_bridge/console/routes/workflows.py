"""Automations: the list of them, each with its flow and versions, and what is done to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import queries, responses, urls
from api_bridge.console.form_data import Posted, text
from api_bridge.console.queries import Text
from api_bridge.console.views import flow, inputs, starting
from api_bridge.console.views import overviews as overview_views
from api_bridge.deps import Admin, Member, Viewer
from api_bridge.downloads import download
from api_bridge.routing import Router
from automations import wiring
from automations.definitions.triggers import TRIGGER_TYPES
from automations.domain.principals import Principal
from automations.domain.runs import RunFilter
from automations.domain.statuses import WorkflowStatus
from automations.domain.workflows import WorkflowDetail, WorkflowFilter
from automations.errors import NotFound, ValidationFailed
from automations.services.forms import forms
from automations.services.runs import browsing, by_hand
from automations.services.workflows import (
    copies,
    history,
    overviews,
    uses,
    webhook_addresses,
    workflows,
)

router = Router(prefix="/console/workflows", tags=["workflows"])

_MAX_RUNS = 10


@router.get("")
def show_list(
    request: Request,
    caller: Viewer,
    q: Text = "",
    status: Text = "",
    trigger: Text = "",
    cursor: Text = "",
) -> Response:
    """The automations, newest first."""
    criteria = WorkflowFilter(
        q.strip(), queries.choice(WorkflowStatus, "status", status), trigger or None
    )
    page, following = overviews.page_after(
        caller.workspace_id, criteria, cursor or None, queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "workflows.html",
        caller,
        rows=[overview_views.row(overview) for overview in page],
        q=q,
        status=status,
        trigger=trigger,
        statuses=list(WorkflowStatus),
        trigger_types=TRIGGER_TYPES,
        following=queries.following(request, following),
        is_first=not cursor,
    )


@router.get("/{workflow_id}")
def show(request: Request, caller: Viewer, workflow_id: str) -> Response:
    """One automation: its flow, and what became of its runs."""
    overview = overviews.get_one(caller.workspace_id, workflow_id)
    newest, _ = browsing.page_after(caller.workspace_id, workflow_id, RunFilter(), None, _MAX_RUNS)
    definition = overview.workflow.definition
    return responses.page(
        request,
        "workflow.html",
        caller,
        one=overview_views.row(overview),
        steps=flow.build_steps(
            flow.with_names(definition, uses.names_in(caller.workspace_id, definition))
        ),
        is_cut=flow.is_cut(definition),
        definition=definition,
        webhook_url=_webhook_url(caller, overview.workflow),
        runs=newest,
        used=uses.of_workflow(caller.workspace_id, definition),
        tab="flow",
    )


@router.get("/{workflow_id}/versions")
def show_versions(request: Request, caller: Viewer, workflow_id: str) -> Response:
    """The versions of an automation: who made them, and when."""
    overview = overviews.get_one(caller.workspace_id, workflow_id)
    return responses.page(
        request,
        "versions.html",
        caller,
        one=overview_views.row(overview),
        versions=history.list_versions(caller.workspace_id, workflow_id),
        tab="versions",
    )


@router.get("/{workflow_id}/versions/{number}")
def show_version(request: Request, caller: Viewer, workflow_id: str, number: int) -> Response:
    """What a version changed, and what it says."""
    overview = overviews.get_one(caller.workspace_id, workflow_id)
    written = history.text(caller.workspace_id, workflow_id, number)
    lines = None
    if number > 1:
        lines = history.compare(caller.workspace_id, workflow_id, number - 1, number)
    return responses.page(
        request,
        "version.html",
        caller,
        one=overview_views.row(overview),
        number=number,
        lines=lines,
        written=written,
        tab="versions",
    )


@router.post("/{workflow_id}/versions/{number}/restore")
def restore(caller: Admin, workflow_id: str, number: int, form: Posted) -> Response:
    """Make the newest version say what an older one says."""
    history.restore(caller, workflow_id, number, wiring.ports())
    return responses.redirect(f"{urls.HOME}/{workflow_id}/versions", "workflow.restored")


@router.get("/{workflow_id}/definition")
def show_definition(request: Request, caller: Viewer, workflow_id: str) -> Response:
    """An automation as a file of definitions has it."""
    overview = overviews.get_one(caller.workspace_id, workflow_id)
    written = history.text(caller.workspace_id, workflow_id, overview.workflow.version)
    return responses.page(
        request,
        "definition.html",
        caller,
        one=overview_views.row(overview),
        written=written,
        tab="definition",
    )


@router.get("/{workflow_id}/export")
def export(caller: Viewer, workflow_id: str) -> Response:
    """The same as a file."""
    workflow = workflows.get(caller.workspace_id, workflow_id)
    written = history.text(caller.workspace_id, workflow_id, workflow.version)
    return download(f"{workflow.name}.yaml", written.encode(), "application/yaml")


@router.get("/{workflow_id}/run")
def show_form(request: Request, caller: Member, workflow_id: str) -> Response:
    """Ask for the input of a run."""
    return _start_page(request, caller, workflow_id)


@router.post("/{workflow_id}/execute")
def execute(request: Request, caller: Member, workflow_id: str, form: Posted) -> Response:
    """Start a run by hand."""
    workflow = workflows.get(caller.workspace_id, workflow_id)
    try:
        run = by_hand.execute(caller, workflow_id, inputs.read(workflow.definition, form))
    except ValidationFailed as error:
        # What was typed is shown again, so that nothing has to be typed twice.
        return _start_page(request, caller, workflow_id, form, error)
    return responses.redirect(f"/console/runs/{run.id}", "run.started")


@router.post("/{workflow_id}/status")
def change_status(caller: Admin, workflow_id: str, form: Posted) -> Response:
    """Activate, pause or archive an automation."""
    workflows.get(caller.workspace_id, workflow_id)
    chosen_status = queries.choice(WorkflowStatus, "status", text(form, "status"))
    if chosen_status is None:
        raise ValidationFailed({"status": [f"must be one of {', '.join(WorkflowStatus)}"]})
    workflows.update(caller, workflow_id, {"status": str(chosen_status)}, wiring.ports())
    then = text(form, "next", f"{urls.HOME}/{workflow_id}")
    return responses.redirect(urls.safe(then), f"workflow.{chosen_status}")


@router.post("/{workflow_id}/duplicate")
def duplicate(caller: Admin, workflow_id: str, form: Posted) -> Response:
    """Make a copy, as a draft."""
    copy = copies.make(caller, workflow_id, wiring.ports())
    return responses.redirect(f"{urls.HOME}/{copy.id}", "workflow.copied")


def _form_is_public(caller: Principal, definition: Mapping[str, Any]) -> bool:
    """Whether people can submit the form that starts an automation, if one does."""
    trigger = definition.get("trigger") or {}
    if trigger.get("type") != "form_submission":
        return True
    try:
        return forms.get(caller.workspace_id, str(trigger.get("formId"))).public
    except NotFound:
        return False


def _webhook_url(caller: Principal, workflow: WorkflowDetail) -> str | None:
    """The address that starts an automation, for those who may know it."""
    trigger = workflow.definition.get("trigger") or {}
    if not caller.administers or trigger.get("type") != "webhook":
        return None
    return webhook_addresses.url(workflow.webhook_salt, workflow.webhook_hash)


def _start_page(
    request: Request,
    caller: Principal,
    workflow_id: str,
    form: FormData | None = None,
    error: ValidationFailed | None = None,
) -> Response:
    overview = overviews.get_one(caller.workspace_id, workflow_id)
    fields = inputs.fields(overview.workflow.definition, form)
    problems = error.field_errors if error else {}
    start = starting.start_of(overview.workflow.definition)
    at_inputs = {f"input.{field.key}" for field in fields or ()}
    return responses.page(
        request,
        "run_form.html",
        caller,
        200 if error is None else 400,
        one=overview_views.row(overview),
        fields=fields,
        elsewhere={path: messages for path, messages in problems.items() if path not in at_inputs},
        whole=text(form, inputs.WHOLE) if form is not None else "{}",
        problems=problems,
        start=start,
        form_is_public=_form_is_public(caller, overview.workflow.definition),
        webhook_url=_webhook_url(caller, overview.workflow),
        tab="run",
    )
