"""Forms that runs send to people: requested by a step, submitted by a personal link."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from automations.db.forms import form_requests, forms
from automations.db.queue import jobs
from automations.db.runs import effects, runs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Form, FormRequest, JobKind, Run
from automations.db.waits import waits
from automations.domain.forms.prefills import misfits
from automations.domain.forms.uploads import Upload
from automations.domain.statuses import UNFINISHED, Decision
from automations.errors import Conflict, Gone, NotFound, StepError
from automations.kit import common_clock
from automations.kit.canonical_json import canonical
from automations.ports import FormAnswer
from automations.ports import FormRequest as Wanted
from automations.services.audit import audit
from automations.services.forms.submissions import take
from automations.tokens import derive_token, hash_token

_MAX_NAMED = 20


class SentForms:
    """The role ``Forms``, played with our own database; mails are sent by the dispatcher."""

    def send(self, request: Wanted) -> None:
        with unit_of_work() as session:
            form = forms.find(session, request.workspace_id, request.form_id)
            if form is None:
                raise StepError(f"There is no form {request.form_id}.", kind="config")
            if wrong := misfits(form.schema, request.prefill):
                first = islice(wrong.items(), _MAX_NAMED)
                named = "; ".join(f"config.prefill.{path}: {why}" for path, why in first)
                raise StepError(f"{named} (form '{form.title}')", kind="config")
            effects.once(session, request.key, lambda: _make(session, request))

    def answers(self, key: str) -> list[FormAnswer]:
        with unit_of_work() as session:
            return [
                FormAnswer(
                    recipient=request.recipient,
                    submission_id=request.submission_id,
                    submitted_at=request.submitted_at,
                    data=submission.data if submission is not None else None,
                )
                for request, submission in form_requests.find_by_key(session, key)
            ]


def _make(session: Session, form_request: Wanted) -> dict[str, Any]:
    expires_at = common_clock.now() + form_request.expires_in
    remind = form_request.remind_every
    ids = []
    for recipient in form_request.recipients:
        request = FormRequest(
            workspace_id=form_request.workspace_id,
            form_id=form_request.form_id,
            run_id=form_request.run_id,
            key=form_request.key,
            recipient=recipient,
            subject=form_request.subject,
            message=form_request.message,
            prefill=dict(form_request.prefill),
            wait_for=form_request.wait_for,
            remind_seconds=remind.total_seconds() if remind else None,
            token_hash=hash_token(form_token(form_request.key, recipient)),
            expires_at=expires_at,
        )
        session.add(request)
        session.flush()
        jobs.enqueue(session, JobKind.SEND_FORM, request.id, workspace_id=form_request.workspace_id)
        ids.append(request.id)
    return {"formRequestIds": ids}


def form_token(key: str, recipient: str, existing_hash: str | None = None) -> str:
    """The token of one recipient's link; the one that was given out, when its hash is known."""
    return derive_token(f"form:{key}:{recipient}", existing_hash)


def link_token(request: FormRequest) -> str:
    """The token of the link to be sent now, which works from now on."""
    token = form_token(request.key, request.recipient, request.token_hash)
    # Another one than before only when the key that made that is not in use any more.
    request.token_hash = hash_token(token)
    return token


@dataclass(frozen=True, slots=True)
class FormView:
    """What the page of a form shows."""

    title: str
    description: str
    schema: Mapping[str, Any]
    prefill: Mapping[str, Any]
    message: str
    recipient: str | None
    expires_at: datetime | None


def view(token: str) -> FormView:
    """The form that a link asks for, changing nothing.

    Raises:
        NotFound: the token is unknown.
        Gone: it was filled in, has expired, or is no longer needed.
    """
    with unit_of_work() as session:
        request, form = _of_token(session, token)
        return FormView(
            title=form.title,
            description=form.description,
            schema=form.schema,
            prefill=request.prefill,
            message=request.message,
            recipient=request.recipient,
            expires_at=request.expires_at,
        )


