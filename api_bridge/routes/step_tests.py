"""Tests of single steps, and trials of whole automations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api_bridge import scopes
from api_bridge.airflow.connections import ASKED_OF_AIRFLOW
from api_bridge.bodies import Body
from api_bridge.deps import EffectId, Member
from api_bridge.endpoint_marks import outside, slow
from api_bridge.routing import Router
from api_bridge.views import step_tests as views
from automations import wiring
from automations.domain.statuses import Decision
from automations.execution import step_tests, trials
from automations.execution.trial_data import TrialData
from automations.execution.trial_steps import SampleAnswer

router = Router(prefix="/api/workflows", tags=["workflows"])


class SampleData(Body):
    """What is found by what is tried."""

    run_id: str | None = Field(
        None,
        max_length=100,
        description="A run of the automation that provides input, trigger, variables and outputs; "
        "values given here override them.",
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


class StepTest(SampleData):
    """Sample data for testing one step."""

    loop: dict[str, Any] | None = Field(
        None, description="{{loop.…}}, for a step in the body of a loop."
    )
    dry_run: bool = Field(False, strict=True, description="Render the config only, and do nothing.")

    def as_trial_data(self) -> TrialData:
        """The same without how it is to be done."""
        return TrialData(**self.model_dump(exclude={"dry_run"}))


@router.post("/{workflow_id}/steps/{step_id}/test")
@slow
@outside
def try_step(
    caller: Member,
    effect_id: EffectId,
    workflow_id: str,
    step_id: str,
    test: StepTest | None = None,
) -> dict[str, Any]:
    """Run one step with given data; its effects are real, unless it is a dry run.

    A dry run needs the role MEMBER, and a key with scopes `workflows:execute`. Doing the step is
    for who may change it: it needs the role ADMIN, and a key with scopes `workflows:test`. A step
    that names a secret or comes behind an approval takes no made-up `steps`, `variables` and
    `loop` then, only those of a run (`runId`).

    One attempt of 60 seconds at most. A step that pauses answers with what it would wait for;
    nobody is asked. The test is on record as a run whose trigger type is `test`.
    """
    sent = test or StepTest.model_validate({})
    engine, workspace, trial_data = (
        wiring.engine(ASKED_OF_AIRFLOW),
        caller.workspace_id,
        sent.as_trial_data(),
    )
    if sent.dry_run:
        return views.step_test(
            step_tests.render(engine, workspace, workflow_id, step_id, trial_data)
        )
    scopes.require(caller.scopes, scopes.TEST)
    return views.step_test(
        step_tests.run(engine, caller, workflow_id, step_id, trial_data, effect_id)
    )


class PauseAnswer(Body):
    """A sample answer to a pause."""

    decision: Literal["approved", "rejected", "expired"] | None = Field(
        None, description="The decision; by default approved. Any pause may have expired."
    )
    data: Any = Field(
        None,
        description="The data of the answer: of a decision, the body of a callback, a form's "
        "values, the outputs of the awaited run or operator.",
    )


class NewTrial(SampleData):
    """Sample data for trying a whole automation."""

    answers: dict[str, PauseAnswer] = Field(
        default_factory=dict, description="How pauses are passed, by ids or names of steps."
    )


@router.post("/{workflow_id}/test")
@slow
@outside
def try_automation(
    caller: Member, workflow_id: str, trial: NewTrial | None = None
) -> dict[str, Any]:
    """Try a whole automation with sample data, without outside effects and without a record.

    Each step says under `effects` what it would do: which mail, request, row, document. What it
    can find out without an effect is real: conditions, scripts, rows that are there. What others
    would answer is what `steps` says that the step puts out, else what it has put out in the run
    `runId`, else made up: `assumed` says so, and a step whose templates need more of it is
    `unknown`. Pauses are shown under `waitsFor` and passed by `answers`. Secrets are looked up and
    never used. Of a loop the first 3 items are tried; of all, 300 steps or 60 seconds at most.
    """
    sent = trial or NewTrial.model_validate({})
    trial_data = TrialData(**sent.model_dump(exclude={"answers"}))
    answers = {
        name: SampleAnswer(Decision(answer.decision) if answer.decision else None, answer.data)
        for name, answer in sent.answers.items()
    }
    result = trials.run(wiring.ports(), caller.workspace_id, workflow_id, trial_data, answers)
    return views.trial(result)
