"""How automations look in answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from automations.definitions.triggers import Trigger
from automations.domain.workflows import HeldUp, WorkflowDetail
from automations.kit.clock import timestamp
from automations.services.workflows import webhook_addresses

_TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)


def updated_workflow(detail: WorkflowDetail) -> dict[str, Any]:
    """An automation after a change, with what the change means for runs in flight."""
    shown = administered_workflow(detail)
    if detail.in_flight is not None:
        shown["inFlight"] = {
            "runsOnOlderVersions": detail.in_flight.older,
            "waitingAtRemovedSteps": [
                {"runId": run_id, "stepId": step_id}
                for run_id, step_id in detail.in_flight.at_removed_steps.items()
            ],
        }
    return shown


def administered_workflow(detail: WorkflowDetail) -> dict[str, Any]:
    """An automation as administrators see it: with its webhook URL, which is a secret."""
    shown = workflow(detail)
    url = webhook_addresses.url(detail.webhook_salt, detail.webhook_hash)
    if url is not None and shown["trigger"]["type"] == "webhook":
        shown["webhookUrl"] = url
    return shown


def workflow(detail: WorkflowDetail) -> dict[str, Any]:
    """An automation with its steps."""
    definition = detail.definition
    form_id, trigger = _trigger(json.dumps(definition.get("trigger")))
    shown = {
        "id": detail.id,
        "key": detail.key,
        "name": detail.name,
        "description": definition.get("description", ""),
        "status": detail.status,
        "version": detail.version,
        "formId": form_id,
        "trigger": trigger,
        "variables": definition.get("variables", {}),
        "timezone": definition.get("timezone"),
        "execution": definition.get("execution", "airflow"),
        "budget": definition.get("budget"),
        "concurrency": definition.get("concurrency"),
        "rateLimit": definition.get("rateLimit"),
        "debounce": definition.get("debounce"),
        "errorWorkflowId": definition.get("errorWorkflowId"),
        "steps": definition.get("steps", []),
        "_count": {"runs": detail.runs},
        "createdAt": timestamp(detail.created_at),
        "updatedAt": timestamp(detail.updated_at),
    }
    return shown | held_up(detail.held_up)


def held_up(hold: HeldUp | None) -> dict[str, Any]:
    """Why runs stand still in Airflow; nothing where they do not."""
    if hold is None:
        return {}
    how = {"kind": hold.kind, "by": hold.by, "since": timestamp(hold.since)}
    return {"heldUp": {**how, "reason": hold.reason}}


@lru_cache(maxsize=1024)
def _trigger(stored: str) -> tuple[str | None, Mapping[str, Any]]:
    """The form that a trigger is for, if any, and how it is shown; most are like many others."""
    try:
        trigger = _TRIGGER.validate_json(stored)
    except ValidationError:
        # Of a release that knows another kind: what may be a secret in it is not known here.
        parsed = json.loads(stored)
        return None, {"type": parsed.get("type") if isinstance(parsed, dict) else None}
    return getattr(trigger, "form_id", None), trigger.as_json()
