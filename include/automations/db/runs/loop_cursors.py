"""Stores the progress of loops; see ``tables/loops.py``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import LoopCursor, LoopResult, Run
from automations.domain.statuses import RunStatus
from automations.kit.values import JSON

Node = tuple[str, str, int]
"""Id of the run, id of the node, generation."""


def cursors(session: Session, node: Node) -> Sequence[LoopCursor]:
    """The cursors of a node's loop and of the loops in it."""
    return session.scalars(select(LoopCursor).where(*_conditions(LoopCursor, node))).all()


def results(session: Session, node: Node) -> Sequence[LoopResult]:
    """What their iterations have come to."""
    return session.scalars(select(LoopResult).where(*_conditions(LoopResult, node))).all()


def run_status(session: Session, run_id: str) -> tuple[RunStatus, int] | None:
    """Status and generation of a run."""
    row = session.execute(select(Run.status, Run.generation).where(Run.id == run_id)).first()
    return (row[0], row[1]) if row else None


def save(
    session: Session,
    node: Node,
    path: str,
    opened: Mapping[str, JSON],
    waiting: str | None,
    items: list[JSON] | None,
) -> None:
    """Write where a loop stands.

    Args:
        items: what it goes through; None to leave what is there.
    """
    values: dict[str, Any] = {"open": dict(opened), "waiting": waiting}
    if items is not None:
        values["items"] = items
    query = insert(LoopCursor).values(**_key(node), path=path, **values)
    session.execute(
        query.on_conflict_do_update(
            index_elements=["run_id", "node_id", "generation", "path"], set_=values
        )
    )


def add(session: Session, node: Node, path: str, index: int, entries: list[JSON]) -> None:
    """Write what some iterations in a row came to."""
    session.execute(
        insert(LoopResult).values(**_key(node), path=path, index=index, entries=entries)
    )


def forget(session: Session, node: Node, paths: Iterable[str]) -> None:
    """Remove what is kept of loops that have ended, which stand in others."""
    for table in (LoopCursor, LoopResult):
        session.execute(delete(table).where(*_conditions(table, node), table.path.in_(list(paths))))


def clear(session: Session, run_id: str, node_id: str) -> None:
    """Remove everything that is kept of a node."""
    for table in (LoopCursor, LoopResult):
        session.execute(delete(table).where(table.run_id == run_id, table.node_id == node_id))


def _key(node: Node) -> dict[str, Any]:
    return dict(zip(("run_id", "node_id", "generation"), node, strict=True))


def _conditions(table: type[LoopCursor] | type[LoopResult], node: Node) -> list[Any]:
    return [getattr(table, name) == value for name, value in _key(node).items()]
