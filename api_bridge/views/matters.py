"""How matters and their boards look in answers."""

from __future__ import annotations

from typing import Any

from automations.db.tables import Matter, MatterStep, MatterTemplate
from automations.domain.matters import number_text
from automations.kit.clock import timestamp
from automations.services.matters.matters import MatterDetail


def template(row: MatterTemplate) -> dict[str, Any]:
    """A board with its steps."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "boardType": row.board_type,
        "steps": row.steps,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def matter(row: Matter) -> dict[str, Any]:
    """A matter in a list."""
    return {
        "id": row.id,
        "number": number_text(row.number),
        "templateId": row.template_id,
        "title": row.title,
        "status": row.status,
        "priority": row.priority,
        "tags": row.tags,
        "assigneeId": row.assignee_id,
        "properties": row.properties,
        "currentStepId": row.current_step_id,
        "createdBy": row.created_by,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "completedAt": row.completed_at and timestamp(row.completed_at),
    }


def matter_detail(detail: MatterDetail) -> dict[str, Any]:
    """A matter with its steps."""
    return {**matter(detail.matter), "steps": [_step(step) for step in detail.steps]}


def _step(row: MatterStep) -> dict[str, Any]:
    return {
        "id": row.id,
        "templateStepId": row.template_step_id,
        "name": row.name,
        "type": row.type,
        "order": row.order,
        "status": row.status,
        "decidedBy": row.decided_by,
        "decidedAt": row.decided_at and timestamp(row.decided_at),
    }
