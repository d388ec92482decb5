"""The bridge on a real database, without a dispatcher: what it answers and what it commits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from api_bridge.app import create_app
from api_bridge.server.connections import Connection
from automations.db.access import api_keys
from automations.db.session import unit_of_work
from automations.services.access.api_keys import create_key
from tests.api.airflow.airflow_server import Airflow
from tests.api.playing import Playing
from tests.api.served import serving
from tests.environment import Environment
from tests.servers.mailbox import Mailbox

FORM = {
    "title": "Signup",
    "schema": {
        "sections": [
            {
                "id": "s",
                "fields": [
                    {"id": "1", "key": "email", "type": "email", "validation": {"required": True}},
                    {"id": "2", "key": "age", "type": "number"},
                ],
            }
        ]
    },
}


class Api:
    """A client with a key for each role, and one of another workspace."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        self.keys = {
            role: create_key(role, role.lower()) for role in ("OWNER", "ADMIN", "MEMBER", "VIEWER")
        }
        with unit_of_work() as session:
            other = api_keys.ensure_workspace(session, "other", "Other")
        self.keys["STRANGER"] = create_key("OWNER", "stranger", other)

    def call(
        self, method: str, path: str, body: Any = None, *, role: str = "OWNER", **more: Any
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.keys[role]}", **more.pop("headers", {})}
        return self.http.request(method, path, json=body, headers=headers, **more)

    def form(self) -> str:
        return str(self.call("POST", "/api/forms", FORM).json()["id"])

    def workflow(self, **more: Any) -> dict[str, Any]:
        step = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}
        body = {"name": "Test", "status": "ACTIVE", "steps": [step], **more}
        answer = self.call("POST", "/api/workflows", body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """An app has no state: one serves every test."""
    return create_app()


@pytest.fixture
def api(app: FastAPI, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    with TestClient(app, raise_server_exceptions=False) as http:
        yield Api(http)


@dataclass(frozen=True)
class Live:
    """A running bridge and the key of an OWNER of its."""

    url: str
    key: str


@pytest.fixture
def live(app: FastAPI, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """The bridge as a server of its own, on a free port."""
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Live(url, create_key("OWNER", "owner"))
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture
def playing(api: Api) -> Playing:
    return Playing(api)


@pytest.fixture
def mailbox(api: Api, environment: Environment) -> Iterator[Mailbox]:
    """The workspace's own mail server."""
    box = Mailbox()
    environment.set(AUTOMATIONS_HTTP_ALLOW=f"127.0.0.1:{box.port}", AUTOMATIONS_MAIL_DEFAULT="none")
    box.start()
    answer = api.call(
        "POST",
        "/api/integrations",
        {
            "name": "email-provider",
            "type": "EMAIL_PROVIDER",
            "config": {
                "host": "127.0.0.1",
                "port": box.port,
                "security": "none",
                "fromEmail": "office@sender.example",
                "fromName": "The Office",
            },
            "credentials": {"username": box.USER[0], "password": box.USER[1]},
            "setAsSiteEmailProvider": True,
        },
    )
    assert answer.status_code == 201, answer.text
    try:
        yield box
    finally:
        box.stop()


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with Airflow() as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def here(app: FastAPI, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """The address of a bridge that is spoken to byte by byte."""
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    with serving(app, Connection) as place:
        yield place
