"""Answers pauses, from the resume endpoint and from the page of an approver's link.

The pause's row decides: whoever changes it from OPEN is first, and everybody else gets a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db.runs import runs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Approver, Run, Wait
from automations.db.waits import callbacks, waits
from automations.domain import people
from automations.domain.forms.uploads import Upload
from automations.domain.principals import Principal
from automations.domain.runs import RunSummary
from automations.domain.statuses import DECISIONS, UNFINISHED, Decision
from automations.errors import Conflict, Gone, NotFound, ValidationFailed
from automations.kit import common_clock
from automations.kit.storable import faults
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.forms import uploads
from automations.services.waits import answers
from automations.services.waits.answers import (
    Accepted,
    Closed,
    SubmittedAnswer,
)
from automations.services.workflows.definitions import load
from automations.steps.outcomes import Question
from automations.tokens import hash_token


@dataclass(frozen=True, slots=True)
class CallbackView:
    """What the page of an approver's link shows."""

    subject: str
    body: str
    data: JSON
    form: Mapping[str, Any] | None
    options: tuple[str, ...]
    approver: str
    expires_at: datetime
    workflow_name: str
    run_id: str
    decision: Decision | None
    decided_at: datetime | None


def resume(
    by: Principal,
    run_id: str,
    *,
    decision: str | None,
    data: JSON,
    sent: Sequence[Upload] | None = None,
    reason: str | None = None,
) -> RunSummary:
    """End a run's pause, or cast one of the votes that it needs.

    Args:
        sent: the files that came with it from a page; None for an answer from elsewhere.
        reason: the reason for the decision.

    Raises:
        NotFound: there is no such run in the workspace.
        Conflict: the run waits for nothing, or somebody was first.
        NotAllowed: others were asked.
        ValidationFailed: the decision or its data does not fit the pause.
    """
    with unit_of_work() as session:
        run = runs.lock_run(session, run_id)
        if run is None or run.workspace_id != by.workspace_id:
            raise NotFound(f"There is no run {run_id}.")
        wait = waits.open_wait_of(session, run_id)
        if wait is None:
            raise Conflict(f"The run is {run.status} and waits for nothing.")
        now = common_clock.now()
        answer = SubmittedAnswer(
            decision,
            data,
            by.name,
            people.identity_of(by),
            now,
            administers=by.administers,
            sent=sent,
            reason=reason,
        )
        accepted = answers.take(session, run, wait, answer)
        uploads.keep(session, run.workspace_id, sent or (), run_id=run.id)
        audit.record(
            session,
            "run.resume" if accepted.ends else "run.decide",
            run,
            stepId=wait.node_id,
            **accepted.details,
        )
        _settle(session, wait, accepted, by.name)
        session.refresh(run)
        return from_attributes(RunSummary, run)


def view(token: str) -> CallbackView:
    """What an approver's link asks, without changing anything.

    Raises:
        NotFound: the token is unknown.
        Gone: it was used, has expired, or its run no longer waits; the message says which.
    """
    with unit_of_work() as session:
        approver, wait, run = _of_token(session, token)
        return _view(session, approver, wait, run)


def decide(
    token: str,
    *,
    decision: str,
    data: JSON,
    sent: Sequence[Upload] = (),
    reason: str | None = None,
) -> CallbackView:
    """Answer by an approver's link, once.

    Args:
        sent: the files that came with it.
        reason: the reason for the decision.

    Raises:
        NotFound, Gone: as in ``view``.
        ValidationFailed: the decision or its data does not fit what was asked.
    """
    with unit_of_work() as session:
        approver, wait, run = _of_token(session, token)
        address, now = approver.address, common_clock.now()
        identity = people.mailbox(address)
        answer = SubmittedAnswer(decision, data, address, identity, now, sent=sent, reason=reason)
        accepted = answers.take(session, run, wait, answer)
        uploads.keep(session, run.workspace_id, sent, run_id=run.id)
        audit.record(
            session,
            "run.decide",
            run,
            by=audit.Actor("recipient", address, approver.id),
            stepId=wait.node_id,
            **accepted.details,
        )
        _settle(session, wait, accepted, address)
        return _view(session, approver, wait, run)


def receive(token: str, data: JSON) -> str:
    """Take what was sent to a callback URL, once; returns the run's id.

    Raises:
        NotFound: the token is unknown.
        Gone: it was called before, or its run no longer waits.
        ValidationFailed: what was sent cannot be stored.
    """
    if problems := faults(data, "body"):
        raise ValidationFailed(problems)
    with unit_of_work() as session:
        callback = callbacks.find(session, hash_token(token))
        if callback is None:
            raise NotFound("This link is unknown. Please check that it is complete.")
        run = runs.lock_run(session, callback.run_id)
        if run is not None:
            audit.identify(run.workspace_id)
        if run is None or run.status not in UNFINISHED:
            raise Gone("The run no longer waits for this callback.")
        if not callbacks.receive(session, callback, data):
            raise Gone("This callback was called already.")
        audit.record(session, "run.callback", run)
        wait = waits.open_wait_of(session, run.id)
        # If it is called before its step waits, the step finds that when it begins to wait.
        if wait is not None and wait.key == callback.key:
            waits.answer(session, wait, waits.Ending(Decision.RESUMED, "callback", data))
        return run.id


def is_callback(token: str) -> bool:
    """Whether a token belongs to a callback URL that a step has handed out."""
    with unit_of_work() as session:
        return callbacks.find(session, hash_token(token)) is not None


def _settle(session: Session, wait: Wait, answer: Accepted, by: str) -> None:
    ended = not answer.ends or waits.answer(
        session,
        wait,
        waits.Ending(answer.decision, by, answer.data, answer.override, answer.reason),
    )
    if not ended:
        raise Conflict("Somebody else has answered already.")


def _of_token(session: Session, token: str) -> tuple[Approver, Wait, Run]:
    match = waits.find_token(session, hash_token(token))
    if match is None:
        raise NotFound("This link is unknown. Please check that it is complete.")
    run_id, wait_id, approver_id = match
    # Locked in this order everywhere: run, wait, approver.
    run = runs.lock_run(session, run_id)
    wait = waits.lock_wait(session, wait_id)
    approver = session.get(Approver, approver_id, with_for_update=True, populate_existing=True)
    if run is None or wait is None or approver is None:
        raise NotFound("This link is unknown. Please check that it is complete.")
    audit.identify(run.workspace_id)
    if approver.used_at is not None:
        raise Gone(f"This link was used already: {approver.decision}.")
    match answers.closed_reason(run, wait, common_clock.now()):
        case Closed.ANSWERED:
            raise Gone(f"This was decided already: {wait.decision}.")
        case Closed.CANCELLED:
            raise Gone("The run no longer waits for this decision.")
        case Closed.EXPIRED:
            raise Gone("This link has expired.")
    return approver, wait, run


def _view(session: Session, approver: Approver, wait: Wait, run: Run) -> CallbackView:
    question = Question.of(wait.question or {})
    return CallbackView(
        subject=question.subject,
        body=question.body,
        data=question.data,
        form=question.form,
        options=DECISIONS,
        approver=approver.address,
        expires_at=wait.due_at,
        workflow_name=load(session, run.workflow_id, run.version).definition.name,
        run_id=run.id,
        decision=approver.decision,
        decided_at=approver.used_at,
    )
