"""The mail catcher, for real: mail sent by SMTP, read over HTTP."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from automations.launcher.mail_catcher import MAX_SIZE, MailCatcher


@dataclass(frozen=True)
class Catcher:
    smtp_port: int
    web: str

    def send(self, message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as client:
            client.send_message(message)

    def messages(self) -> list[dict[str, object]]:
        answer = requests.get(f"{self.web}/api/messages", timeout=10)
        answer.raise_for_status()
        found: list[dict[str, object]] = answer.json()
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    smtp_port, web_port = free_port(), free_port()
    server = MailCatcher(tmp_path, "127.0.0.1", smtp_port, web_port)
    server.start()
    yield Catcher(smtp_port, f"http://127.0.0.1:{web_port}")
    server.stop()


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
    one = requests.get(f"{catcher.web}/api/messages/{caught['id']}", timeout=10)
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
    raw = requests.get(f"{catcher.web}/api/messages/{caught['id']}/raw", timeout=10)
    assert raw.headers["Content-Type"].startswith("text/plain")
    assert b"Subject: Welcome!" in raw.content


def test_the_pages_escape_what_a_mail_says(catcher: Catcher) -> None:
    made = message("<script>alert(1)</script>")
    made.add_alternative('<script>alert("2")</script>', subtype="html")
    catcher.send(made)
    (caught,) = catcher.messages()
    for path in ("/", f"/messages/{caught['id']}"):
        page = requests.get(catcher.web + path, timeout=10)
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<iframe sandbox srcdoc=" in page.text


def test_deleting_forgets_every_mail(catcher: Catcher) -> None:
    catcher.send(message())
    assert requests.delete(f"{catcher.web}/api/messages", timeout=10).status_code == 204
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


def test_a_mail_without_a_readable_header_is_still_listed(catcher: Catcher) -> None:
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=10) as client:
        client.sendmail("a@example.com", ["b@example.com"], b"\xff\xfe no header at all")
    (caught,) = catcher.messages()
    assert caught["mailFrom"] == "a@example.com"
    assert caught["rcpt"] == ["b@example.com"]


@pytest.mark.parametrize("path", ["/api/messages/17", "/api/messages/..%2f..", "/nothing"])
def test_what_is_not_there_is_not_found(catcher: Catcher, path: str) -> None:
    assert requests.get(catcher.web + path, timeout=10).status_code == 404


def test_mail_survives_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        smtp_port, web_port = free_port(), free_port()
        server = MailCatcher(tmp_path, "127.0.0.1", smtp_port, web_port)
        server.start()
        client = Catcher(smtp_port, f"http://127.0.0.1:{web_port}")
        client.send(message())
        assert len(client.messages()) == expected
        server.stop()
