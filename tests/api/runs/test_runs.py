"""Lists of runs, exports, and what a change says of runs in flight."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import Job, Run, StepLog, Wait
from automations.db.waits import waits
from automations.dispatch.jobs.registry import Handlers
from automations.domain.statuses import WaitKind
from tests.api.conftest import Api
from tests.doubles import ports

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def workflow(api: Api) -> str:
    return str(api.workflow()["id"])


def executed(api: Api, workflow: str, count: int) -> list[str]:
    """Runs, a minute apart, oldest first; every third has failed."""
    ids = []
    for number in range(count):
        run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
        ids.append(run)
        with unit_of_work() as session:
            session.execute(
                update(Run)
                .where(Run.id == run)
                .values(
                    started_at=START + timedelta(minutes=number // 2),
                    status="FAILED" if number % 3 == 0 else "RUNNING",
                )
            )
    return ids


def listed(api: Api, workflow: str, query: str) -> dict[str, Any]:
    answer = api.call("GET", f"/api/workflows/{workflow}/runs?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestList:
    def test_cursors_give_every_run_once_also_those_of_one_instant(
        self, api: Api, workflow: str
    ) -> None:
        ids = executed(api, workflow, 7)
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = listed(api, workflow, f"pageSize=2&cursor={cursor}")
            assert "total" not in page["pagination"]
            seen += [run["id"] for run in page["runs"]]
            cursor = page["pagination"]["nextCursor"]
        assert sorted(seen) == sorted(ids)
        pages = [
            run["id"]
            for number in range(1, 5)
            for run in listed(api, workflow, f"pageSize=2&page={number}")["runs"]
        ]
        assert pages == seen

    def test_runs_are_found_by_status_and_time(self, api: Api, workflow: str) -> None:
        executed(api, workflow, 6)
        failed = listed(api, workflow, "status=FAILED")
        assert failed["pagination"]["total"] == 2
        assert {run["status"] for run in failed["runs"]} == {"FAILED"}
        since = listed(api, workflow, "since=2026-03-01T00:01:00Z&until=2026-03-01T00:02:00Z")
        assert [run["startedAt"] for run in since["runs"]] == ["2026-03-01T00:01:00.000Z"] * 2
        far = listed(api, workflow, "since=0142-07-03T04:21:52%2B20:25")
        assert far["pagination"]["total"] == 6

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("status=DONE", "status"),
            ("since=yesterday", "since"),
            ("since=2026-03-01T00:00:00", "since"),
            ("since=0001-01-01T00:00:00%2B20:00", "since"),
            ("cursor=nonsense", "cursor"),
            ("cursor=WyJ4Il0", "cursor"),
            ("page=0", "page"),
            ("pageSize=101", "pageSize"),
        ],
    )
    def test_a_wrong_filter_is_named(self, api: Api, workflow: str, query: str, field: str) -> None:
        answer = api.call("GET", f"/api/workflows/{workflow}/runs?{query}")
        assert answer.status_code == 400
        assert list(answer.json()["details"]["fieldErrors"]) == [field]

    def test_the_history_of_a_deleted_automation_can_be_read(self, api: Api, workflow: str) -> None:
        (run,) = executed(api, workflow, 1)
        assert api.call("DELETE", f"/api/workflows/{workflow}").status_code == 204
        assert listed(api, workflow, "page=1")["pagination"]["total"] == 1
        assert api.call("GET", f"/api/workflows/{workflow}/runs/{run}").status_code == 200


class TestDetail:
    def test_who_waits_for_another_run_is_due_at_no_time(self, api: Api, workflow: str) -> None:
        run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
        with unit_of_work() as session:
            waits.open_wait(
                session,
                waits.NewWait(
                    run_id=run, node_id="n", generation=0, kind=WaitKind.CHILD, due_at=START
                ),
            )
        details = api.call("GET", f"/api/workflows/{workflow}/runs/{run}").json()["run"]
        assert details["pause"] == {"kind": "child", "stepId": "n", "dueAt": None}

    def test_a_line_of_the_log_tells_the_iteration_that_it_is_of(
        self, api: Api, workflow: str
    ) -> None:
        (run,) = executed(api, workflow, 1)
        with unit_of_work() as session:
            for place in ([3, 0], None):
                session.add(
                    StepLog(
                        run_id=run,
                        step_id="mail",
                        step_type="email",
                        step_name="Mail",
                        status="success",
                        duration_ms=1,
                        timestamp=START,
                        output="{}",
                        iteration=place,
                    )
                )
        shown = api.call("GET", f"/api/workflows/{workflow}/runs/{run}").json()["run"]["logs"]
        assert [line.get("iteration", "none") for line in shown] == [[3, 0], "none"]


class TestExport:
    def test_all_runs_are_a_download_in_the_specifications_shape(
        self, api: Api, workflow: str
    ) -> None:
        executed(api, workflow, 3)
        answer = api.call("GET", f"/api/workflows/{workflow}/runs/export")
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        export = json.loads(answer.text)
        assert list(export) == ["workflow", "exportedAt", "runCount", "runs"]
        assert export["workflow"] == {"id": workflow, "name": "Test"}
        assert (export["runCount"], len(export["runs"])) == (3, 3)
        assert {"id", "status", "startedAt", "completedAt", "logs", "state"} <= set(
            export["runs"][0]
        )

    def test_each_run_carries_the_hash_of_its_canonical_form(self, api: Api, workflow: str) -> None:
        (run_id,) = executed(api, workflow, 1)
        path = f"/api/workflows/{workflow}/runs/export?runId={run_id}"
        (run,) = api.call("GET", path).json()["runs"]
        claimed = run.pop("sha256")
        text = json.dumps(run, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == claimed

    def test_500_runs_are_the_most_and_a_cursor_leads_to_the_others(
        self, api: Api, workflow: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("automations.services.runs.reading.MAX_EXPORTED", 2)
        ids = executed(api, workflow, 5)
        path, query = f"/api/workflows/{workflow}/runs/export", ""
        exports: list[dict[str, Any]] = []
        while not exports or "nextCursor" in exports[-1]:
            exports.append(api.call("GET", path + query).json())
            query = f"?cursor={exports[-1].get('nextCursor')}"
        assert [export["runCount"] for export in exports] == [2, 2, 1]
        assert ids[-1] in [run["id"] for run in exports[0]["runs"]]
        assert {run["id"] for export in exports for run in export["runs"]} == set(ids)

    def test_an_unknown_run_and_another_workspace_are_not_found(
        self, api: Api, workflow: str
    ) -> None:
        path = f"/api/workflows/{workflow}/runs/export"
        assert api.call("GET", f"{path}?runId=nope").status_code == 404
        assert api.call("GET", path, role="STRANGER").status_code == 404


class TestChangeInFlight:
    def test_the_answer_says_which_runs_wait_at_a_step_that_is_removed(
        self, api: Api, workflow: str
    ) -> None:
        kept = api.call("GET", f"/api/workflows/{workflow}").json()["steps"][0]
        run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
        with unit_of_work() as session:
            waits.open_wait(
                session,
                waits.NewWait(
                    run_id=run,
                    node_id=kept["id"],
                    generation=0,
                    kind=WaitKind.DELAY,
                    due_at=datetime.now(UTC),
                ),
            )
        path = f"/api/workflows/{workflow}"
        same = api.call("PATCH", path, {"description": "The same steps"}).json()
        assert same["inFlight"] == {"runsOnOlderVersions": 1, "waitingAtRemovedSteps": []}
        other = {"name": "Other", "type": "delay", "order": 0, "config": {"duration": "PT1S"}}
        changed = api.call("PATCH", path, {"steps": [other]}).json()
        assert changed["inFlight"]["waitingAtRemovedSteps"] == [
            {"runId": run, "stepId": kept["id"]}
        ]


class TestProblems:
    @pytest.mark.parametrize(
        ("method", "path", "body", "status"),
        [
            ("GET", "/api/workflows/nope", None, 404),
            ("POST", "/api/workflows", {"name": ""}, 400),
            ("POST", "/api/workflows", {"name": "x" * 1_000_001}, 413),
            ("PUT", "/api/workflows", None, 405),
            ("GET", "/api/workflows/callback/x", None, 404),
            ("GET", "/api/forms/x/public", None, 404),
            ("POST", "/api/webhooks/x", None, 404),
        ],
    )
    def test_who_asks_for_a_problem_gets_one(
        self, api: Api, method: str, path: str, body: Any, status: int
    ) -> None:
        headers = {"Accept": "application/problem+json"}
        answer = api.call(method, path, body, headers=headers)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (answer.status_code, problem["status"]) == (status, status)
        assert problem["requestId"] == answer.headers["x-request-id"]
        assert {"type", "title", "detail", "code"} <= set(problem)


class TestReplay:
    def test_a_replay_is_a_new_run_with_the_same_input(self, api: Api, workflow: str) -> None:
        path = f"/api/workflows/{workflow}"
        first = api.call("POST", f"{path}/execute", {"input": {"n": 1}}).json()["runId"]
        answer = api.call("POST", f"{path}/runs/{first}/replay").json()
        assert (answer["replayOf"], answer["status"]) == (first, "RUNNING")
        with unit_of_work() as session:
            again = session.get_one(Run, answer["runId"])
        assert (again.input, again.trigger_type) == ({"n": 1}, "manual")
        details = api.call("GET", f"{path}/runs/{again.id}").json()["run"]
        assert details["replayOf"] == first

    def test_many_are_replayed_by_a_filter(self, api: Api, workflow: str) -> None:
        ids = executed(api, workflow, 6)
        path = f"/api/workflows/{workflow}/runs/replay"
        answer = api.call("POST", path, {"status": "FAILED"}).json()
        assert [run["replayOf"] for run in answer["runs"]] == [ids[0], ids[3]]
        assert answer["replayed"] == 2
        assert listed(api, workflow, "page=1")["pagination"]["total"] == 8

    def test_an_archived_automation_is_not_replayed(self, api: Api, workflow: str) -> None:
        (run,) = executed(api, workflow, 1)
        api.call("PATCH", f"/api/workflows/{workflow}", {"status": "ARCHIVED"})
        path = f"/api/workflows/{workflow}/runs/{run}/replay"
        assert api.call("POST", path).status_code == 409

    @pytest.mark.parametrize("wrong", [{"limit": 501}, {"status": "X"}, {"zzz": 1}])
    def test_a_wrong_selection_is_named(
        self, api: Api, workflow: str, wrong: dict[str, Any]
    ) -> None:
        answer = api.call("POST", f"/api/workflows/{workflow}/runs/replay", wrong)
        assert list(answer.json()["details"]["fieldErrors"]) == list(wrong)


class TestDeletedAutomation:
    def test_its_runs_in_flight_are_cancelled_with_their_pauses_and_no_others(
        self, api: Api, workflow: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("automations.services.runs.cancellations._BATCH_SIZE", 2)
        ids = executed(api, workflow, 5)
        other = api.call("POST", f"/api/workflows/{api.workflow()['id']}/execute").json()["runId"]
        with unit_of_work() as session:
            waits.open_wait(
                session,
                waits.NewWait(
                    run_id=ids[1],
                    node_id="n",
                    generation=0,
                    kind=WaitKind.DELAY,
                    due_at=datetime.now(UTC),
                ),
            )
        assert api.call("DELETE", f"/api/workflows/{workflow}").status_code == 204
        with unit_of_work() as session:
            (job,) = session.scalars(select(Job).where(Job.kind == "end_runs"))
        Handlers(ports(), ports()).handle(job)  # type: ignore[arg-type]  # no Airflow here
        with unit_of_work() as session:
            found = {run: session.get_one(Run, run).status for run in (*ids, other)}
            (wait,) = session.scalars(select(Wait))
            told = set(session.scalars(select(Job.subject_id).where(Job.kind == "fail_run")))
        assert [found[run] for run in ids] == [
            *("FAILED", "CANCELLED", "CANCELLED"),
            *("FAILED", "CANCELLED"),
        ]
        assert (found[other], wait.status) == ("RUNNING", "CANCELLED")
        assert told == {ids[1], ids[2], ids[4]}
        details = api.call("GET", f"/api/workflows/{workflow}/runs/{ids[1]}").json()["run"]
        assert (details["error"], details["pause"]) == ("The automation was deleted.", None)


class TestCancel:
    def test_a_run_is_cancelled_once_and_its_pause_with_it(self, api: Api, workflow: str) -> None:
        run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
        with unit_of_work() as session:
            waits.open_wait(
                session,
                waits.NewWait(
                    run_id=run,
                    node_id="n",
                    generation=0,
                    kind=WaitKind.DELAY,
                    due_at=datetime.now(UTC),
                ),
            )
        path = f"/api/workflows/{workflow}/runs/{run}"
        answer = api.call("POST", f"{path}/cancel")
        assert answer.json() == {"runId": run, "status": "CANCELLED"}
        details = api.call("GET", path).json()["run"]
        assert (details["error"], details["pause"]) == ("Cancelled by owner.", None)
        assert details["completedAt"] is not None
        assert api.call("POST", f"{path}/cancel").status_code == 409
        with unit_of_work() as session:
            jobs = session.scalars(select(Job).where(Job.kind == "fail_run")).all()
        assert [job.subject_id for job in jobs] == [run]

    def test_the_runs_that_it_has_started_are_cancelled_too(self, api: Api, workflow: str) -> None:
        parent, child, ended = executed(api, workflow, 3)
        with unit_of_work() as session:
            family = update(Run).where(Run.id.in_([child, ended]))
            session.execute(family.values(parent_run_id=parent, status="RUNNING"))
            session.execute(update(Run).where(Run.id == parent).values(status="WAITING_FOR_CHILD"))
            session.execute(update(Run).where(Run.id == ended).values(status="COMPLETED"))
        path = f"/api/workflows/{workflow}/runs/{parent}/cancel"
        assert api.call("POST", path, role="VIEWER").status_code == 403
        assert api.call("POST", path, role="STRANGER").status_code == 404
        assert api.call("POST", path, role="MEMBER").status_code == 200
        with unit_of_work() as session:
            found = {run: session.get_one(Run, run).status for run in (parent, child, ended)}
        assert found == {parent: "CANCELLED", child: "CANCELLED", ended: "COMPLETED"}


class TestRetry:
    def test_a_failed_run_is_retried_once_however_often_it_is_clicked(
        self, api: Api, workflow: str
    ) -> None:
        (run,) = executed(api, workflow, 1)
        with unit_of_work() as session:
            session.execute(update(Run).where(Run.id == run).values(dispatched_at=START))
        path = f"/api/workflows/{workflow}/runs/{run}/retry"
        for _ in range(2):
            answer = api.call("POST", path)
            assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING")
        seen = api.call("GET", f"/api/workflows/{workflow}/runs/{run}").json()["run"]
        assert (seen["status"], seen["error"], seen["completedAt"]) == ("RUNNING", None, None)
        for status, found in (("RUNNING", [run]), ("FAILED", [])):
            listed = api.call("GET", f"/api/workflows/{workflow}/runs?status={status}").json()
            assert [run["id"] for run in listed["runs"]] == found
        with unit_of_work() as session:
            jobs = session.scalars(select(Job).where(Job.kind == "retry_run")).all()
        assert [job.subject_id for job in jobs] == [run]

    def test_a_run_that_never_came_to_airflow_is_started(self, api: Api, workflow: str) -> None:
        (run,) = executed(api, workflow, 1)
        answer = api.call("POST", f"/api/workflows/{workflow}/runs/{run}/retry")
        assert answer.json() == {"runId": run, "status": "RUNNING"}

    def test_a_start_that_was_given_up_is_tried_again(self, api: Api, workflow: str) -> None:
        (run,) = executed(api, workflow, 1)
        with unit_of_work() as session:
            session.execute(update(Job).values(dead_at=START, failures=12, error="no DAG"))
        assert api.call("POST", f"/api/workflows/{workflow}/runs/{run}/retry").status_code == 202
        with unit_of_work() as session:
            (job,) = session.scalars(select(Job).where(Job.kind == "start_run"))
        assert (job.subject_id, job.dead_at, job.failures) == (run, None, 0)

    def test_only_a_failed_run_can_be_retried(self, api: Api, workflow: str) -> None:
        run = executed(api, workflow, 2)[1]
        answer = api.call("POST", f"/api/workflows/{workflow}/runs/{run}/retry")
        assert answer.status_code == 409

    @pytest.mark.parametrize("action", ["retry", "replay"])
    def test_who_may_not_is_refused(self, api: Api, workflow: str, action: str) -> None:
        (run,) = executed(api, workflow, 1)
        path = f"/api/workflows/{workflow}/runs/{run}/{action}"
        assert api.call("POST", path, role="VIEWER").status_code == 403
        assert api.call("POST", path, role="STRANGER").status_code == 404
        other = f"/api/workflows/{workflow}/runs/nope/{action}"
        assert api.call("POST", other).status_code == 404
