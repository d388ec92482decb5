"""Connections of Airflow that steps use: with real servers behind them, and masked everywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from api_bridge.airflow.client import AirflowClient
from api_bridge.airflow.connections import ASKED_OF_AIRFLOW
from automations import wiring
from automations.errors import StepError
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.services.integrations import connections
from automations_airflow.secrets import AIRFLOW_SECRETS
from tests.db.runs import begin, logs, reload, row, step, task
from tests.environment import Environment
from tests.servers.answering import Answering
from tests.servers.mailbox import Mailbox
from tests.servers.model_provider import Provider

USER, PASSWORD = Mailbox.USER
MAIL = {"to": "ada@b.example", "subject": "Hi", "body": "Hello", "connId": "house_mail"}
CALL = {
    "method": "POST",
    "url": "/customers?of=all",
    "body": {"name": "Ada"},
    "connId": "house_crm",
}
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def environment(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    environment = Environment(monkeypatch)
    environment.set(
        AUTOMATIONS_CONNECTION_ALLOW="house_*,acme/acme_*", AUTOMATIONS_HTTP_ALLOW="127.0.0.1"
    )
    yield environment
    environment.forget()


@pytest.fixture
def engine(environment: Environment) -> Engine:
    return wiring.engine(AIRFLOW_SECRETS)


@pytest.fixture
def server() -> Iterator[Answering]:
    server = Answering()
    with server.listening():
        yield server


def kept(environment: Environment, conn_id: str, kind: str, address: str, **more: Any) -> None:
    """Have Airflow keep a connection."""
    host, _, port = address.rpartition(":")
    described = {"conn_type": kind, "host": host, "port": int(port), "password": PASSWORD, **more}
    environment.set(**{f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(described)})


def done(engine: Engine, kind: str, config: dict[str, Any]) -> tuple[Any, Any, str]:
    """What a step comes to, what it has put out, and everything that is recorded of its run."""
    run = begin(step("it", kind, 0, config))
    verdict = engine.run(task(run, "it"))
    stands = row(run, "it")
    assert stands is not None
    recorded = [stands.input, stands.output, stands.verdict, reload(run).error]
    return verdict, stands.output, str([*recorded, *(line.output for line in logs(run))])


def refusal(engine: Engine, kind: str, config: dict[str, Any]) -> str:
    verdict, _, recorded = done(engine, kind, config)
    assert isinstance(verdict, GiveUp)
    assert PASSWORD not in recorded
    return verdict.error


class TestRequests:
    def test_go_to_its_host_with_its_login_and_its_headers_and_hide_its_password(
        self, engine: Engine, environment: Environment, server: Answering
    ) -> None:
        server.answers({"you": f"{USER}:{PASSWORD}", "by": BASIC, "key": "k3y-of-it"})
        extra = {"X-Api-Key": "k3y-of-it", "X-Team": "sales", "timeout": 5}
        kept(environment, "house_crm", "http", server.address, login=USER, extra=extra)
        verdict, output, recorded = done(engine, "http_request", CALL)
        assert isinstance(verdict, Proceed)
        path, headers, body = server.seen[-1]
        assert (path, body) == ("/customers?of=all", {"name": "Ada"})
        assert headers["authorization"] == f"Basic {BASIC}"
        assert (headers["x-api-key"], headers["x-team"]) == ("k3y-of-it", "sales")
        assert "timeout" not in headers
        assert (output["body"]["you"], output["body"]["key"]) == (f"{USER}:***", "***")
        assert not any(secret in recorded for secret in (PASSWORD, BASIC, "k3y-of-it"))

    def test_in_a_loop_and_in_one_that_names_the_whole_address_in_its_host(
        self, engine: Engine, environment: Environment, server: Answering
    ) -> None:
        whole = {"host": f"http://{server.address}/api", "port": None}
        kept(environment, "house_crm", "http", server.address, **whole)
        looped = {"collection": [1, 2], "steps": [step("call", "http_request", 0, CALL)]}
        assert isinstance(done(engine, "loop", looped)[0], Proceed)
        assert [path for path, *_ in server.seen] == ["/api/customers?of=all"] * 2

    def test_in_one_that_is_written_as_an_address_with_what_must_be_escaped_there(
        self, engine: Engine, environment: Environment, server: Answering
    ) -> None:
        login, password = "ada@corp.example", "p/w: 100% ß"
        signed = base64.b64encode(f"{login}:{password}".encode()).decode()
        server.answers({"you": password, "by": signed})
        parts = f"{quote(login, safe='')}:{quote(password, safe='')}"
        address = f"http://{parts}@{server.address}/http?X-Team=a%26b%2Fc"
        environment.set(AIRFLOW_CONN_HOUSE_CRM=address)
        verdict, output, recorded = done(engine, "http_request", CALL)
        assert isinstance(verdict, Proceed)
        _, headers, _ = server.seen[-1]
        assert headers["authorization"] == f"Basic {signed}"
        assert headers["x-team"] == "a&b/c"
        assert output["body"]["you"] == "***"
        assert not any(secret in recorded for secret in (password, signed, quote(password)))

    @pytest.mark.parametrize("written", ["http://host:port", "{no json", "   "])
    def test_one_that_airflow_cannot_read_is_none(
        self, engine: Engine, environment: Environment, written: str
    ) -> None:
        environment.set(AIRFLOW_CONN_HOUSE_CRM=written)
        assert "house_crm" in refusal(engine, "http_request", CALL)

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"conn_type": "postgres"}, "is of the type postgres"),
            ({"extra": {"verify": False}}, "has verify in its extra"),
            ({"extra": {"proxies": {"http": "http://a"}}}, "has proxies in its extra"),
            ({"extra": {"X-Many": ["a"]}}, "X-Many of its extra is no header"),
            ({"extra": {"host": "b.example"}}, "header 'host' cannot be set"),
            ({"host": None}, "has no host"),
            ({"password": "1234"}, "could not be masked"),
        ],
    )
    def test_what_steps_cannot_do_by_one_is_said(
        self,
        engine: Engine,
        environment: Environment,
        server: Answering,
        more: dict[str, Any],
        said: str,
    ) -> None:
        kept(environment, "house_crm", "http", server.address, **more)
        assert said in refusal(engine, "http_request", CALL)
        assert server.seen == []

    def test_the_guard_holds_for_its_host(
        self, engine: Engine, environment: Environment, server: Answering
    ) -> None:
        kept(environment, "house_crm", "http", server.address)
        environment.set(AUTOMATIONS_HTTP_ALLOW=None)
        guarded = wiring.engine(AIRFLOW_SECRETS)
        assert "is not a public address" in refusal(guarded, "http_request", CALL)
        assert server.seen == []

    @pytest.mark.parametrize("url", ["{{input.text}}", "//{{input.text}}"])
    def test_a_path_that_a_template_gives_leads_nowhere_else(
        self, engine: Engine, environment: Environment, server: Answering, url: str
    ) -> None:
        kept(environment, "house_crm", "http", server.address, login=USER)
        run = begin(step("it", "http_request", 0, {**CALL, "url": url}), text="http://b.example/")
        engine.run(task(run, "it"))
        # It is a path of the connection's host, whatever it looks like.
        assert all("b.example" in path for path, *_ in server.seen)


class TestMail:
    @pytest.fixture
    def post(self) -> Iterator[Mailbox]:
        post = Mailbox()
        post.start()
        yield post
        post.stop()

    def test_is_sent_by_its_server_from_its_sender(
        self, engine: Engine, environment: Environment, post: Mailbox
    ) -> None:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "Office <o@h.example>"}
        address = f"127.0.0.1:{post.port}"
        kept(environment, "house_mail", "smtp", address, login=USER, extra=extra)
        verdict, output, recorded = done(engine, "email", MAIL)
        assert isinstance(verdict, Proceed)
        assert post.message()["From"] == "Office <o@h.example>"
        assert (output["provider"], output["accepted"]) == ("house_mail", ["ada@b.example"])
        assert PASSWORD not in recorded

    @pytest.mark.parametrize(
        ("extra", "said"),
        [
            ({}, "names no sender"),
            ({"from_email": "o@h.example, p@h.example"}, "from_email in its extra that must be"),
            ({"from_email": "o@h.example", "auth_type": "oauth2"}, "auth_type"),
            ({"from_email": "o@h.example", "ssl_context": "none"}, "ssl_context"),
            ({"from_email": "o@h.example", "disable_ssl": "perhaps"}, "neither true nor false"),
            # TLS, as nothing is said, with a server that has none.
            ({"from_email": "o@h.example"}, "The mail server cannot be reached"),
        ],
    )
    def test_what_it_lacks_is_said(
        self,
        engine: Engine,
        environment: Environment,
        post: Mailbox,
        extra: dict[str, Any],
        said: str,
    ) -> None:
        kept(environment, "house_mail", "smtp", f"127.0.0.1:{post.port}", extra=extra)
        assert said in refusal(engine, "email", MAIL)
        assert post.envelopes == []


class TestSlack:
    def test_a_message_is_posted_with_its_token(
        self, engine: Engine, environment: Environment, server: Answering
    ) -> None:
        server.answers({"ok": True, "ts": "1.2", "channel": "C1", "you": PASSWORD})
        base = {"base_url": f"http://{server.address}/api"}
        kept(environment, "house_slack", "slack", server.address, extra=base)
        config = {"text": "Hi", "channel": "C1", "connId": "house_slack"}
        verdict, _, recorded = done(engine, "slack", config)
        assert isinstance(verdict, Proceed)
        path, headers, _ = server.seen[-1]
        assert path == "/api/chat.postMessage"
        assert headers["authorization"] == f"Bearer {PASSWORD}"
        assert PASSWORD not in recorded

    def test_a_webhook_is_its_host_with_its_token(
        self, engine: Engine, environment: Environment, server: Answering
    ) -> None:
        host = {"host": f"http://{server.address}/services", "port": None}
        kept(environment, "house_hook", "slackwebhook", server.address, **host)
        config = {"text": "Hi", "connId": "house_hook"}
        assert isinstance(done(engine, "slack", config)[0], Proceed)
        assert server.seen[-1][0] == f"/services/{PASSWORD}"
        assert "its own channel" in refusal(engine, "slack", {**config, "channel": "C1"})


class TestModels:
    @pytest.fixture
    def provider(self) -> Iterator[Provider]:
        provider = Provider()
        with provider.listening():
            yield provider

    def test_are_asked_with_its_key_at_its_host(
        self, engine: Engine, environment: Environment, provider: Provider
    ) -> None:
        host = {"host": f"{provider.base}/v1", "port": None, "extra": {"model": "openai:gpt-4o"}}
        kept(environment, "house_ai", "pydanticai", provider.address, **host)
        config = {"prompt": "Hi", "connId": "house_ai"}
        verdict, output, recorded = done(engine, "ai", config)
        assert isinstance(verdict, Proceed)
        assert output["text"] == "Hello"
        assert provider.last["model"] == "gpt-4o"
        assert provider.seen[-1][1]["authorization"] == f"Bearer {PASSWORD}"
        assert PASSWORD not in recorded
        other = {**config, "provider": "anthropic"}
        assert "is with openai, not anthropic" in refusal(engine, "ai", other)


@pytest.mark.parametrize(
    ("conn_id", "said"),
    [
        ("airflow_db", "AUTOMATIONS_CONNECTION_ALLOW names it not"),
        ("acme_crm", "AUTOMATIONS_CONNECTION_ALLOW names it not"),
        ("house_none", "Airflow has no connection house_none"),
    ],
)
def test_one_that_is_not_allowed_or_not_there_is_not_used(
    engine: Engine, environment: Environment, server: Answering, conn_id: str, said: str
) -> None:
    for there in ("airflow_db", "acme_crm"):
        kept(environment, there, "http", server.address)
    assert said in refusal(engine, "http_request", {**CALL, "connId": conn_id})
    assert server.seen == []


def test_none_is_allowed_by_default(environment: Environment) -> None:
    environment.set(AUTOMATIONS_CONNECTION_ALLOW=None)
    assert not connections.allowed_to_some("house_crm")


class TestTheBridge:
    def test_is_given_one_for_a_test_of_a_step_and_nobody_else_is(
        self, environment: Environment, client: AirflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api_bridge.airflow.connections.AirflowHttp", lambda _: client.http)
        kept(environment, "house_crm", "http", "crm.example:80", login=USER, extra={"a": "b"})
        kept(environment, "airflow_db", "http", "db.example:80")
        connection = ASKED_OF_AIRFLOW.connection("house_crm")
        assert connection == AIRFLOW_SECRETS.connection("house_crm")
        assert connection is not None
        assert (connection.password, connection.extra) == (PASSWORD, {"a": "b"})
        assert ASKED_OF_AIRFLOW.connection("house_none") is None
        with pytest.raises(StepError, match="403"):
            ASKED_OF_AIRFLOW.connection("airflow_db")
        environment.set(AUTOMATIONS_AIRFLOW_USERNAME="somebody_else")
        with pytest.raises(StepError, match="403"):
            ASKED_OF_AIRFLOW.connection("house_crm")

    def test_is_told_nothing_in_the_clear(
        self, environment: Environment, client: AirflowClient
    ) -> None:
        kept(environment, "house_crm", "http", "crm.example:80", login=USER)
        answer = client.http.call_plugin(
            "POST", "/automations/connections/read", {"id": "house_crm"}
        ).text
        assert not any(told in answer for told in (PASSWORD, USER, "crm.example"))