def submit(token: str, data: dict[str, Any], sent: Sequence[Upload] = ()) -> str:
    """Take what somebody filled in by their link, once; returns the submission's id.

    Args:
        sent: the files that came with it.

    Raises:
        NotFound, Gone: as in ``view``.
        ValidationFailed: the data does not fit the form.
    """
    with unit_of_work() as session:
        request, form = _of_token(session, token)
        audit.identify(request.workspace_id, audit.Actor("recipient", request.recipient))
        submission = take(session, form, data, sent)
        if not form_requests.answer(session, request, submission):
            raise Conflict("The form was filled in already.")
        wait = waits.open_wait_of(session, request.run_id)
        if (
            wait is not None
            and wait.key == request.key
            and form_requests.is_complete(session, request.key)
        ):
            waits.answer(session, wait, waits.Ending(Decision.RESUMED, request.recipient))
        return submission.id


def _of_token(session: Session, token: str) -> tuple[FormRequest, Form]:
    request = form_requests.by_token(session, hash_token(token))
    if request is None:
        raise NotFound("This link is unknown. Please check that it is complete.")
    # Locked first, as everywhere: two answers of one step are counted one after the other.
    run = runs.lock_run(session, request.run_id)
    audit.identify(request.workspace_id)
    session.refresh(request)
    if request.submission_id is not None:
        raise Gone("This form was filled in already.")
    if request.expires_at <= common_clock.now():
        raise Gone("This link has expired.")
    form = _find_needed_form(session, request, run)
    if form is None:
        raise Gone("This form is no longer needed.")
    return request, form


def is_needed(session: Session, request: FormRequest) -> bool:
    """Whether what somebody fills in by their link would be of use now."""
    if request.submission_id is not None or request.expires_at <= common_clock.now():
        return False
    return _find_needed_form(session, request, session.get(Run, request.run_id)) is not None


def _find_needed_form(session: Session, request: FormRequest, run: Run | None) -> Form | None:
    """The form that a request asks for; None when nobody waits for it any more."""
    if run is None:
        return None
    if request.wait_for is not None and (
        run.status not in UNFINISHED or form_requests.is_complete(session, request.key)
    ):
        return None
    return forms.find(session, request.workspace_id, request.form_id)


def view_public(form_id: str) -> FormView:
    """A form that anybody may fill in.

    Raises:
        NotFound: there is none of this id, or it is not public.
    """
    with unit_of_work() as session:
        form = _public(session, form_id)
        return FormView(form.title, form.description, form.schema, {}, "", None, None)


def submit_public(
    form_id: str, data: dict[str, Any], sent: Sequence[Upload] = (), page: str = ""
) -> str:
    """Take what somebody filled into a public form; returns the submission's id.

    Args:
        page: the mark of the page that it was filled into: what is sent from there twice, by a
            button that was pressed twice, is taken once.
    """

    def store() -> dict[str, Any]:
        return {"id": take(session, _public(session, form_id), data, sent=sent).id}

    with unit_of_work() as session:
        if not page:
            return str(store()["id"])
        return str(effects.once(session, _of_page(form_id, page, data, sent), store)["id"])


def _of_page(form_id: str, page: str, data: Mapping[str, Any], sent: Sequence[Upload]) -> str:
    """What a submission is known again by: somebody may go back to a page, and send other data."""
    # A file has another id each time that it is sent.
    same = {file.id: hashlib.sha256(file.content).hexdigest() for file in sent}
    text = re.sub(
        "|".join(same) or "(?!)", lambda match: same[match[0]], canonical([page, data]).decode()
    )
    return f"page:{form_id}:{hashlib.sha256(text.encode()).hexdigest()}"


def _public(session: Session, form_id: str) -> Form:
    form = forms.find_public(session, form_id)
    if form is None:
        raise NotFound("There is no public form of this address.")
    return form
