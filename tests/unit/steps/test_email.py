"""The email step: what it hands to the mailer, and what it makes of the receipt."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.kit.values import JSON
from automations.ports import Attachment, Mail, MailReceipt
from automations.steps.email import MAX_RECIPIENTS, Email, EmailConfig
from automations.steps.outcomes import Done, Fail, Outcome
from tests.doubles import context

MAIL = {"to": "ada@b.example", "subject": "Hi", "body": "Hello"}


class Outbox:
    """A mailer that keeps what it is given and refuses the recipients it is told to."""

    def __init__(self, refused: dict[str, str]) -> None:
        self.refused = refused
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> MailReceipt:
        self.sent.append(mail)
        everyone = (*mail.to, *mail.cc, *mail.bcc)
        return MailReceipt(
            message_id="<1@b.example>",
            provider="test",
            accepted=tuple(who for who in everyone if who not in self.refused),
            rejected=tuple(who for who in everyone if who in self.refused),
            reasons=self.refused,
        )


def run(config: dict[str, Any], refused: dict[str, str] | None = None) -> tuple[Outcome, Mail]:
    outbox = Outbox(refused or {})
    asked = context(mailer=outbox, idempotency_key="run:node:0", attempt=2)
    outcome = Email().run(EmailConfig.model_validate(config, context=RENDERED), asked)
    return outcome, outbox.sent[0]


def test_everything_in_the_config_reaches_the_mailer() -> None:
    _, mail = run(
        {
            **MAIL,
            "cc": ["c@b.example"],
            "bcc": "d@b.example",
            "html": "<p>Hello</p>",
            "replyTo": "office@b.example",
            "attachments": [
                {
                    "filename": "a.txt",
                    "content": base64.b64encode(b"text").decode(),
                    "contentType": "text/plain",
                }
            ],
        }
    )
    assert (mail.to, mail.cc, mail.bcc) == (("ada@b.example",), ("c@b.example",), ("d@b.example",))
    assert (mail.subject, mail.body, mail.html) == ("Hi", "Hello", "<p>Hello</p>")
    assert mail.reply_to == "office@b.example"
    assert [(part.filename, part.content) for part in mail.attachments] == [("a.txt", b"text")]


def test_every_attempt_carries_the_same_key() -> None:
    _, mail = run(MAIL)
    assert mail.key == "run:node:0"


@pytest.mark.parametrize(
    "to",
    ["a@b.example, c@b.example", "a@b.example,c@b.example,", ["a@b.example", "c@b.example"]],
)
def test_recipients_may_be_a_text_or_a_list(to: JSON) -> None:
    _, mail = run({**MAIL, "to": to})
    assert mail.to == ("a@b.example", "c@b.example")


@pytest.mark.parametrize(
    "address", ["x@dev.test", "x@a.example", "x@mail.localhost", "x@example.com", "ż@b.example"]
)
def test_addresses_of_development_set_ups_are_accepted(address: str) -> None:
    _, mail = run({**MAIL, "to": address})
    assert mail.to == (address,)


def test_all_accepted_is_done() -> None:
    outcome, _ = run(MAIL)
    assert outcome == Done(
        {
            "messageId": "<1@b.example>",
            "provider": "test",
            "accepted": ["ada@b.example"],
            "rejected": [],
            "reasons": {},
        }
    )


def test_some_rejected_is_done_and_lists_them() -> None:
    outcome, _ = run({**MAIL, "cc": "bad@b.example"}, {"bad@b.example": "550 unknown"})
    assert isinstance(outcome, Done)
    assert outcome.output["accepted"] == ["ada@b.example"]
    assert outcome.output["rejected"] == ["bad@b.example"]
    assert outcome.output["reasons"] == {"bad@b.example": "550 unknown"}


@pytest.mark.parametrize(("reason", "retryable"), [("550 unknown", False), ("451 later", True)])
def test_all_rejected_fails_and_only_a_temporary_no_is_retried(
    reason: str, retryable: bool
) -> None:
    outcome, _ = run(MAIL, {"ada@b.example": reason})
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == ("rejected", retryable)
    assert f"ada@b.example: {reason}" in outcome.error
    assert outcome.output["rejected"] == ["ada@b.example"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": []}, "at least 1 item"),
        ({"to": ""}, "at least 1 item"),
        ({"to": "nobody"}, "must be an e-mail address"),
        ({"to": "Ada <ada@b.example>\r\nBcc: x@b.example"}, "must be an e-mail address"),
        ({"to": "Ada <ada@b.example> <bo@b.example>"}, "must be an e-mail address"),
        ({"to": "Ada <nobody>"}, "must be an e-mail address"),
        ({"replyTo": "Ada <ada@b.example>, bo@b.example"}, "must be an e-mail address"),
        ({"to": "ada@dev.test\r\nBcc: x@dev.test"}, "must be an e-mail address"),
        ({"to": 5}, "valid list"),
        ({"cc": ["nobody"]}, "must be an e-mail address"),
        ({"subject": "Hi\r\nBcc: x@b.example"}, "must be one line"),
        ({"subject": "Hi\nthere"}, "must be one line"),
        ({"subject": []}, "valid string"),
        ({"subject": "x" * 999}, "at most 998"),
        ({"body": None}, "give body, html or both"),
        ({"body": "x" * 1_000_001}, "at most 1000000"),
        ({"replyTo": "nobody"}, "must be an e-mail address"),
        ({"to": [f"a{n}@b.example" for n in range(MAX_RECIPIENTS + 1)]}, "at most 100"),
        # So many that they can only be counted, and not looked at one by one.
        ({"to": "a@b.example," * 1_000_000}, "at most 100"),
        ({"cc": "Ada <a@b.example>," * 500_000}, "at most 100"),
        ({"attachments": [{"filename": "a", "content": "%%%"}]}, "must be base64"),
        ({"attachments": [{"filename": "", "content": ""}]}, "at least 1 character"),
        ({"attachments": [{"filename": "a\r\nb", "content": ""}]}, "must be one line"),
        ({"attachments": [{"filename": "a", "content": "", "contentType": "x"}]}, "pattern"),
        *[
            (
                {"attachments": [{"filename": "a", "content": "", "contentType": kind}]},
                "send such a file as application/octet-stream",
            )
            for kind in ("message/rfc822", "Multipart/mixed", "message/partial; number=1")
        ],
        ({"attachments": [{"filename": "a", "content": "A" * 13_400_000}]}, "10000000 bytes"),
        ({"attachments": [{"filename": "a"}]}, "give one of content and documentId"),
        (
            {"attachments": [{"filename": "a", "content": "", "documentId": "d"}]},
            "give one of content and documentId",
        ),
        ({"attachments": [{"content": ""}]}, "give filename with content"),
        ({"attachments": [{"documentId": ""}]}, "at least 1 character"),
        ({"importance": "high"}, "Extra inputs"),
    ],
)
def test_a_config_that_cannot_be_sent_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EmailConfig.model_validate({**MAIL, **change})


@given(break_=st.sampled_from(["\r", "\n", "\r\n"]), before=st.text(), after=st.text())
def test_no_rendered_subject_can_start_a_header(break_: str, before: str, after: str) -> None:
    with pytest.raises(ValidationError):
        EmailConfig.model_validate(
            {**MAIL, "subject": f"{before}{break_}{after}"}, context=RENDERED
        )


def test_templates_are_accepted_when_saved_and_checked_when_rendered() -> None:
    config = {**MAIL, "to": "{{submission.email}}", "replyTo": "{{input.office}}"}
    EmailConfig.model_validate(config)
    with pytest.raises(ValidationError, match="must be an e-mail address"):
        EmailConfig.model_validate(config, context=RENDERED)


class Archive:
    """Has a document of each size that its id says."""

    def file(self, workspace_id: str, document_id: str) -> Attachment:
        return Attachment(f"{workspace_id}.pdf", bytes(int(document_id)), "application/pdf")


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({}, ("workspace1.pdf", b"\0\0\0", "application/pdf")),
        ({"filename": "Letter.pdf"}, ("Letter.pdf", b"\0\0\0", "application/pdf")),
        ({"contentType": "text/x"}, ("workspace1.pdf", b"\0\0\0", "text/x")),
    ],
)
def test_an_attachment_may_be_a_document_under_its_own_name_or_another(
    more: dict[str, Any], sent: tuple[str, bytes, str]
) -> None:
    outbox = Outbox({})
    config = {**MAIL, "attachments": [{"documentId": "3", **more}]}
    parsed = EmailConfig.model_validate(config, context=RENDERED)
    Email().run(parsed, context(mailer=outbox, documents=Archive()))
    assert outbox.sent[0].attachments == (Attachment(*sent),)


def test_documents_that_are_too_large_together_are_not_sent() -> None:
    outbox = Outbox({})
    config = {**MAIL, "attachments": [{"documentId": "6000000"}, {"documentId": "6000000"}]}
    parsed = EmailConfig.model_validate(config, context=RENDERED)
    outcome = Email().run(parsed, context(mailer=outbox, documents=Archive()))
    assert isinstance(outcome, Fail)
    assert "12000000 bytes; 10000000 at most" in outcome.error
    assert outbox.sent == []
