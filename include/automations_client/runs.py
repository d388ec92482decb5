"""Runs: read, decide, stop, start again."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Literal, cast

from automations_client.errors import WaitTimeout
from automations_client.pages import Page, page_of, through
from automations_client.shapes import (
    Export,
    ReplayedRun,
    ReplayedRuns,
    Run,
    RunDetail,
    RunState,
    RunStatus,
)
from automations_client.transport import Transport, address

ENDED: frozenset[RunStatus] = frozenset(("COMPLETED", "FAILED", "CANCELLED"))
"""The statuses that a run keeps, unless it is retried."""


class Runs:
    """``/api/workflows/{id}/runs``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(
        self,
        workflow_id: str,
        number: int = 1,
        size: int = 20,
        *,
        status: RunStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        trigger_type: str | None = None,
    ) -> Page[Run]:
        """A page of an automation's runs, newest first, with the number of all."""
        criteria = {"status": status, "since": since, "until": until, "triggerType": trigger_type}
        query = {**criteria, "page": number, "pageSize": size}
        path = address("workflows", workflow_id, "runs")
        return page_of("runs", self._transport.json("GET", path, query=query))

    def iterate(
        self,
        workflow_id: str,
        page_size: int = 100,
        *,
        status: RunStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        trigger_type: str | None = None,
    ) -> Iterator[Run]:
        """All runs of an automation, newest first; as fast at the end as at the beginning."""
        path = address("workflows", workflow_id, "runs")
        criteria = {
            "status": status,
            "since": since,
            "until": until,
            "triggerType": trigger_type,
            "pageSize": page_size,
        }

        def page_after(cursor: str | None) -> Page[Run]:
            query = {**criteria, "cursor": cursor}
            return page_of("runs", self._transport.json("GET", path, query=query))

        return through(page_after, first="")

    def get(self, workflow_id: str, run_id: str) -> RunDetail:
        """A run with its steps' logs and its whole state."""
        return cast(RunDetail, self._transport.json("GET", _path(workflow_id, run_id))["run"])

    def wait(
        self,
        workflow_id: str,
        run_id: str,
        *,
        until: Collection[RunStatus] = ENDED,
        timeout: float = 60,
        interval: float = 0.2,
    ) -> RunDetail:
        """Look at a run again and again until it has one of some statuses, or has ended.

        Raises:
            WaitTimeout: it was not so in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            run = self.get(workflow_id, run_id)
            if run["status"] in until or run["status"] in ENDED:
                return run
            if time.monotonic() >= deadline:
                raise WaitTimeout(run, timeout)
            time.sleep(interval)

    def resume(self, run_id: str, decision: str | None = None, data: Any = None) -> RunState:
        """Resume a paused run, once.

        Args:
            decision: ``approved`` or ``rejected``, for an approval.
            data: an approval's form values.
        """
        body = {"decision": decision, "data": data}
        path = address("workflows", "runs", run_id, "resume")
        return cast(RunState, self._transport.json("POST", path, body))

    def cancel(self, workflow_id: str, run_id: str) -> RunState:
        """Cancel a run that has not ended, with the runs that it has started."""
        return cast(RunState, self._transport.json("POST", _path(workflow_id, run_id, "cancel")))

    def retry(
        self, workflow_id: str, run_id: str, version: Literal["original", "latest"] = "original"
    ) -> RunState:
        """Let a failed run go on from the step that failed."""
        path = _path(workflow_id, run_id, "retry")
        return cast(RunState, self._transport.json("POST", path, {"version": version}))

    def replay(self, workflow_id: str, run_id: str) -> ReplayedRun:
        """Start a new run of the newest version with the same input."""
        path = _path(workflow_id, run_id, "replay")
        return cast(ReplayedRun, self._transport.json("POST", path))

    def replay_many(
        self,
        workflow_id: str,
        *,
        status: RunStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> ReplayedRuns:
        """Start the newest runs that fit once more, all or none."""
        instants = {"since": since, "until": until}
        body = {name: at.isoformat() for name, at in instants.items() if at is not None}
        options = {"limit": limit, **({} if status is None else {"status": status})}
        path = _path(workflow_id, "replay")
        return cast(ReplayedRuns, self._transport.json("POST", path, {**options, **body}))

    def export(
        self, workflow_id: str, run_id: str | None = None, *, cursor: str | None = None
    ) -> Export:
        """The newest runs (500 at most), or one, each with a hash of its canonical form.

        Args:
            cursor: the ``nextCursor`` of the export before, which had no room for more.
        """
        path, query = _path(workflow_id, "export"), {"runId": run_id, "cursor": cursor}
        return cast(Export, self._transport.json("GET", path, query=query))


def _path(workflow_id: str, *behind: str) -> str:
    return address("workflows", workflow_id, "runs", *behind)
