"""Answers to pauses: the possible ones, and the check whether one may end a pause.

An answer comes in one of three ways: the API's resume, the page of an approver's link, or Airflow's
Required Actions. Each reports errors in its own form; the check is here for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from automations.db.session import Session
from automations.db.tables import Run, Wait
from automations.db.waits import waits
from automations.domain.forms import data_checks, schema
from automations.domain.forms.uploads import Upload
from automations.domain.people import IN_AIRFLOW, mailbox
from automations.domain.statuses import DECISIONS, UNFINISHED, Decision, WaitKind, WaitStatus
from automations.errors import Conflict, NotAllowed, ValidationFailed
from automations.kit.storable import faults
from automations.kit.values import JSON
from automations.services.access import people
from automations.services.forms import uploads
from automations.steps.outcomes import Question

UNKNOWN_IN_AIRFLOW = f"{IN_AIRFLOW}unknown"
"""Stands for whoever decided in Airflow, until that is known."""

ANSWERED_BY = "automations_answered_by"
"""Key in an answer that is passed on to Airflow: who gave it."""
REASON = "automations_reason"
"""The input for an answer's reason in Airflow; the one name that a form's field cannot have."""
MAX_REASON = 5_000

# The options that Airflow shows and answers with. Parked tasks keep the options that they offered
# across upgrades, so a label may be added here, but none may be changed.
_LABELS = {
    Decision.APPROVED: "Approve",
    Decision.REJECTED: "Reject",
    Decision.RESUMED: "Continue",
}

_TAKES_NO_ANSWER = {
    WaitKind.SLOT: "The run waits for its turn and begins when another one has ended.",
    WaitKind.CHILD: "The run waits for another run and goes on when that has ended.",
    WaitKind.RETRY: "The run tries a step again by itself.",
}


_GOES_ON = (None, Decision.APPROVED, Decision.RESUMED)
"""The answers that let a run go on if its pause is not for a decision."""


class Closed(Enum):
    """Why a pause accepts no answer any more."""

    ANSWERED = auto()
    CANCELLED = auto()
    EXPIRED = auto()


@dataclass(frozen=True, slots=True)
class SubmittedAnswer:
    """An answer as somebody gives it.

    Args:
        decision: None if it only lets the run go on.
        by: who, for people to read: an address, a key's name, ``airflow:<user>``.
        who: their identity.
        administers: whether they may decide in place of those who were asked.
        sent: the files that came with it from a page; None for an answer from elsewhere.
        reason: why, in their own words.
    """

    decision: str | None
    data: JSON
    by: str
    who: str
    at: datetime
    administers: bool = False
    sent: Sequence[Upload] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An answer as it is to be stored.

    Args:
        ends: whether it ends the pause; if not, more of those who were asked must agree.
        override: whether it was given in place of those who were asked.
    """

    decision: Decision
    data: JSON
    ends: bool = True
    override: bool = False
    reason: str | None = None

    @property
    def details(self) -> dict[str, Any]:
        """Its details for the audit log."""
        details: dict[str, Any] = {"decision": self.decision}
        if self.reason is not None:
            details["reason"] = self.reason
        return {**details, "override": True} if self.override else details


def options(wait: Wait) -> tuple[str, ...]:
    """The options that Airflow offers for a pause, the affirmative one first."""
    decisions = DECISIONS if wait.kind == WaitKind.DECISION else (Decision.RESUMED,)
    return tuple(_LABELS[decision] for decision in decisions)


def option_of(decision: Decision | None) -> str:
    """The option to choose in Airflow for an answer that came another way."""
    return _LABELS.get(decision or Decision.RESUMED, _LABELS[Decision.RESUMED])


def decision_of(option: str) -> Decision:
    """The decision that an option in Airflow stands for."""
    return {label: decision for decision, label in _LABELS.items()}[option]


def closed_reason(run: Run, wait: Wait, at: datetime) -> Closed | None:
    """Why a pause accepts no answer given at this time; None if it does."""
    if wait.status == WaitStatus.ANSWERED:
        return Closed.ANSWERED
    if wait.status == WaitStatus.CANCELLED or run.status not in UNFINISHED:
        return Closed.CANCELLED
    return Closed.EXPIRED if wait.due_at <= at else None


