"""What Prometheus reads: true over all bridges, for those who run the installation."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api_bridge import metrics
from api_bridge.app import create_app
from automations.db import counters
from automations.db.runs import run_steps, runs
from automations.db.runs.run_steps import LogLine
from automations.db.session import unit_of_work
from automations.db.tables import Job
from automations.db.waits import waits
from automations.domain.statuses import AttemptStatus, RunStatus, WaitKind
from tests.api.conftest import Api
from tests.environment import Environment

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "CACHE_TTL", -1.0)


@pytest.fixture
def app() -> FastAPI:
    """An app that has answered nothing yet."""
    return create_app()


@pytest.fixture
def local(api: Api) -> TestClient:
    return TestClient(api.http.app, client=("127.0.0.1", 50_000))


def read(client: TestClient, **headers: str) -> Samples:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"automations_{name}", tuple(sorted(labels.items()))), 0)


def execute(api: Api, workflow: dict[str, Any]) -> str:
    answer = api.call("POST", f"/api/workflows/{workflow['id']}/execute", {})
    return str(answer.json()["runId"])


class TestInstallation:
    def test_runs_are_counted_from_their_start_to_their_end(
        self, api: Api, local: TestClient
    ) -> None:
        workflow = api.workflow()
        run_ids = [execute(api, workflow) for _ in range(3)]
        with unit_of_work() as session:
            runs.end_run(session, run_ids[0], RunStatus.FAILED, "no")
            runs.end_run(session, run_ids[0], RunStatus.COMPLETED)
            runs.mark_dispatched(session, run_ids[1])
        found = read(local)
        assert value(found, "runs_in_airflow") == 1
        assert value(found, "runs", status="RUNNING") == 2
        assert value(found, "runs", status="PAUSED") == 0
        assert value(found, "runs_started_total", trigger="manual") == 3
        assert value(found, "runs_finished_total", trigger="manual", status="FAILED") == 1
        assert value(found, "runs_finished_total", trigger="manual", status="COMPLETED") == 0

    def test_durations_of_steps_are_a_histogram_by_type_and_outcome(
        self, api: Api, local: TestClient
    ) -> None:
        run_id = execute(api, api.workflow())
        began = datetime.now(UTC)
        with unit_of_work() as session:
            run_steps.log(
                session,
                run_id,
                [
                    LogLine(
                        SimpleNamespace(id="s", type="email", name="S"),
                        AttemptStatus.SUCCESS,
                        began,
                        began + timedelta(milliseconds=milliseconds),
                        "",
                    )
                    for milliseconds in (4, 10, 11, 900, 400_000)
                ],
            )
        found = read(local)
        labels = {"type": "email", "status": "success"}
        buckets = {
            le: value(found, "step_duration_seconds_bucket", le=le, **labels)
            for le in ("0.01", "0.025", "0.5", "1.0", "300.0", "+Inf")
        }
        assert buckets == {
            "0.01": 2, "0.025": 3, "0.5": 3, "1.0": 4, "300.0": 4, "+Inf": 5,
        }  # fmt: skip
        assert value(found, "step_duration_seconds_count", **labels) == 5
        assert value(found, "step_duration_seconds_sum", **labels) == pytest.approx(400.925)

    def test_the_queue_its_dead_and_its_lag_are_shown(self, api: Api, local: TestClient) -> None:
        workflow = api.workflow()
        for _ in range(2):
            execute(api, workflow)
        now = datetime.now(UTC)
        with unit_of_work() as session:
            session.add_all(
                [
                    Job(kind="send_form", subject_id="a", available_at=now + timedelta(hours=1)),
                    Job(kind="send_form", subject_id="b", available_at=now, dead_at=now),
                    Job(
                        kind="match_event", subject_id="c", available_at=now - timedelta(seconds=90)
                    ),
                ]
            )
        found = read(local)
        assert value(found, "jobs", kind="start_run", state="due") == 2
        assert value(found, "jobs", kind="send_form", state="later") == 1
        assert value(found, "jobs", kind="send_form", state="dead") == 1
        longest = 90 + (datetime.now(UTC) - now).total_seconds()
        assert 90 <= value(found, "dispatcher_lag_seconds") <= longest

    def test_without_due_jobs_there_is_no_lag(self, local: TestClient) -> None:
        assert value(read(local), "dispatcher_lag_seconds") == 0

    def test_open_pauses_are_counted_by_kind(self, api: Api, local: TestClient) -> None:
        run_id = execute(api, api.workflow())
        with unit_of_work() as session:
            waits.open_wait(
                session,
                waits.NewWait(
                    run_id=run_id,
                    node_id="n",
                    generation=0,
                    kind=WaitKind.DECISION,
                    due_at=datetime.now(UTC),
                ),
            )
        found = read(local)
        assert value(found, "waits", kind="decision") == 1
        assert value(found, "runs", status="PAUSED") == 1
        with unit_of_work() as session:
            runs.end_run(session, run_id, RunStatus.CANCELLED)
        assert value(read(local), "waits", kind="decision") == 0

    def test_what_is_taken_in_is_counted_by_its_type(self, api: Api, local: TestClient) -> None:
        form = api.form()
        for _ in range(2):
            api.call("POST", "/api/submissions", {"formId": form, "data": {"email": "a@b.example"}})
        for _ in range(2):
            # The second time it is a repeat, which is not taken in.
            headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "a.b"}
            assert api.call("POST", "/api/events", {}, headers=headers).status_code < 300
        found = read(local)
        assert value(found, "events_total", trigger="form_submission") == 2
        assert value(found, "events_total", trigger="event") == 1

    def test_every_bridge_says_the_same_and_folding_loses_nothing(
        self, api: Api, local: TestClient
    ) -> None:
        workflow = api.workflow()
        for _ in range(3):
            execute(api, workflow)
        with unit_of_work() as session:
            assert counters.compact(session)
            assert len(counters.totals(session)) == 1
            assert not counters.compact(session, above=1)
        execute(api, workflow)
        with TestClient(create_app(), client=("::1", 1)) as other:
            for client in (local, other):
                assert value(read(client), "runs_started_total", trigger="manual") == 4

    def test_figures_are_read_once_in_a_while(
        self, api: Api, local: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        workflow = api.workflow()
        monkeypatch.setattr(metrics, "CACHE_TTL", 60.0)
        before = read(local)
        execute(api, workflow)
        assert value(read(local), "runs", status="RUNNING") == value(
            before, "runs", status="RUNNING"
        )

    def test_without_its_database_a_bridge_says_so(
        self, local: TestClient, environment: Environment
    ) -> None:
        assert value(read(local), "database_up") == 1
        environment.set(AUTOMATIONS_DATABASE_DSN="postgresql+psycopg2://x@127.0.0.1:1/x")
        found = read(local)
        assert value(found, "database_up") == 0
        assert value(found, "http_request_duration_seconds_count",
                     method="GET", route="/metrics", status="200") == 1  # fmt: skip


class TestDispatcher:
    def test_a_bridge_with_one_says_whether_airflow_answers_it(
        self, api: Api, environment: Environment
    ) -> None:
        workflow = api.workflow()
        environment.set(
            AUTOMATIONS_DISPATCHER="embedded", AUTOMATIONS_AIRFLOW_URL="http://127.0.0.1:1"
        )
        app = create_app()
        with TestClient(app, client=("127.0.0.1", 1)) as client:
            assert value(read(client), "airflow_up") == 1
            for _ in range(2):
                execute(api, workflow)
            deadline = time.monotonic() + 60
            while value(read(client), "airflow_up"):
                assert time.monotonic() < deadline
        client = TestClient(app, client=("127.0.0.1", 1))
        assert ("automations_airflow_up", ()) not in read(client)

    def test_a_bridge_without_one_says_nothing_of_airflow(self, local: TestClient) -> None:
        assert ("automations_airflow_up", ()) not in read(local)


class TestRequests:
    def test_are_timed_by_route_not_by_address(self, api: Api, local: TestClient) -> None:
        for name in ("one", "two"):
            api.call("GET", f"/api/workflows/{name}")
        api.http.request("BREW", "/api/coffee")
        found = read(local)
        labels = {"method": "GET", "route": "/api/workflows/{workflow_id}", "status": "404"}
        assert value(found, "http_request_duration_seconds_count", **labels) == 2
        assert value(found, "http_request_duration_seconds_bucket", le="+Inf", **labels) == 2
        odd = {"method": "other", "route": "unmatched", "status": "404"}
        assert value(found, "http_request_duration_seconds_count", **odd) == 1


class TestAccess:
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_this_machine_may_read(self, api: Api, host: str) -> None:
        assert TestClient(api.http.app, client=(host, 1)).get("/metrics").status_code == 200

    @pytest.mark.parametrize("host", ["192.0.2.7", "nonsense"])
    def test_others_may_not_even_with_an_api_key_of_some_workspace(
        self, api: Api, host: str
    ) -> None:
        client = TestClient(api.http.app, client=(host, 1))
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {api.keys['OWNER']}"})
        assert answer.status_code == 403
        assert "AUTOMATIONS_METRICS_TOKEN" in answer.json()["error"]

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
    def test_nor_may_those_behind_a_proxy_on_this_machine(
        self, local: TestClient, header: str
    ) -> None:
        assert local.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403

    def test_with_a_token_set_everybody_needs_it(
        self, api: Api, local: TestClient, environment: Environment
    ) -> None:
        environment.set(AUTOMATIONS_METRICS_TOKEN="scrape-me")
        assert local.get("/metrics").status_code == 401
        wrong = local.get("/metrics", headers={b"Authorization": "Bearer scrape-mé".encode()})
        assert wrong.status_code == 401
        far = TestClient(api.http.app, client=("192.0.2.7", 1))
        assert read(far, Authorization="Bearer scrape-me")

    def test_openmetrics_is_given_to_who_asks_for_it(self, local: TestClient) -> None:
        accept = "application/openmetrics-text; version=1.0.0"
        answer = local.get("/metrics", headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")
