"""Forms that runs have sent to people."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from automations.db.tables import FormRequest, Submission


def find_by_key(session: Session, key: str) -> Sequence[tuple[FormRequest, Submission | None]]:
    """What one step has sent, with the answers, by address."""
    rows = session.execute(
        select(FormRequest, Submission)
        .outerjoin(Submission, Submission.id == FormRequest.submission_id)
        .where(FormRequest.key == key)
        .order_by(FormRequest.recipient)
    )
    return [(row[0], row[1]) for row in rows]


def by_token(session: Session, token_hash: str) -> FormRequest | None:
    """The request that a link belongs to."""
    return session.scalar(select(FormRequest).where(FormRequest.token_hash == token_hash))


def answer(session: Session, request: FormRequest, submission: Submission) -> bool:
    """Note a request as answered; False when it was before."""
    won = session.scalar(
        update(FormRequest)
        .where(FormRequest.id == request.id, FormRequest.submission_id.is_(None))
        .values(submission_id=submission.id, submitted_at=func.clock_timestamp())
        .returning(FormRequest.id)
    )
    return won is not None


def is_complete(session: Session, key: str) -> bool:
    """Whether a step that waits for its forms has what it waits for."""
    requests = find_by_key(session, key)
    answered = [request for request, submission in requests if submission is not None]
    any_is_enough = any(request.wait_for == "any" for request, _ in requests)
    return bool(answered) and (any_is_enough or len(answered) == len(requests))
