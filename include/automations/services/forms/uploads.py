"""The files in a form's data: uploaded with it, or existing documents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from automations.db import documents
from automations.db.access import rate_limits
from automations.db.session import Session
from automations.db.tables import Document
from automations.domain.forms import uploads
from automations.domain.forms.schema import FormSchema
from automations.domain.forms.uploads import Upload, replace_files
from automations.errors import TooLarge
from automations.kit.values import JSON
from automations.services.forms import quotas
from automations.settings import get_settings

Errors = dict[str, list[str]]


def resolve(
    session: Session,
    workspace_id: str,
    form: FormSchema,
    data: Mapping[str, JSON],
    sent: Sequence[Upload] | None,
) -> tuple[dict[str, JSON], Errors]:
    """Data whose files are as we know them, not as a client describes them; and what is wrong.

    Args:
        sent: with the data, by somebody without a key, who may name no other document; None for
            a client of the workspace, who may name each of its documents.
    """
    if sent is not None:
        by_id = {file.id: file.value for file in sent}
        return replace_files(form, data, _look_up_sent(by_id))
    return replace_files(form, data, _look_up_stored(session, workspace_id))


def keep(
    session: Session,
    workspace_id: str,
    sent: Sequence[Upload],
    *,
    source: str | None = None,
    submission_id: str | None = None,
    run_id: str | None = None,
) -> None:
    """Store what was sent, with what it was sent for in one transaction.

    Args:
        source: the form or webhook that takes files of anybody; None for a link of one person's.

    Raises:
        TooLarge: it takes no more today, or the workspace keeps as much as it may.
    """
    if not sent:
        return
    _check_quota(session, workspace_id, sum(len(file.content) for file in sent), source)
    session.add_all(
        Document(
            id=file.id,
            workspace_id=workspace_id,
            submission_id=submission_id,
            run_id=run_id,
            name=file.name,
            format=file.format,
            content=file.content,
            size=len(file.content),
            sha256=hashlib.sha256(file.content).hexdigest(),
        )
        for file in sent
    )


def _check_quota(session: Session, workspace_id: str, size: int, source: str | None) -> None:
    settings = get_settings()
    if source is not None:
        limit = settings.uploads_daily
        # Counted with what is kept: what is undone has taken no room.
        wait = rate_limits.hit(
            session, f"uploads:{source}", limit=limit, seconds=quotas.DAY, by=size
        )
        if wait is not None:
            raise TooLarge(
                f"No more files are taken here today: {limit:,} bytes at most. Send it without "
                "files, or tomorrow."
            )
    if documents.uploaded_bytes(session, workspace_id) + size > settings.uploads_kept:
        raise TooLarge(
            f"No more files are taken: {settings.uploads_kept:,} bytes are kept at most. "
            "An administrator raises AUTOMATIONS_UPLOADS_KEPT or prunes what is old."
        )


def _look_up_sent(by_id: Mapping[str, dict[str, JSON]]) -> Callable[[JSON], JSON]:
    def look_up(value: JSON) -> JSON:
        document_id = value.get("documentId") if isinstance(value, dict) else None
        if not isinstance(document_id, str) or document_id not in by_id:
            raise ValueError("must be uploaded with the form")
        return by_id[document_id]

    return look_up


def _look_up_stored(session: Session, workspace_id: str) -> Callable[[JSON], JSON]:
    def look_up(value: JSON) -> JSON:
        if not isinstance(value, dict) or "documentId" not in value:
            # A client's own way to name a file, which concerns nobody else.
            return value
        document_id = value["documentId"]
        row = (
            documents.find(session, workspace_id, document_id)
            if isinstance(document_id, str)
            else None
        )
        if row is None:
            raise ValueError(f"there is no document {document_id}")
        return uploads.file_value(row.id, row.name, row.format, row.size)

    return look_up
