"""Retention: deletes old runs and what belongs to them, here and in Airflow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from automations.db import partitions, retention
from automations.db.access import idempotency
from automations.db.session import Session, unit_of_work
from automations.db.tables import Run
from automations.definitions.published import dag_id
from automations.ports import Orchestrator
from automations.services.audit import audit

_MAX_CONCURRENT = 4
"""DagRuns that Airflow deletes at a time; it has other things to do."""


EXTRAS = ("audit", "submissions", "documents")
"""What goes only when it is named: the logs of audit and security, submissions with their files,
documents of runs that are gone."""

_PAGES = {
    "event": retention.delete_events,
    "pipeline_run": retention.delete_syncs,
    "job": retention.delete_jobs,
    "workflow_edit": retention.delete_edits,
    "form_edit": retention.delete_form_edits,
    "row_file": retention.delete_row_files,
}
_OF_EXTRAS = {
    "audit": {
        "audit_log": retention.delete_audit,
        "security_event": retention.delete_security_events,
    },
    "submissions": {"submission": retention.delete_submissions},
    "documents": {"document": retention.delete_documents},
}
_IN_PARTS = frozenset(table.name for table in partitions.tables())


def would_prune(before: datetime, extras: Collection[str] = ()) -> Mapping[str, int]:
    """How many rows of each table ``prune`` would delete."""
    with unit_of_work() as session:
        return retention.count(session, before, extras)


def prune(
    before: datetime,
    orchestrator: Orchestrator | None,
    *,
    extras: Collection[str] = (),
    going: Callable[[], bool] = lambda: True,
) -> Mapping[str, int]:
    """Delete what ended before an instant, page by page; how many rows of each table that were.

    Never runs in flight, evidence, or what people have made, but for edits of automations and
    forms, and files for tables, that nobody has saved or gone on with since. A page is one
    transaction, so that it may be stopped, or fail, at any time and be done again.

    Args:
        orchestrator: deletes the runs' DagRuns, too; None to leave them.
        extras: what of ``EXTRAS`` to delete, too.
        going: asked after each page whether to go on.
    """
    counts: Counter[str] = Counter()
    runs_of: Counter[str] = Counter()
    after: str | None = ""
    while after is not None and going():
        after = _page_of_runs(before, after, orchestrator, counts, runs_of)
    pages = dict(_PAGES)
    for extra in extras:
        pages |= _OF_EXTRAS[extra]
    for table, delete_page in pages.items():
        if table in _IN_PARTS and going():
            counts[table] += partitions.drop_before(table, before)
        place: retention.Place = None
        while going():
            with unit_of_work() as session:
                page = delete_page(session, before, place)
            counts[table] += page.deleted
            if (place := page.last) is None:
                break
    while going() and (deleted := _in_one_transaction(idempotency.prune)):
        counts["idempotency_key"] += deleted
    _effects(before, counts, going)
    _record(before, runs_of)
    return counts


def _page_of_runs(
    before: datetime,
    after: str,
    orchestrator: Orchestrator | None,
    counts: Counter[str],
    runs_of: Counter[str],
) -> str | None:
    with unit_of_work() as session:
        page = retention.page_of_runs(session, before, after)
        if not page:
            return None
        runs = page if orchestrator is None else _forget(orchestrator, page)
        deleted = retention.delete_runs(session, [run.id for run in runs])
    counts.update(deleted)
    runs_of.update(run.workspace_id for run in runs)
    return page[-1].id


def _forget(orchestrator: Orchestrator, page: Sequence[Run]) -> list[Run]:
    """The runs that Airflow does not know any more, after it was told to forget them all."""

    def forget(run: Run) -> bool:
        return run.dispatched_at is None or orchestrator.forget(
            dag_id(run.workflow_id), run.in_airflow
        )

    with ThreadPoolExecutor(_MAX_CONCURRENT) as pool:
        return [
            run for run, is_deleted in zip(page, pool.map(forget, page), strict=True) if is_deleted
        ]


def _effects(before: datetime, counts: Counter[str], going: Callable[[], bool]) -> None:
    after = ""
    while going():
        with unit_of_work() as session:
            keys = retention.page_of_effects(session, before, after)
            if not keys:
                return
            counts["effect"] += retention.delete_effects_of_no_run(session, keys)
        after = keys[-1]


def _in_one_transaction(page: Callable[[Session], int]) -> int:
    with unit_of_work() as session:
        return page(session)


def _record(before: datetime, runs_of: Mapping[str, int]) -> None:
    with unit_of_work() as session:
        for workspace_id, number in runs_of.items():
            whole = audit.Resource(workspace_id, "workspace", workspace_id)
            audit.record(session, "runs.prune", whole, before=before.isoformat(), runs=number)
