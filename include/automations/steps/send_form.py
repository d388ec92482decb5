"""Send a form to recipients for completion."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from automations.domain import people
from automations.domain.fields import (
    Duration,
    Model,
    OrTemplate,
    Reminder,
    Text,
    check_before_end,
    parse_duration,
    within_a_week,
)
from automations.domain.statuses import Decision
from automations.kit.clock import timestamp
from automations.kit.values import JSON
from automations.ports import FormRequest
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.email import Addresses, Line
from automations.steps.outcomes import Answer, Done, Fail, Outcome, WaitForSubmissions


class SendFormConfig(Model):
    """The form and its recipients."""

    form_id: Text = Field(min_length=1, description="The form.")
    recipients: Annotated[Addresses, Field(min_length=1)] = Field(
        description="Addresses; each gets a personal link by mail."
    )
    subject: Line = Field("Please fill in a form", description="Subject of the mail, one line.")
    message: Text = Field("", max_length=10_000, description="Text of the mail above the link.")
    prefill: OrTemplate[dict[str, JSON]] = Field(
        default_factory=dict,
        description="Initial values, by the fields' keys, or one template that produces them; "
        "other keys are refused, and so are values that the form's page could not show.",
    )
    wait_for_completion: bool = Field(
        False,
        strict=True,
        description="Pause until the form is filled in; its submissions are the output.",
    )
    wait_for: Literal["all", "any"] = Field(
        "all", description="Whether all recipients must answer, or the first answer is enough."
    )
    expires_in: Annotated[Duration, AfterValidator(within_a_week)] = Field(
        "P7D", description="How long the links work; 7 days at most."
    )
    remind_every: Reminder | None = Field(
        None,
        description="How often recipients who have not answered get their link again; PT1M at "
        "least, and shorter than expiresIn.",
    )

    @model_validator(mode="after")
    def _reminds_in_time(self) -> Self:
        check_before_end(self.remind_every, self.expires_in, "remindEvery")
        return self


class SendForm(StepType[SendFormConfig]):
    """Send a form to recipients by mail, and optionally wait for their answers."""

    type = "send_form"
    title = "Send a form"
    Config = SendFormConfig
    refers_to: ClassVar = {"form_id": Subject.FORM}
    example: ClassVar = {
        "formId": "<form id>",
        "recipients": "{{input.email}}",
        "message": "Dear {{input.name}}, please tell us more.",
    }
    keeps = True
    outputs: ClassVar = {
        "formId": "the form",
        "recipients": "the recipients",
        "submissions": "with `waitForCompletion`: each answer with recipient, submissionId, data",
        "missing": "with `waitForCompletion`: recipients who have not answered",
    }

    def waits(self, config: SendFormConfig) -> bool:
        return config.wait_for_completion

    def run(self, config: SendFormConfig, ctx: StepContext) -> Outcome:
        expires_in = parse_duration(config.expires_in)
        recipients = people.each_once(config.recipients)
        ctx.ports.forms.send(
            FormRequest(
                workspace_id=ctx.workspace_id,
                run_id=ctx.run_id,
                form_id=config.form_id,
                recipients=recipients,
                subject=config.subject,
                message=config.message,
                prefill=config.prefill if isinstance(config.prefill, dict) else {},
                wait_for=config.wait_for if config.wait_for_completion else None,
                expires_in=expires_in,
                remind_every=parse_duration(config.remind_every) if config.remind_every else None,
                key=ctx.idempotency_key,
            )
        )
        output = {"formId": config.form_id, "recipients": list(recipients)}
        if config.wait_for_completion:
            return WaitForSubmissions(output, expires_in)
        return Done(output)

    def resume(self, config: SendFormConfig, ctx: StepContext, answer: Answer) -> Outcome:
        answers = ctx.ports.forms.answers(ctx.idempotency_key)
        output: dict[str, JSON] = {
            **ctx.kept,
            "submissions": [
                {
                    "recipient": reply.recipient,
                    "submissionId": reply.submission_id,
                    "submittedAt": timestamp(reply.submitted_at) if reply.submitted_at else None,
                    "data": reply.data,
                }
                for reply in answers
                if reply.submission_id is not None
            ],
            "missing": [reply.recipient for reply in answers if reply.submission_id is None],
        }
        if answer.decision == Decision.EXPIRED:
            return Fail("The form was not filled in in time.", "expired", output=output)
        return Done(output)
