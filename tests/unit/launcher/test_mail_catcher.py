"""The mail catcher, for real: mail sent by SMTP, read over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest
import requests

from automations.launcher.mail_catcher import MAX_SIZE, MailCatcher
from tests.free_ports import free_port
from tests.waiting import until

TOKEN = "unguessable"
LINK = re.compile(r'href="([^"]+)"')


@dataclass(frozen=True)
class Catcher:
    """What ``web`` is below the token."""

    smtp_port: int
    web: str

    def send(self, message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=60) as client:
            client.send_message(message)

    def messages(self) -> list[dict[str, object]]:
        answer = requests.get(f"{self.web}/api/messages", timeout=60)
        answer.raise_for_status()
        found: list[dict[str, object]] = answer.json()
        return found


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    smtp_port, web_port = free_port(), free_port()
    server = MailCatcher(tmp_path, "127.0.0.1", smtp_port, web_port, TOKEN, ["*.lan"])
    server.start()
    yield Catcher(smtp_port, f"http://127.0.0.1:{web_port}/{TOKEN}")
    server.stop()


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60):
        return True
    return False


def message(subject: str = "Welcome!", to: str = "ada@example.com") -> EmailMessage:
    made = EmailMessage()
    made["From"] = "automations@example.com"
    made["To"] = to
    made["Subject"] = subject
    made["Message-ID"] = "<1@example.com>"
    made.set_content("Thank you – für alles.")
    return made


def test_a_caught_mail_can_be_read_as_json(catcher: Catcher) -> None:
    catcher.send(message())
    (caught,) = catcher.messages()
    assert caught["from"] == "automations@example.com"
    assert caught["to"] == "ada@example.com"
    assert caught["rcpt"] == ["ada@example.com"]
    assert caught["subject"] == "Welcome!"
    assert caught["messageId"] == "<1@example.com>"
    assert str(caught["text"]).strip() == "Thank you – für alles."
    assert caught["html"] is None
    assert caught["attachments"] == []
    one = requests.get(f"{catcher.web}/api/messages/{caught['id']}", timeout=60)
    assert one.json() == caught


def test_the_newest_mail_comes_first(catcher: Catcher) -> None:
    for subject in ("first", "second", "third"):
        catcher.send(message(subject))
    assert [caught["subject"] for caught in catcher.messages()] == ["third", "second", "first"]


def test_attachments_and_the_html_part_are_described(catcher: Catcher) -> None:
    made = message()
    made.add_alternative("<b>Thank you</b>", subtype="html")
    made.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="a.pdf")
    catcher.send(made)
    (caught,) = catcher.messages()
    assert str(caught["html"]).strip() == "<b>Thank you</b>"
    assert caught["attachments"] == [
        {"filename": "a.pdf", "contentType": "application/pdf", "size": 8}
    ]


def test_the_source_is_what_was_sent(catcher: Catcher) -> None:
    catcher.send(message())
    (caught,) = catcher.messages()
    raw = requests.get(f"{catcher.web}/api/messages/{caught['id']}/raw", timeout=60)
    assert raw.headers["Content-Type"].startswith("text/plain")
    assert b"Subject: Welcome!" in raw.content


def test_the_pages_escape_what_a_mail_says(catcher: Catcher) -> None:
    made = message("<script>alert(1)</script>")
    made.add_alternative('<script>alert("2")</script>', subtype="html")
    catcher.send(made)
    (caught,) = catcher.messages()
    for path in ("/", f"/messages/{caught['id']}"):
        page = requests.get(catcher.web + path, timeout=60)
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<iframe sandbox srcdoc=" in page.text


def test_deleting_forgets_every_mail(catcher: Catcher) -> None:
    catcher.send(message())
    assert requests.delete(f"{catcher.web}/api/messages", timeout=60).status_code == 204
    assert catcher.messages() == []


@pytest.mark.parametrize(("domain", "code"), [("reject.example", 550), ("greylist.example", 451)])
def test_the_refusing_domains_refuse(catcher: Catcher, domain: str, code: int) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        catcher.send(message(to=f"ada@{domain}"))
    assert refused.value.recipients[f"ada@{domain}"][0] == code
    assert catcher.messages() == []


def test_a_mail_above_the_limit_is_refused(catcher: Catcher) -> None:
    made = message()
    made.add_attachment(bytes(MAX_SIZE), maintype="application", subtype="octet-stream")
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        catcher.send(made)
    assert refused.value.smtp_code == 552


def test_a_mail_that_cannot_be_kept_now_is_to_come_again(catcher: Catcher, tmp_path: Path) -> None:
    gone = tmp_path.rename(tmp_path.with_name("gone"))
    with pytest.raises(smtplib.SMTPDataError) as refused:
        catcher.send(message())
    assert refused.value.smtp_code == 452
    gone.rename(tmp_path)
    assert list(tmp_path.iterdir()) == []
    catcher.send(message())
    assert len(catcher.messages()) == 1


def test_a_mail_without_a_readable_header_is_still_listed(catcher: Catcher) -> None:
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=60) as client:
        client.sendmail("a@example.com", ["b@example.com"], b"\xff\xfe no header at all")
    (caught,) = catcher.messages()
    assert caught["mailFrom"] == "a@example.com"
    assert caught["rcpt"] == ["b@example.com"]


@pytest.mark.parametrize("path", ["/api/messages/17", "/api/messages/..%2f..", "/nothing"])
def test_what_is_not_there_is_not_found(catcher: Catcher, path: str) -> None:
    assert requests.get(catcher.web + path, timeout=60).status_code == 404


def test_the_links_of_the_pages_lead_on(catcher: Catcher) -> None:
    catcher.send(message())
    root = catcher.web.removesuffix(f"/{TOKEN}")
    for start in ("/", ""):
        (link,) = LINK.findall(requests.get(catcher.web + start, timeout=60).text)
        page = requests.get(root + link, timeout=60)
        assert "Thank you" in page.text
        for further in LINK.findall(page.text):
            assert requests.get(root + further, timeout=60).status_code == 200


@pytest.mark.parametrize("start", ["", "/", "/x", "/unguessabl", "/unguessable2"])
@pytest.mark.parametrize("path", ["/", "/api/messages", "/messages/{}", "/api/messages/{}/raw"])
def test_without_the_token_nothing_is_shown_or_deleted(
    catcher: Catcher, start: str, path: str
) -> None:
    catcher.send(message())
    (caught,) = catcher.messages()
    url = catcher.web.removesuffix(f"/{TOKEN}") + start + path.format(caught["id"])
    for method in ("GET", "DELETE"):
        answer = requests.request(method, url, timeout=60)
        assert answer.status_code == 404
        assert "Welcome" not in answer.text
    assert catcher.messages() == [caught]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.x", ""])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_name_that_somebody_else_leads_here_is_refused(
    catcher: Catcher, host: str, method: str
) -> None:
    catcher.send(message())
    url = f"{catcher.web}/api/messages"
    answer = requests.request(method, url, headers={"Host": host}, timeout=60)
    assert answer.status_code == 400
    assert "AUTOMATIONS_ALLOWED_HOSTS" in answer.json()["error"]
    assert len(catcher.messages()) == 1


@pytest.mark.parametrize("host", ["localhost:8825", "LOCALHOST", "[::1]:8825", "box.lan:8825"])
def test_the_loopback_and_the_names_of_the_settings_are_answered(
    catcher: Catcher, host: str
) -> None:
    answer = requests.get(f"{catcher.web}/api/messages", headers={"Host": host}, timeout=60)
    assert answer.status_code == 200


def test_two_hosts_are_one_too_many(catcher: Catcher) -> None:
    port = int(catcher.web.split(":")[2].partition("/")[0])
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.putrequest("GET", f"/{TOKEN}/api/messages")
        connection.putheader("Host", "localhost")
        connection.endheaders()
        with connection.getresponse() as answer:
            assert answer.status == 400


def test_a_catcher_without_a_token_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        MailCatcher(tmp_path, "127.0.0.1", free_port(), free_port(), "")


def test_the_process_takes_its_token_from_the_home(tmp_path: Path) -> None:
    ports = {"smtp": free_port(), "web": free_port()}
    environment = {**os.environ, "AUTOMATIONS_HOME": str(tmp_path)}
    command = [
        *(sys.executable, "-m", "automations.launcher.mail_catcher"),
        *(f"--{name}-port={port}" for name, port in ports.items()),
        f"--folder={tmp_path / 'mail'}",
    ]
    with subprocess.Popen(command, env=environment) as process:
        try:
            web = f"http://127.0.0.1:{ports['web']}"
            until("the catcher", lambda: is_listening(ports["web"]))
            token = json.loads((tmp_path / "secrets.json").read_text())["mail_token"]
            assert requests.get(f"{web}/{token}/api/messages", timeout=60).json() == []
            assert token not in " ".join(psutil.Process(process.pid).cmdline())
        finally:
            process.terminate()


def test_mail_survives_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        smtp_port, web_port = free_port(), free_port()
        server = MailCatcher(tmp_path, "127.0.0.1", smtp_port, web_port, TOKEN)
        server.start()
        client = Catcher(smtp_port, f"http://127.0.0.1:{web_port}/{TOKEN}")
        client.send(message())
        assert len(client.messages()) == expected
        server.stop()
