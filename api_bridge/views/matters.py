"""How matters and their boards look in answers."""

from __future__ import annotations

from typing import Any

from automations.domain.matters import (
    Matter,
    MatterDetail,
    MatterStep,
    MatterTemplate,
    number_text,
)
from automations.kit.clock import timestamp


def template(shown: MatterTemplate) -> dict[str, Any]:
    """A board with its steps."""
    return {
        "id": shown.id,
        "name": shown.name,
        "description": shown.description,
        "boardType": shown.board_type,
        "steps": shown.steps,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }


def matter(shown: Matter) -> dict[str, Any]:
    """A matter in a list."""
    return {
        "id": shown.id,
        "number": number_text(shown.number),
        "templateId": shown.template_id,
        "title": shown.title,
        "status": shown.status,
        "priority": shown.priority,
        "tags": shown.tags,
        "assigneeId": shown.assignee_id,
        "properties": shown.properties,
        "currentStepId": shown.current_step_id,
        "createdBy": shown.created_by,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
        "completedAt": shown.completed_at and timestamp(shown.completed_at),
    }


def matter_detail(detail: MatterDetail) -> dict[str, Any]:
    """A matter with its steps."""
    return {**matter(detail.matter), "steps": [_step(step) for step in detail.steps]}


def _step(shown: MatterStep) -> dict[str, Any]:
    return {
        "id": shown.id,
        "templateStepId": shown.template_step_id,
        "name": shown.name,
        "type": shown.type,
        "order": shown.order,
        "status": shown.status,
        "decidedBy": shown.decided_by,
        "decidedAt": shown.decided_at and timestamp(shown.decided_at),
    }
