"""How things look in answers: the specification's shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from automations.db.run_queries import Summary
from automations.db.tables import (
    Event,
    Form,
    Integration,
    Run,
    Secret,
    StepLog,
    Submission,
    SubmissionSnapshot,
)
from automations.db.waits import SLOT
from automations.definitions.triggers import Trigger
from automations.domain.statuses import RunStatus, SlotStatus, StepStatus
from automations.kit.clock import timestamp
from automations.services.events.webhooks import url as webhook_url
from automations.services.runs.reading import RunDetail
from automations.services.workflows.workflows import WorkflowDetail

_TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def pagination(page: int, page_size: int, total: int) -> dict[str, int]:
    """Which page of how many a list shows."""
    return {
        "page": page,
        "pageSize": page_size,
        "total": total,
        "totalPages": -(-total // page_size),
    }


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
    shown, token = workflow(found), found.workflow.webhook_token
    if token is not None and shown["trigger"]["type"] == "webhook":
        shown["webhookUrl"] = webhook_url(token)
    return shown


def workflow(found: WorkflowDetail) -> dict[str, Any]:
    """An automation with its steps."""
    row, definition = found.workflow, found.definition
    form_id, trigger = _trigger(json.dumps(definition["trigger"]))
    return {
        "id": row.id,
        "key": row.key,
        "name": row.name,
        "description": definition.get("description", ""),
        "status": row.status,
        "version": row.version,
        "formId": form_id,
        "trigger": trigger,
        "variables": definition.get("variables", {}),
        "timezone": definition.get("timezone"),
        "budget": definition.get("budget"),
        "concurrency": definition.get("concurrency"),
        "rateLimit": definition.get("rateLimit"),
        "debounce": definition.get("debounce"),
        "errorWorkflowId": definition.get("errorWorkflowId"),
        "steps": definition["steps"],
        "_count": {"runs": found.runs},
        "createdAt": _at(row.created_at),
        "updatedAt": _at(row.updated_at),
    }


@lru_cache(maxsize=1024)
def _trigger(stored: str) -> tuple[str | None, Mapping[str, Any]]:
    """The form that a trigger is for, if any, and how it is shown; most are like many others."""
    trigger = _TRIGGER.validate_json(stored)
    return getattr(trigger, "form_id", None), trigger.as_json()


def run(row: Run | Summary) -> dict[str, Any]:
    """A run in a list."""
    return {
        "id": row.id,
        "status": row.status,
        "startedAt": _at(row.started_at),
        "completedAt": _at(row.completed_at),
        "error": row.error,
    }


def run_detail(detail: RunDetail) -> dict[str, Any]:
    """A run with its full state."""
    done = [step for step in detail.steps if step.status == StepStatus.DONE]
    return {
        **run(detail.run),
        "version": detail.run.version,
        "triggerType": detail.run.trigger_type,
        "queued": detail.run.slot == SlotStatus.WAITING and detail.run.status == RunStatus.RUNNING,
        "startedBy": detail.run.started_by,
        "replayOf": detail.run.replay_of_run_id,
        "logs": [_line(line) for line in detail.logs],
        "state": {
            "variables": detail.run.variables,
            "stepOutputs": {step.node_id: step.output for step in done},
            "stepInputs": {
                step.node_id: step.input for step in detail.steps if step.input is not None
            },
            "completedNodeIds": [step.node_id for step in done],
            "pendingNodeIds": list(detail.pending),
            "retryCount": {step.node_id: step.retries for step in detail.steps if step.retries},
        },
        "pause": None
        if detail.wait is None or detail.wait.kind == SLOT
        else {
            "kind": detail.wait.kind,
            "stepId": detail.wait.node_id,
            "dueAt": _at(detail.wait.due_at),
        },
        "modelUsage": {
            "tokens": detail.run.model_tokens,
            "cost": float(detail.run.model_cost),
        },
        "workflow": {"id": detail.run.workflow_id, "name": detail.workflow_name},
        "childRuns": [{**run(child), "workflowId": child.workflow_id} for child in detail.children],
    }


def _line(row: StepLog) -> dict[str, Any]:
    shown = {
        "stepId": row.step_id,
        "stepType": row.step_type,
        "stepName": row.step_name,
        "status": row.status,
        "durationMs": row.duration_ms,
        "timestamp": _at(row.timestamp),
        "output": row.output,
    }
    return shown if row.iteration is None else {**shown, "iteration": row.iteration}


def event(row: Event) -> dict[str, Any]:
    """An event."""
    return {
        "id": row.id,
        "type": row.type,
        "status": row.status,
        "reason": row.reason,
        "source": row.source,
        "externalId": row.external_id,
        "causeRunId": row.cause_run_id,
        "createdAt": _at(row.created_at),
        "matchedAt": _at(row.matched_at),
    }


def form(row: Form) -> dict[str, Any]:
    """A form."""
    return {
        "id": row.id,
        "title": row.title,
        "description": row.description,
        "schema": row.schema,
        "version": row.version,
        "public": row.public,
        "createdAt": _at(row.created_at),
        "updatedAt": _at(row.updated_at),
    }


def submission(row: Submission) -> dict[str, Any]:
    """A submission."""
    return {
        "id": row.id,
        "formId": row.form_id,
        "formVersion": row.form_version,
        "status": row.status,
        "data": row.data,
        "decidedBy": row.decided_by,
        "decidedAt": _at(row.decided_at),
        "createdAt": _at(row.created_at),
    }


def snapshot(row: SubmissionSnapshot) -> dict[str, Any]:
    """What a submission held before a change."""
    return {
        "id": row.id,
        "submissionId": row.submission_id,
        "number": row.number,
        "formVersion": row.form_version,
        "data": row.data,
        "changedBy": row.changed_by,
        "createdAt": _at(row.created_at),
    }


def secret(row: Secret) -> dict[str, Any]:
    """A secret, without its value."""
    return {
        "name": row.name,
        "fingerprint": row.fingerprint,
        "createdAt": _at(row.created_at),
        "updatedAt": _at(row.updated_at),
    }


def integration(row: Integration) -> dict[str, Any]:
    """An integration, without its credentials."""
    return {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "config": row.config,
        "credentialsFingerprint": row.fingerprint,
        "enabled": row.enabled,
        "isSiteEmailProvider": row.is_site_email_provider,
        "createdAt": _at(row.created_at),
        "updatedAt": _at(row.updated_at),
    }
