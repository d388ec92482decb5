"""Forms and their submissions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from automations.db.keyset_pages import page_after
from automations.db.tables import Form, FormVersion, Submission
from automations.domain.statuses import SubmissionStatus


def find(session: Session, workspace_id: str, form_id: str, *, lock: bool = False) -> Form | None:
    """A form of a workspace that is not deleted."""
    query = select(Form).where(
        Form.id == form_id, Form.workspace_id == workspace_id, Form.deleted_at.is_(None)
    )
    return session.scalar(query.with_for_update() if lock else query)


def find_public(session: Session, form_id: str) -> Form | None:
    """A form that anybody may fill in."""
    return session.scalar(
        select(Form).where(Form.id == form_id, Form.public, Form.deleted_at.is_(None))
    )


def list_all(session: Session, workspace_id: str) -> Sequence[Form]:
    """All forms of a workspace, newest first."""
    return session.scalars(
        select(Form)
        .where(Form.workspace_id == workspace_id, Form.deleted_at.is_(None))
        .order_by(Form.created_at.desc())
    ).all()


def titles(session: Session, workspace_id: str) -> dict[str, str]:
    """The titles of all forms of a workspace by their ids, newest first."""
    rows = session.execute(
        select(Form.id, Form.title)
        .where(Form.workspace_id == workspace_id, Form.deleted_at.is_(None))
        .order_by(Form.created_at.desc())
    )
    return {row.id: row.title for row in rows}


def add_version(session: Session, form: Form, by: str) -> None:
    """Keep what the form is like in its present version."""
    session.add(
        FormVersion(
            form_id=form.id,
            version=form.version,
            title=form.title,
            description=form.description,
            schema=form.schema,
            created_by=by,
        )
    )


def version(session: Session, form_id: str, number: int) -> FormVersion | None:
    """What a form was like in one of its versions."""
    return session.get(FormVersion, (form_id, number))


def overview(
    session: Session,
    workspace_id: str,
    title: str,
    public: bool | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Form]:
    """A workspace's forms, newest first.

    Args:
        title: a part of it.
        after: only those that come behind this one.
    """
    query = select(Form).where(Form.workspace_id == workspace_id, Form.deleted_at.is_(None))
    if title:
        query = query.where(Form.title.icontains(title, autoescape=True))
    if public is not None:
        query = query.where(Form.public.is_(public))
    return page_after(session, query, (Form.created_at, Form.id), after, limit)


def counts(session: Session, form_ids: Sequence[str]) -> Mapping[str, Counter[SubmissionStatus]]:
    """How many submissions of each status forms have."""
    query = (
        select(Submission.form_id, Submission.status, func.count())
        .where(Submission.form_id.in_(form_ids))
        .group_by(Submission.form_id, Submission.status)
    )
    by_form: dict[str, Counter[SubmissionStatus]] = {}
    for form_id, status, number in session.execute(query):
        by_form.setdefault(form_id, Counter())[status] = number
    return by_form


def schemas_of(
    session: Session, versions: Collection[tuple[str, int]]
) -> Mapping[tuple[str, int], Mapping[str, Any]]:
    """What forms were like in some of their versions."""
    key = tuple_(FormVersion.form_id, FormVersion.version)
    query = select(FormVersion).where(key.in_(versions))
    return {
        (form_version.form_id, form_version.version): form_version.schema
        for form_version in session.scalars(query)
    }


def find_submission(session: Session, workspace_id: str, submission_id: str) -> Submission | None:
    """A submission of a workspace."""
    return session.scalar(
        select(Submission).where(
            Submission.id == submission_id, Submission.workspace_id == workspace_id
        )
    )


def submissions(
    session: Session,
    workspace_id: str,
    form_id: str | None,
    status: SubmissionStatus | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Submission]:
    """A workspace's submissions, newest first, of one form or of all.

    Args:
        after: only those that come behind this one.
    """
    query = select(Submission).where(Submission.workspace_id == workspace_id)
    if form_id is not None:
        query = query.where(Submission.form_id == form_id)
    if status is not None:
        query = query.where(Submission.status == status)
    if after is not None:
        at, submission_id = after
        later = (Submission.created_at == at) & (Submission.id > submission_id)
        query = query.where((Submission.created_at < at) | later)
    order = (Submission.created_at.desc(), Submission.id)
    return session.scalars(query.order_by(*order).limit(limit)).all()
