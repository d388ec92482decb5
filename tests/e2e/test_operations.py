"""What an operator relies on, with the real Airflow: logs, metrics, traces, prune, backup."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.automations import approval, delay, echo, echoed, email, fetch, outputs, put_secret
from tests.e2e.conftest import Stack
from tests.waiting import until

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


def log_files(home: Path) -> Iterator[Path]:
    for folder in (home / "logs", home / "airflow"):
        yield from (path for path in folder.rglob("*.log*") if path.is_file())


def logs_with(home: Path, *values: str) -> list[tuple[str, str]]:
    """The logs that hold one of the values, each with the value."""
    return [
        (str(path.relative_to(home)), value)
        for path in log_files(home)
        for value in values
        if value.encode() in path.read_bytes()
    ]


def lines(path: Path, **fields: str) -> list[dict[str, Any]]:
    """The JSON lines of a log that have these fields."""
    # The last one may be half written.
    whole = path.read_text().rpartition("\n")[0].splitlines()
    read = [json.loads(line) for line in whole if line.startswith("{")]
    return [line for line in read if fields.items() <= line.items()]


def test_logs_say_of_which_run_and_step_they_are_and_no_secret(stack: Stack) -> None:
    value = "s3cret-of-the-workspace"
    put_secret(stack, "LOGGED", value)
    nobody = f"http://127.0.0.1:{stack.demo_port}/{{{{secret.LOGGED}}}}"
    workflow = stack.create(
        echo(stack, "Send", 0, "{{secret.LOGGED}}"),
        {**fetch(1, nobody), "retry": {"maxAttempts": 1}},
    )
    answer = stack.http.post(
        f"{stack.bridge}/api/workflows/{workflow}/execute", json={}, timeout=60
    )
    run = answer.json()["runId"]
    failed = stack.wait(workflow, run, "FAILED")
    assert value in echoed(stack)
    assert value not in json.dumps(failed)
    (request,) = lines(stack.home / "logs" / "bridge.log", requestId=answer.headers["X-Request-Id"])
    assert request["route"] == "/api/workflows/{workflow_id}/execute"
    assert request["status"] == 200
    for step in stack.api("GET", f"/api/workflows/{workflow}")["steps"]:
        (log,) = (
            path for path in log_files(stack.home) if run in str(path) and step["id"] in str(path)
        )
        assert lines(log, workflowId=workflow, runId=run, stepId=step["id"])
    key = (stack.home / "owner.key").read_text().strip()
    secrets = json.loads((stack.home / "secrets.json").read_text())
    assert logs_with(stack.home, value, key, *secrets.values()) == []


def metric(stack: Stack, name: str, **labels: str) -> float:
    text = stack.metrics()
    return next(
        (
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"automations_{name}" and labels.items() <= sample.labels.items()
        ),
        0.0,
    )


def test_metrics_go_up_by_what_was_run(stack: Stack) -> None:
    manual = {"trigger": "manual"}
    counted: list[tuple[str, dict[str, str], int]] = [
        ("runs_started_total", manual, 2),
        ("runs_finished_total", {**manual, "status": "COMPLETED"}, 2),
        ("step_duration_seconds_count", {"type": "email", "status": "success"}, 4),
    ]

    def read() -> list[float]:
        return [metric(stack, name, **labels) for name, labels, _ in counted]

    thrown = {"code": "throw new Error('counted')"}
    fails = {"name": "Throw", "type": "code", "order": 0, "config": thrown}
    marker = stack.create({**fails, "retry": {"maxAttempts": 1}})
    stack.wait(marker, stack.execute(marker), "FAILED")
    ((failed,),) = stack.in_database(
        "SELECT sum(n) FROM counter WHERE (kind, label, outcome) = ('step', 'code', 'failed')"
    )

    def is_seen() -> bool | None:
        labels = {"type": "code", "status": "failed"}
        return metric(stack, "step_duration_seconds_count", **labels) >= failed or None

    # Figures that show so many failures are not of before, which they may be for some seconds.
    until("what was run before to be counted", is_seen)
    before = read()
    workflow = stack.create(
        email("One", 0, "metric@example.com"), email("Two", 1, "metric@example.com")
    )
    for run in [stack.execute(workflow) for _ in range(2)]:
        stack.wait(workflow, run, "COMPLETED")
    wanted = [value + more for value, (_, _, more) in zip(before, counted, strict=True)]
    until("the metrics to go up", lambda: read() == wanted or None)


def test_a_trace_goes_from_the_request_to_every_step_in_airflow(stack: Stack) -> None:
    workflow = stack.create(email("One", 0, "trace@example.com"), echo(stack, "Two", 1, "traced"))
    answer = stack.http.post(
        f"{stack.bridge}/api/workflows/{workflow}/execute",
        json={},
        headers={"traceparent": CALLER},
        timeout=30,
    )
    run = answer.json()["runId"]
    stack.wait(workflow, run, "COMPLETED")
    dispatcher = "dispatcher" if stack.is_distributed else "bridge"
    wanted = {
        ("automations-bridge", "POST /api/workflows/{workflow_id}/execute"),
        ("automations-bridge", "run"),
        (f"automations-{dispatcher}", "dispatch run"),
        ("automations-worker", "step email"),
        ("automations-worker", "step http_request"),
    }

    def seen() -> bool | None:
        spans = [span for span in stack.collector.spans if span.trace_id == TRACE]
        return {(span.service, span.name) for span in spans} == wanted or None

    until("the spans of all", seen)
    spans = {span.name: span for span in stack.collector.spans if span.trace_id == TRACE}
    began = spans["run"]
    assert began.parent_id == spans["POST /api/workflows/{workflow_id}/execute"].span_id
    for name in ("dispatch run", "step email", "step http_request"):
        assert spans[name].parent_id == began.span_id
        assert spans[name].attributes["automations.run_id"] == run


def test_prune_deletes_old_runs_here_and_in_airflow_and_none_in_flight(stack: Stack) -> None:
    workflow = stack.create(approval(), email("Tell", 1, "pruned@example.com"))
    ended, going, young = (stack.execute(workflow) for _ in range(3))
    for run in (ended, going, young):
        stack.wait(workflow, run, "PAUSED")
    for run in (ended, young):
        stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
        stack.wait(workflow, run, "COMPLETED")
    stack.in_database(
        "UPDATE run SET started_at = started_at - interval '3 hours',"
        " completed_at = completed_at - interval '3 hours' WHERE id IN (%(ended)s, %(going)s)",
        ended=ended,
        going=going,
    )
    dag_runs = f"/dags/automation_{workflow}/dagRuns"

    def dag_ended() -> bool | None:
        return stack.in_airflow("GET", f"{dag_runs}/{ended}")["state"] == "success" or None

    until("Airflow to end the run", dag_ended)
    answer = stack.command("prune", "--older-than", "2h")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "           1  run\n" in answer.stdout
    stack.api("GET", f"/api/workflows/{workflow}/runs/{ended}", expect=404)
    runs_left = {run["dag_run_id"] for run in stack.in_airflow("GET", dag_runs)["dag_runs"]}
    assert runs_left == {going, young}
    assert stack.run(workflow, young)["status"] == "COMPLETED"
    stack.api("POST", f"/api/workflows/runs/{going}/resume", {"decision": "approved"})
    stack.wait(workflow, going, "COMPLETED")


def test_a_loop_pauses_twice_for_each_item(stack: Stack) -> None:
    body = [
        approval(),
        {**delay("PT4S"), "order": 1},
        email("Tell", 2, "loop.pauses@example.com", "{{loop.item}}: {{steps.Ask.decision}}"),
    ]
    config = {"collection": ["a", "b"], "steps": body}
    workflow = stack.create({"name": "Each", "type": "loop", "order": 0, "config": config})
    run = stack.execute(workflow)

    def pauses_for(kind: str) -> bool | None:
        pause = stack.run(workflow, run).get("pause")
        return (pause is not None and pause["kind"] == kind) or None

    for _ in range(2):
        until("the question", lambda: pauses_for("decision"))
        stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
        until("the delay", lambda: pauses_for("delay"))
    done = stack.wait(workflow, run, "COMPLETED")
    assert outputs(done)["Each"]["count"] == 2
    assert outputs(done)["Each"]["errors"] == []
    sent = sorted(mail["text"].strip() for mail in stack.mails("loop.pauses@example.com"))
    assert sent == ["a: approved", "b: approved"]


VARIABLE, PASSWORD = "s3cret-of-a-variable", "s3cret-of-a-connection"


def test_secrets_that_airflow_keeps_are_used_by_steps_and_shown_nowhere(
    stack: Stack,
) -> None:
    name = "AUTOMATIONS_SECRET_KEPT_"
    stack.in_airflow("POST", "/variables", {"key": f"{name}VARIABLE", "value": VARIABLE})
    kept = {"connection_id": f"{name}CONNECTION", "conn_type": "http", "password": PASSWORD}
    stack.in_airflow("POST", "/connections", kept)
    workflow = stack.create(
        echo(stack, "First", 0, "{{secret.KEPT_VARIABLE}}"),
        echo(stack, "Second", 1, "{{secret.KEPT_CONNECTION}}"),
    )
    run = stack.execute(workflow)
    done = stack.wait(workflow, run, "COMPLETED")
    assert echoed(stack)[-2:] == [VARIABLE, PASSWORD]
    for output in outputs(done).values():
        assert output["body"] == {"text": "***"}
    assert VARIABLE not in json.dumps(done)
    assert PASSWORD not in json.dumps(done)
    tasks = f"/dags/automation_{workflow}/dagRuns/{run}/taskInstances"

    def pushed() -> list[Any] | None:
        entries = stack.in_airflow("GET", f"{tasks}/~/xcomEntries?limit=100")["xcom_entries"]
        values = {"First", "Second"} <= {entry["task_display_name"] for entry in entries}
        return entries if values else None

    # A run is COMPLETED when its last step is; its tasks end in Airflow a moment later.
    handed_on = until("both tasks to have pushed what they hand on", pushed)
    values = [
        stack.in_airflow("GET", f"{tasks}/{entry['task_id']}/xcomEntries/{entry['key']}")
        for entry in handed_on
    ]
    assert not any(value in json.dumps(values) for value in (VARIABLE, PASSWORD))
    assert logs_with(stack.home, VARIABLE, PASSWORD) == []


@pytest.mark.parametrize("execution", ["airflow", "express"])
def test_a_connection_that_airflow_keeps_signs_a_step_and_its_test(
    stack: Stack, execution: str
) -> None:
    host, _, port = stack.counterparts.address.partition(":")
    password = f"s3cret-of-{execution}"
    kept = {
        "connection_id": f"kept_{execution}",
        "conn_type": "http",
        "host": host,
        "port": int(port),
        "login": "ada",
        "password": password,
    }
    stack.in_airflow("POST", "/connections", kept)
    config = {
        "method": "POST",
        "url": "/echo",
        "body": {"text": "{{input.text}}"},
        "connId": kept["connection_id"],
    }
    call = {"id": "call", "name": "Call", "type": "http_request", "order": 0, "config": config}
    workflow = stack.create(call, execution=execution)
    signed = "Basic " + base64.b64encode(f"ada:{password}".encode()).decode()
    run = stack.execute(workflow, text="hello")
    done = stack.wait(workflow, run, "COMPLETED")
    assert outputs(done)["Call"]["body"] == {"text": "hello"}
    assert stack.counterparts.signed[-1] == signed
    test = f"/api/workflows/{workflow}/steps/call/test"
    # What it would not read of the run's own input.
    tried = stack.api("POST", test, {"input": {"text": f"I am {password}"}})
    assert (tried["status"], tried["output"]["body"]) == ("success", {"text": "I am ***"})
    assert stack.counterparts.signed.count(signed) == 2
    refused = stack.client.workflows.get(workflow)["steps"]
    refused[0]["config"]["connId"] = "others"
    body = {"steps": refused}
    answer = stack.http.patch(f"{stack.bridge}/api/workflows/{workflow}", json=body, timeout=30)
    assert "AUTOMATIONS_CONNECTION_ALLOW names it not" in answer.text


def test_a_backup_of_the_running_stack_runs_elsewhere(
    stack: Stack, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put_secret(stack, "SAVED", "s3cret-of-the-backup")
    workflow = stack.create(echo(stack, "Send", 0, "{{secret.SAVED}} {{input.place}}"))
    run = stack.execute(workflow, place="here")
    stack.wait(workflow, run, "COMPLETED")
    asking = stack.create(approval(), email("Tell", 1, "restored@example.com"))
    paused = stack.execute(asking)
    stack.wait(asking, paused, "PAUSED")
    file = tmp_path / "backup.tar"
    answer = stack.command("backup", str(file))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    other = Stack(tmp_path_factory.mktemp("other"), stack.counterparts, stack.collector)
    answer = other.command("restore", str(file))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    try:
        other.up()
        names = [secret["name"] for secret in other.api("GET", "/api/secrets")]
        assert "SAVED" in names
        assert other.run(workflow, run) == stack.run(workflow, run)
        again = other.execute(workflow, place="there")
        other.wait(workflow, again, "COMPLETED")
        # What waited when the backup was made goes on in both.
        for one in (other, stack):
            one.api("POST", f"/api/workflows/runs/{paused}/resume", {"decision": "approved"})
            one.wait(asking, paused, "COMPLETED")
            assert len(one.mails("restored@example.com")) == 1
        stack.api("GET", f"/api/workflows/{workflow}/runs/{again}", expect=404)
    finally:
        other.down()
    assert echoed(stack)[-2:] == ["s3cret-of-the-backup here", "s3cret-of-the-backup there"]
