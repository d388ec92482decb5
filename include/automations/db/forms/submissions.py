"""Decisions on submissions, and changes before that."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from automations.db.tables import Form, Submission, SubmissionSnapshot
from automations.domain.statuses import SubmissionStatus


def decide(
    session: Session, workspace_id: str, submission_id: str, status: SubmissionStatus, by: str
) -> Submission | None:
    """Settle a submission that is still pending; None when it is not, or is not there."""
    return session.scalar(
        update(Submission)
        .where(
            Submission.id == submission_id,
            Submission.workspace_id == workspace_id,
            Submission.status == SubmissionStatus.PENDING,
        )
        .values(status=status, decided_by=by, decided_at=func.clock_timestamp())
        .returning(Submission)
    )


def lock(session: Session, workspace_id: str, submission_id: str) -> Submission | None:
    """A submission of a workspace, until the end of the transaction."""
    return session.scalar(
        select(Submission)
        .where(Submission.id == submission_id, Submission.workspace_id == workspace_id)
        .with_for_update()
    )


def form_of(session: Session, submission: Submission) -> Form:
    """The form that was filled in, deleted or not."""
    return session.get_one(Form, submission.form_id)


def keep(session: Session, submission: Submission, changed_by: str) -> None:
    """Keep what a locked submission holds, before it is changed."""
    taken = session.scalar(
        select(func.count()).where(SubmissionSnapshot.submission_id == submission.id)
    )
    session.add(
        SubmissionSnapshot(
            submission_id=submission.id,
            number=(taken or 0) + 1,
            form_version=submission.form_version,
            data=submission.data,
            changed_by=changed_by,
        )
    )


def snapshots(
    session: Session, submission_id: str, after: int, limit: int
) -> Sequence[SubmissionSnapshot]:
    """What a submission held before each of its changes behind one, the oldest first."""
    return session.scalars(
        select(SubmissionSnapshot)
        .where(SubmissionSnapshot.submission_id == submission_id, SubmissionSnapshot.number > after)
        .order_by(SubmissionSnapshot.number)
        .limit(limit)
    ).all()


def newest_snapshots(
    session: Session, submission_id: str, limit: int
) -> Sequence[SubmissionSnapshot]:
    """What a submission held before each of its last changes, the newest first."""
    return session.scalars(
        select(SubmissionSnapshot)
        .where(SubmissionSnapshot.submission_id == submission_id)
        .order_by(SubmissionSnapshot.number.desc())
        .limit(limit)
    ).all()
