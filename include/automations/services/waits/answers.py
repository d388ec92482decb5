"""Answers to pauses: which there are, and whether one may end a pause.

An answer comes by one of three doors: the API's resume, the page of an approver's link, and
Airflow's Required Actions. Each tells in its own way what is wrong; what is wrong is found here.
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
from automations.domain.forms import schema
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
"""Who has decided there, until it is known."""

ANSWERED_BY = "automations_answered_by"
"""Beside an answer that is passed on to Airflow: whose it is."""
REASON = "automations_reason"
"""Among the inputs of an answer in Airflow: why; a form's fields may be called anything else."""
MAX_REASON = 5_000

# What Airflow offers and answers with. Tasks stay parked across upgrades with what they have
# offered, so that a label may be added here, but none may be changed.
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
"""What lets a run go on that waits for no decision."""


class Closed(Enum):
    """Why a pause takes no answer any more."""

    ANSWERED = auto()
    CANCELLED = auto()
    EXPIRED = auto()


@dataclass(frozen=True, slots=True)
class SubmittedAnswer:
    """An answer as somebody gives it.

    Args:
        decision: None for whoever only lets the run go on.
        by: for people: an address, a key's name, ``airflow:<user>``.
        who: the identity of the same.
        administers: whether they may decide in the place of those who were asked.
        sent: the files that came with it from a page; None for what came without one.
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
        ends: whether it ends the pause, or more of those who were asked must agree.
        override: whether it was given in the place of those who were asked.
    """

    decision: Decision
    data: JSON
    ends: bool = True
    override: bool = False
    reason: str | None = None

    @property
    def details(self) -> dict[str, Any]:
        """What of it is in the audit log."""
        said: dict[str, Any] = {"decision": self.decision}
        if self.reason is not None:
            said["reason"] = self.reason
        return {**said, "override": True} if self.override else said


def options(wait: Wait) -> tuple[str, ...]:
    """What Airflow offers for a pause, the affirmative answer first."""
    decisions = DECISIONS if wait.kind == WaitKind.DECISION else (Decision.RESUMED,)
    return tuple(_LABELS[decision] for decision in decisions)


def option_of(decision: Decision | None) -> str:
    """What is chosen in Airflow for an answer that came by another door."""
    return _LABELS.get(decision or Decision.RESUMED, _LABELS[Decision.RESUMED])


def decision_of(option: str) -> Decision:
    """What somebody has decided who has chosen an option in Airflow."""
    return {label: decision for decision, label in _LABELS.items()}[option]


def closed(run: Run, wait: Wait, at: datetime) -> Closed | None:
    """Why a pause takes no answer of this moment; None when it does."""
    if wait.status == WaitStatus.ANSWERED:
        return Closed.ANSWERED
    if wait.status == WaitStatus.CANCELLED or run.status not in UNFINISHED:
        return Closed.CANCELLED
    return Closed.EXPIRED if wait.due_at <= at else None


def take(session: Session, run: Run, wait: Wait, given: SubmittedAnswer) -> Accepted:
    """Check an answer, and note the vote that it is; that it is the first is seen when it ends.

    Raises:
        Conflict: the pause takes no answer, or none any more, or they have voted before.
        NotAllowed: others are asked.
        ValidationFailed: the decision or its data does not fit what was asked.
    """
    _check_open(run, wait, given)
    if wait.kind != WaitKind.DECISION:
        return _going_on(wait, given)
    if given.decision not in DECISIONS:
        raise ValidationFailed({"decision": ["must be approved or rejected"]})
    question = Question.of(wait.question or {})
    decision = Decision(given.decision)
    asked = waits.approvers(session, wait.id)
    person = people.identities(session, run.workspace_id, [given.who])
    if not question.allow_self_approval and _has_started(session, run, person):
        raise NotAllowed(
            "Whoever started the run may not decide on it. "
            "A key that belongs to no member counts as whoever has made it."
        )
    voter = next((one for one in asked if mailbox(one.address) in person), None)
    if asked and voter is None and not given.administers:
        raise NotAllowed(
            "Others are asked to decide; in their place only an administrator of the workspace may."
        )
    data = _fitting(session, run, question, given) if question.form else given.data
    if voter is None:
        return Accepted(decision, data, override=bool(asked), reason=given.reason)
    if not waits.vote(session, voter, decision, given.at, given.reason):
        raise Conflict(f"{voter.address} has decided before: {voter.decision}.")
    approvals = sum(one.decision == Decision.APPROVED for one in asked)
    ends = decision == Decision.REJECTED or approvals >= question.quorum
    return Accepted(decision, data, ends, reason=given.reason)


def _going_on(wait: Wait, given: SubmittedAnswer) -> Accepted:
    """The answer to a pause in which nothing is decided."""
    if given.decision == Decision.REJECTED:
        raise ValidationFailed({"decision": [f"a {wait.kind} cannot be rejected"]})
    if given.decision not in _GOES_ON:
        raise ValidationFailed({"decision": ["must be absent, or approved"]})
    return Accepted(Decision.RESUMED, given.data, reason=given.reason)


def _check_open(run: Run, wait: Wait, given: SubmittedAnswer) -> None:
    if wrong := faults(given.data, "data") | faults(given.reason, "reason"):
        raise ValidationFailed(wrong)
    if given.reason is not None and len(given.reason) > MAX_REASON:
        raise ValidationFailed({"reason": [f"may have {MAX_REASON} characters at most"]})
    match closed(run, wait, given.at):
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


def _fitting(session: Session, run: Run, question: Question, given: SubmittedAnswer) -> JSON:
    """The data with its files as we know them, when it fits the form."""
    approved = given.decision == Decision.APPROVED
    if not isinstance(given.data or {}, dict):
        if approved:
            raise ValidationFailed({"data": ["must be an object"]})
        return given.data
    form = schema.FormSchema.model_validate(question.form)
    data = given.data if isinstance(given.data, dict) else {}
    settled, errors = uploads.settled(session, run.workspace_id, form, data, given.sent)
    if approved:
        # What is rejected need not be filled in.
        errors = schema.check(form, data) | errors
    if errors:
        raise ValidationFailed({f"data.{key}": value for key, value in errors.items()})
    return settled or given.data
