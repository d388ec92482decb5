"""Matters: made from boards, worked off step by step."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from api_bridge.bodies import Body, Edited
from api_bridge.deps import Member, Viewer
from api_bridge.paging import Limit, PageNumber
from api_bridge.routing import Router
from api_bridge.views import matters as matter_views
from api_bridge.views import pagination
from automations.domain.matters import Priority, Tags, Title
from automations.domain.statuses import MatterStatus
from automations.ports import NewMatter
from automations.services.matters import matters

router = Router(prefix="/api/matters", tags=["matters"])


class MatterToMake(Body):
    """A matter to create."""

    template_id: str = Field(description="The board that defines its steps.")
    title: Title
    tags: Tags = Field(default_factory=list)
    priority: Priority = "MEDIUM"
    assignee_id: str | None = Field(None, description="The responsible member.")
    properties: dict[str, Any] = Field(default_factory=dict)


class MatterChange(Body, Edited):
    """Changes to a matter; fields that are left out stay as they are."""

    title: Title = ""
    tags: Tags = Field(default_factory=list)
    priority: Priority = "MEDIUM"
    assignee_id: str | None = None
    properties: dict[str, Any] = Field(default_factory=dict)


class Advance(Body):
    """A move to the next step."""

    from_step_id: str | None = Field(
        None, description="Refuse with 409 unless this is the current step."
    )


class GoTo(Body):
    """A move to any step."""

    step_id: str = Field(description="The step to make the current one.")


@router.get("")
def list_matters(
    caller: Viewer,
    status: MatterStatus | None = None,
    template_id: Annotated[str | None, Query(alias="templateId")] = None,
    page: PageNumber = 1,
    limit: Limit = 20,
) -> dict[str, Any]:
    """List matters, newest first."""
    items, total = matters.page(
        caller.workspace_id, status=status, template_id=template_id, number=page, size=limit
    )
    return {
        "matters": [matter_views.matter(matter) for matter in items],
        "pagination": pagination.by_limit(page, limit, total),
    }


@router.post("", status_code=201)
def create_matter(caller: Member, matter: MatterToMake) -> dict[str, Any]:
    """Create a matter with its board's steps."""
    new = NewMatter(
        template_id=matter.template_id,
        title=matter.title,
        tags=tuple(matter.tags),
        priority=matter.priority,
        assignee_id=matter.assignee_id,
        properties=matter.properties,
    )
    return matter_views.matter_detail(matters.create(caller, new))


@router.get("/{matter_id}")
def get_matter(caller: Viewer, matter_id: str) -> dict[str, Any]:
    """Get one matter with its steps."""
    return matter_views.matter_detail(matters.get(caller.workspace_id, matter_id))


@router.patch("/{matter_id}")
def update_matter(caller: Member, matter_id: str, change: MatterChange) -> dict[str, Any]:
    """Change a matter."""
    change = change.as_shown(
        matter_views.matter_detail(matters.get(caller.workspace_id, matter_id))
    )
    detail = matters.update(caller.workspace_id, matter_id, change.sent_fields())
    return matter_views.matter_detail(detail)


@router.delete("/{matter_id}")
def cancel_matter(caller: Member, matter_id: str) -> dict[str, Any]:
    """Cancel a matter; it stays readable."""
    return matter_views.matter_detail(matters.cancel(caller.workspace_id, matter_id))


@router.post("/{matter_id}/advance")
def advance(caller: Member, matter_id: str, move: Advance | None = None) -> dict[str, Any]:
    """Complete the current step and go to the next one."""
    from_step = move.from_step_id if move else None
    detail = matters.advance(caller, matter_id, from_step)
    return matter_views.matter_detail(detail)


@router.post("/{matter_id}/goto")
def go_to(caller: Member, matter_id: str, move: GoTo) -> dict[str, Any]:
    """Make a step the current one, pending again; other steps are unchanged."""
    return matter_views.matter_detail(matters.go_to(caller.workspace_id, matter_id, move.step_id))


@router.post("/{matter_id}/steps/{step_id}/complete")
def complete_step(caller: Member, matter_id: str, step_id: str) -> dict[str, Any]:
    """Complete a step, once; the last one completes the matter."""
    return matter_views.matter_detail(matters.complete(caller, matter_id, step_id))


@router.post("/{matter_id}/steps/{step_id}/reject")
def reject_step(caller: Member, matter_id: str, step_id: str) -> dict[str, Any]:
    """Reject a step, once; go to it to open it again."""
    return matter_views.matter_detail(matters.reject(caller, matter_id, step_id))
