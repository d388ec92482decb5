"""The open decisions, as a list for those who may decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from automations.db.session import Session, reading
from automations.db.tables import Approver, Run, Wait
from automations.db.waits import waits
from automations.domain.people import identity_of, mailbox
from automations.domain.principals import Principal
from automations.domain.statuses import Decision
from automations.kit import common_clock
from automations.kit.values import JSON
from automations.services.access import people
from automations.steps.outcomes import Question

MAX_LISTED = 200
"""Decisions that a page shows: the oldest of them come first."""


@dataclass(frozen=True, slots=True)
class OpenDecision:
    """A decision that is open.

    Args:
        approvals: how many of those who were asked have approved.
        mine: whether the reader was asked.
        may: whether the reader may decide now.
    """

    run_id: str
    workflow_id: str
    workflow_name: str
    step_id: str
    subject: str
    body: str
    data: JSON
    form: Mapping[str, JSON] | None
    approvers: Sequence[str]
    approvals: int
    quorum: int
    started_by: str | None
    asked_at: datetime
    due_at: datetime
    mine: bool
    may: bool


def list_open(by: Principal, run_id: str | None = None) -> Sequence[OpenDecision]:
    """The decisions that are open, those that the reader was asked for before the others.

    Args:
        run_id: only that of one run.
    """
    with reading() as session:
        person = people.identities(session, by.workspace_id, [identity_of(by)])
        rows = waits.open_decisions(session, by.workspace_id, run_id, MAX_LISTED)
        approvers = waits.approvers_of(session, [wait.id for wait, _, _ in rows])
        decisions = [
            _to_open_decision(session, by, person, approvers[wait.id], wait, run, name)
            for wait, run, name in rows
        ]
    return sorted(
        decisions, key=lambda decision: (not decision.mine, not decision.may, decision.asked_at)
    )


def count(workspace_id: str) -> int:
    """How many decisions are open."""
    with reading() as session:
        return waits.count_open_decisions(session, workspace_id, common_clock.now())


def _to_open_decision(
    session: Session,
    by: Principal,
    person: Set[str],
    approvers: Sequence[Approver],
    wait: Wait,
    run: Run,
    name: str,
) -> OpenDecision:
    question = Question.of(wait.question or {})
    own = [approver for approver in approvers if mailbox(approver.address) in person]
    barred = not question.allow_self_approval and not person.isdisjoint(
        people.identities(session, by.workspace_id, run.starters)
    )
    waits_for_them = any(approver.used_at is None for approver in own)
    asked_for = waits_for_them if own else not approvers or by.administers
    may = by.may("MEMBER") and asked_for and not barred
    return OpenDecision(
        run_id=run.id,
        workflow_id=run.workflow_id,
        workflow_name=name,
        step_id=wait.node_id,
        subject=question.subject,
        body=question.body,
        data=question.data,
        form=question.form,
        approvers=[approver.address for approver in approvers],
        approvals=sum(approver.decision == Decision.APPROVED for approver in approvers),
        quorum=question.quorum,
        started_by=run.started_by,
        asked_at=wait.created_at,
        due_at=wait.due_at,
        mine=bool(own) and may,
        may=may,
    )
