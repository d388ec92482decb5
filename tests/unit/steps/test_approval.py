"""The approval step: what is asked, and what each way of answering leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

import automations.definitions.model  # noqa: F401  # completes the configs that nest steps
from automations.domain.fields import RENDERED
from automations.domain.statuses import Decision
from automations.kit.values import JSON
from automations.steps.approval import Approval, ApprovalConfig
from automations.steps.outcomes import Answer, Branch, Done, Fail, WaitForDecision
from tests.doubles import NOW, context

NOTIFY = {"name": "Tell", "type": "delay", "order": 0, "config": {"duration": "PT1S"}}


def configured(**config: Any) -> ApprovalConfig:
    return ApprovalConfig.model_validate({"message": "OK?", **config}, context=RENDERED)


def resumed(decision: Decision, **config: Any) -> Done | Fail | Branch:
    answer = Answer(decision, "boss@b.example", NOW, {"note": "fine"}, reason="It is.")
    outcome = Approval().resume(configured(**config), context(), answer)
    assert isinstance(outcome, Done | Fail | Branch)
    return outcome


def output(decision: str) -> dict[str, JSON]:
    return {
        "decision": decision,
        "decidedBy": "boss@b.example",
        "decidedAt": "2026-03-01T12:00:00.000Z",
        "override": False,
        "data": {"note": "fine"},
        "reason": "It is.",
    }


@pytest.mark.parametrize("name", ["Ask\nthe boss", "Ask\r\nthe boss", "Ask\u2028the boss"])
def test_the_subject_of_its_mail_is_one_line_whatever_the_step_is_called(name: str) -> None:
    outcome = Approval().run(
        configured(approvers=["a@b.example"]), replace(context(), step_name=name)
    )
    assert isinstance(outcome, WaitForDecision)
    assert outcome.question.subject == "Approval needed: Ask the boss"


def test_the_subject_names_the_automation_too() -> None:
    ctx = context({"workflow": {"name": "Large\norders"}}, step_name="Ask the boss")
    outcome = Approval().run(configured(approvers=["a@b.example"]), ctx)
    assert isinstance(outcome, WaitForDecision)
    assert outcome.question.subject == "Approval needed: Ask the boss – Large orders"


def test_it_asks_with_everything_that_the_deciders_need() -> None:
    form = {"sections": [{"id": "s", "fields": [{"id": "f", "key": "note", "type": "text"}]}]}
    config = configured(
        approvers=["boss@b.example", "cfo@b.example"],
        data={"amount": 5},
        form=form,
        quorum=2,
        expiresIn="PT1H",
    )
    outcome = Approval().run(config, context(step_name="Ask the boss"))
    assert isinstance(outcome, WaitForDecision)
    assert outcome.expires_in == timedelta(hours=1)
    question = outcome.question
    assert (question.subject, question.body) == ("Approval needed: Ask the boss", "OK?")
    assert question.approvers == ("boss@b.example", "cfo@b.example")
    assert (question.quorum, question.data) == (2, {"amount": 5})
    assert question.form is not None
    assert question.form["sections"][0]["fields"][0]["key"] == "note"


def test_without_more_it_asks_for_one_decision_within_a_week() -> None:
    outcome = Approval().run(configured(), context())
    assert isinstance(outcome, WaitForDecision)
    assert outcome.expires_in == timedelta(days=7)
    assert (outcome.question.quorum, outcome.question.approvers) == (1, ())


def test_an_approval_gives_who_decided_when_and_on_what() -> None:
    assert resumed(Decision.APPROVED) == Done(output("approved"))


def test_a_rejection_fails_the_step_for_good() -> None:
    outcome = resumed(Decision.REJECTED)
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == ("rejected", False)
    assert outcome.error == "Rejected by boss@b.example."
    assert outcome.output == output("rejected")


def test_a_rejection_may_be_passed_over() -> None:
    assert resumed(Decision.REJECTED, onReject="continue") == Done(output("rejected"))


def test_a_rejection_may_lead_to_steps_of_its_own() -> None:
    assert resumed(Decision.REJECTED, onReject=[NOTIFY]) == Branch(output("rejected"), "onReject")


def test_silence_fails_the_step_for_good() -> None:
    outcome = resumed(Decision.EXPIRED)
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == ("expired", False)


def test_silence_may_be_passed_over() -> None:
    assert resumed(Decision.EXPIRED, onExpire="continue") == Done(output("expired"))


def test_silence_is_no_rejection() -> None:
    outcome = resumed(Decision.EXPIRED, onReject="continue")
    assert isinstance(outcome, Fail)
    assert outcome.kind == "expired"


FIELD = {"id": "1", "key": "k", "type": "text"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"message": " "}, "must say what is asked"),
        ({"message": None}, "valid string"),
        ({"expiresIn": "P8D"}, "must be P7D at most"),
        ({"expiresIn": "soon"}, "must be an ISO 8601 duration"),
        ({"quorum": 0}, "greater than or equal to 1"),
        ({"approvers": ["a@b.example"], "quorum": 2}, "more than there are approvers"),
        ({"quorum": 2}, "more than there are approvers"),
        ({"approvers": ["a@b.example"] * 2, "quorum": 2}, "more than there are approvers"),
        ({"remindEvery": "P999999999D"}, "P366D at most"),
        ({"approvers": ["nobody"]}, "must be an e-mail address"),
        ({"onReject": "ignore"}, "'fail' or 'continue'"),
        ({"onExpire": [NOTIFY]}, "'fail' or 'continue'"),
        ({"remind": "P1D"}, "Extra inputs"),
        ({"form": {"sections": [{"id": "s", "fields": [FIELD, FIELD]}]}}, "'k' is there twice"),
    ],
)
def test_a_config_that_cannot_be_asked_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ApprovalConfig.model_validate({"message": "OK?", **config})


def test_templates_are_accepted_when_saved() -> None:
    ApprovalConfig.model_validate(
        {
            "message": "{{input.question}}",
            "approvers": ["{{input.boss}}"],
            "quorum": "{{input.quorum}}",
            "expiresIn": "{{input.time}}",
        }
    )


@pytest.mark.parametrize("given", ["", " , ", [""], [None], [[]], ["", None]])
@pytest.mark.parametrize("field", ["approvers", "escalateTo"])
def test_a_template_that_names_nobody_is_refused_before_anybody_waits(
    field: str, given: Any
) -> None:
    config = {"message": "OK?", "escalateAfter": "P1D", "escalateTo": "b@b.example", field: given}
    with pytest.raises(ValidationError, match="names nobody"):
        ApprovalConfig.model_validate(config, context=RENDERED)


def test_without_approvers_whoever_may_resume_the_run_decides() -> None:
    assert (
        ApprovalConfig.model_validate(
            {"message": "OK?", "approvers": []}, context=RENDERED
        ).approvers
        == []
    )


def test_reminders_escalation_and_the_ban_reach_the_question() -> None:
    outcome = Approval().run(
        configured(
            approvers=["ada@b.example"],
            allowSelfApproval=False,
            remindEvery="PT6H",
            escalateTo="boss@b.example",
            escalateAfter="P1D",
            quorum=2,
        ),
        context(),
    )
    assert isinstance(outcome, WaitForDecision)
    asked = outcome.question
    assert (asked.allow_self_approval, asked.remind_seconds) == (False, 21_600.0)
    assert (asked.escalate_to, asked.escalate_seconds) == (("boss@b.example",), 86_400.0)


def test_escalation_needs_to_know_whom_and_when() -> None:
    with pytest.raises(ValidationError, match="go together"):
        configured(escalateTo="boss@b.example")
