"""The client of Airflow's REST API, against a server that answers like Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api_bridge.airflow.audit_log import OF_MANY
from api_bridge.airflow.client import AirflowClient
from automations.errors import NotVisibleYet, OrchestratorError, OrchestratorUnavailable
from automations.ports import DagRunFailure, DagStatus, NewDagRun
from automations.settings import Settings
from tests.api.airflow.airflow_server import Airflow
from tests.free_ports import free_ports
from tests.servers.tls import Front, make_certificate

RUN = {
    "dag_id": "automation_c1",
    "dag_run_id": "c2",
    "state": "running",
    "bundle_version": "7",
    "conf": None,
    "triggering_user_name": "ada",
    "run_type": "manual",
}


@pytest.fixture
def client(airflow: Airflow) -> Iterator[AirflowClient]:
    url = f"http://127.0.0.1:{airflow.server_port}"
    client = AirflowClient(Settings(airflow_url=url, airflow_password="secret"))
    yield client
    client.http.close()


def test_certificates_that_a_house_has_signed_itself_are_believed_where_they_are_named(
    airflow: Airflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    airflow.answers["GET", "/dags/automation_c1"] = (404, {})
    (port,) = free_ports(1)
    settings = Settings(airflow_url=f"https://localhost:{port}", airflow_password="secret")
    with Front(port, airflow.server_port, certificate):
        for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.delenv(variable, raising=False)
        stranger = AirflowClient(settings)
        with pytest.raises(OrchestratorUnavailable):
            stranger.knows("automation_c1")
        stranger.http.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = AirflowClient(settings)
        assert client.knows("automation_c1") is False
        client.http.close()


class TestStart:
    path = "/dags/automation_c1/dagRuns"
    run = NewDagRun("automation_c1", "c2", {"a": 1})
    batches = "/automations/batches/runs"

    def test_a_run_is_created_without_a_logical_date(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        airflow.answers["POST", self.path] = (200, RUN)
        assert client.start([self.run]) == [None]
        assert airflow.asked[-1][3] == {
            "dag_run_id": "c2",
            "logical_date": None,
            "conf": {"a": 1},
        }

    def test_who_has_started_a_run_is_said_with_it(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        airflow.answers["POST", self.batches] = (200, [{"run_id": "c2", "outcome": "there"}])
        by_ada = NewDagRun("automation_c1", "c2", {}, by="ada@b.example")
        assert client.start([by_ada]) == [None]
        assert airflow.asked[-1][3]["runs"][0]["by"] == "ada@b.example"

    def test_a_run_that_exists_is_left_as_it_is(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        airflow.answers["POST", self.path] = (409, {"detail": "exists"})
        assert client.start([self.run]) == [None]

    def test_an_unknown_dag_is_not_visible_yet(self, client: AirflowClient) -> None:
        (problem,) = client.start([self.run])
        assert isinstance(problem, NotVisibleYet)

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_failing_airflow_is_unavailable(
        self, airflow: Airflow, client: AirflowClient, status: int
    ) -> None:
        airflow.answers["POST", self.path] = (status, {})
        (problem,) = client.start([self.run])
        assert isinstance(problem, OrchestratorUnavailable)

    def test_a_refusal_is_no_outage(self, airflow: Airflow, client: AirflowClient) -> None:
        airflow.answers["POST", self.path] = (400, {"detail": "import errors"})
        (problem,) = client.start([self.run])
        assert isinstance(problem, OrchestratorError)
        assert not isinstance(problem, OrchestratorUnavailable)
        assert "import errors" in problem.message

    def test_an_airflow_that_is_away_is_unavailable_for_all(self) -> None:
        client = AirflowClient(Settings(airflow_url="http://127.0.0.1:1"))
        with pytest.raises(OrchestratorUnavailable):
            client.start([self.run, self.run])

    def test_many_are_made_by_one_request_and_what_became_of_each_is_told(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        runs = [NewDagRun("automation_c1", f"c{number}", {"n": number}) for number in range(3)]
        airflow.answers["POST", self.batches] = (
            200,
            [
                {"run_id": "c0", "outcome": "there", "reason": None},
                {"run_id": "c1", "outcome": "unknown", "reason": None},
                {"run_id": "c2", "outcome": "refused", "reason": "It is full."},
            ],
        )
        there, unknown, refused = client.start(runs)
        assert there is None
        assert isinstance(unknown, NotVisibleYet)
        assert refused is not None
        assert refused.message == "Airflow refused c2: It is full."
        (asked,) = airflow.asked
        assert asked[3]["runs"][2] == {"dag_id": "automation_c1", "run_id": "c2", "conf": {"n": 2}}

    @pytest.mark.parametrize("status", [403, 404, 405, 500])
    def test_an_airflow_that_makes_no_batches_is_asked_for_one_after_the_other(
        self, airflow: Airflow, client: AirflowClient, status: int
    ) -> None:
        airflow.answers["POST", self.batches] = (status, {})
        airflow.answers["POST", self.path] = (200, RUN)
        assert client.start([self.run, self.run]) == [None, None]
        assert client.start([self.run]) == [None]
        assert [path for _, path, _, _ in airflow.asked] == [self.batches, *[self.path] * 3]


class TestOtherDags:
    """DAGs that are no automations."""

    run = NewDagRun("etl", "r1", {"a": 1}, "why")
    xcoms = "/dags/etl/dagRuns/r1/taskInstances/~/xcomEntries"

    @pytest.mark.parametrize(
        ("answer", "dag_status"),
        [
            ({}, DagStatus()),
            ({"is_paused": True}, DagStatus(paused=True)),
            ({"is_stale": True}, DagStatus(gone=True)),
            ({"has_import_errors": True}, DagStatus(broken=True)),
        ],
    )
    def test_whether_one_can_be_run(
        self, airflow: Airflow, client: AirflowClient, answer: Any, dag_status: DagStatus
    ) -> None:
        airflow.answers["GET", "/dags/etl"] = (200, answer)
        assert client.dag_status("etl") == dag_status
        assert client.dag_status("nobodys") is None

    def test_a_run_is_made_by_itself_and_once(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        for status in (200, 409):
            airflow.answers["POST", "/dags/etl/dagRuns"] = (status, {})
            client.trigger(self.run)
        body = {"dag_run_id": "r1", "logical_date": None, "conf": {"a": 1}, "note": "why"}
        assert [(path, asked) for _, path, _, asked in airflow.asked] == [
            ("/dags/etl/dagRuns", body)
        ] * 2

    def test_a_conf_that_is_refused_is_told(self, airflow: Airflow, client: AirflowClient) -> None:
        airflow.answers["POST", "/dags/etl/dagRuns"] = (400, {"detail": "a is no date"})
        with pytest.raises(OrchestratorError, match="a is no date"):
            client.trigger(self.run)

    def returning(self, airflow: Airflow, *values: tuple[str, int, Any]) -> None:
        entries = [{"task_id": task, "map_index": index} for task, index, _ in values]
        airflow.answers["GET", self.xcoms] = (200, {"xcom_entries": entries})
        for task, _, value in values:
            path = f"/dags/etl/dagRuns/r1/taskInstances/{task}/xcomEntries/return_value"
            airflow.answers["GET", path] = (200, {"value": value})

    def test_what_tasks_have_returned_is_by_their_ids(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        self.returning(airflow, ("load", -1, {"n": 1}), ("each", 0, "1"), ("each", 1, "1"))
        assert client.return_values("etl", "r1", 100) == {"load": {"n": 1}, "each": ["1", "1"]}
        assert [asked[2] for asked in airflow.asked[1:]] == [
            {"map_index": [index]} for index in ("-1", "0", "1")
        ]

    def test_more_than_is_wanted_is_refused(self, airflow: Airflow, client: AirflowClient) -> None:
        self.returning(airflow, ("load", -1, "x" * 60), ("again", -1, "x" * 60))
        with pytest.raises(OrchestratorError, match="more than 100 bytes"):
            client.return_values("etl", "r1", 100)

    def test_tasks_that_return_nothing_are_nothing(self, client: AirflowClient) -> None:
        assert client.return_values("etl", "r1", 100) == {}


class TestToken:
    def test_a_token_is_kept_and_renewed_when_it_is_refused(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        airflow.answers["GET", "/dags/automation_c1/dagRuns/c2"] = (200, RUN)
        for _ in range(3):
            client.run_state("automation_c1", "c2")
        assert airflow.tokens == 1
        airflow.tokens += 1  # the server forgets the token it gave
        assert client.run_state("automation_c1", "c2") is not None
        assert airflow.tokens == 3

    def test_an_airflow_that_is_away_is_unavailable(self) -> None:
        client = AirflowClient(Settings(airflow_url="http://127.0.0.1:1"))
        with pytest.raises(OrchestratorUnavailable):
            client.run_state("automation_c1", "c2")


class TestAnswer:
    path = "/dags/automation_c1/dagRuns/c2/taskInstances/t/-1/hitlDetails"

    @pytest.fixture(autouse=True)
    def _waits(self, airflow: Airflow) -> None:
        airflow.answers["GET", self.path] = (200, {"task_instance": {"state": "awaiting_input"}})

    def test_the_first_answer_is_taken(self, airflow: Airflow, client: AirflowClient) -> None:
        airflow.answers["PATCH", self.path] = (200, {"chosen_options": ["Approve"]})
        assert client.answer("automation_c1", "c2", "t", "Approve", {"n": 1})
        assert airflow.asked[-1][3] == {"chosen_options": ["Approve"], "params_input": {"n": 1}}

    def test_a_second_answer_is_told_apart(self, airflow: Airflow, client: AirflowClient) -> None:
        airflow.answers["PATCH", self.path] = (409, {})
        assert not client.answer("automation_c1", "c2", "t", "Approve", {})

    def test_a_task_that_never_asked_is_not_visible_yet(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        del airflow.answers["GET", self.path]
        with pytest.raises(NotVisibleYet):
            client.answer("automation_c1", "c2", "t", "Approve", {})

    @pytest.mark.parametrize("state", ["running", "scheduled", None])
    def test_a_cleared_task_is_answered_only_when_it_asks_again(
        self, airflow: Airflow, client: AirflowClient, state: str | None
    ) -> None:
        airflow.answers["GET", self.path] = (200, {"task_instance": {"state": state}})
        with pytest.raises(NotVisibleYet):
            client.answer("automation_c1", "c2", "t", "Approve", {})
        assert [method for method, *_ in airflow.asked] == ["GET"]


class TestFail:
    path = "/dags/automation_c1/dagRuns/c2"

    @pytest.mark.parametrize(("state", "patched"), [("running", 1), ("queued", 1), ("success", 0)])
    def test_only_a_run_that_goes_on_is_ended(
        self, airflow: Airflow, client: AirflowClient, state: str, patched: int
    ) -> None:
        airflow.answers["GET", self.path] = (200, {**RUN, "state": state})
        airflow.answers["PATCH", self.path] = (200, RUN)
        client.fail("automation_c1", "c2")
        assert [method for method, *_ in airflow.asked].count("PATCH") == patched

    def test_a_run_that_never_was_is_no_error(self, client: AirflowClient) -> None:
        client.fail("automation_c1", "c2")


class TestRetry:
    path = "/dags/automation_c1/dagRuns/c2"

    @pytest.mark.parametrize(("state", "cleared"), [("failed", 1), ("success", 0)])
    def test_only_a_failed_run_is_cleared(
        self, airflow: Airflow, client: AirflowClient, state: str, cleared: int
    ) -> None:
        airflow.answers["GET", self.path] = (200, {**RUN, "state": state})
        airflow.answers["POST", f"{self.path}/clear"] = (200, RUN)
        for latest in (False, True):
            client.retry("automation_c1", "c2", latest=latest)
        sent = [body for method, _, _, body in airflow.asked if method == "POST"]
        failed = {"dry_run": False, "only_failed": True}
        assert (
            sent
            == [{**failed, "run_on_latest_version": latest} for latest in (False, True)] * cleared
        )

    @pytest.mark.parametrize("state", ["queued", "running"])
    def test_a_run_that_has_not_ended_yet_is_waited_for(
        self, airflow: Airflow, client: AirflowClient, state: str
    ) -> None:
        airflow.answers["GET", self.path] = (200, {**RUN, "state": state})
        with pytest.raises(NotVisibleYet):
            client.retry("automation_c1", "c2")


class TestReading:
    def test_changed_runs_are_asked_for_in_their_order(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        airflow.answers["GET", "/dags/~/dagRuns"] = (200, {"dag_runs": [RUN]})
        (state,) = client.changed_runs(datetime(2026, 3, 1, tzinfo=UTC), 100, 50)
        query = airflow.asked[0][2]
        assert query["updated_at_gte"] == ["2026-03-01T00:00:00+00:00"]
        assert (query["order_by"], query["offset"], query["limit"]) == (
            ["updated_at"],
            ["100"],
            ["50"],
        )
        assert (state.run_id, state.conf, state.started_by) == ("c2", {}, "ada")

    @pytest.mark.parametrize("flaw", [{"is_stale": True}, {"has_import_errors": True}])
    def test_a_dag_that_cannot_run_is_not_visible(
        self, airflow: Airflow, client: AirflowClient, flaw: dict[str, bool]
    ) -> None:
        dag = {"bundle_version": "7", "timetable_description": "by hand; version 2"}
        airflow.answers["GET", "/dags/automation_c1"] = (200, dag)
        found = client.visible("automation_c1")
        assert found is not None
        assert (found.version, found.revision) == (2, 7)
        airflow.answers["GET", "/dags/automation_c1"] = (200, {**dag, **flaw})
        assert client.visible("automation_c1") is None


class TestForget:
    path = "/dags/automation_c1/dagRuns/c2"

    def test_a_run_that_has_ended_is_deleted(self, airflow: Airflow, client: AirflowClient) -> None:
        airflow.answers["DELETE", self.path] = (204, None)
        assert client.forget("automation_c1", "c2")
        assert [asked[:2] for asked in airflow.asked] == [("DELETE", self.path)]

    def test_one_that_is_not_there_need_not_be(self, client: AirflowClient) -> None:
        assert client.forget("automation_c1", "c2")

    def test_one_that_is_still_going_is_left(self, airflow: Airflow, client: AirflowClient) -> None:
        airflow.answers["DELETE", self.path] = (409, {"detail": "cannot be deleted"})
        assert not client.forget("automation_c1", "c2")


class TestFailure:
    run = "/dags/automation_c1/dagRuns/c2"

    def ask(self, airflow: Airflow, client: AirflowClient, *events: Any) -> DagRunFailure:
        """Why a run has failed whose audit log is this, newest first."""
        failed = {"task_instances": [{"task_display_name": "Tell"}]}
        airflow.answers["GET", f"{self.run}/taskInstances"] = (200, failed)
        log = {"event_logs": list(events)}
        airflow.answers.setdefault(("GET", "/eventLogs"), (200, log))
        return client.failure("automation_c1", "c2")

    def event(self, name: str, extra: str | None, owner: str = "airflow") -> dict[str, Any]:
        return {"event_log_id": 5, "event": name, "extra": extra, "owner": owner}

    def test_the_newest_trouble_of_a_task_is_its_error(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        newest = "Executor x reported …. Extra info: ConnectError: refused"
        failure = self.ask(
            airflow,
            client,
            self.event("failed", None),
            self.event("state mismatch", newest),
            self.event("state mismatch", "Extra info: older"),
            self.event("patch_dag_run", '{"state": "queued"}', "ada"),
        )
        assert failure == DagRunFailure(None, ("Tell",), "ConnectError: refused")
        read = [query for _, path, query, *_ in airflow.asked if path == "/eventLogs"]
        assert {query["order_by"][0] for query in read} == {"-event_log_id"}
        assert (read[0]["dag_id"], read[0]["run_id"]) == (["automation_c1"], ["c2"])
        assert read[1]["included_events"] == list(OF_MANY)

    @pytest.mark.parametrize(
        ("name", "extra"),
        [
            ("patch_dag_run", '{"state": "failed", "method": "PATCH"}'),
            ("patch_task_instance", '{"new_state": "failed", "method": "PATCH"}'),
            ("patch_task_group_instances", '{"new_state": "failed", "group_id": "if__then"}'),
        ],
    )
    def test_who_marked_it_as_failed_is_named(
        self, airflow: Airflow, client: AirflowClient, name: str, extra: str
    ) -> None:
        failure = self.ask(airflow, client, self.event(name, extra, "ada"))
        assert failure.marked_by == "ada"

    @pytest.mark.parametrize("of_task", [False, True])
    def test_who_marked_it_together_with_others_is_named(
        self, airflow: Airflow, client: AirflowClient, of_task: bool
    ) -> None:
        state = "success" if of_task else "failed"
        named = {"dag_id": "automation_c1", "dag_run_id": "c2"}
        one = (
            {**named, "task_id": "ask", "new_state": state}
            if of_task
            else {**named, "state": state}
        )
        others = {**one, "dag_run_id": "c3"}
        more = {"event_log_id": 9, "when": "2026-03-01T09:00:00Z", "dag_id": "~", "run_id": None}
        for entities, by in (([others], None), ([others, one], "ada")):
            said = json.dumps({"actions": [{"action": "update", "entities": entities}]})
            name = "bulk_task_instances" if of_task else "bulk_dag_runs"
            log = {"event_logs": [{**self.event(name, said, "ada"), **more, "task_id": None}]}
            airflow.answers["GET", "/eventLogs"] = (200, log)
            if of_task:
                assert client.marked_by("automation_c1", "c2", "ask") == by
                assert client.marked_by("automation_c1", "c2", "other") is None
            else:
                assert self.ask(airflow, client).marked_by == by

    @pytest.mark.parametrize(("cleared", "by"), [(4, "ada"), (6, None)])
    def test_who_marked_it_before_it_was_cleared_together_with_others_has_not_failed_it(
        self, airflow: Airflow, client: AirflowClient, cleared: int, by: str | None
    ) -> None:
        runs = [{"dag_id": "automation_c1", "dag_run_id": "c2"}]
        said = json.dumps({"dag_runs": runs, "dry_run": False})
        named = {"when": "2026-03-01T09:00:00Z", "dag_id": "~", "run_id": None, "task_id": None}
        clear = {**named, **self.event("clear_dag_runs", said, "ben"), "event_log_id": cleared}
        mark = {**named, **self.event("patch_dag_run", '{"state": "failed"}', "ada")}
        newest_first = sorted([clear, mark], key=lambda e: -e["event_log_id"])
        assert self.ask(airflow, client, *newest_first).marked_by == by

    def test_without_a_right_to_the_audit_log_the_tasks_are_known_and_it_is_said_once(
        self, airflow: Airflow, client: AirflowClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        airflow.answers["GET", "/eventLogs"] = (403, {"detail": "Forbidden"})
        for _ in range(2):
            assert self.ask(airflow, client) == DagRunFailure(tasks=("Tell",))
        said = [message for message in caplog.messages if "audit log may not be read" in message]
        assert len(said) == 1

    def test_who_deleted_a_run_is_named_and_whether_its_dag_is_there_is_known(
        self, airflow: Airflow, client: AirflowClient
    ) -> None:
        log = {"event_logs": [self.event("delete_dag_run", "{}", "ada")]}
        airflow.answers["GET", "/eventLogs"] = (200, log)
        assert client.deleted_by("automation_c1", "c2") == "ada"
        airflow.answers["GET", "/eventLogs"] = (200, {"event_logs": []})
        assert client.deleted_by("automation_c1", "c2") is None
        assert not client.knows("automation_c1")
        airflow.answers["GET", "/dags/automation_c1"] = (200, {"is_stale": True})
        assert client.knows("automation_c1")

    def test_whoever_paused_a_dag_last_is_known(
        self, client: AirflowClient, airflow: Airflow
    ) -> None:
        page = [{"dag_id": "automation_c1"}, {"dag_id": "automation_c2"}]
        airflow.answers["GET", "/dags"] = (200, {"dags": page})
        assert client.paused_dags() == {"automation_c1", "automation_c2"}
        when = "2026-03-01T09:00:00Z"
        log = [
            {**self.event("patch_dag", '{"is_paused": false}', "ben"), "when": when},
            {**self.event("patch_dag", '{"is_paused": true}', "anna"), "when": when},
            {**self.event("patch_dag", '{"is_paused": true}', "carl"), "when": when},
        ]
        airflow.answers["GET", "/eventLogs"] = (200, {"event_logs": log})
        assert client.paused_by("automation_c1") == ("anna", datetime(2026, 3, 1, 9, tzinfo=UTC))
        airflow.answers["GET", "/eventLogs"] = (200, {"event_logs": log[:1]})
        assert client.paused_by("automation_c1") is None
