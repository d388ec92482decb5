"""Maps a step's wait to its row in our database, and that row to a verdict for the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from automations.db.session import Session
from automations.db.tables import RunStep, Wait
from automations.db.waits import waits
from automations.domain.statuses import WaitKind
from automations.execution.verdicts import AskPeople, Sleep
from automations.kit.values import JSON
from automations.services.waits import answers
from automations.steps.outcomes import (
    Question,
    WaitForCallback,
    WaitForDecision,
    WaitForRun,
    WaitForSubmissions,
    WaitToRetry,
    WaitUntil,
)
from automations.steps.outcomes import Wait as Awaited

_NO_DEADLINE = timedelta(days=365 * 10)
"""Every pause has a due time; this is for one that only another run ends, however late."""

_WAITS_FOR = {
    WaitKind.CALLBACK: (
        "Waiting for a callback",
        "Goes on when its URL is called; or go on without.",
    ),
    WaitKind.FORM: ("Waiting for a form", "Goes on when the form is filled in; or go on without."),
}


@dataclass(frozen=True, slots=True)
class Pause:
    """How a wait is stored.

    Args:
        question: what people are asked; of a wait for a run, which run.
        kept: the step's output so far.
    """

    kind: WaitKind
    due_at: datetime
    question: Mapping[str, JSON] | None = None
    approvers: tuple[str, ...] = ()
    kept: Mapping[str, JSON] = field(default_factory=dict)


def pause_of(awaited: Awaited, now: datetime) -> Pause:
    """The pause to store for what a step waits for."""
    match awaited:
        case WaitUntil(when):
            return Pause(WaitKind.DELAY, when)
        case WaitToRetry(when):
            return Pause(WaitKind.RETRY, when)
        case WaitForDecision(question, expires_in):
            return Pause(WaitKind.DECISION, now + expires_in, asdict(question), question.approvers)
        case WaitForCallback(output, expires_in):
            return Pause(WaitKind.CALLBACK, now + expires_in, kept=output)
        case WaitForSubmissions(output, expires_in):
            return Pause(WaitKind.FORM, now + expires_in, kept=output)
        case WaitForRun(child, dag_id):
            about = {"runId": child} if dag_id is None else {"runId": child, "dagId": dag_id}
            return Pause(WaitKind.CHILD, now + _NO_DEADLINE, question=about, kept=about)
        case _:
            assert_never(awaited)


def verdict_of(wait: Wait) -> AskPeople | Sleep:
    """The verdict that tells the host of an open pause."""
    if waits.in_loop(wait):
        return Sleep(wait.id, wait.due_at)
    question: Question
    match wait.kind:
        case WaitKind.DECISION:
            question = Question.of(wait.question or {})
        case WaitKind.CALLBACK | WaitKind.FORM:
            question = Question(*_WAITS_FOR[wait.kind])
        case WaitKind.DELAY | WaitKind.CHILD | WaitKind.RETRY | WaitKind.SLOT:
            return Sleep(wait.id, wait.due_at)
        case _:
            assert_never(wait.kind)
    return AskPeople(wait.id, question, answers.options(wait), wait.due_at)


def wait_for_slot(session: Session, row: RunStep, now: datetime) -> Wait:
    """Open the pause of a run that Airflow began before a slot was free."""
    return waits.open_wait(
        session,
        waits.NewWait(
            run_id=row.run_id,
            node_id=row.node_id,
            generation=row.generation,
            kind=WaitKind.SLOT,
            due_at=now + _NO_DEADLINE,
        ),
    )
