"""Wait for people to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from automations.domain import people
from automations.domain.fields import (
    AsWritten,
    Duration,
    Model,
    OrTemplate,
    Reminder,
    Text,
    Whole,
    as_list,
    check_before_end,
    is_rendered,
    is_template,
    parse_duration,
    within_a_week,
)
from automations.domain.forms.schema import FormSchema, check_whole
from automations.domain.statuses import Decision
from automations.kit.clock import timestamp
from automations.kit.values import JSON
from automations.steps.base import StepContext, StepType
from automations.steps.email import Addresses
from automations.steps.outcomes import (
    Answer,
    Branch,
    Done,
    Fail,
    Outcome,
    Question,
    WaitForDecision,
)

if TYPE_CHECKING:
    from automations.steps.base import Step


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else parse_duration(duration).total_seconds()


def _somebody(value: object, info: ValidationInfo) -> object:
    """Refuses a template that names nobody: the run would wait for an answer that cannot come."""
    if not is_rendered(info) or value == []:
        return value
    addresses = as_list(value, info)
    named = not isinstance(addresses, list) or any(
        address not in (None, "") for address in addresses
    )
    if not named:
        raise ValueError("names nobody: the template gives no address")
    return value


Deciders = Annotated[Addresses, BeforeValidator(_somebody)]


class ApprovalConfig(Model):
    """The question, the people who decide, and how."""

    approvers: Deciders = Field(
        default_factory=list,
        description="Addresses of the people who get a personal link to decide. They may also "
        "decide through the API or in Airflow, as the members with these addresses; "
        "only administrators may decide in their place. Without approvers, every "
        "MEMBER may decide. A template that produces none fails the step at once.",
    )
    message: Text = Field(
        max_length=10_000,
        description="The question. Airflow shows it as Markdown; the link's page and the mail "
        "show it as written.",
    )
    data: JSON = Field(None, description="The data to decide on, shown with the message.")
    form: Annotated[FormSchema | None, AsWritten()] = Field(
        None, description="A form to fill in when approving; its values become the data."
    )
    quorum: OrTemplate[Annotated[Whole, Field(ge=1, le=100)]] = Field(
        1,
        description="Number of approvals required, each from a different person; a single "
        "rejection always decides.",
    )
    allow_self_approval: bool = Field(
        True,
        strict=True,
        description="Whether the person who started the run, or sent the form or the row, may "
        "also decide on it; the same person is recognized by any key, session, link "
        "or Airflow user.",
    )
    remind_every: Reminder | None = Field(
        None,
        description="How often people who have not decided get their link again; PT1M at least, "
        "and shorter than expiresIn.",
    )
    escalate_to: Deciders = Field(
        default_factory=list,
        description="People who are asked in addition if nobody decided in time.",
    )
    escalate_after: Duration | None = Field(
        None,
        description="How long to wait before asking them; shorter than expiresIn.",
    )
    expires_in: Annotated[Duration, AfterValidator(within_a_week)] = Field(
        "P7D", description="Time to decide; 7 days at most."
    )
    on_reject: Annotated[Literal["fail", "continue"] | list[Step], AsWritten()] = Field(
        "fail", description="What happens after a rejection: fail, continue, or run these steps."
    )
    on_expire: Literal["fail", "continue"] = Field(
        "fail", description="What happens if nobody decided in time."
    )

    @field_validator("message")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must say what is asked")
        return value

    @field_validator("form")
    @classmethod
    def _nothing_is_twice(cls, value: FormSchema | None) -> FormSchema | None:
        for path, messages in (check_whole(value) if value is not None else {}).items():
            raise ValueError(f"{path}: {messages[0]}")
        return value

    @model_validator(mode="after")
    def _quorum_can_be_reached(self) -> Self:
        if bool(self.escalate_to) != (self.escalate_after is not None):
            raise ValueError("escalateTo and escalateAfter go together")
        addresses = [*self.approvers, *self.escalate_to]
        are_literal = not any(is_template(address) for address in addresses)
        mailboxes = {people.mailbox(address) for address in addresses}
        if are_literal and isinstance(self.quorum, int) and self.quorum > max(len(mailboxes), 1):
            raise ValueError("quorum is more than there are approvers")
        return self

    @model_validator(mode="after")
    def _all_comes_in_time(self) -> Self:
        check_before_end(self.remind_every, self.expires_in, "remindEvery")
        check_before_end(self.escalate_after, self.expires_in, "escalateAfter")
        return self


class Approval(StepType[ApprovalConfig]):
    """Pause until people decide, through their link, the API or Airflow's Required Actions."""

    type = "approval"
    title = "Ask for approval"
    Config = ApprovalConfig
    example: ClassVar = {"message": "May {{input.name}} spend {{input.amount}} euros?"}
    outputs: ClassVar = {
        "decision": "`approved`, `rejected` or `expired`",
        "decidedBy": "who decided: an address, a key's name, `airflow:<user>`",
        "decidedAt": "when",
        "override": "whether an administrator decided in place of the people who were asked",
        "data": "the data given with the decision, such as the form's values",
        "reason": "the reason in the person's own words; null if none was given",
    }
    arms = ("onReject",)
    pauses = True

    def run(self, config: ApprovalConfig, ctx: StepContext) -> Outcome:
        form: dict[str, Any] | None = None
        if config.form is not None:
            form = config.form.model_dump(mode="json", by_alias=True, exclude_none=True)
        workflow = ctx.render("{{workflow.name}}", missing_ok=True)
        named = f"{ctx.step_name} – {workflow}" if workflow else ctx.step_name
        question = Question(
            # A name may have line breaks, the subject of a mail may not.
            subject=f"Approval needed: {' '.join(named.splitlines())}",
            body=config.message,
            data=config.data,
            form=form,
            approvers=tuple(config.approvers),
            quorum=int(config.quorum),
            allow_self_approval=config.allow_self_approval,
            remind_seconds=_seconds(config.remind_every),
            escalate_to=tuple(config.escalate_to),
            escalate_seconds=_seconds(config.escalate_after),
        )
        return WaitForDecision(question, parse_duration(config.expires_in))

    def resume(self, config: ApprovalConfig, ctx: StepContext, answer: Answer) -> Outcome:
        output = self.overridden(answer)
        if answer.decision == Decision.APPROVED:
            return Done(output)
        if answer.decision == Decision.EXPIRED:
            if config.on_expire == "continue":
                return Done(output)
            return Fail("Nobody decided in time.", "expired", output=output)
        if config.on_reject == "continue":
            return Done(output)
        if config.on_reject == "fail":
            return Fail(f"Rejected by {answer.by}.", "rejected", output=output)
        return Branch(output, "onReject")

    def overridden(self, answer: Answer) -> dict[str, JSON]:
        return {
            "decision": answer.decision,
            "decidedBy": answer.by,
            "decidedAt": timestamp(answer.at),
            "override": answer.override,
            "data": answer.data,
            "reason": answer.reason,
        }
