"""Airflow over its REST API, version 2."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import takewhile
from typing import Any

from pydantic import TypeAdapter

from api_bridge.airflow import run_batches, xcom_values
from api_bridge.airflow.audit_log import (
    CLEARS,
    EVENTS,
    OF_MANY,
    TROUBLES,
    actions_of,
    extra_of,
    mark_of,
    marks_as,
    pauses,
    trouble,
)
from api_bridge.airflow.http import CONFLICT, AirflowHttp
from automations.errors import (
    NotVisibleYet,
    OrchestratorError,
    OrchestratorUnavailable,
)
from automations.ports import (
    ActionKind,
    DagRunFailure,
    DagRunState,
    DagRunStatus,
    DagStatus,
    NewDagRun,
    ProviderOperator,
    UserAction,
    Visible,
)
from automations.settings import Settings

log = logging.getLogger(__name__)

_VERSION = re.compile(r"; version (\d+)$")
"""At the end of what Airflow is told of a timetable."""
_ACTS_ON_MANY = "/automations/acts/all"
"""Where it tells what was done to several runs at once."""
_OPERATORS = "/automations/operators/all"
"""Where it lists operators."""
_BATCH_RETRY_DELAY = 60.0
"""Seconds until that is tried again after it could not."""
_MAX_CONCURRENT = 4
"""Runs that are made at the same time where each takes a request: the server does not more."""
_RETURNED = "return_value"
"""The key of what a task returns, among its XComs."""
_PAGE_SIZE = 100
"""The most that Airflow gives at once."""


class AirflowClient:
    """The orchestrator that dispatcher and reconciler speak to; safe to share by threads."""

    def __init__(self, settings: Settings) -> None:
        self.http = AirflowHttp(settings)
        self._username = settings.airflow_username
        self._batches_from = 0.0
        self._is_told = False

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
        offset, page = 0, _PAGE_SIZE
        while page == _PAGE_SIZE:
            params = {"xcom_key": _RETURNED, "limit": _PAGE_SIZE, "offset": offset}
            answer = self.http.call("GET", path, params=params, missing_ok=True) or {}
            entries = answer.get("xcom_entries", ())
            page = len(entries)
            offset += page
            yield from ((entry["task_id"], entry["map_index"]) for entry in entries)

    def operators(self) -> list[ProviderOperator]:
        return _LISTED.validate_json(self.http.call_plugin("GET", _OPERATORS).content)

    def assets(self, scheme: str) -> dict[str, int]:
        ids: dict[str, int] = {}
        offset, page = 0, _PAGE_SIZE
        while page == _PAGE_SIZE:
            params = {"uri_pattern": f"{scheme}%", "limit": _PAGE_SIZE, "offset": offset}
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
        return [_state(run) for run in (answer or {})["dag_runs"]]

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        answer = self.http.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}", missing_ok=True)
        return None if answer is None else _state(answer)

    def knows(self, dag_id: str) -> bool:
        return self.http.call("GET", f"/dags/{dag_id}", missing_ok=True) is not None

    def paused_dags(self) -> Set[str]:
        dag_ids: set[str] = set()
        page = _PAGE_SIZE
        while page == _PAGE_SIZE:
            params = {"paused": True, "dag_id_prefix_pattern": "automation_"}
            query = {**params, "order_by": "dag_id", "offset": len(dag_ids), "limit": _PAGE_SIZE}
            dags = (self.http.call("GET", "/dags", params=query) or {})["dags"]
            page = len(dags)
            dag_ids.update(dag["dag_id"] for dag in dags)
        return dag_ids

    def paused_by(self, dag_id: str) -> tuple[str, datetime] | None:
        paused = (e for e in self._events(dag_id=dag_id) if pauses(e))
        last = next(paused, None)
        return None if last is None else (last["owner"], datetime.fromisoformat(last["when"]))

    def deleted_by(self, dag_id: str, run_id: str) -> str | None:
        deletions = (
            e for e in self._events(dag_id=dag_id, run_id=run_id) if e["event"] == "delete_dag_run"
        )
        return next((e["owner"] for e in deletions), None)

    def failure(self, dag_id: str, run_id: str) -> DagRunFailure:
        run = f"/dags/{dag_id}/dagRuns/{run_id}"
        failed = self.http.call("GET", f"{run}/taskInstances", params={"state": "failed"}) or {}
        events = self._events(dag_id=dag_id, run_id=run_id)
        of_many = self._among_many(dag_id, run_id)
        cleared = next((act.id for act in of_many if act.kind == ActionKind.CLEAR), 0)

        def is_since(event: Mapping[str, Any]) -> bool:
            return event["event"] not in CLEARS and event["event_log_id"] > cleared

        # What was marked before a clear has not failed it since.
        since = list(takewhile(is_since, events))
        mark = next((e for e in since if marks_as(e, "failed")), None)
        by, note = (mark["owner"], extra_of(mark).get("note")) if mark else (None, None)
        if mark is None:
            if len(since) < len(events):
                cleared = max(cleared, events[len(since)]["event_log_id"])
            action = next((action for action in of_many if mark_of(action, None, "failed")), None)
            if action is not None and action.id > cleared:
                by, note = action.by, action.note
        return DagRunFailure(
            marked_by=by,
            tasks=tuple(ti["task_display_name"] for ti in failed.get("task_instances", ())),
            error=next((trouble(e) for e in events if e["event"] in TROUBLES), None),
            note=note,
        )

    def user_actions(
        self, since: datetime, until: datetime, offset: int, limit: int
    ) -> tuple[list[UserAction], int]:
        span = {"after": since.isoformat(), "before": until.isoformat()}
        page = {"order_by": "event_log_id", "offset": offset, "limit": limit}
        events = self._events(**span, **page, included_events=list(EVENTS))
        on_many = self._on_many(**span) if offset == 0 else []
        others = (event for event in (*events, *on_many) if event["owner"] != self._username)
        return [action for event in others for action in actions_of(event)], len(events)

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        task = self.http.call("GET", path, missing_ok=True)
        return None if task is None else task["state"]

    def marked_by(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        events = self._events(dag_id=dag_id, run_id=run_id)
        of_task = (e for e in events if e["task_id"] in (task_id, None))
        by = next((e["owner"] for e in of_task if marks_as(e, "success", "skipped")), None)
        if by is None:
            marks = (
                action
                for action in self._among_many(dag_id, run_id)
                if mark_of(action, task_id, "success", "skipped")
            )
            by = next((action.by for action in marks), None)
        return by

    def _among_many(self, dag_id: str, run_id: str) -> list[UserAction]:
        """What was done to a run, or to tasks of it, together with others, newest first."""
        events = [*self._events(included_events=list(OF_MANY)), *self._on_many()]
        all_actions = (action for event in events for action in actions_of(event))
        actions = [
            action for action in all_actions if (action.dag_id, action.run_id) == (dag_id, run_id)
        ]
        return sorted(actions, key=lambda action: action.id, reverse=True)

    def _on_many(self, **span: str) -> list[dict[str, Any]]:
        """What was done to several at once in Airflow's UI, which its own API tells nobody."""
        answer = self.http.send("GET", _ACTS_ON_MANY, params=span)
        if answer.status_code >= 500 or answer.status_code in (401, 429):
            raise OrchestratorUnavailable(f"Airflow answered {answer.status_code}.")
        # Who may not read the audit log, or has an older plugin there, knows of none.
        return list(answer.json()) if answer.status_code == 200 else []

    def _events(self, **of: Any) -> list[dict[str, Any]]:
        """What is in Airflow's audit log of a DAG, of a run, or of a time, newest first."""
        params = {"order_by": "-event_log_id", "limit": _PAGE_SIZE, **of}
        try:
            answer = self.http.call("GET", "/eventLogs", params=params)
        except OrchestratorUnavailable:
            raise
        except OrchestratorError:
            if not self._is_told:
                self._is_told = True
                log.warning("Airflow's audit log may not be read: nobody is named for what is done")
            return []
        return list((answer or {}).get("event_logs", ()))


_LISTED = TypeAdapter(list[ProviderOperator])


def _state(run: Mapping[str, Any]) -> DagRunState:
    versions = run.get("dag_versions") or [{}]
    version = run.get("bundle_version") or versions[-1].get("bundle_version")
    return DagRunState(
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        state=DagRunStatus(run["state"]),
        bundle_version=version,
        conf=run.get("conf") or {},
        started_by=run.get("triggering_user_name"),
        run_type=run["run_type"],
        due_at=datetime.fromisoformat(due) if (due := run.get("logical_date")) else None,
    )
