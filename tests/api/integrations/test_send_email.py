"""Transactional mail: as specified, to a real server, and nothing that could harm it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Api
from tests.environment import Environment
from tests.servers.mailbox import Mailbox

PATH = "/api/workflows/send-email"
MAIL = {"to": "client@b.example", "subject": "Ready", "body": "Please review."}


def test_the_specifications_example_is_sent(api: Api, mailbox: Mailbox) -> None:
    body = {
        "to": "client@example.com",
        "subject": "Your document is ready",
        "body": "Please review the attached document.",
        "html": "<p>Please review the attached <strong>document</strong>.</p>",
        "cc": ["manager@example.com"],
        "attachments": [
            {
                "filename": "report.pdf",
                "content": base64.b64encode(b"%PDF-1.7").decode(),
                "contentType": "application/pdf",
            }
        ],
    }
    answer = api.call("POST", PATH, body, role="MEMBER")
    assert answer.status_code == 200, answer.text
    sent = answer.json()
    assert set(sent) == {"messageId", "provider", "accepted", "rejected"}
    assert sent["provider"] == "email-provider"
    assert sent["accepted"] == ["client@example.com", "manager@example.com"]
    assert sent["rejected"] == []
    message = mailbox.message()
    assert message["Message-ID"] == sent["messageId"]
    assert message["From"] == "The Office <office@sender.example>"
    parts = {part.get_content_type(): part for part in message.walk()}
    assert parts["application/pdf"].get_payload(decode=True) == b"%PDF-1.7"
    assert parts["application/pdf"].get_filename() == "report.pdf"
    assert b"<strong>" in bytes(parts["text/html"].get_payload(decode=True))


def test_lists_and_blind_copies_are_taken(api: Api, mailbox: Mailbox) -> None:
    body = {**MAIL, "to": ["a@b.example", "c@b.example"], "bcc": "d@b.example"}
    sent = api.call("POST", PATH, body).json()
    assert sent["accepted"] == ["a@b.example", "c@b.example", "d@b.example"]
    assert b"d@b.example" not in mailbox.message().as_bytes()


def test_two_requests_are_two_mails(api: Api, mailbox: Mailbox) -> None:
    first, second = (api.call("POST", PATH, MAIL).json() for _ in range(2))
    assert first["messageId"] != second["messageId"]
    assert len(mailbox.envelopes) == 2


def test_template_marks_are_sent_as_they_are(api: Api, mailbox: Mailbox) -> None:
    api.call("POST", PATH, {**MAIL, "subject": "{{secret.KEY}}", "body": "{{ 1 }}"})
    assert mailbox.message()["Subject"] == "{{secret.KEY}}"


def test_refused_recipients_are_listed(api: Api, mailbox: Mailbox) -> None:
    answer = api.call("POST", PATH, {**MAIL, "cc": "550-x@b.example"})
    assert answer.status_code == 200
    assert answer.json()["rejected"] == ["550-x@b.example"]
    assert answer.json()["reasons"] == {"550-x@b.example": "550 no 550-x@b.example"}


def test_when_all_are_refused_the_reasons_are_told(api: Api, mailbox: Mailbox) -> None:
    answer = api.call("POST", PATH, {**MAIL, "to": "550-x@b.example"})
    assert (answer.status_code, answer.json()["code"]) == (502, "PROVIDER_FAILED")
    assert "550 no" in answer.json()["details"]["reasons"]["550-x@b.example"]


def test_a_provider_that_refuses_the_message_is_a_failed_provider(
    api: Api, mailbox: Mailbox
) -> None:
    mailbox.answer = "554 spam"
    answer = api.call("POST", PATH, MAIL)
    assert (answer.status_code, answer.json()["code"]) == (502, "PROVIDER_FAILED")
    assert "554 spam" in answer.json()["error"]


def test_a_provider_that_is_away_is_a_failed_provider(api: Api, mailbox: Mailbox) -> None:
    mailbox.stop()
    answer = api.call("POST", PATH, MAIL)
    assert (answer.status_code, answer.json()["code"]) == (502, "PROVIDER_FAILED")
    assert "cannot be reached" in answer.json()["error"]


def test_without_a_provider_it_is_said_what_to_do(api: Api, mailbox: Mailbox) -> None:
    answer = api.call("POST", PATH, MAIL, role="STRANGER")
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert "No site email provider is configured" in answer.json()["error"]
    assert "/api/integrations" in answer.json()["error"]


def test_a_viewer_may_not(api: Api, mailbox: Mailbox) -> None:
    assert api.call("POST", PATH, MAIL, role="VIEWER").status_code == 403
    assert mailbox.envelopes == []


FILE = {"filename": "a.txt", "content": "YQ==", "contentType": "text/plain"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": None}, "to"),
        ({"to": []}, "to"),
        ({"to": 5}, "to"),
        ({"to": "nobody"}, "to.0"),
        ({"to": ["a@b.example", "Ada <nobody>"]}, "to.1"),
        ({"to": "{{input.to}}"}, "to.0"),
        ({"to": [f"a{number}@b.example" for number in range(101)]}, "to"),
        ({"cc": "nobody"}, "cc.0"),
        ({"bcc": [1]}, "bcc.0"),
        ({"replyTo": "nobody"}, "replyTo"),
        ({"subject": None}, "subject"),
        ({"subject": "x" * 999}, "subject"),
        ({"body": None}, "body"),
        ({"subject": 5}, "subject"),
        ({"body": 5}, "body"),
        ({"html": 1.5}, "html"),
        ({"html": []}, "html"),
        ({"attachments": {}}, "attachments"),
        ({"attachments": [FILE] * 21}, "attachments"),
        ({"attachments": [1]}, "attachments.0"),
        ({"attachments": [{**FILE, "content": "%%%"}]}, "attachments.0.content"),
        ({"attachments": [{**FILE, "content": 5.5}]}, "attachments.0.content"),
        ({"attachments": [{**FILE, "filename": ""}]}, "attachments.0.filename"),
        ({"attachments": [{**FILE, "contentType": "x"}]}, "attachments.0.contentType"),
        ({"attachments": [{**FILE, "more": 1}]}, "attachments.0.more"),
        ({"attachments": [FILE, {"documentId": "x"}]}, "attachments.1.documentId"),
        ({"attachments": [{**FILE, "contentType": "text/plain; x"}]}, "attachments.0.contentType"),
        ({"importance": "high"}, "importance"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_the_field_named(
    api: Api, mailbox: Mailbox, change: dict[str, Any], field: str
) -> None:
    answer = api.call("POST", PATH, {**MAIL, **change})
    assert answer.status_code == 400, answer.text
    assert field in answer.json()["details"]["fieldErrors"]
    assert mailbox.envelopes == []


@pytest.mark.parametrize("kind", ["text/csv; charset=utf-8", 'text/csv;charset="utf-8"'])
def test_a_media_type_may_have_parameters(api: Api, mailbox: Mailbox, kind: str) -> None:
    answer = api.call("POST", PATH, {**MAIL, "attachments": [{**FILE, "contentType": kind}]})
    assert answer.status_code == 200, answer.text
    (file,) = [part for part in mailbox.message().walk() if part.get_filename()]
    assert (file.get_content_type(), file.get_content_charset()) == ("text/csv", "utf-8")
    assert (file.get_filename(), file.get_payload(decode=True)) == ("a.txt", b"a")


@pytest.mark.parametrize("body", [None, [], "x", 5, {}])
def test_a_body_that_is_no_mail_is_refused(api: Api, mailbox: Mailbox, body: Any) -> None:
    answer = api.call("POST", PATH, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    place=st.sampled_from(["to", "cc", "bcc", "replyTo", "subject", "filename", "contentType"]),
    mark=st.sampled_from(["\r\n", "\n", "\r", "\u2028", "\x0b"]),
    before=st.sampled_from(["", "x", "a@b.example", "text/plain"]),
)
def test_no_field_can_start_a_header(
    api: Api, mailbox: Mailbox, place: str, mark: str, before: str
) -> None:
    value = f"{before}{mark}Bcc: victim@b.example"
    body: dict[str, Any] = {**MAIL, place: value}
    if place in ("filename", "contentType"):
        body = {**MAIL, "attachments": [{**FILE, place: value}]}
    mailbox.envelopes.clear()
    answer = api.call("POST", PATH, body)
    if answer.status_code == 200:
        # A mark that is no line break for mail: it stays inside its header.
        assert place in ("subject", "filename")
        assert mailbox.message()["Bcc"] is None
        assert mailbox.envelopes[0].rcpt_tos == ["client@b.example"]
    else:
        assert answer.status_code == 400, answer.text
        assert mailbox.envelopes == []


class TestSize:
    def test_ten_megabytes_of_files_are_sent(self, api: Api, mailbox: Mailbox) -> None:
        content = base64.b64encode(bytes(5_000_000)).decode()
        answer = api.call("POST", PATH, {**MAIL, "attachments": [{**FILE, "content": content}] * 2})
        assert answer.status_code == 200, answer.text
        assert len(mailbox.message().as_bytes()) > 13_000_000

    def test_more_are_too_large(self, api: Api, mailbox: Mailbox) -> None:
        content = base64.b64encode(bytes(5_000_001)).decode()
        answer = api.call("POST", PATH, {**MAIL, "attachments": [{**FILE, "content": content}] * 2})
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert mailbox.envelopes == []

    def test_so_is_a_body_over_the_routes_limit(self, api: Api, mailbox: Mailbox) -> None:
        answer = api.call("POST", PATH, {**MAIL, "body": "x" * 16_000_000})
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")

    def test_other_routes_keep_their_limit(self, api: Api) -> None:
        for method, path in (("POST", "/api/workflows"), ("PUT", "/api/secrets/KEY")):
            assert api.call(method, path, {"value": "x" * 1_000_001}).status_code == 413


def test_a_caller_and_a_workspace_send_so_many_a_minute(
    api: Api, mailbox: Mailbox, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_MAILS_PER_CALLER="2", AUTOMATIONS_MAILS_PER_WORKSPACE="3")
    answers = [api.call("POST", PATH, MAIL, role="MEMBER") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    # The caller that was refused has counted for the workspace, too.
    assert api.call("POST", PATH, MAIL, role="ADMIN").status_code == 429
    assert len(mailbox.envelopes) == 2
