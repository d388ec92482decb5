"""Integrations over HTTP: credentials go in and never come out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from automations import wiring
from automations.db.session import unit_of_work
from automations.db.tables import AuditLog
from automations.services.integrations import integrations
from automations.services.integrations.mail import server_of
from tests.api.conftest import Api
from tests.environment import Environment
from tests.servers.mailbox import Mailbox

PASSWORD = "correct-horse"
SMTP: dict[str, Any] = {
    "name": "Office",
    "type": "EMAIL_PROVIDER",
    "config": {
        "host": "127.0.0.1",
        "port": 2526,
        "security": "none",
        "fromEmail": "office@sender.example",
        "fromName": "The Office",
    },
    "credentials": {"username": "office", "password": PASSWORD},
    "setAsSiteEmailProvider": True,
}
SLACK = {"name": "Slack", "type": "SLACK", "credentials": {"token": "xoxb-1"}}


@pytest.fixture
def mailbox(environment: Environment) -> Iterator[Mailbox]:
    """A mail server that workspaces are allowed to use."""
    box = Mailbox()
    environment.set(AUTOMATIONS_HTTP_ALLOW=f"127.0.0.1:{box.port}")
    box.start()
    try:
        yield box
    finally:
        box.stop()


def created(api: Api, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = api.call("POST", "/api/integrations", {**body, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 400, answer.text
    field_errors: dict[str, list[str]] = answer.json()["details"]["fieldErrors"]
    return field_errors


def test_an_integration_is_set_up_read_changed_and_deleted(api: Api) -> None:
    made = created(api, SMTP)
    assert set(made) == {
        *("id", "name", "type", "config", "credentialsFingerprint", "enabled"),
        *("isSiteEmailProvider", "createdAt", "updatedAt"),
    }
    assert made["config"] == SMTP["config"]
    assert (made["enabled"], made["isSiteEmailProvider"]) == (True, True)
    path = f"/api/integrations/{made['id']}"
    assert api.call("GET", path).json() == made
    assert api.call("GET", "/api/integrations").json() == [made]
    changed = api.call("PATCH", path, {"name": "Post", "enabled": False}).json()
    assert (changed["name"], changed["enabled"]) == ("Post", False)
    assert changed["credentialsFingerprint"] == made["credentialsFingerprint"]
    assert api.call("DELETE", path).status_code == 204
    assert api.call("GET", path).status_code == 404


def test_credentials_are_encrypted_and_in_no_answer(api: Api) -> None:
    made = api.call("POST", "/api/integrations", SMTP)
    read = api.call("GET", f"/api/integrations/{made.json()['id']}")
    assert PASSWORD not in made.text + read.text
    with unit_of_work() as session:
        stored = session.scalars(text("SELECT integration::text FROM integration")).one()
    assert PASSWORD not in stored


def test_new_credentials_have_a_new_fingerprint(api: Api) -> None:
    made = created(api, SMTP)
    path = f"/api/integrations/{made['id']}"
    given = {"username": "office", "password": "another-one"}
    changed = api.call("PATCH", path, {"credentials": given}).json()
    assert changed["credentialsFingerprint"] not in (None, made["credentialsFingerprint"])
    removed = api.call("PATCH", path, {"credentials": {}}).json()
    assert removed["credentialsFingerprint"] is None


def test_credentials_do_not_follow_to_another_host(api: Api) -> None:
    path = f"/api/integrations/{created(api, SMTP)['id']}"
    config = {**SMTP["config"], "host": "evil.example"}
    field_errors = errors(api.call("PATCH", path, {"config": config}))
    assert "must be given again when host changes" in field_errors["credentials"][0]
    assert api.call("GET", path).json()["config"] == SMTP["config"]
    body = {"config": config, "credentials": SMTP["credentials"]}
    assert api.call("PATCH", path, body).json()["config"]["host"] == "evil.example"
    port = {"config": {**config, "port": 25}}
    assert api.call("PATCH", path, port).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"type": "FAX"}, "type"),
        ({"type": None}, "type"),
        ({"enabled": "yes"}, "enabled"),
        ({"setAsSiteEmailProvider": 1}, "setAsSiteEmailProvider"),
        ({"more": 1}, "more"),
        ({"config": []}, "config"),
        ({"config": {}}, "config.host"),
        ({"config": {**SMTP["config"], "zzz": 1}}, "config.zzz"),
        ({"config": {**SMTP["config"], "host": "a b"}}, "config.host"),
        ({"config": {**SMTP["config"], "host": "a\r\nb"}}, "config.host"),
        ({"config": {**SMTP["config"], "host": "smtp.b.example:587"}}, "config.host"),
        ({"config": {**SMTP["config"], "port": 0}}, "config.port"),
        ({"config": {**SMTP["config"], "port": "25"}}, "config.port"),
        ({"config": {**SMTP["config"], "security": "ssl"}}, "config.security"),
        ({"config": {**SMTP["config"], "fromEmail": "nobody"}}, "config.fromEmail"),
        ({"config": {**SMTP["config"], "fromEmail": "{{input.x}}"}}, "config.fromEmail"),
        ({"config": {**SMTP["config"], "fromName": "A\r\nBcc: x@b.example"}}, "config.fromName"),
        ({"credentials": {"username": "office"}}, "credentials"),
        ({"credentials": {"token": "x"}}, "credentials.token"),
        ({"credentials": {"username": 1, "password": []}}, "credentials.password"),
        ({"type": "SLACK", "config": {}}, "credentials.token"),
        ({"type": "AI_PROVIDER", "config": {}, "credentials": {}}, "config.provider"),
        ({"type": "AI_PROVIDER", "config": {"provider": "parrot"}}, "config.provider"),
        (
            {"type": "AI_PROVIDER", "config": {"provider": "openai", "baseUrl": "file:///etc"}},
            "config.baseUrl",
        ),
        (
            {"type": "AI_PROVIDER", "config": {"provider": "openai", "baseUrl": "https://"}},
            "config.baseUrl",
        ),
        # As it is pasted: no request could be sent with it.
        (
            {
                "type": "AI_PROVIDER",
                "config": {"provider": "openai"},
                "credentials": {"apiKey": "k\n"},
            },
            "credentials.apiKey",
        ),
        ({"type": "SLACK", "config": {}, "credentials": {"token": " xoxb-1"}}, "credentials.token"),
        ({"type": "WEBHOOK", "config": {}, "credentials": {"secret": 1}}, "credentials.secret"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_field_named(
    api: Api, change: dict[str, Any], field: str
) -> None:
    assert field in errors(api.call("POST", "/api/integrations", {**SMTP, **change}))
    assert api.call("GET", "/api/integrations").json() == []


def test_a_patch_is_checked_like_a_new_one(api: Api) -> None:
    made = created(api, SMTP)
    path = f"/api/integrations/{made['id']}"
    changes: tuple[dict[str, Any], ...] = (
        {"name": ""},
        {"type": "SLACK"},
        {"config": {}},
        {"credentials": {"token": "x"}},
        {"enabled": "yes"},
    )
    for change in changes:
        errors(api.call("PATCH", path, change))
    assert api.call("GET", path).json() == made


def test_two_integrations_cannot_share_a_name(api: Api) -> None:
    created(api, SMTP)
    assert api.call("POST", "/api/integrations", SMTP).status_code == 409
    slack = created(api, SLACK)
    renamed = api.call("PATCH", f"/api/integrations/{slack['id']}", {"name": "Office"})
    assert renamed.status_code == 409
    same = api.call("PATCH", f"/api/integrations/{slack['id']}", {"name": "Slack"})
    assert same.status_code == 200


def test_a_workspace_has_one_site_email_provider(api: Api) -> None:
    first = created(api, SMTP)
    second = created(api, SMTP, name="Second")
    chosen = {
        row["name"]: row["isSiteEmailProvider"]
        for row in api.call("GET", "/api/integrations").json()
    }
    assert chosen == {"Office": False, "Second": True}
    path = f"/api/integrations/{first['id']}"
    assert api.call("PATCH", path, {"setAsSiteEmailProvider": True}).json()["isSiteEmailProvider"]
    other = api.call("GET", f"/api/integrations/{second['id']}").json()
    assert not other["isSiteEmailProvider"]
    api.call("PATCH", path, {"setAsSiteEmailProvider": False})
    assert not api.call("GET", path).json()["isSiteEmailProvider"]


def test_two_that_choose_at_once_leave_one_chosen(api: Api) -> None:
    paths = [f"/api/integrations/{created(api, SMTP, name=name)['id']}" for name in ("A", "B", "C")]
    statuses: list[int] = []

    def choose(path: str) -> None:
        answer = api.call("PATCH", path, {"setAsSiteEmailProvider": True})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=choose, args=(path,)) for path in paths * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 9
    rows = api.call("GET", "/api/integrations").json()
    assert sum(row["isSiteEmailProvider"] for row in rows) == 1


def test_of_those_who_delete_one_at_once_one_has_done_so(api: Api) -> None:
    for _ in range(5):
        path = f"/api/integrations/{created(api, SLACK)['id']}"
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda path: api.call("DELETE", path), [path] * 4))
        assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
    with unit_of_work() as session:
        deleted = select(AuditLog).where(AuditLog.action == "integration.delete")
        assert len(session.scalars(deleted).all()) == 5


def test_only_a_mail_server_can_be_the_site_email_provider(api: Api) -> None:
    answer = api.call("POST", "/api/integrations", {**SLACK, "setAsSiteEmailProvider": True})
    assert (answer.status_code, answer.json()["code"]) == (422, "UNPROCESSABLE")
    assert api.call("GET", "/api/integrations").json() == []


def test_only_administrators_of_the_workspace_may(api: Api) -> None:
    path = f"/api/integrations/{created(api, SMTP)['id']}"
    routes = [
        ("GET", "/api/integrations", None),
        ("POST", "/api/integrations", SLACK),
        ("GET", path, None),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", f"{path}/test", None),
    ]
    for method, route, body in routes:
        for role in ("VIEWER", "MEMBER"):
            assert api.call(method, route, body, role=role).status_code == 403
        if route != "/api/integrations":
            assert api.call(method, route, body, role="STRANGER").status_code == 404
    assert api.call("GET", "/api/integrations", role="STRANGER").json() == []
    assert api.call("GET", path, role="ADMIN").status_code == 200


class TestTest:
    def smtp(self, api: Api, mailbox: Mailbox, **more: Any) -> str:
        body = {**SMTP, "config": {**SMTP["config"], "port": mailbox.port}, **more}
        return f"/api/integrations/{created(api, body)['id']}/test"

    def test_a_server_that_takes_the_credentials_answers(self, api: Api, mailbox: Mailbox) -> None:
        answer = api.call("POST", self.smtp(api, mailbox))
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        assert mailbox.envelopes == []

    def test_wrong_credentials_are_told(self, api: Api, mailbox: Mailbox) -> None:
        credentials = {"username": "office", "password": "wrong-password"}
        answer = api.call("POST", self.smtp(api, mailbox, credentials=credentials))
        assert answer.json()["success"] is False
        assert "user name or password" in answer.json()["message"]
        assert "wrong-password" not in answer.text

    def test_a_server_that_is_away_is_told(self, api: Api, mailbox: Mailbox) -> None:
        path = self.smtp(api, mailbox)
        mailbox.stop()
        answer = api.call("POST", path)
        assert answer.json()["success"] is False
        assert "cannot be reached" in answer.json()["message"]

    def test_an_inner_address_is_not_tried(self, api: Api) -> None:
        path = f"/api/integrations/{created(api, SMTP)['id']}/test"
        assert "not a public address" in api.call("POST", path).json()["message"]

    def test_other_types_have_no_test(self, api: Api) -> None:
        path = f"/api/integrations/{created(api, SLACK)['id']}/test"
        assert api.call("POST", path).status_code == 422


class TestUse:
    def workspace(self, api: Api) -> str:
        api.call("GET", "/api/integrations")
        with unit_of_work() as session:
            return str(
                session.scalars(text("SELECT id FROM workspace WHERE slug <> 'other'")).one()
            )

    def test_adapters_get_the_newest_enabled_one_of_a_type(self, api: Api) -> None:
        workspace = self.workspace(api)
        assert integrations.credentials_of(workspace, "SLACK") is None
        created(api, SLACK)
        newest = created(api, SLACK, name="New", credentials={"token": "xoxb-2"})
        assert integrations.credentials_of(workspace, "SLACK") == ({}, {"token": "xoxb-2"})
        api.call("PATCH", f"/api/integrations/{newest['id']}", {"enabled": False})
        assert integrations.credentials_of(workspace, "SLACK") == ({}, {"token": "xoxb-1"})
        local = {"provider": "openai", "model": "m", "baseUrl": "http://localhost:9/v1"}
        created(api, {"name": "AI", "type": "AI_PROVIDER", "config": local})
        assert integrations.credentials_of(workspace, "AI_PROVIDER") == (local, {})
        assert integrations.credentials_of("elsewhere", "SLACK") is None

    def test_a_models_server_is_looked_up_once_and_under_the_guard(
        self, api: Api, environment: Environment
    ) -> None:
        workspace = self.workspace(api)
        local = {"provider": "openai", "model": "m", "baseUrl": "http://127.0.0.1:9/v1"}
        created(api, {"name": "AI", "type": "AI_PROVIDER", "config": local})
        models = wiring.ports().language_model
        assert "not a public address" in str(models.missing(workspace, None, None))
        environment.set(AUTOMATIONS_HTTP_ALLOW="127.0.0.1:9")
        account = wiring._model_account(workspace, None, None)
        assert account is not None
        assert account.address == "127.0.0.1"

    def test_mail_goes_by_the_chosen_server_else_by_the_settings(
        self, api: Api, environment: Environment
    ) -> None:
        workspace = self.workspace(api)

        def provider() -> str | None:
            server = server_of(workspace)
            return None if server is None else server.provider

        assert provider() == "development"
        environment.set(AUTOMATIONS_MAIL_DEFAULT="none")
        assert provider() is None
        environment.set(AUTOMATIONS_SMTP_HOST="smtp.example")
        assert provider() == "smtp"
        created(api, SMTP, setAsSiteEmailProvider=False)
        assert provider() == "smtp"
        path = f"/api/integrations/{created(api, SMTP, name='Chosen')['id']}"
        assert provider() == "Chosen"
        server = server_of(workspace)
        assert server is not None
        assert (server.username, server.password) == ("office", PASSWORD)
        assert (server.sender, server.sender_name) == ("office@sender.example", "The Office")
        assert server.guarded
        api.call("PATCH", path, {"enabled": False})
        assert provider() == "smtp"
