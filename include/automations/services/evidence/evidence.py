"""Evidence: captured by steps, chained per workspace, verified by anybody at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db import evidence
from automations.db.runs import effects
from automations.db.session import Session, unit_of_work
from automations.db.tables import EvidenceSnapshot as SnapshotRow
from automations.domain.evidence import Link, TooMuchEvidenceError, content_of, hash_of
from automations.domain.principals import Principal
from automations.errors import DomainError, NotAllowed, NotFound, StepError
from automations.kit import common_clock, cursors
from automations.kit.clock import timestamp
from automations.kit.ids import new_id
from automations.kit.values import JSON, from_attributes
from automations.ports import EvidenceReceipt, EvidenceRequest
from automations.services.audit import audit
from automations.services.evidence.sources import ADMINS_ONLY, SOURCES


@dataclass(frozen=True, slots=True)
class EvidenceSnapshot:
    """A snapshot as it is described and chained, without its content."""

    id: str
    number: int
    source: str
    title: str
    query: Mapping[str, JSON]
    row_count: int
    sha256: str
    previous_sha256: str | None
    chain_sha256: str
    run_id: str | None
    created_at: datetime


class WorkspaceEvidence:
    """The role ``Evidence``, played with our own database."""

    def capture(self, request: EvidenceRequest) -> EvidenceReceipt:
        """Take a snapshot, once for each key.

        Raises:
            StepError: there is too much, or the query does not fit the source.
        """
        try:
            with unit_of_work() as session:
                captured = effects.once(session, request.key, lambda: _capture(session, request))
        except DomainError as error:
            raise StepError(error.message, kind="config") from error
        except TooMuchEvidenceError as error:
            raise StepError(str(error), kind="too_large") from error
        return EvidenceReceipt(captured["snapshotId"], captured["rowCount"], captured["sha256"])


def _capture(session: Session, request: EvidenceRequest) -> dict[str, Any]:
    source = SOURCES.get(request.source)
    if source is None:
        raise StepError(f"source: there is nothing to capture {request.source} of", kind="config")
    rows = source(session, request.workspace_id, request)
    # Read before the chain is locked: what takes long holds nobody up.
    content, count = content_of(_columns(rows, request.columns))
    last = evidence.lock_chain(session, request.workspace_id)
    now = common_clock.now()
    # Not finer than it is hashed, or a part of it could be changed.
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    snapshot = SnapshotRow(
        id=new_id(),
        workspace_id=request.workspace_id,
        number=1 if last is None else last.number + 1,
        source=request.source,
        title=request.title,
        query=_query(request),
        row_count=count,
        content=content,
        sha256=hash_of(content),
        previous_sha256=None if last is None else last.chain_sha256,
        run_id=request.run_id,
        created_at=now,
    )
    snapshot.chain_sha256 = _link(snapshot).chain_sha256
    session.add(snapshot)
    audit.record(
        session,
        evidence.CAPTURED,
        snapshot,
        number=snapshot.number,
        source=snapshot.source,
        sha256=snapshot.sha256,
        chainSha256=snapshot.chain_sha256,
        runId=request.run_id,
    )
    return {"snapshotId": snapshot.id, "rowCount": count, "sha256": snapshot.sha256}


def _query(request: EvidenceRequest) -> dict[str, Any]:
    return {
        "tableId": request.table_id,
        "filter": request.filter,
        "from": None if request.since is None else timestamp(request.since),
        "to": None if request.until is None else timestamp(request.until),
        "columns": list(request.columns),
    }


def _columns(
    rows: Iterator[Mapping[str, Any]], columns: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        yield {name: row[name] for name in columns} if columns else row


def _link(row: SnapshotRow) -> Link:
    return Link(
        id=row.id,
        workspace_id=row.workspace_id,
        number=row.number,
        source=row.source,
        title=row.title,
        query=row.query,
        row_count=row.row_count,
        sha256=row.sha256,
        previous_sha256=row.previous_sha256,
        run_id=row.run_id,
        created_at=timestamp(row.created_at),
    )


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first place where a chain does not hold.

    Args:
        snapshot_id: None when the snapshot of this number is gone.
    """

    number: int
    snapshot_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of verifying a chain.

    Args:
        count: snapshots that hold, before the break if there is one.
        head: the chain hash of the last of them: kept elsewhere, it proves this chain later.
    """

    count: int
    head: str | None
    broken: BrokenLink | None


def verify(workspace_id: str) -> Verification:
    """Recompute a workspace's whole chain from its contents."""
    count, head = 0, None
    with unit_of_work() as session:
        # Asked first: what is captured meanwhile makes the chain longer, never shorter.
        recorded = evidence.last_recorded(session, workspace_id)
        for snapshot in evidence.chain(session, workspace_id):
            broken = _break(snapshot, count + 1, head)
            if broken is not None:
                return Verification(count, head, broken)
            count, head = snapshot.number, snapshot.chain_sha256
    if recorded > count:
        reason = f"is missing: the audit log knows of {recorded} snapshots"
        return Verification(count, head, BrokenLink(count + 1, None, reason))
    return Verification(count, head, None)


def verify_all() -> list[tuple[str, Verification]]:
    """Verify the chain of every workspace, by slug."""
    with unit_of_work() as session:
        workspaces = evidence.workspaces(session)
    return [(workspace.slug, verify(workspace.id)) for workspace in workspaces]


def _break(row: SnapshotRow, number: int, previous: str | None) -> BrokenLink | None:
    if row.number != number:
        return BrokenLink(number, None, "is missing")
    if hash_of(row.content) != row.sha256:
        return BrokenLink(number, row.id, "has another content than the one that was captured")
    if row.previous_sha256 != previous:
        return BrokenLink(number, row.id, "does not follow the snapshot before it")
    if _link(row).chain_sha256 != row.chain_sha256:
        return BrokenLink(number, row.id, "was described differently when it was captured")
    return None


def page_after(
    workspace_id: str, source: str | None, cursor: str | None, size: int
) -> tuple[Sequence[EvidenceSnapshot], str | None]:
    """The snapshots after a cursor, newest first, and the next cursor."""
    before = cursors.decode_numbered(cursor)[1] if cursor else None
    with unit_of_work() as session:
        rows = evidence.page_after(session, workspace_id, source, before, size + 1)
    snapshots = [from_attributes(EvidenceSnapshot, row) for row in rows]
    return cursors.page(
        snapshots, size, lambda snapshot: (snapshot.created_at, str(snapshot.number))
    )


def get(by: Principal, snapshot_id: str) -> tuple[EvidenceSnapshot, bytes]:
    """One snapshot and its content.

    Raises:
        NotAllowed: it holds what only administrators may read.
    """
    with unit_of_work() as session:
        row = evidence.find(session, by.workspace_id, snapshot_id)
    if row is None:
        raise NotFound(f"There is no evidence {snapshot_id}.")
    if row.source in ADMINS_ONLY and not by.administers:
        raise NotAllowed(f"Evidence of {row.source} needs an API key of role ADMIN.")
    return from_attributes(EvidenceSnapshot, row), row.content
