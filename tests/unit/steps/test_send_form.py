"""The send_form step: what it sends, waits for and puts out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.domain.statuses import Decision
from automations.ports import FormAnswer, FormRequest
from automations.steps.outcomes import Answer, Done, Fail, WaitForSubmissions
from automations.steps.send_form import SendForm, SendFormConfig
from tests.doubles import NOW, context

FORM = {"formId": "form1", "recipients": "ada@b.example, bob@b.example"}


class Desk:
    """Keeps what is sent, and knows who has answered."""

    def __init__(self, *answers: FormAnswer) -> None:
        self.sent: list[FormRequest] = []
        self._answers = list(answers)

    def send(self, request: FormRequest) -> None:
        self.sent.append(request)

    def answers(self, key: str) -> list[FormAnswer]:
        assert key == "run1:node1:0"
        return self._answers


def configured(**more: Any) -> SendFormConfig:
    return SendFormConfig.model_validate({**FORM, **more}, context=RENDERED)


def test_without_waiting_the_step_is_done_when_it_has_sent() -> None:
    desk = Desk()
    outcome = SendForm().run(configured(), context(forms=desk))
    assert outcome == Done({"formId": "form1", "recipients": ["ada@b.example", "bob@b.example"]})
    assert (desk.sent[0].wait_for, desk.sent[0].key) == (None, "run1:node1:0")


def test_one_mailbox_is_sent_one_link_however_often_it_is_written() -> None:
    desk = Desk()
    written = ["Ada@b.example", "ada@B.example", "bob@b.example"]
    outcome = SendForm().run(configured(recipients=written), context(forms=desk))
    assert desk.sent[0].recipients == ("Ada@b.example", "bob@b.example")
    assert isinstance(outcome, Done)
    assert outcome.output["recipients"] == ["Ada@b.example", "bob@b.example"]


def test_a_waiting_step_says_for_how_many_and_how_long() -> None:
    desk = Desk()
    config = configured(waitForCompletion=True, waitFor="any", expiresIn="P1D", remindEvery="PT6H")
    outcome = SendForm().run(config, context(forms=desk))
    assert isinstance(outcome, WaitForSubmissions)
    assert outcome.expires_in == timedelta(days=1)
    assert (desk.sent[0].wait_for, desk.sent[0].remind_every) == ("any", timedelta(hours=6))


def test_the_submissions_are_the_output_and_who_is_missing_is_said() -> None:
    desk = Desk(
        FormAnswer("ada@b.example", "s1", NOW, {"n": 1}),
        FormAnswer("bob@b.example", None, None, None),
    )
    ctx = context(forms=desk, kept={"formId": "form1"})
    outcome = SendForm().resume(configured(), ctx, Answer(Decision.RESUMED, None, NOW))
    assert isinstance(outcome, Done)
    assert outcome.output["missing"] == ["bob@b.example"]
    assert outcome.output["submissions"] == [
        {
            "recipient": "ada@b.example",
            "submissionId": "s1",
            "submittedAt": "2026-03-01T12:00:00.000Z",
            "data": {"n": 1},
        }
    ]


def test_an_expired_form_fails_with_what_has_come() -> None:
    expired = Answer(Decision.EXPIRED, None, NOW)
    outcome = SendForm().resume(configured(), context(forms=Desk()), expired)
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.output["submissions"]) == ("expired", [])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"recipients": []}, "recipients"),
        ({"recipients": "nobody"}, "recipients"),
        ({"expiresIn": "P8D"}, "expiresIn"),
        ({"waitFor": "most"}, "waitFor"),
        ({"subject": "a\nBcc: x@y.example"}, "subject"),
    ],
)
def test_a_wrong_field_is_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        configured(**wrong)
    assert refused.value.errors()[0]["loc"][0] == field
