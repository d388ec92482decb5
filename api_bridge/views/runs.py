"""How runs look in answers."""

from __future__ import annotations

from typing import Any

from api_bridge.views.workflows import held_up
from automations.domain.runs import RunDetail, RunSummary, StartedRun, StepLog
from automations.domain.statuses import StepStatus, WaitKind
from automations.kit.clock import timestamp


def run(shown: RunSummary) -> dict[str, Any]:
    """A run in a list."""
    return {
        "id": shown.id,
        "status": shown.status,
        "startedAt": timestamp(shown.started_at),
        "completedAt": shown.completed_at and timestamp(shown.completed_at),
        "error": shown.error,
    }


def run_detail(detail: RunDetail) -> dict[str, Any]:
    """A run with its full state."""
    done = [step for step in detail.steps if step.status == StepStatus.DONE]
    return {
        **run(detail.run),
        "version": detail.version,
        "triggerType": detail.trigger_type,
        "queued": detail.queued,
        "startedBy": detail.started_by,
        "replayOf": detail.run.replay_of_run_id,
        "logs": [_line(line) for line in detail.logs],
        "state": {
            "variables": detail.variables,
            "stepOutputs": {step.node_id: step.output for step in done},
            "stepInputs": {
                step.node_id: step.input for step in detail.steps if step.input is not None
            },
            "completedNodeIds": [step.node_id for step in done],
            "pendingNodeIds": list(detail.pending),
            "retryCount": {step.node_id: step.retries for step in detail.steps if step.retries},
        },
        "pause": detail.pause
        and {
            "kind": detail.pause.kind,
            "stepId": detail.pause.node_id,
            # Another run ends it; the time that is stored is none that anybody has set.
            "dueAt": None
            if detail.pause.kind == WaitKind.CHILD
            else timestamp(detail.pause.due_at),
        },
        "modelUsage": {
            "tokens": detail.model_tokens,
            "cost": float(detail.model_cost),
        },
        "workflow": {"id": detail.run.workflow_id, "name": detail.workflow_name},
        "childRuns": [{**run(child), "workflowId": child.workflow_id} for child in detail.children],
        **held_up(detail.held_up),
    }


def started_run(begun: StartedRun) -> dict[str, Any]:
    """A run that was just started."""
    shown = {
        "runId": begun.id,
        "status": begun.status,
        "startedAt": timestamp(begun.started_at),
    }
    return shown if begun.held_up is None else {**shown, "queued": True, **held_up(begun.held_up)}


def _line(line: StepLog) -> dict[str, Any]:
    shown = {
        "stepId": line.step_id,
        "stepType": line.step_type,
        "stepName": line.step_name,
        "status": line.status,
        "durationMs": line.duration_ms,
        "timestamp": timestamp(line.timestamp),
        "output": line.output,
    }
    return shown if line.iteration is None else {**shown, "iteration": line.iteration}
