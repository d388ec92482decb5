"""Automations: define, read, change, start."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Query, Request, Response
from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from api_bridge import links
from api_bridge.bodies import Body as RequestBody
from api_bridge.bodies import check_read_only
from api_bridge.deps import Admin, Member, Viewer
from api_bridge.routing import Router
from api_bridge.views import runs as run_views
from api_bridge.views import workflows as views
from automations import wiring
from automations.domain.principals import Principal
from automations.domain.statuses import RunStatus, WorkflowStatus
from automations.domain.workflows import WorkflowDetail
from automations.services.runs import by_hand
from automations.services.workflows import workflows

router = Router(prefix="/api/workflows", tags=["workflows"])

_DEFAULT_PAGE_SIZE = 20

Payload = Annotated[Any, Body(description="A definition; see the documentation of its fields.")]


class Execution(RequestBody):
    """The input of a manual run."""

    input: dict[str, Any] = Field(
        default_factory=dict,
        description="Usable as {{input.…}}. A body without this field is the input itself.",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_the_input(cls, value: Any) -> Any:
        return {"input": value} if isinstance(value, dict) and "input" not in value else value


@router.get("")
def list_workflows(
    caller: Viewer,
    request: Request,
    response: Response,
    limit: Annotated[int | None, Query(ge=1, le=500, description="Page size.")] = None,
    cursor: Annotated[
        str | None,
        Query(max_length=500, description="As in the Link header of the page before."),
    ] = None,
) -> list[dict[str, Any]]:
    """List all automations, with their steps and numbers of runs, newest first.

    With `limit` or `cursor` it is one page, and the header `Link` (rel="next") has the next one's
    address, as long as there is one.
    """
    if limit is None and cursor is None:
        return [_detail(workflow, caller) for workflow in workflows.list_all(caller.workspace_id)]
    size = limit or _DEFAULT_PAGE_SIZE
    page, following = workflows.page_after(caller.workspace_id, cursor, size)
    links.add_next(request, response, following, size)
    return [_detail(workflow, caller) for workflow in page]


@router.post("", status_code=201)
def create_workflow(caller: Admin, payload: Payload) -> dict[str, Any]:
    """Create an automation."""
    return views.administered_workflow(workflows.create(caller, payload, wiring.ports()))


_READ_ONLY = ("id", "version", "_count", "createdAt", "updatedAt", "webhookUrl")
_TRANSIENT = ("inFlight", "heldUp")
"""What answers tell beside the automation, of its runs."""


@router.get("/stats")
def stats(caller: Viewer) -> dict[str, Any]:
    """Count automations and runs."""
    automations, runs = workflows.stats(caller.workspace_id)
    return {
        "workflows": {
            "total": sum(automations.values()),
            **{status.lower(): automations.get(status, 0) for status in WorkflowStatus},
        },
        "runs": {
            "total": sum(runs.values()),
            **{to_camel(status.lower()): runs.get(status, 0) for status in RunStatus},
        },
    }


@router.get("/{workflow_id}")
def get_workflow(caller: Viewer, workflow_id: str) -> dict[str, Any]:
    """Get one automation."""
    return _detail(workflows.get(caller.workspace_id, workflow_id), caller)


@router.patch("/{workflow_id}")
def update_workflow(caller: Admin, workflow_id: str, payload: Payload) -> dict[str, Any]:
    """Change an automation; runs in flight keep their version. No change creates no version."""
    payload = _changes(payload, workflows.get(caller.workspace_id, workflow_id))
    updated = workflows.update(caller, workflow_id, payload, wiring.ports())
    return views.updated_workflow(updated)


@router.delete("/{workflow_id}", status_code=204)
def delete_workflow(caller: Admin, workflow_id: str) -> Response:
    """Delete an automation; its runs in flight are CANCELLED a moment later."""
    workflows.delete(caller, workflow_id)
    return Response(status_code=204)


@router.post("/{workflow_id}/execute")
def execute(caller: Member, workflow_id: str, execution: Execution | None = None) -> dict[str, Any]:
    """Start a run manually; it continues in the background."""
    input_data = execution.input if execution else {}
    return run_views.started_run(by_hand.execute(caller, workflow_id, input_data))


def _changes(payload: Any, current: WorkflowDetail) -> Any:
    """What a client has sent without the fields that it has read, and cannot change."""
    if not isinstance(payload, dict):
        return payload
    shown = views.administered_workflow(current)
    read_only = {name: payload[name] for name in payload if name in _READ_ONLY}
    match read_only.get("_count"):
        case {"runs": int(runs), **rest} if not rest and runs <= current.runs:
            # Others have begun since it was read.
            del read_only["_count"]
    check_read_only(read_only, shown)
    return {name: payload[name] for name in payload if name not in (*_READ_ONLY, *_TRANSIENT)}


def _detail(workflow: WorkflowDetail, caller: Principal) -> dict[str, Any]:
    if caller.administers:
        return views.administered_workflow(workflow)
    return views.workflow(workflow)