def take(session: Session, run: Run, wait: Wait, answer: SubmittedAnswer) -> Accepted:
    """Check an answer, and store it as a vote; ``waits.settle`` later decides which one was first.

    Raises:
        Conflict: the pause accepts no answer, or none any more, or they have voted before.
        NotAllowed: others were asked.
        ValidationFailed: the decision or its data does not fit what was asked.
    """
    _check_open(run, wait, answer)
    if wait.kind != WaitKind.DECISION:
        return _going_on(wait, answer)
    if answer.decision not in DECISIONS:
        raise ValidationFailed({"decision": ["must be approved or rejected"]})
    question = Question.of(wait.question or {})
    decision = Decision(answer.decision)
    approvers = waits.approvers(session, wait.id)
    person = people.identities(session, run.workspace_id, [answer.who])
    if not question.allow_self_approval and _has_started(session, run, person):
        raise NotAllowed(
            "Whoever started the run may not decide on it. "
            "A key that belongs to no member counts as whoever has made it."
        )
    voter = next((approver for approver in approvers if mailbox(approver.address) in person), None)
    if approvers and voter is None and not answer.administers:
        raise NotAllowed(
            "Others are asked to decide; in their place only an administrator of the workspace may."
        )
    data = _fitting(session, run, question, answer) if question.form else answer.data
    if voter is None:
        return Accepted(decision, data, override=bool(approvers), reason=answer.reason)
    if not waits.vote(session, voter, decision, answer.at, answer.reason):
        raise Conflict(f"{voter.address} has decided before: {voter.decision}.")
    approvals = sum(approver.decision == Decision.APPROVED for approver in approvers)
    ends = decision == Decision.REJECTED or approvals >= question.quorum
    return Accepted(decision, data, ends, reason=answer.reason)


def _going_on(wait: Wait, answer: SubmittedAnswer) -> Accepted:
    """The answer to a pause that is not for a decision."""
    if answer.decision == Decision.REJECTED:
        raise ValidationFailed({"decision": [f"a {wait.kind} cannot be rejected"]})
    if answer.decision not in _GOES_ON:
        raise ValidationFailed({"decision": ["must be absent, or approved"]})
    return Accepted(Decision.RESUMED, answer.data, reason=answer.reason)


def _check_open(run: Run, wait: Wait, answer: SubmittedAnswer) -> None:
    if problems := faults(answer.data, "data") | faults(answer.reason, "reason"):
        raise ValidationFailed(problems)
    if answer.reason is not None and len(answer.reason) > MAX_REASON:
        raise ValidationFailed({"reason": [f"may have {MAX_REASON} characters at most"]})
    match closed_reason(run, wait, answer.at):
        case Closed.EXPIRED:
            raise Conflict("What the run waited for has expired.")
        case Closed.ANSWERED | Closed.CANCELLED:
            raise Conflict("The run no longer waits for this.")
        case None:
            pass
    if wait.kind in _TAKES_NO_ANSWER:
        raise Conflict(_TAKES_NO_ANSWER[wait.kind])


def _has_started(session: Session, run: Run, person: Set[str]) -> bool:
    return not person.isdisjoint(people.identities(session, run.workspace_id, run.starters))


def _fitting(session: Session, run: Run, question: Question, answer: SubmittedAnswer) -> JSON:
    """The data of an answer, checked against the question's form, with its files looked up."""
    approved = answer.decision == Decision.APPROVED
    if not isinstance(answer.data or {}, dict):
        if approved:
            raise ValidationFailed({"data": ["must be an object"]})
        return answer.data
    form = schema.FormSchema.model_validate(question.form)
    data = answer.data if isinstance(answer.data, dict) else {}
    settled, errors = uploads.resolve(session, run.workspace_id, form, data, answer.sent)
    if approved:
        # With a rejection the form need not be complete.
        errors = data_checks.check(form, data) | errors
    if errors:
        raise ValidationFailed({f"data.{key}": value for key, value in errors.items()})
    return settled or answer.data
