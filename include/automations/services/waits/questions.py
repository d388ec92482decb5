"""The current state of a question, for Airflow's Required Actions page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from automations.db.session import Session, reading
from automations.db.tables import Run, Wait
from automations.db.waits import waits
from automations.domain import people
from automations.domain.statuses import Decision, WaitKind
from automations.services.access.people import administer, identities
from automations.settings import get_settings
from automations.steps.outcomes import Question


@dataclass(frozen=True, slots=True)
class QuestionState:
    """How far a question has come.

    Args:
        asked: the addresses of those who were asked so far.
        approvals: how many of them have approved.
        refused: who gave the last answer and why it was not taken, if it was not.
        entitled: the users of Airflow's whose answers are taken; none when all who may answer
            there cannot be told from others.
    """

    asked: tuple[str, ...] = ()
    approvals: int = 0
    refused: str | None = None
    entitled: tuple[str, ...] = ()

    @property
    def has_moved(self) -> bool:
        """Whether it is not as it was when it was asked first."""
        return bool(self.refused or self.approvals)


def state(wait_id: str, users: Iterable[str]) -> QuestionState:
    """How a question stands now.

    Args:
        users: all users that Airflow has, where they are known.
    """
    with reading() as session:
        wait = session.get_one(Wait, wait_id)
        approvers = waits.approvers(session, wait.id)
        stored = wait.question or {}
        return QuestionState(
            asked=tuple(approver.address for approver in approvers),
            approvals=sum(approver.decision == Decision.APPROVED for approver in approvers),
            refused=stored.get(waits.REFUSED),
            entitled=_entitled_users(session, wait, Question.of(stored), users),
        )


def _entitled_users(
    session: Session, wait: Wait, question: Question, users: Iterable[str]
) -> tuple[str, ...]:
    """Those who were asked, or will be, and who may decide in their place."""
    addresses = (*question.approvers, *question.escalate_to)
    if wait.kind != WaitKind.DECISION or not addresses:
        return ()
    mailboxes = {people.mailbox(address) for address in addresses}
    workspace_id = session.get_one(Run, wait.run_id).workspace_id
    admins = get_settings().airflow_admins
    entitled, is_asked = [], False
    for user in users:
        identity = [people.airflow_user(user)]
        is_one = not mailboxes.isdisjoint(identities(session, workspace_id, identity))
        is_asked |= is_one
        if is_one or user in admins or administer(session, workspace_id, identity):
            entitled.append(user)
    # Where none of those who were asked is a user there, nobody is to be shown as asked.
    return tuple(entitled) if is_asked else ()
