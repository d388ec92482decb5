"""Whose certificates services are believed by, with servers that speak TLS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from automations.adapters.http import GuardedHttpClient
from automations.adapters.smtp import SmtpTransport
from automations.errors import StepError
from automations.ports import HttpRequest, Mail, MailServer
from tests.environment import Environment
from tests.free_ports import free_ports
from tests.servers.answering import Answering
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Front, make_certificate


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def web(certificate: Path) -> Iterator[str]:
    """An HTTPS server of a company whose authority is its own."""
    (port,) = free_ports(1)
    behind = Answering()
    behind.answers({"fine": True})
    with behind.listening(), Front(port, behind.server.server_port, certificate):
        yield f"localhost:{port}"


@pytest.fixture
def mail(certificate: Path) -> Iterator[int]:
    """A mail server of theirs."""
    (port,) = free_ports(1)
    behind = Mailbox()
    behind.start()
    try:
        with Front(port, behind.port, certificate):
            yield port
    finally:
        behind.stop()


def ask(web: str) -> int:
    url = f"https://{web}/"
    return (
        GuardedHttpClient([web])
        .request(HttpRequest("GET", url, timeout=timedelta(seconds=120)))
        .status
    )


def send(port: int) -> None:
    server = MailServer(
        host="localhost",
        port=port,
        security="tls",
        sender="auto@sender.example",
        sender_name="Automations",
        provider="smtp",
        guarded=False,
    )
    sent = Mail(to=("a@b.example",), subject="S", body="B", key="run:node:0", workspace_id="w")
    SmtpTransport().send(server, sent)


def test_a_company_s_own_authority_is_believed_where_it_is_named(
    web: str, mail: int, certificate: Path, environment: Environment
) -> None:
    environment.set(SSL_CERT_FILE=str(certificate))
    assert ask(web) == 200
    send(mail)


def test_who_signs_for_themselves_is_not_believed(
    web: str, mail: int, environment: Environment
) -> None:
    environment.set(SSL_CERT_FILE=None)
    with pytest.raises(StepError, match="certificate"):
        ask(web)
    with pytest.raises(StepError, match="certificate"):
        send(mail)
