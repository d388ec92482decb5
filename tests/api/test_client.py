"""The typed client, against the bridge as a server and against one that refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, NotRequired, get_origin, get_type_hints

import pytest

from automations.launcher.demo import WELCOME_FORM, welcome
from automations_client import (
    ApiError,
    Client,
    ClientError,
    Conflict,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RateLimited,
    RuleBroken,
    Unreachable,
    ValidationFailed,
    WaitTimeout,
    figures,
    shapes,
)
from tests.api.conftest import Live
from tests.servers.answering import Answering

STEP = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}
COLUMNS = [{"key": "n", "name": "N", "type": "number"}]


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(live.url, live.key) as client:
        yield client


@pytest.fixture
def server() -> Iterator[Answering]:
    answering = Answering()
    with answering.listening():
        yield answering


@pytest.fixture
def impatient(server: Answering) -> Iterator[Client]:
    """A client of the server that refuses, which waits a second at most."""
    with Client(f"http://{server.address}", "sk_test", max_pause=1) as client:
        yield client


def has_shape(answer: Mapping[str, Any], shape: Any) -> None:
    """Every field that the type has is there, and no other."""
    hints = get_type_hints(shape, include_extras=True)
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    assert set(answer) | optional == set(hints)


def definition(**more: Any) -> dict[str, Any]:
    return {"name": "Test", "status": "ACTIVE", "steps": [STEP], **more}


def keys(server: Answering) -> list[str]:
    return [headers["idempotency-key"] for _, headers, _ in server.seen]


def test_automations_and_runs_have_the_types_shapes(client: Client) -> None:
    created = client.workflows.create(definition())
    has_shape(created, shapes.Workflow)
    assert client.workflows.get(created["id"]) == created
    changed = client.workflows.update(created["id"], {"name": "Other"})
    has_shape(changed, shapes.UpdatedWorkflow)
    has_shape(changed["inFlight"], shapes.InFlight)
    stats = client.workflows.stats()
    report = client.workflows.figures("day", workflow_id=created["id"])
    has_shape(report, figures.Figures)
    has_shape(report["parts"][0], figures.OutcomesOfPart)
    has_shape(stats["workflows"], shapes.WorkflowCounts)
    has_shape(stats["runs"], shapes.RunCounts)
    started = client.workflows.execute(created["id"], {"who": "Ada"})
    has_shape(started, shapes.StartedRun)
    detail = client.runs.get(created["id"], started["runId"])
    has_shape(detail, shapes.RunDetail)
    has_shape(detail["state"], shapes.State)
    (exported,) = client.runs.export(created["id"])["runs"]
    has_shape(exported, shapes.ExportedRun)
    has_shape(client.runs.replay(created["id"], started["runId"]), shapes.ReplayedRun)
    again = client.runs.replay_many(created["id"], since=datetime(2000, 1, 1, tzinfo=UTC), limit=1)
    has_shape(again, shapes.ReplayedRuns)
    has_shape(client.runs.cancel(created["id"], started["runId"]), shapes.RunState)
    ended = client.runs.wait(created["id"], started["runId"], timeout=60)
    assert ended["status"] == "CANCELLED"
    with pytest.raises(Conflict):
        client.runs.retry(created["id"], started["runId"])
    client.workflows.delete(created["id"])
    with pytest.raises(NotFound):
        client.workflows.get(created["id"])


def test_forms_and_events_have_the_types_shapes(client: Client) -> None:
    form = client.forms.create(WELCOME_FORM)
    has_shape(form, shapes.Form)
    assert client.forms.update(form["id"], {"title": "Other"})["version"] >= form["version"]
    assert client.forms.get(form["id"], 1)["version"] == 1
    assert [one["id"] for one in client.forms.all()] == [form["id"]]
    assert client.workflows.create(welcome(form["id"]))["formId"] == form["id"]
    data = {"name": "Ada", "email": "ada@example.com"}
    submission = client.submissions.create(form["id"], data)
    has_shape(submission, shapes.Submission)
    client.submissions.change(submission["id"], {**data, "name": "Grace"})
    (snapshot,) = client.submissions.snapshots(submission["id"])
    has_shape(snapshot, shapes.Snapshot)
    assert client.submissions.approve(submission["id"])["status"] == "APPROVED"
    with pytest.raises(Conflict):
        client.submissions.reject(submission["id"])
    later = client.submissions.create(form["id"], data)
    newest_first = [later, client.submissions.get(submission["id"])]
    assert list(client.submissions.iterate(form["id"], page_size=1)) == newest_first
    assert client.submissions.page(form["id"], "PENDING").items == [later]
    event = {"specversion": "1.0", "id": "1", "source": "shop", "type": "com.example.paid"}
    taken = client.events.send(event)
    has_shape(taken, shapes.TakenEvent)
    assert [receipt["duplicate"] for receipt in client.events.send_many([event])] == [True]
    (listed,) = client.events.iterate(kind="com.example.paid")
    has_shape(listed, shapes.Event)
    has_shape(client.events.get(taken["id"]), shapes.EventDetail)
    with pytest.raises(Conflict, match="still to be matched"):
        client.events.replay(taken["id"])
    with pytest.raises(Conflict, match="used by ACTIVE automations"):
        client.forms.delete(form["id"])
    client.forms.delete(form["id"], force=True)


def test_tables_and_pipelines_have_the_types_shapes(client: Client) -> None:
    table = client.tables.create({"name": "Numbers", "columns": COLUMNS})
    has_shape(table, shapes.Table)
    row = client.rows.create(table["id"], {"n": 1})
    has_shape(row, shapes.Row)
    assert client.rows.change(table["id"], row["id"], {"n": 2})["data"] == {"n": 2}
    has_shape(client.rows.load(table["id"], [{"n": 3}]), shapes.ImportedRows)
    assert client.rows.load(table["id"], "n\n4\n5\n")["count"] == 2
    has_shape(client.tables.stats(table["id"]), shapes.TableStats)
    counted = client.tables.aggregate(table["id"], "sum", "n", group_by="n")
    has_shape(counted, shapes.Aggregate)
    assert (counted["value"], len(counted["groups"])) == (14, 4)
    assert [group["category"] for group in client.tables.tree()] == ["USER"]
    client.rows.delete(table["id"], row["id"])
    with pytest.raises(NotFound):
        client.rows.get(table["id"], row["id"])
    mapping = {"tableId": table["id"], "keyColumns": ["n"], "fieldMapping": {"n": "n"}}
    shape = {"name": "Pushed", "connectorType": "push", "config": {}, "tables": [mapping]}
    connection = client.pipelines.create(shape)
    has_shape(connection, shapes.Connection)
    assert client.pipelines.update(connection["id"], {"name": "P"})["name"] == "P"
    sync = client.pipelines.sync(connection["id"], [{"n": 6}])
    has_shape(sync, shapes.Sync)
    assert (sync["created"], list(client.pipelines.syncs(connection["id"]))) == (1, [sync])
    assert client.pipelines.get_sync(connection["id"], sync["id"]) == sync
    assert [pipeline["id"] for pipeline in client.pipelines.all()] == [connection["id"]]
    url = client.pipelines.webhook_url(connection["id"])
    assert "/api/pipelines/webhooks/" in url
    assert client.pipelines.rotate_webhook(connection["id"]) != url
    client.pipelines.delete(connection["id"])
    assert client.tables.replace(table["id"], {"name": "N", "columns": COLUMNS})["name"] == "N"
    client.tables.delete(table["id"])
    assert client.tables.all("USER") == []


def test_what_administrators_do_has_the_types_shapes(client: Client) -> None:
    member = client.members.create("Ada", "ada@example.com", "ADMIN")
    has_shape(member, shapes.Member)
    assert client.members.update(member["id"], {"role": "MEMBER"})["role"] == "MEMBER"
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    key = client.api_keys.create("reader", "VIEWER", scopes=["workflows:read"], expires_at=tomorrow)
    has_shape(key, shapes.NewApiKey)
    has_shape(client.api_keys.rotate(key["id"], 60), shapes.NewApiKey)
    has_shape(client.api_keys.all()[0], shapes.ApiKey)
    client.api_keys.revoke(key["id"])
    has_shape(client.secrets.put("TOKEN", "a secret"), shapes.Secret)
    assert [secret["name"] for secret in client.secrets.all()] == ["TOKEN"]
    client.secrets.delete("TOKEN")
    hook = {"name": "Mail", "type": "EMAIL_PROVIDER", "config": SMTP}
    integration = client.integrations.create(hook)
    has_shape(integration, shapes.Integration)
    has_shape(client.integrations.test(integration["id"]), shapes.Verdict)
    client.integrations.delete(integration["id"])
    client.members.delete(member["id"])


SMTP = {"host": "127.0.0.1", "port": 9, "fromEmail": "us@example.com", "security": "none"}


def test_lists_are_gone_through_page_by_page(client: Client) -> None:
    created = [client.workflows.create(definition())["id"] for _ in range(5)]
    assert [automation["id"] for automation in client.workflows.iterate(2)] == created[::-1]
    runs = [client.workflows.execute(created[0])["runId"] for _ in range(5)]
    assert [run["id"] for run in client.runs.iterate(created[0], 2)] == runs[::-1]
    page = client.runs.page(created[0], 2, 2, status="RUNNING")
    assert ([run["id"] for run in page.items], page.total) == (runs[::-1][2:4], 5)
    assert list(client.runs.iterate(created[0], status="FAILED")) == []
    table = client.tables.create({"name": "Numbers", "columns": COLUMNS})["id"]
    client.rows.load(table, [{"n": number} for number in range(5)])
    rows = client.rows.iterate(table, sort="-n", page_size=2)
    assert [row["data"]["n"] for row in rows] == [4, 3, 2, 1, 0]
    where = {"match": "all", "rules": [{"field": "n", "operator": "gt", "value": 2}]}
    assert [row["data"]["n"] for row in client.rows.iterate(table, where=where)] == [3, 4]


def test_refusals_are_exceptions_that_name_the_fields_and_the_request(
    client: Client, live: Live
) -> None:
    with pytest.raises(ValidationFailed) as invalid:
        client.workflows.create({"name": "", "steps": []})
    assert (invalid.value.status, invalid.value.code) == (400, "VALIDATION_ERROR")
    assert "name" in invalid.value.field_errors
    assert invalid.value.request_id
    with Client(live.url, "sk_wrong") as stranger, pytest.raises(NotAuthenticated):
        stranger.workflows.stats()
    token = client.api_keys.create("reader", "VIEWER")["token"]
    with Client(live.url, token) as reader, pytest.raises(NotAllowed):
        reader.workflows.create(definition())


def test_the_same_key_starts_one_run_and_takes_no_other_input(client: Client) -> None:
    workflow = client.workflows.create(definition())["id"]
    first, second = (
        client.workflows.execute(workflow, {"n": 1}, idempotency_key="once") for _ in range(2)
    )
    assert first == second
    with pytest.raises(RuleBroken):
        client.workflows.execute(workflow, {"n": 2}, idempotency_key="once")
    assert client.workflows.execute(workflow)["runId"] != first["runId"]


def test_a_wait_that_is_too_long_says_what_was_seen_last(client: Client) -> None:
    workflow = client.workflows.create(definition())["id"]
    run = client.workflows.execute(workflow)["runId"]
    assert client.runs.wait(workflow, run, until={"RUNNING"})["status"] == "RUNNING"
    with pytest.raises(WaitTimeout) as late:
        client.runs.wait(workflow, run, timeout=0)
    assert late.value.run["id"] == run


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
def test_a_post_is_sent_again_with_the_same_key(
    server: Answering, impatient: Client, status: int
) -> None:
    server.before = [(status, {}), (status, {})]
    server.answers({"runId": "r", "status": "RUNNING", "startedAt": ""})
    assert impatient.workflows.execute("w", {"n": 1})["runId"] == "r"
    assert len(keys(server)) == 3
    assert len(set(keys(server))) == 1
    assert {str(body) for _, _, body in server.seen} == {"{'input': {'n': 1}}"}
    impatient.workflows.execute("w", {"n": 1})
    assert len(set(keys(server))) == 2


def test_a_get_is_sent_again_and_a_change_is_not(server: Answering, impatient: Client) -> None:
    server.answers({"id": "w"})
    server.before = [(503, {}), (0, {})]
    assert impatient.workflows.get("w")["id"] == "w"
    assert len(server.seen) == 3
    server.before = [(503, {})]
    with pytest.raises(ApiError) as away:
        impatient.workflows.update("w", {})
    assert (away.value.status, away.value.code, len(server.seen)) == (503, "", 4)
    server.before = [(0, {})]
    with pytest.raises(Unreachable):
        impatient.workflows.update("w", {})


def test_the_api_says_when_again_in_seconds_or_as_a_date(
    server: Answering, impatient: Client
) -> None:
    server.answers({"id": "w"})
    # Were its distance waited for, it would be longer than this client has patience.
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    server.before = [(429, {"Retry-After": "1"}), (503, {"Retry-After": past})]
    begun = time.monotonic()
    impatient.workflows.get("w")
    assert time.monotonic() - begun >= 1
    server.before = [(429, {"Retry-After": "60"})]
    with pytest.raises(RateLimited) as limited:
        impatient.workflows.get("w")
    assert limited.value.retry_after == 60
    server.before = [(503, {"Retry-After": "Jan 99999999999999999999 00:00:00 2026 00.00.00"})]
    assert impatient.workflows.get("w")["id"] == "w"


def test_it_is_not_sent_for_ever(server: Answering) -> None:
    server.before = [(503, {"Retry-After": "0"})] * 10
    with Client(f"http://{server.address}", "sk_test", retries=2) as client:
        with pytest.raises(ApiError):
            client.workflows.stats()
        assert len(server.seen) == 3
        server.before = [(0, {})] * 10
        with pytest.raises(Unreachable, match="/api/workflows/stats"):
            client.workflows.stats()
    assert len(server.seen) == 6


def test_a_provider_that_said_no_is_not_asked_again(server: Answering, impatient: Client) -> None:
    server.answers({"error": "No mail.", "code": "PROVIDER_FAILED", "details": {}}, 502)
    with pytest.raises(ApiError, match="No mail"):
        impatient.request("POST", "/api/workflows/send-email", {})
    assert len(server.seen) == 1


def test_an_answer_that_is_still_made_is_asked_for_again(
    server: Answering, impatient: Client
) -> None:
    server.answers({"error": "Busy.", "code": "IN_PROGRESS", "details": {}}, 409)
    with pytest.raises(Conflict):
        impatient.workflows.execute("w")
    assert len(server.seen) == 4
    assert len(set(keys(server))) == 1


@pytest.mark.parametrize("nothing", ["", ".", ".."])
def test_an_id_that_is_none_leads_nowhere(
    server: Answering, impatient: Client, nothing: str
) -> None:
    with pytest.raises(ValueError, match="id"):
        impatient.workflows.delete(nothing)
    server.before = [(404, {})]
    with pytest.raises(ClientError):
        impatient.workflows.get("../a?b/c")
    assert server.seen[-1][0] == "/api/workflows/..%2Fa%3Fb%2Fc"


def test_the_key_does_not_follow_a_link_to_elsewhere(server: Answering, impatient: Client) -> None:
    server.answers([], Link='<http://elsewhere.example/api?cursor=next>; rel="next"')
    page = impatient.workflows.page()
    assert page.next_cursor == "next"
    impatient.workflows.page(cursor=page.next_cursor)
    assert server.seen[-1][0] == "/api/workflows?limit=50&cursor=next"


@pytest.mark.parametrize("key", ["sk_top\n", " sk_top", "sk_top\0", "sk_töp", ""])
def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="The API key has blanks") as refused:
        Client("http://127.0.0.1:9", key)
    assert "top" not in str(refused.value)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no address"):
        Client("http://[::1", "sk_test")


def test_what_is_no_json_is_no_answer(server: Answering, impatient: Client) -> None:
    server.answers(b"busy", Content_Type="text/plain")
    for ask in (impatient.workflows.stats, impatient.workflows.page, impatient.tables.all):
        with pytest.raises(Unreachable, match="no JSON, and no answer of the API"):
            ask()


def test_a_page_of_a_proxy_is_no_answer(server: Answering, impatient: Client) -> None:
    server.answers(b"<html>Sign in</html>", Content_Type="text/html; charset=utf-8")
    for ask in (impatient.workflows.stats, impatient.workflows.export):
        with pytest.raises(Unreachable, match="a page has come"):
            ask()
