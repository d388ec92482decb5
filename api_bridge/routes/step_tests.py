"""Tests of single steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api_bridge import scopes
from api_bridge.deps import EffectId, Member
from api_bridge.natures import outside, patient
from api_bridge.routing import Router
from automations import wiring
from automations.execution import step_tests
from automations.execution.recording import output_of
from automations.execution.step_tests import Given, StepTestResult
from automations.kit.clock import timestamp
from automations.steps.outcomes import (
    Branch,
    Done,
    Fail,
    Outcome,
    WaitForCallback,
    WaitForDecision,
    WaitForRun,
    WaitForSubmissions,
    WaitUntil,
)

router = Router(prefix="/api/workflows", tags=["workflows"])


class StepTest(BaseModel):
    """What a step finds when it is tested."""

    model_config = ConfigDict(extra="forbid")

    run_id: str | None = Field(
        None,
        alias="runId",
        max_length=100,
        description="A run of the automation whose input, trigger, variables and outputs the step "
        "finds, below what is given here.",
    )
    input: dict[str, Any] = Field(default_factory=dict, description="{{input.…}}")
    variables: dict[str, Any] = Field(
        default_factory=dict, description="{{variables.…}}, over those of the definition."
    )
    steps: dict[str, Any] = Field(
        default_factory=dict, description="{{steps.….…}}: outputs of other steps, by id or name."
    )
    trigger: dict[str, Any] = Field(default_factory=dict, description="{{trigger.…}}")
    submission: dict[str, Any] = Field(default_factory=dict, description="{{submission.…}}")
    loop: dict[str, Any] | None = Field(
        None, description="{{loop.…}}, for a step in the body of a loop."
    )
    dry_run: bool = Field(
        False, alias="dryRun", strict=True, description="Render the config only, and do nothing."
    )

    def given(self) -> Given:
        """The same without how it is to be done."""
        return Given(**self.model_dump(exclude={"dry_run"}))


@router.post("/{workflow_id}/steps/{step_id}/test")
@patient
@outside
def try_step(
    caller: Member,
    effect_id: EffectId,
    workflow_id: str,
    step_id: str,
    test: StepTest | None = None,
) -> dict[str, Any]:
    """Do one step with given data; its effects are real, unless it is a dry run.

    A dry run needs the role MEMBER, and a key with scopes `workflows:execute`. Doing the step is
    for who may change it: it needs the role ADMIN, and a key with scopes `workflows:test`. A step
    that names a secret or comes behind an approval takes no made-up `steps`, `variables` and
    `loop` then, only those of a run (`runId`).

    One attempt of 60 seconds at most. A step that pauses answers with what it would wait for;
    nobody is asked. The test is on record as a run whose trigger type is `test`.
    """
    wanted = test or StepTest.model_validate({})
    engine, workspace, given = wiring.engine(), caller.workspace_id, wanted.given()
    if wanted.dry_run:
        return _shown(step_tests.render(engine, workspace, workflow_id, step_id, given))
    scopes.require(caller.scopes, scopes.TEST)
    return _shown(step_tests.run(engine, caller, workflow_id, step_id, given, effect_id))


def _shown(result: StepTestResult) -> dict[str, Any]:
    outcome = result.outcome
    failed = isinstance(outcome, Fail)
    waiting = step_tests.waits(outcome)
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
        "waitsFor": _wait(step_tests.awaited(outcome)) if outcome and waiting else None,
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
            return "waiting" if step_tests.waits(outcome) else "success"


def _error(fail: Fail) -> dict[str, Any]:
    return {"message": fail.error, "kind": fail.kind, "retryable": fail.retryable}


def _wait(outcome: Outcome) -> dict[str, Any]:
    now = datetime.now(UTC)
    match outcome:
        case WaitUntil(when):
            return {"kind": "delay", "dueAt": timestamp(when)}
        case WaitForDecision(question, expires_in):
            return {
                "kind": "decision",
                "dueAt": timestamp(now + expires_in),
                "subject": question.subject,
                "body": question.body,
                "data": question.data,
                "form": question.form,
                "approvers": list(question.approvers),
                "quorum": question.quorum,
            }
        case WaitForCallback(_, expires_in):
            return {"kind": "callback", "dueAt": timestamp(now + expires_in)}
        case WaitForSubmissions(_, expires_in):
            return {"kind": "form", "dueAt": timestamp(now + expires_in)}
        case WaitForRun(run_id):
            return {"kind": "child", "runId": run_id}
    raise TypeError(f"{outcome!r} is nothing to wait for")
