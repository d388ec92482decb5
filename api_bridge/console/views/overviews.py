"""Automations as lists and page headings show them."""

from __future__ import annotations

from api_bridge.console.views import charts, triggers
from automations.domain.figures import success
from automations.domain.overviews import WorkflowOverview


def row(overview: WorkflowOverview) -> dict[str, object]:
    """What is shown of an automation wherever it is named."""
    workflow = overview.workflow
    return {
        "id": workflow.id,
        "name": workflow.name,
        "description": workflow.definition.get("description") or "",
        "status": workflow.status,
        "version": workflow.version,
        "updated_at": workflow.updated_at,
        "owner": overview.owner,
        "trigger": triggers.describe(workflow.definition),
        "next_due": triggers.next_due(workflow.definition, workflow.status),
        "bars": charts.bars(overview.recent),
        "bars_in_words": charts.bars_in_words(overview.recent),
        "success": success(overview.counts),
        "runs": workflow.runs,
        "last": overview.recent[0] if overview.recent else None,
    }
