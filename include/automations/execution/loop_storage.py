"""Reads the stored progress of a node's loops when a process resumes them; writes it in batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from automations.db.runs import loop_cursors, run_steps, runs
from automations.db.runs.loop_cursors import Node
from automations.db.session import unit_of_work
from automations.domain.statuses import UNFINISHED
from automations.execution.loop_records import (
    ItemRecord,
    StepRecord,
    item_record,
    serialize,
    step_record,
)
from automations.kit.values import JSON

Open = dict[int, dict[str, StepRecord]]
"""The records of steps in iterations that have begun: by the iteration's index and step id."""


@dataclass(frozen=True, slots=True)
class StoredLoop:
    """The stored progress of one loop.

    Args:
        waiting: the idempotency key of the step in its body that waits.
        items: what it iterates over; None if that is not stored.
        entries: the results of its iterations, by index.
        size: of the entries, in bytes.
    """

    open: Open = field(default_factory=dict)
    waiting: str | None = None
    items: list[JSON] | None = None
    entries: dict[int, ItemRecord] = field(default_factory=dict)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written in one transaction.

    Args:
        variables: those of the run that were set.
        ended: paths of loops whose progress is deleted.
        rows: results of consecutive iterations: path of the loop, first index, and entries.
        cursors: per loop: path, records of open iterations, the key of the step that waits, and
            its items (only the first time).
    """

    lines: list[run_steps.LogLine]
    variables: dict[str, JSON]
    ended: list[str]
    rows: list[tuple[str, int, list[ItemRecord]]]
    cursors: list[tuple[str, Open, str | None, list[JSON] | None]]


def read(node: Node) -> dict[str, StoredLoop]:
    """The stored progress of a node's loops, by their paths."""
    with unit_of_work() as session:
        cursors = loop_cursors.cursors(session, node)
        results = loop_cursors.results(session, node)
    entries: dict[str, dict[int, ItemRecord]] = {}
    sizes: dict[str, int] = {}
    for row in results:
        entries.setdefault(row.path, {}).update(enumerate(map(item_record, row.entries), row.index))
        sizes[row.path] = sizes.get(row.path, 0) + size(row.entries)
    states = {row.path: (_read(row.open), row.waiting, row.items) for row in cursors}
    return {
        path: StoredLoop(
            *states.get(path, ({}, None, None)), entries.get(path, {}), sizes.get(path, 0)
        )
        for path in states.keys() | entries.keys()
    }


def write(node: Node, batch: Batch) -> bool:
    """Write a batch, if the run still goes on and the node was not cleared."""
    run_id, _, generation = node
    with unit_of_work() as session:
        status = loop_cursors.run_status(session, run_id)
        if status is None or status[1] != generation:
            return False
        if batch.lines:
            # These steps were done, so they stay in the log although the run has ended meanwhile.
            run_steps.log(session, run_id, batch.lines)
        if status[0] not in UNFINISHED:
            return False
        if batch.variables:
            runs.set_variables(session, run_id, batch.variables)
        if batch.ended:
            loop_cursors.forget(session, node, batch.ended)
        for path, index, entries in batch.rows:
            loop_cursors.add(session, node, path, index, list(map(serialize, entries)))
        for path, opened, waiting, items in batch.cursors:
            loop_cursors.save(session, node, path, _serialize(opened), waiting, items)
    return True


def size(entries: list[JSON]) -> int:
    """Approximately how large entries are as they are stored."""
    return len(json.dumps(entries, default=str))


def _read(opened: Mapping[str, Mapping[str, JSON]]) -> Open:
    return {
        int(index): {step_id: step_record(record) for step_id, record in steps.items()}
        for index, steps in opened.items()
    }


def _serialize(opened: Open) -> dict[str, JSON]:
    return {
        str(index): {step_id: serialize(record) for step_id, record in steps.items()}
        for index, steps in opened.items()
    }
