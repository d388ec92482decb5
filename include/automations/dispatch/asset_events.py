"""Reports changes of tables, runs, documents and evidence to Airflow as asset events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from automations.db import watermarks
from automations.db.events import asset_changes
from automations.db.events.asset_changes import Change
from automations.db.session import Session, unit_of_work
from automations.dispatch.interval_timer import IntervalTimer
from automations.domain import assets
from automations.errors import OrchestratorError, OrchestratorUnavailable
from automations.kit.values import JSON
from automations.ports import Orchestrator

log = logging.getLogger(__name__)

_LISTING_INTERVAL = timedelta(seconds=30)
"""How often Airflow is asked which of them any DAG names: most installations have none."""
_MAX_TRANSACTION_TIME = timedelta(minutes=5)
"""How long they wait for a transaction that goes on: what a longer one stamps may not be told."""
_REPLAY_WINDOW = timedelta(minutes=1)
"""What is told, perhaps once more, when the clock was set back: nothing new is behind the mark."""
_MARK = "asset_events"
"""The name under which it is kept up to when Airflow was told."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of subject: how its addresses begin, and how a change is told, by whose names."""

    prefix: str
    changes: Callable[[Session, Collection[str], datetime, datetime], Sequence[Change]]
    subject: str
    number: str
    last: str


_KINDS = (
    _Kind(assets.table(""), asset_changes.of_tables, "tableId", "events", "lastEventId"),
    _Kind(assets.workflow(""), asset_changes.of_workflows, "workflowId", "runs", "lastRunId"),
    _Kind(
        assets.documents(""),
        asset_changes.of_documents,
        "templateId",
        "documents",
        "lastDocumentId",
    ),
    _Kind(
        assets.evidence(""), asset_changes.of_evidence, "workspace", "snapshots", "lastSnapshotId"
    ),
)


@dataclass(slots=True)
class _Round:
    """What has changed from a mark up to a moment, and is still to be told."""

    mark: str | None
    until: datetime
    left: dict[str, Mapping[str, JSON]]


class AssetEvents:
    """Follows what DAGs of Airflow's wait for, one event for each subject at a time.

    What could not be told is told when Airflow is back, so that nothing is lost; what Airflow
    refuses is logged. What was told just before this process died may be told twice.
    """

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._listing = IntervalTimer(_LISTING_INTERVAL)
        self._wanted: Mapping[str, int] = {}
        self._round: _Round | None = None

    def poll(self) -> None:
        """Look, and tell Airflow what has changed since the last time."""
        if self._listing.is_due():
            self._wanted = self._orchestrator.assets(assets.SCHEME)
            if not self._wanted:
                self._forget()
        if self._wanted:
            with unit_of_work() as session:
                until = asset_changes.settled_until(session, _MAX_TRANSACTION_TIME)
            self.tell(until)

    def tell(self, until: datetime) -> None:
        """Tell Airflow what has changed up to a moment; first what a round before has left."""
        with unit_of_work() as session:
            mark = watermarks.get(session, _MARK)
            if self._round is None or self._round.mark != mark:
                since = self._since(mark, until)
                if mark and since >= until:
                    return
                self._round = _Round(mark, until, dict(self._changes(session, since, until)))
        going = self._round
        for uri, extra in list(going.left.items()):
            self._tell_of(uri, extra)
            del going.left[uri]
        with unit_of_work() as session:
            watermarks.put(session, _MARK, going.until.isoformat())
        self._round = None

    @staticmethod
    def _since(mark: str | None, until: datetime) -> datetime:
        """From when on what has changed is to be told."""
        if mark:
            return watermarks.parse(mark) or until - _REPLAY_WINDOW
        # Nobody has waited for what was before.
        return until

    def _tell_of(self, uri: str, extra: Mapping[str, JSON]) -> None:
        if uri not in self._wanted:
            return
        log.info("Asset %s has changed", uri)
        try:
            self._orchestrator.change_asset(self._wanted[uri], extra)
        except OrchestratorUnavailable:
            raise
        except OrchestratorError as refused:
            log.warning("%s: %s is not told to DAGs", refused.message, uri)

    def _changes(
        self, session: Session, since: datetime, until: datetime
    ) -> Iterator[tuple[str, Mapping[str, JSON]]]:
        for kind in _KINDS:
            ids = [u.removeprefix(kind.prefix) for u in self._wanted if u.startswith(kind.prefix)]
            for change in kind.changes(session, ids, since, until) if ids else ():
                extra: dict[str, JSON] = {
                    kind.subject: change.subject_id,
                    kind.number: change.number,
                }
                yield f"{kind.prefix}{change.subject_id}", {**extra, kind.last: change.last_id}

    @staticmethod
    def _forget() -> None:
        with unit_of_work() as session:
            if watermarks.get(session, _MARK):
                watermarks.put(session, _MARK, "")
