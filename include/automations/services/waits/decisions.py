"""Answers to pauses, from the resume endpoint and from the callback page.

The pause's row decides: whoever sets it from OPEN is first, everybody after gets a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from automations.db import callbacks, runs, waits
from automations.db.session import Session, unit_of_work
from automations.db.tables import Approver, Run, Wait
from automations.domain.forms import schema
from automations.domain.forms.uploads import Upload
from automations.errors import Conflict, Gone, NotAllowed, NotFound, ValidationFailed
from automations.kit.values import JSON
from automations.services.audit import audit
from automations.services.forms import uploads
from automations.services.waits.self_approval import forbids_self_approval
from automations.services.workflows.loaded import load
from automations.tokens import hash_token

DECISIONS = ("approved", "rejected")


@dataclass(frozen=True, slots=True)
class CallbackView:
    """What the page of a callback token shows."""

    subject: str
    body: str
    data: JSON
    form: Mapping[str, Any] | None
    options: tuple[str, ...]
    approver: str
    expires_at: datetime
    workflow_name: str
    run_id: str
    decision: str | None
    decided_at: datetime | None


def resume(
    run_id: str,
    workspace_id: str,
    *,
    decision: str | None,
    data: JSON,
    by: str,
) -> Run:
    """End the pause that a run is in.

    Raises:
        NotFound: there is no such run in the workspace.
        Conflict: the run waits for nothing, or somebody was first.
        ValidationFailed: the decision or its data does not fit the pause.
    """
    with unit_of_work() as session:
        run = runs.lock_run(session, run_id)
        if run is None or run.workspace_id != workspace_id:
            raise NotFound(f"There is no run {run_id}.")
        wait = waits.open_wait_of(session, run_id)
        if wait is None:
            raise Conflict(f"The run is {run.status} and waits for nothing.")
        if wait.due_at <= datetime.now(UTC):
            raise Conflict("What the run waited for has expired.")
        if wait.kind == waits.SLOT:
            raise Conflict("The run waits for its turn and begins when another one has ended.")
        if wait.kind == "child":
            raise Conflict("The run waits for another run and goes on when that has ended.")
        if wait.kind == "retry":
            raise Conflict("The run tries a step again by itself.")
        checked, data = _check(session, run, wait, decision, data)
        _refuse_starter(run, wait, by)
        _settle(session, wait, checked, by, data)
        audit.record(session, "run.resume", run, stepId=wait.node_id, decision=checked)
        session.refresh(run)
        return run


def view(token: str) -> CallbackView:
    """What a callback token asks, changing nothing.

    Raises:
        NotFound: the token is unknown.
        Gone: it was used, has expired, or its run no longer waits; the message says which.
    """
    with unit_of_work() as session:
        approver, wait, run = _of_token(session, token)
        return _view(session, approver, wait, run)


def decide(token: str, *, decision: str, data: JSON, sent: Sequence[Upload] = ()) -> CallbackView:
    """Answer by a callback token, once.

    Args:
        sent: the files that came with it.

    Raises:
        NotFound, Gone: as in ``view``.
        ValidationFailed: the decision or its data does not fit what was asked.
    """
    with unit_of_work() as session:
        approver, wait, run = _of_token(session, token)
        checked, data = _check(session, run, wait, decision, data, sent)
        _refuse_starter(run, wait, approver.address)
        uploads.keep(session, run.workspace_id, sent, run_id=run.id)
        approver.used_at, approver.decision = datetime.now(UTC), checked
        session.flush()
        audit.record(
            session,
            "run.decide",
            run,
            by=audit.Actor("recipient", approver.address, approver.id),
            stepId=wait.node_id,
            decision=checked,
        )
        asked = waits.approvers(session, wait.id)
        approvals = sum(person.decision == "approved" for person in asked)
        if checked == "rejected" or approvals >= int((wait.question or {}).get("quorum", 1)):
            _settle(session, wait, checked, approver.address, data)
        return _view(session, approver, wait, run)


def receive(token: str, data: JSON) -> str:
    """Take what was sent to a callback URL, once; returns the run's id.

    Raises:
        NotFound: the token is unknown.
        Gone: it was called before, or its run no longer waits.
    """
    with unit_of_work() as session:
        callback = callbacks.find(session, hash_token(token))
        if callback is None:
            raise NotFound("This link is unknown. Please check that it is complete.")
        run = runs.lock_run(session, callback.run_id)
        if run is not None:
            audit.identify(run.workspace_id)
        if run is None or run.status not in runs.UNFINISHED:
            raise Gone("The run no longer waits for this callback.")
        if not callbacks.receive(session, callback, data):
            raise Gone("This callback was called already.")
        audit.record(session, "run.callback", run)
        wait = waits.open_wait_of(session, run.id)
        # Called before its step waits, it is found when that begins.
        if wait is not None and wait.key == callback.key:
            waits.answer(session, wait, decision="resumed", by="callback", data=data)
        return run.id


def is_callback(token: str) -> bool:
    """Whether a token is one that a step has handed out to be called."""
    with unit_of_work() as session:
        return callbacks.find(session, hash_token(token)) is not None


def _settle(session: Session, wait: Wait, decision: str, by: str, data: JSON) -> None:
    if not waits.answer(session, wait, decision=decision, by=by, data=data):
        raise Conflict("Somebody else has answered already.")


def _refuse_starter(run: Run, wait: Wait, by: str) -> None:
    if forbids_self_approval(run, wait, by):
        raise NotAllowed("Whoever started the run may not decide on it.")


def _check(
    session: Session,
    run: Run,
    wait: Wait,
    decision: str | None,
    data: JSON,
    sent: Sequence[Upload] | None = None,
) -> tuple[str, JSON]:
    """The decision and its data, when they fit what was asked.

    Args:
        sent: the files that came with it from a page; None for what came by the API.
    """
    if wait.kind != "decision":
        if decision == "rejected":
            raise ValidationFailed({"decision": [f"a {wait.kind} cannot be rejected"]})
        return "resumed", data
    if decision not in DECISIONS:
        raise ValidationFailed({"decision": ["must be approved or rejected"]})
    asked = (wait.question or {}).get("form")
    if not asked:
        return decision, data
    if isinstance(data or {}, dict):
        form = schema.FormSchema.model_validate(asked)
        given = data if isinstance(data, dict) else {}
        settled, errors = uploads.settled(session, run.workspace_id, form, given, sent)
        if decision == "approved":
            errors = schema.check(form, given) | errors
        if errors:
            raise ValidationFailed({f"data.{key}": value for key, value in errors.items()})
        return decision, settled or data
    if decision == "approved":
        raise ValidationFailed({"data": ["must be an object"]})
    return decision, data


def _of_token(session: Session, token: str) -> tuple[Approver, Wait, Run]:
    found = waits.find_token(session, hash_token(token))
    if found is None:
        raise NotFound("This link is unknown. Please check that it is complete.")
    run_id, wait_id, approver_id = found
    # Locked in this order everywhere: run, wait, approver.
    run = runs.lock_run(session, run_id)
    wait = waits.lock_wait(session, wait_id)
    approver = session.get(Approver, approver_id, with_for_update=True, populate_existing=True)
    if run is None or wait is None or approver is None:
        raise NotFound("This link is unknown. Please check that it is complete.")
    audit.identify(run.workspace_id)
    if approver.used_at is not None:
        raise Gone(f"This link was used already: {approver.decision}.")
    if wait.status == "ANSWERED":
        raise Gone(f"This was decided already: {wait.decision}.")
    if wait.status == "CANCELLED" or run.status not in runs.UNFINISHED:
        raise Gone("The run no longer waits for this decision.")
    if wait.due_at <= datetime.now(UTC):
        raise Gone("This link has expired.")
    return approver, wait, run


def _view(session: Session, approver: Approver, wait: Wait, run: Run) -> CallbackView:
    question = wait.question or {}
    return CallbackView(
        subject=question.get("subject", ""),
        body=question.get("body", ""),
        data=question.get("data"),
        form=question.get("form"),
        options=DECISIONS,
        approver=approver.address,
        expires_at=wait.due_at,
        workflow_name=load(session, run.workflow_id, run.version).definition.name,
        run_id=run.id,
        decision=approver.decision,
        decided_at=approver.used_at,
    )
