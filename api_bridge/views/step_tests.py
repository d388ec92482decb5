"""How tests of steps, and trials of whole automations, look in answers."""

from __future__ import annotations

from typing import Any, assert_never

from automations.domain.statuses import WaitKind
from automations.execution.recording import output_of
from automations.execution.step_tests import StepTestResult
from automations.execution.trial_steps import TriedStep
from automations.execution.trials import Trial
from automations.kit import common_clock
from automations.kit.clock import timestamp
from automations.steps.outcomes import (
    Answer,
    Branch,
    Done,
    Fail,
    Outcome,
    Wait,
    WaitForCallback,
    WaitForDecision,
    WaitForRun,
    WaitForSubmissions,
    WaitToRetry,
    WaitUntil,
    find_wait,
)


def step_test(result: StepTestResult) -> dict[str, Any]:
    """A step that was done, or rendered only."""
    outcome = result.outcome
    failed = isinstance(outcome, Fail)
    waits_for = find_wait(outcome)
    return {
        "stepId": result.step.id,
        "stepType": result.step.type,
        "stepName": result.step.name,
        "runId": result.run_id,
        "status": _status(outcome),
        "config": result.config,
        "output": None if outcome is None or failed else output_of(outcome),
        "arm": outcome.arm if isinstance(outcome, Branch) else None,
        "variables": dict(outcome.variables) if isinstance(outcome, Done) else {},
        "waitsFor": _wait(waits_for) if waits_for is not None else None,
        "error": _error(outcome) if isinstance(outcome, Fail) else None,
        "durationMs": round(result.duration.total_seconds() * 1000),
    }


def _status(outcome: Outcome | None) -> str:
    match outcome:
        case None:
            return "rendered"
        case Fail():
            return "failed"
        case _:
            return "success" if find_wait(outcome) is None else "waiting"


def _error(fail: Fail) -> dict[str, Any]:
    return {"message": fail.error, "kind": fail.kind, "retryable": fail.retryable}


def _wait(wait: Wait) -> dict[str, Any]:
    now = common_clock.now()
    match wait:
        case WaitUntil(when):
            return {"kind": WaitKind.DELAY, "dueAt": timestamp(when)}
        case WaitForDecision(question, expires_in):
            return {
                "kind": WaitKind.DECISION,
                "dueAt": timestamp(now + expires_in),
                "subject": question.subject,
                "body": question.body,
                "data": question.data,
                "form": question.form,
                "approvers": list(question.approvers),
                "quorum": question.quorum,
            }
        case WaitForCallback(_, expires_in):
            return {"kind": WaitKind.CALLBACK, "dueAt": timestamp(now + expires_in)}
        case WaitForSubmissions(_, expires_in):
            return {"kind": WaitKind.FORM, "dueAt": timestamp(now + expires_in)}
        case WaitForRun(run_id, dag_id):
            of_dag = {} if dag_id is None else {"dagId": dag_id}
            return {"kind": WaitKind.CHILD, "runId": run_id, **of_dag}
        case WaitToRetry(when):
            return {"kind": WaitKind.RETRY, "dueAt": timestamp(when)}
        case _:
            assert_never(wait)


def trial(tried: Trial) -> dict[str, Any]:
    """An automation that was tried."""
    return {
        "status": tried.status,
        "error": tried.error,
        "steps": [_tried_step(step) for step in tried.steps],
    }


def _tried_step(tried: TriedStep) -> dict[str, Any]:
    return {
        "stepId": tried.step.id,
        "stepType": tried.step.type,
        "stepName": tried.step.name,
        "iteration": list(tried.iteration),
        "status": tried.status,
        "config": tried.config,
        "effects": [
            {"kind": effect.kind, "what": effect.what, "details": effect.details}
            for effect in tried.effects
        ],
        "waitsFor": _wait(tried.waits) if tried.waits is not None else None,
        "answer": _answer(tried.answer) if tried.answer is not None else None,
        "output": tried.output,
        "assumed": tried.assumed,
        "arm": tried.arm,
        "error": _error(tried.fail) if tried.fail is not None else None,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {"decision": answer.decision, "data": answer.data}
