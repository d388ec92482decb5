"""The step that sends a document: one mail and one record for each recipient."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.errors import StepError
from automations.ports import Attachment, Delivery, Mail, MailReceipt
from automations.steps.outcomes import Done, Fail, Outcome
from automations.steps.send_document import SendDocument, SendDocumentConfig
from tests.doubles import context

FILE = Attachment("Letter.pdf", b"%PDF", "application/pdf")
CONFIG = {"documentId": "d1", "recipients": ["ada@b.example", "bob@b.example"]}


class Archive:
    """Keeps one document and what became of sending it."""

    def __init__(self) -> None:
        self.deliveries: dict[str, Delivery] = {}

    def file(self, workspace_id: str, document_id: str) -> Attachment:
        if (workspace_id, document_id) != ("workspace1", "d1"):
            raise StepError("There is no document.", kind="document")
        return FILE

    def delivery(self, key: str) -> Delivery | None:
        return self.deliveries.get(key)

    def record(self, key: str, workspace_id: str, run_id: str, delivery: Delivery) -> Delivery:
        self.deliveries[key] = delivery
        return delivery


class Post:
    """A mailer that refuses some and breaks down for others."""

    def __init__(self, refused: dict[str, str] | None = None) -> None:
        self.refused = refused or {}
        self.broken: set[str] = set()
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> MailReceipt:
        (who,) = mail.to
        if who in self.broken:
            raise StepError("The mail server cannot be reached", kind="mail", retryable=True)
        self.sent.append(mail)
        if who in self.refused:
            return MailReceipt("<x>", "test", (), (who,), {who: self.refused[who]})
        return MailReceipt(f"<{mail.key}>", "test", (who,), ())


def run(post: Post, archive: Archive, **change: Any) -> Outcome:
    config = SendDocumentConfig.model_validate({**CONFIG, **change}, context=RENDERED)
    return SendDocument().run(config, context(mailer=post, documents=archive))


def test_each_recipient_gets_a_mail_of_their_own_with_the_document() -> None:
    post, archive = Post(), Archive()
    outcome = run(post, archive, subject="Hi", message="Please read.")
    assert [(mail.to, mail.cc, mail.bcc) for mail in post.sent] == [
        (("ada@b.example",), (), ()),
        (("bob@b.example",), (), ()),
    ]
    assert {(mail.subject, mail.body, mail.attachments) for mail in post.sent} == {
        ("Hi", "Please read.", (FILE,))
    }
    assert [mail.key for mail in post.sent] == list(archive.deliveries)
    assert [mail.key for mail in post.sent] == [
        "run1:node1:0:ada@b.example",
        "run1:node1:0:bob@b.example",
    ]
    assert isinstance(outcome, Done)
    assert (outcome.output["accepted"], outcome.output["rejected"]) == (2, 0)
    assert outcome.output["deliveries"][0] == {
        "recipient": "ada@b.example",
        "status": "SENT",
        "messageId": "<run1:node1:0:ada@b.example>",
        "reason": None,
    }


def test_the_subject_is_the_documents_name_when_absent() -> None:
    post = Post()
    run(post, Archive())
    assert post.sent[0].subject == "Letter.pdf"


def test_one_mailbox_twice_is_one_mail() -> None:
    post = Post()
    run(post, Archive(), recipients="ada@b.example, ada@b.example, Ada@b.example")
    assert [mail.to for mail in post.sent] == [("ada@b.example",)]


def test_one_rejection_is_recorded_and_does_not_fail_the_step() -> None:
    archive = Archive()
    outcome = run(Post({"ada@b.example": "550 unknown"}), archive)
    assert isinstance(outcome, Done)
    assert (outcome.output["accepted"], outcome.output["rejected"]) == (1, 1)
    rejected = archive.deliveries["run1:node1:0:ada@b.example"]
    assert (rejected.status, rejected.message_id, rejected.reason) == (
        "REJECTED",
        None,
        "550 unknown",
    )


@pytest.mark.parametrize(("reason", "retryable"), [("550 unknown", False), ("451 later", True)])
def test_all_rejected_fails_and_only_a_temporary_no_is_retried(
    reason: str, retryable: bool
) -> None:
    outcome = run(Post(dict.fromkeys(CONFIG["recipients"], reason)), Archive())
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == ("rejected", retryable)
    assert f"bob@b.example: {reason}" in outcome.error
    assert outcome.output["rejected"] == 2


def test_a_repeat_sends_only_what_was_not_sent() -> None:
    post, archive = Post(), Archive()
    post.broken.add("bob@b.example")
    with pytest.raises(StepError):
        run(post, archive)
    post.broken.clear()
    outcome = run(post, archive)
    assert isinstance(outcome, Done)
    assert outcome.output["accepted"] == 2
    assert [mail.to for mail in post.sent] == [("ada@b.example",), ("bob@b.example",)]
    assert run(post, archive) == outcome
    assert len(post.sent) == 2


def test_a_retry_tries_the_rejected_again() -> None:
    post, archive = Post(dict.fromkeys(CONFIG["recipients"], "451 later")), Archive()
    assert isinstance(run(post, archive), Fail)
    post.refused.clear()
    assert isinstance(run(post, archive), Done)


def test_a_document_that_is_not_there_is_an_error_before_any_mail() -> None:
    post = Post()
    with pytest.raises(StepError, match="no document"):
        run(post, Archive(), documentId="d2")
    assert post.sent == []


@pytest.mark.parametrize(
    "change",
    [
        {"documentId": ""},
        {"recipients": []},
        {"recipients": ["nobody"]},
        {"recipients": ["ada@dev.test\r\nBcc: x@dev.test"]},
        {"subject": "Hi\r\nBcc: x@b.example"},
        {"message": "x" * 100_001},
        {"cc": "ada@b.example"},
    ],
)
def test_a_config_that_cannot_be_sent_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SendDocumentConfig.model_validate({**CONFIG, **change}, context=RENDERED)
