"""Webhooks of pipelines over HTTP: who knows the URL, and what a delivery to it does."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Job, PipelineConnection
from automations.services.access import rate_limits
from automations.services.pipelines import webhooks
from automations.settings import get_settings
from tests.api.answers import errors
from tests.api.conftest import Api
from tests.api.pipelines.pipelines import CONNECTIONS, connection, events, mapping, register, rows
from tests.db.workspace import at_once


def path(api: Api, made: dict[str, Any], how: str = "GET", what: str = "webhook-url") -> str:
    answer = api.call(how, f"{CONNECTIONS}/{made['id']}/{what}", role="ADMIN")
    assert answer.status_code == 200, answer.text
    base, found = get_settings().bridge_base, str(answer.json()["webhookUrl"])
    assert found.startswith(f"{base}/api/pipelines/webhooks/")
    return found.removeprefix(base)


def deliver(api: Api, where: str, body: Any = None, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.http.post(
        where, content=content, headers={"Content-Type": "application/json", **named}
    )


class TestUrl:
    def test_it_is_revealed_to_administrators_and_that_is_on_record(self, api: Api) -> None:
        made = connection(api, mapping(register(api)))
        url = f"{CONNECTIONS}/{made['id']}/webhook-url"
        assert api.call("GET", url, role="MEMBER").status_code == 403
        assert api.call("GET", url, role="STRANGER").status_code == 404
        assert path(api, made) == path(api, made)
        lines = api.call("GET", "/api/audit-logs").json()["auditLogs"][:2]
        assert [(line["action"], line["actor"]["name"]) for line in lines] == [
            ("pipeline.reveal_webhook", "admin")
        ] * 2

    def test_its_token_is_kept_and_shown_nowhere_else(self, api: Api) -> None:
        made = connection(api, mapping(register(api)))
        token = path(api, made).rpartition("/")[2]
        assert len(token) >= 43
        with unit_of_work() as session:
            row = session.scalars(select(PipelineConnection)).one()
            kept = {name: str(value) for name, value in vars(row).items()}
        assert token not in kept.values()
        assert token not in api.call("GET", f"{CONNECTIONS}/{made['id']}").text
        assert token not in api.call("GET", "/api/audit-logs").text

    def test_a_rotated_one_takes_the_place_of_the_old_one(self, api: Api) -> None:
        made = connection(api, mapping(register(api)))
        old = path(api, made)
        new = path(api, made, "POST", "rotate-webhook")
        assert new != old
        assert deliver(api, old, []).status_code == 404
        assert deliver(api, new, []).status_code == 202
        assert path(api, made) == new

    def test_it_goes_on_when_the_installation_gets_another_key(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = connection(api, mapping(register(api)))
        before = path(api, made)
        keys = f"another-key,{get_settings().encryption_key}"
        monkeypatch.setattr("automations.tokens.get_settings", lambda: Settings(keys))
        assert path(api, made) == before
        monkeypatch.setattr("automations.tokens.get_settings", lambda: Settings("another-key"))
        after = path(api, made)
        assert deliver(api, before, []).status_code == 404
        assert deliver(api, after, []).status_code == 202

    def test_guessing_and_flooding_are_slowed_down(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rate_limits, "_MAX_MISSES", 2)
        monkeypatch.setattr(webhooks, "_MAX_PER_MINUTE", 3)
        guessed = [deliver(api, f"/api/pipelines/webhooks/guess{n}", []) for n in range(3)]
        assert [answer.status_code for answer in guessed] == [404, 404, 429]
        where = path(api, connection(api, mapping(register(api))))
        taken = [deliver(api, where, []) for _ in range(4)]
        assert [answer.status_code for answer in taken] == [202, 202, 202, 429]
        assert int(taken[-1].headers["Retry-After"]) > 0


class Settings:
    """Only what tokens are derived from."""

    def __init__(self, encryption_key: str) -> None:
        self.encryption_key = encryption_key


class TestPush:
    @pytest.fixture
    def table(self, api: Api) -> str:
        return register(api)

    @pytest.fixture
    def made(self, api: Api, table: str) -> dict[str, Any]:
        return connection(api, mapping(table))

    @pytest.mark.parametrize("wrapped", [False, True])
    def test_records_are_rows_and_one_event(
        self, api: Api, table: str, made: dict[str, Any], wrapped: bool
    ) -> None:
        records = [{"id": 1, "package": "a"}, {"id": 2}, {"package": "no id"}]
        answer = deliver(api, path(api, made), {"records": records} if wrapped else records)
        (run,) = api.call("GET", f"{CONNECTIONS}/{made['id']}/runs").json()["runs"]
        assert (answer.status_code, answer.json()) == (
            202,
            {
                "runId": run["id"],
                "status": "COMPLETED",
                "duplicate": False,
                "created": 2,
                "updated": 0,
                "unchanged": 0,
                "failed": 1,
            },
        )
        assert (run["startedBy"], run["records"]) == ("webhook", 3)
        assert [row["id"] for row in rows(api, table)] == [1, 2]
        assert [event.data["created"] for event in events()] == [2]
        line = api.call("GET", "/api/audit-logs").json()["auditLogs"][0]
        assert (line["action"], line["actor"]["type"]) == ("pipeline.sync", "anonymous")

    @pytest.mark.parametrize("header", ["idempotency_key", "webhook_id", "x_github_delivery"])
    def test_a_delivery_counts_once(
        self, api: Api, table: str, made: dict[str, Any], header: str
    ) -> None:
        where = path(api, made)
        first = deliver(api, where, [{"id": 1, "package": "a"}], **{header: "one"})
        deliver(api, where, [{"id": 1, "package": "b"}], **{header: "two"})
        again = deliver(api, where, [{"id": 1, "package": "a"}], **{header: "one"})
        assert (first.status_code, again.status_code) == (202, 200)
        assert again.json() == {**first.json(), "duplicate": True}
        assert rows(api, table)[0]["package"] == "b"

    def test_deliveries_at_once_with_one_id_are_one_sync(
        self, api: Api, made: dict[str, Any]
    ) -> None:
        where = path(api, made)
        answers: list[Any] = at_once(
            *[lambda: deliver(api, where, [{"id": 1}], webhook_id="one") for _ in range(5)]
        )
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 202]
        assert len({answer.json()["runId"] for answer in answers}) == 1

    def test_ids_are_those_of_one_connection(self, api: Api, made: dict[str, Any]) -> None:
        other = connection(api, mapping(register(api)), name="Other")
        for one in (made, other):
            assert deliver(api, path(api, one), [], webhook_id="one").status_code == 202

    @pytest.mark.parametrize(
        "body", [None, {}, {"records": None}, {"records": {}}, "text", 5, {"record": []}]
    )
    def test_what_holds_no_records_is_refused(
        self, api: Api, made: dict[str, Any], body: Any
    ) -> None:
        assert list(errors(deliver(api, path(api, made), body))) == ["records"]

    def test_what_is_no_json_or_too_large_is_refused(self, api: Api, made: dict[str, Any]) -> None:
        where = path(api, made)
        assert list(errors(deliver(api, where, b"[1,"))) == ["body"]
        plain = {"content-type": "text/plain"}
        assert list(errors(api.http.post(where, content=b"[,]", headers=plain))) == ["records"]
        assert deliver(api, where, b"[" + b" " * 1_000_000 + b"]").status_code == 413

    def test_a_refused_delivery_may_come_again(self, api: Api, made: dict[str, Any]) -> None:
        where = path(api, made)
        api.call("PATCH", f"{CONNECTIONS}/{made['id']}", {"enabled": False})
        assert deliver(api, where, [{"id": 1}], webhook_id="one").status_code == 409
        api.call("PATCH", f"{CONNECTIONS}/{made['id']}", {"enabled": True})
        assert deliver(api, where, [{"id": 1}], webhook_id="one").json()["created"] == 1
        api.call("DELETE", f"{CONNECTIONS}/{made['id']}")
        assert deliver(api, where, []).status_code == 404


class TestTrigger:
    CONFIG: ClassVar = {"url": "http://127.0.0.1:1/alerts"}

    @pytest.fixture
    def made(self, api: Api) -> dict[str, Any]:
        return connection(api, mapping(register(api)), connectorType="http", config=self.CONFIG)

    @pytest.mark.parametrize("body", [b"", b'{"action": "created"}', b"payload=1"])
    def test_whatever_is_sent_a_sync_begins(
        self, api: Api, made: dict[str, Any], body: bytes
    ) -> None:
        kind = {"content-type": "application/json" if body[:1] == b"{" else "text/plain"}
        answer = api.http.post(path(api, made), content=body, headers=kind)
        assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING")
        with unit_of_work() as session:
            job = session.scalars(select(Job).where(Job.kind == "sync_pipeline")).one()
        assert job.subject_id == answer.json()["runId"]

    def test_a_repeat_begins_nothing_also_when_the_sync_has_ended(
        self, api: Api, made: dict[str, Any]
    ) -> None:
        where = path(api, made)
        run = deliver(api, where, webhook_id="one").json()["runId"]
        for _ in range(2):
            again = deliver(api, where, webhook_id="one")
            assert (again.status_code, again.json()["runId"]) == (200, run)
            api.call("DELETE", f"{CONNECTIONS}/{made['id']}/runs/{run}")
        assert deliver(api, where, webhook_id="two").json()["runId"] != run
