"""Reads from Airflow who has done what there: to runs, to tasks of them, to whole DAGs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Any
from urllib.parse import quote

from api_bridge.airflow.audit_log import (
    BACKFILL,
    CANCEL_BACKFILL,
    CLEARS,
    EVENTS,
    MARKS_OF_TASKS,
    OF_MANY,
    TROUBLES,
    actions_of,
    extra_of,
    mark_of,
    marks_as,
    pauses,
    trouble,
)
from api_bridge.airflow.http import AirflowHttp
from automations.errors import OrchestratorError, OrchestratorUnavailable
from automations.ports import (
    ActionKind,
    DagRunFailure,
    DagRunState,
    DagRunStatus,
    Reach,
    UserAction,
)
from automations.settings import Settings

log = logging.getLogger(__name__)

PAGE_SIZE = 100
"""The most that Airflow gives at once."""
_ACTS_ON_MANY = "/automations/acts/all"
"""Where it tells what was done to several runs at once."""
_OF_OTHER_RUNS = frozenset({Reach.PAST, Reach.FUTURE})
_MAX_REACHING = 10
"""Actions on other runs that are looked into: whoever has acted on this one did it lately."""


class AirflowHistory:
    """What has become of runs in Airflow, and by whom; safe to share by threads."""

    def __init__(self, settings: Settings) -> None:
        self.http = AirflowHttp(settings)
        self._username = settings.airflow_username
        self._is_told = False

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        answer = self.http.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}", missing_ok=True)
        return None if answer is None else state_of(answer)

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
            if action is None or action.id < cleared:
                action = self._reaching(dag_id, run_id, None, "failed")
            if action is not None and action.id > cleared:
                by, note = action.by, action.note
        cancelled_by = None
        if by is None and not failed.get("task_instances"):
            cancelled_by = self._backfill_cancelled_by(dag_id, run_id)
        return DagRunFailure(
            marked_by=by,
            tasks=tuple(ti["task_display_name"] for ti in failed.get("task_instances", ())),
            error=next((trouble(e) for e in events if e["event"] in TROUBLES), None),
            note=note,
            backfill_cancelled_by=cancelled_by,
        )

    def _reaching(
        self, dag_id: str, run_id: str, task_id: str | None, *states: str
    ) -> UserAction | None:
        """The newest mark of a task of another run that extends to this run, too."""
        events = [
            *self._events(dag_id=dag_id, included_events=list(MARKS_OF_TASKS)),
            *self._events(included_events=list(OF_MANY)),
            *self._on_many(),
        ]
        marks = [
            action
            for event in events
            for action in actions_of(event)
            if action.dag_id == dag_id
            and action.run_id not in (None, run_id)
            and action.reach & _OF_OTHER_RUNS
            and mark_of(replace(action, tasks=()), task_id, *states)
            and (task_id is None or task_id in action.tasks or not action.tasks)
        ]
        if not marks:
            return None
        this = self.run_state(dag_id, run_id)
        for action in sorted(marks, key=lambda action: action.id, reverse=True)[:_MAX_REACHING]:
            named = self.run_state(dag_id, str(action.run_id))
            dates = [state.due_at for state in (this, named) if state and state.due_at]
            if len(dates) == 2 and _direction(*dates) in action.reach:
                return action
        return None

    def _backfill_cancelled_by(self, dag_id: str, run_id: str) -> str | None:
        run = self.http.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}", missing_ok=True)
        if run is None or run.get("run_type") != "backfill":
            return None
        for event in self._events(included_events=[CANCEL_BACKFILL])[:_MAX_REACHING]:
            for action in actions_of(event):
                placed = self._placed(action)
                if placed is not None and placed.dag_id == dag_id:
                    return placed.by
        return None

    def _placed(self, action: UserAction) -> UserAction | None:
        """An action on a backfill, which its entry names by number, as one on its DAG."""
        number = action.more.get(BACKFILL)
        if number is None:
            return action
        try:
            backfill = self.http.call(
                "GET", f"/backfills/{quote(number, safe='')}", missing_ok=True
            )
        except OrchestratorUnavailable:
            raise
        except OrchestratorError:  # whoever has named it may have named none
            return None
        if backfill is None:
            return None
        dates = {"from": backfill["from_date"], "to": backfill["to_date"]}
        return replace(action, dag_id=backfill["dag_id"], more=dates)

    def runs_beside(self, dag_id: str, run_id: str, *, past: bool, future: bool) -> Sequence[str]:
        named = self.run_state(dag_id, run_id)
        if named is None or named.due_at is None:
            return []
        span = {} if future else {"logical_date_lte": named.due_at.isoformat()}
        span |= {} if past else {"logical_date_gte": named.due_at.isoformat()}
        run_ids: list[str] = []
        offset, page = 0, PAGE_SIZE
        while page == PAGE_SIZE:
            params = {**span, "order_by": "id", "offset": offset, "limit": PAGE_SIZE}
            answer = self.http.call("GET", f"/dags/{dag_id}/dagRuns", params=params) or {}
            runs = answer.get("dag_runs", ())
            page = len(runs)
            offset += page
            run_ids += [run["dag_run_id"] for run in runs if run["logical_date"] is not None]
        return [run for run in run_ids if run != run_id]

    def user_actions(
        self, since: datetime, until: datetime, offset: int, limit: int
    ) -> tuple[list[UserAction], int]:
        span = {"after": since.isoformat(), "before": until.isoformat()}
        page = {"order_by": "event_log_id", "offset": offset, "limit": limit}
        events = self._events(**span, **page, included_events=list(EVENTS))
        on_many = self._on_many(**span) if offset == 0 else []
        others = (event for event in (*events, *on_many) if event["owner"] != self._username)
        actions = (action for event in others for action in actions_of(event))
        return [placed for action in actions if (placed := self._placed(action)) is not None], len(
            events
        )

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
        if by is None:
            reaching = self._reaching(dag_id, run_id, task_id, "success", "skipped")
            by = None if reaching is None else reaching.by
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
        params = {"order_by": "-event_log_id", "limit": PAGE_SIZE, **of}
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


def _direction(this: datetime, named: datetime) -> Reach:
    return Reach.PAST if this < named else Reach.FUTURE


def state_of(run: Mapping[str, Any]) -> DagRunState:
    """A DagRun as Airflow's API shows it."""
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
