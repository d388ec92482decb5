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


def updated_workflow(found: WorkflowDetail) -> dict[str, Any]:
    """An automation after a change, with what the change means for runs in flight."""
    shown = administered_workflow(found)
    if found.in_flight is not None:
        shown["inFlight"] = {
            "runsOnOlderVersions": found.in_flight.older,
            "waitingAtRemovedSteps": [
                {"runId": run_id, "stepId": step_id}
                for run_id, step_id in found.in_flight.at_removed_steps.items()
            ],
        }
    return shown


def administered_workflow(found: WorkflowDetail) -> dict[str, Any]:
    """An automation as administrators see it: with its webhook URL, which is a secret."""
    shown = workflow(found)
    url = webhook_addresses.url(found.webhook_salt, found.webhook_hash)
    if url is not None and shown["trigger"]["type"] == "webhook":
        shown["webhookUrl"] = url
    return shown


def workflow(found: WorkflowDetail) -> dict[str, Any]:
    """An automation with its steps."""
    definition = found.definition
    form_id, trigger = _trigger(json.dumps(definition.get("trigger")))
    shown = {
        "id": found.id,
        "key": found.key,
        "name": found.name,
        "description": definition.get("description", ""),
        "status": found.status,
        "version": found.version,
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
        "_count": {"runs": found.runs},
        "createdAt": timestamp(found.created_at),
        "updatedAt": timestamp(found.updated_at),
    }
    return shown | held_up(found.held_up)


def held_up(found: HeldUp | None) -> dict[str, Any]:
    """Why runs stand still in Airflow; nothing where they do not."""
    if found is None:
        return {}
    how = {"kind": found.kind, "by": found.by, "since": timestamp(found.since)}
    return {"heldUp": {**how, "reason": found.reason}}


@lru_cache(maxsize=1024)
def _trigger(stored: str) -> tuple[str | None, Mapping[str, Any]]:
    """The form that a trigger is for, if any, and how it is shown; most are like many others."""
    try:
        trigger = _TRIGGER.validate_json(stored)
    except ValidationError:
        # Of a release that knows another kind: what may be a secret in it is not known here.
        known = json.loads(stored)
        return None, {"type": known.get("type") if isinstance(known, dict) else None}
    return getattr(trigger, "form_id", None), trigger.as_json()
