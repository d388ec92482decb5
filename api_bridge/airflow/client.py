"""Airflow over its REST API, version 2."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from api_bridge.airflow import run_batches, xcom_values
from api_bridge.airflow.history import PAGE_SIZE, AirflowHistory, state_of
from api_bridge.airflow.http import CONFLICT
from automations.errors import (
    NotVisibleYet,
    OrchestratorError,
)
from automations.ports import (
    DagRunState,
    DagRunStatus,
    DagStatus,
    NewDagRun,
    ProviderOperator,
    Visible,
)
from automations.settings import Settings

log = logging.getLogger(__name__)

_VERSION = re.compile(r"; version (\d+)$")
"""At the end of what Airflow is told of a timetable."""
_OPERATORS = "/automations/operators/all"
"""Where it lists operators."""
_BATCH_RETRY_DELAY = 60.0
"""Seconds until that is tried again after it could not."""
_MAX_CONCURRENT = 4
"""Runs that are made at the same time where each takes a request: the server does not more."""
_RETURNED = "return_value"
"""The key of what a task returns, among its XComs."""


class AirflowClient(AirflowHistory):
    """The orchestrator that dispatcher and reconciler speak to; safe to share by threads."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._batches_from = 0.0

    def visible(self, dag_id: str) -> Visible | None:
        answer = self.http.call("GET", f"/dags/{dag_id}", missing_ok=True)
        if answer is None or answer.get("has_import_errors") or answer.get("is_stale"):
            return None
        # Stored with the structure; see the first of docs/decisions.
        version = _VERSION.search(answer.get("timetable_description") or "")
        revision = answer.get("bundle_version")
        return Visible(int(version[1]), int(revision)) if version and revision else None

    def start(self, runs: Sequence[NewDagRun]) -> list[OrchestratorError | None]:
        if time.monotonic() >= self._batches_from:
            answers = self._start_together(runs)
            if answers is not None:
                return answers
            self._batches_from = time.monotonic() + _BATCH_RETRY_DELAY
        if len(runs) == 1:
            return [self._start(runs[0])]
        with ThreadPoolExecutor(_MAX_CONCURRENT, thread_name_prefix="start") as pool:
            return list(pool.map(self._start, runs))

    def _start_together(self, runs: Sequence[NewDagRun]) -> list[OrchestratorError | None] | None:
        """By the plugin's route in Airflow's server; None when that cannot do it."""
        serialized = [run_batches.serialize_run(run) for run in runs]
        response = self.http.send("POST", run_batches.PATH, {"runs": serialized})
        if response.status_code != 200:
            log.info("Airflow's server makes no batches of runs: %d", response.status_code)
            return None
        return [
            run_batches.failure(run, result)
            for run, result in zip(runs, response.json(), strict=True)
        ]

    def _start(self, run: NewDagRun) -> OrchestratorError | None:
        if run.before is not None and run.before.exact:
            # A run that is made so is one of the newest version: it waits for the other route.
            return NotVisibleYet(f"{run.dag_id} cannot be started at an older version now.")
        path = f"/dags/{run.dag_id}/dagRuns"
        body = {"dag_run_id": run.run_id, "logical_date": None, "conf": dict(run.conf)}
        body |= run_batches.note(run)
        try:
            answer = self.http.call("POST", path, body, missing_ok=True, conflict_ok=True)
        except OrchestratorError as error:
            return error
        return run_batches.unknown(run) if answer is None else None

    def dag_status(self, dag_id: str) -> DagStatus | None:
        answer = self.http.call("GET", f"/dags/{dag_id}", missing_ok=True)
        if answer is None:
            return None
        return DagStatus(
            paused=bool(answer.get("is_paused")),
            gone=bool(answer.get("is_stale")),
            broken=bool(answer.get("has_import_errors")),
        )

    def trigger(self, run: NewDagRun) -> None:
        # By itself: what may not be made of others' DAGs is to keep no run of ours from its batch.
        if (problem := self._start(run)) is not None:
            raise problem

    def return_values(self, dag_id: str, run_id: str, limit: int) -> Mapping[str, Any]:
        values: dict[str, Any] = {}
        left = limit
        for task, index in self._returning(dag_id, run_id):
            path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/{_RETURNED}"
            answer = self.http.call("GET", path, params={"map_index": index}, missing_ok=True)
            if answer is None:
                continue
            try:
                value = xcom_values.plain(answer["value"])
                left -= len(json.dumps(value))
            except RecursionError:
                raise OrchestratorError(f"What {task} has returned is nested too deep.") from None
            if left < 0:
                raise OrchestratorError(
                    f"What the tasks of {run_id} have returned is more than {limit} bytes of JSON."
                )
            if index < 0:
                values[task] = value
            else:
                values.setdefault(task, []).append(value)
        return values

    def _returning(self, dag_id: str, run_id: str) -> Iterator[tuple[str, int]]:
        """The tasks that have returned something, those that are mapped in order."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/~/xcomEntries"
        offset, page = 0, PAGE_SIZE
        while page == PAGE_SIZE:
            params = {"xcom_key": _RETURNED, "limit": PAGE_SIZE, "offset": offset}
            answer = self.http.call("GET", path, params=params, missing_ok=True) or {}
            entries = answer.get("xcom_entries", ())
            page = len(entries)
            offset += page
            yield from ((entry["task_id"], entry["map_index"]) for entry in entries)

    def operators(self) -> list[ProviderOperator]:
        return _LISTED.validate_json(self.http.call_plugin("GET", _OPERATORS).content)

    def assets(self, scheme: str) -> dict[str, int]:
        ids: dict[str, int] = {}
        offset, page = 0, PAGE_SIZE
        while page == PAGE_SIZE:
            params = {"uri_pattern": f"{scheme}%", "limit": PAGE_SIZE, "offset": offset}
            answer = self.http.call("GET", "/assets", params={**params, "order_by": "id"}) or {}
            listed = answer.get("assets", ())
            page = len(listed)
            offset += page
            ids |= {
                asset["uri"]: asset["id"] for asset in listed if asset["uri"].startswith(scheme)
            }
        return ids

    def change_asset(self, asset_id: int, extra: Mapping[str, Any]) -> None:
        body = {"asset_id": asset_id, "extra": dict(extra)}
        self.http.call("POST", "/assets/events", body, missing_ok=True)

    def answer(
        self, dag_id: str, run_id: str, task_id: str, option: str, params: Mapping[str, Any]
    ) -> bool:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        question = self.http.call("GET", path, missing_ok=True)
        # A cleared task keeps its old question, and wipes what is answered before it asks again.
        if question is None or question["task_instance"]["state"] != "awaiting_input":
            raise NotVisibleYet(f"{task_id} of {run_id} does not wait in Airflow yet.")
        body = {"chosen_options": [option], "params_input": dict(params)}
        answer = self.http.call("PATCH", path, body, conflict_ok=True)
        return answer is not CONFLICT

    def fail(self, dag_id: str, run_id: str) -> None:
        # Airflow would turn a DagRun that has succeeded into a failed one.
        dag_run = self.run_state(dag_id, run_id)
        if dag_run is not None and not dag_run.state.is_end:
            self.http.call(
                "PATCH",
                f"/dags/{dag_id}/dagRuns/{run_id}",
                {"state": DagRunStatus.FAILED},
                missing_ok=True,
            )

    def retry(self, dag_id: str, run_id: str, *, latest: bool = False) -> None:
        dag_run = self.run_state(dag_id, run_id)
        if dag_run is None or dag_run.state == DagRunStatus.SUCCESS:
            return
        # Our run fails a moment before its DagRun does.
        if dag_run.state != DagRunStatus.FAILED:
            raise NotVisibleYet(f"{run_id} has not ended in Airflow yet.")
        self.http.call(
            "POST",
            f"/dags/{dag_id}/dagRuns/{run_id}/clear",
            {"dry_run": False, "only_failed": True, "run_on_latest_version": latest},
        )

    def forget(self, dag_id: str, run_id: str) -> bool:
        path = f"/dags/{dag_id}/dagRuns/{run_id}"
        return self.http.call("DELETE", path, missing_ok=True, conflict_ok=True) is not CONFLICT

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        answer = self.http.call(
            "GET",
            "/dags/~/dagRuns",
            params={
                "updated_at_gte": since.isoformat(),
                "order_by": "updated_at",
                "offset": offset,
                "limit": limit,
                "dag_id_pattern": "automation_%",
            },
        )
        return [state_of(run) for run in (answer or {})["dag_runs"]]

    def knows(self, dag_id: str) -> bool:
        return self.http.call("GET", f"/dags/{dag_id}", missing_ok=True) is not None

    def paused_dags(self) -> Set[str]:
        dag_ids: set[str] = set()
        page = PAGE_SIZE
        while page == PAGE_SIZE:
            params = {"paused": True, "dag_id_prefix_pattern": "automation_"}
            query = {**params, "order_by": "dag_id", "offset": len(dag_ids), "limit": PAGE_SIZE}
            dags = (self.http.call("GET", "/dags", params=query) or {})["dags"]
            page = len(dags)
            dag_ids.update(dag["dag_id"] for dag in dags)
        return dag_ids


_LISTED = TypeAdapter(list[ProviderOperator])
