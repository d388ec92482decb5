"""The SMTP mailer, against a real SMTP server that refuses on demand."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from automations.adapters.smtp import SmtpTransport
from automations.errors import StepError
from automations.ports import Attachment, Mail, MailReceipt, MailServer
from tests.free_ports import free_port
from tests.hostile import drips
from tests.hostile.mail_texts import BODIES, TEXTS
from tests.servers.dripping import dripping, talking
from tests.servers.mailbox import Mailbox


@pytest.fixture
def post() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(post: Mailbox) -> Iterator[int]:
    post.start()
    try:
        yield post.port
    finally:
        post.stop()


class Sender:
    """The transport and the server that the tests send by."""

    def __init__(self, port: int, **more: Any) -> None:
        described: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender": "auto@sender.example",
            "sender_name": "Automations",
            "provider": "smtp",
            "guarded": False,
        }
        self.transport = SmtpTransport()
        self.server = MailServer(**{**described, **more})

    def send(self, mail: Mail) -> MailReceipt:
        return self.transport.send(self.server, mail)

    def check(self) -> None:
        self.transport.check(self.server)


@pytest.fixture
def mailer(port: int) -> Sender:
    return Sender(port)


def mail(*to: str, **more: Any) -> Mail:
    return Mail(
        to=to,
        **{
            "subject": "Zażółć",
            "body": "Dear Ł,\n",
            "key": "run:node:0",
            "workspace_id": "w",
            **more,
        },
    )


def test_a_mail_arrives_as_it_was_written(mailer: Sender, post: Mailbox) -> None:
    file = Attachment("a.bin", b"\0\1", "application/octet-stream")
    mailer.send(
        mail("a@b.example", html="<p>Ł</p>", reply_to="office@b.example", attachments=(file,))
    )
    message = post.message()
    assert message["From"] == "Automations <auto@sender.example>"
    assert message["To"] == "a@b.example"
    assert message["Reply-To"] == "office@b.example"
    assert message["Date"]
    assert str(email.header.make_header(email.header.decode_header(message["Subject"]))) == "Zażółć"
    parts = {part.get_content_type(): part.get_payload(decode=True) for part in message.walk()}
    assert parts["text/plain"] == "Dear Ł,\r\n".encode()
    assert parts["text/html"] == "<p>Ł</p>\r\n".encode()
    assert parts["application/octet-stream"] == b"\0\1"


def test_the_receipt_names_who_was_accepted(mailer: Sender, post: Mailbox) -> None:
    receipt = mailer.send(mail("a@b.example", "c@b.example"))
    assert receipt.provider == "smtp"
    assert receipt.accepted == ("a@b.example", "c@b.example")
    assert receipt.rejected == ()
    assert receipt.message_id == post.message()["Message-ID"]


def test_the_same_key_gives_the_same_message_id(mailer: Sender) -> None:
    first, again = mailer.send(mail("a@b.example")), mailer.send(mail("a@b.example"))
    other = mailer.send(mail("a@b.example", key="run:node:1"))
    assert first.message_id == again.message_id != other.message_id
    assert first.message_id.endswith("@sender.example>")


def test_the_key_travels_in_a_header(mailer: Sender, post: Mailbox) -> None:
    mailer.send(mail("a@b.example"))
    assert post.message()["X-Idempotency-Key"]


def test_blind_copies_are_delivered_and_not_shown(mailer: Sender, post: Mailbox) -> None:
    mailer.send(mail("a@b.example", cc=("c@b.example",), bcc=("d@b.example",)))
    assert post.envelopes[0].rcpt_tos == ["a@b.example", "c@b.example", "d@b.example"]
    assert post.message()["Cc"] == "c@b.example"
    assert b"d@b.example" not in post.message().as_bytes()


def test_refused_recipients_are_listed_with_the_reason(mailer: Sender) -> None:
    receipt = mailer.send(mail("a@b.example", "550-x@b.example", "451-y@b.example"))
    assert receipt.accepted == ("a@b.example",)
    assert receipt.rejected == ("550-x@b.example", "451-y@b.example")
    assert receipt.reasons["550-x@b.example"].startswith("550 ")
    assert receipt.reasons["451-y@b.example"].startswith("451 ")


def test_when_all_are_refused_the_receipt_says_so(mailer: Sender, post: Mailbox) -> None:
    receipt = mailer.send(mail("550-x@b.example"))
    assert (receipt.accepted, receipt.rejected) == ((), ("550-x@b.example",))
    assert post.envelopes == []


@pytest.mark.parametrize(("answer", "retryable"), [("451 later", True), ("554 spam", False)])
def test_a_refused_message_is_tried_again_only_when_the_refusal_is_temporary(
    mailer: Sender, post: Mailbox, answer: str, retryable: bool
) -> None:
    post.answer = answer
    with pytest.raises(StepError, match=answer) as caught:
        mailer.send(mail("a@b.example"))
    assert (caught.value.kind, caught.value.retryable) == ("mail", retryable)


def test_a_server_that_is_down_may_be_tried_again() -> None:
    with pytest.raises(StepError, match="cannot be reached") as caught:
        Sender(free_port()).send(mail("a@b.example"))
    assert (caught.value.kind, caught.value.retryable) == ("mail", True)


def test_the_receipt_names_the_provider(port: int) -> None:
    assert Sender(port, provider="Office").send(mail("a@b.example")).provider == "Office"


def test_a_check_signs_in_and_sends_nothing(mailer: Sender, post: Mailbox) -> None:
    mailer.check()
    assert post.envelopes == []
    with pytest.raises(StepError, match="cannot be reached"):
        Sender(free_port()).check()


def test_a_server_without_starttls_is_not_sent_to_when_it_is_wanted(
    port: int, post: Mailbox
) -> None:
    with pytest.raises(StepError, match="STARTTLS"):
        Sender(port, security="starttls").send(mail("a@b.example"))
    assert post.envelopes == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "10.0.0.1", "169.254.169.254"])
def test_a_workspaces_server_must_be_public_unless_it_is_allowed(
    port: int, post: Mailbox, host: str
) -> None:
    sender = Sender(port, host=host, guarded=True)
    for act in (sender.check, lambda: sender.send(mail("a@b.example"))):
        with pytest.raises(StepError, match="not a public address") as caught:
            act()
        assert caught.value.kind == "blocked"
    assert post.envelopes == []


def test_an_allowed_server_is_reached(port: int, post: Mailbox) -> None:
    sender = Sender(port, guarded=True)
    sender.transport = SmtpTransport([f"127.0.0.1:{port}"])
    sender.send(mail("a@b.example"))
    assert len(post.envelopes) == 1


def test_a_password_that_the_server_repeats_is_masked(port: int, post: Mailbox) -> None:
    # No sign-in: the test's server has none, and the answer is what matters.
    sender = Sender(port, password="hunter2-x")
    post.answer = "554 who are you, hunter2-x?"
    with pytest.raises(StepError) as caught:
        sender.send(mail("a@b.example"))
    assert "who are you, ***?" in caught.value.message
    receipt = sender.send(mail("550-hunter2-x@b.example"))
    assert "hunter2-x" not in receipt.reasons["550-hunter2-x@b.example"]


def test_a_line_break_in_a_header_is_refused(mailer: Sender, post: Mailbox) -> None:
    with pytest.raises(StepError, match="headers are invalid") as caught:
        mailer.send(mail("a@b.example", subject="Hi\r\nBcc: x@b.example"))
    assert not caught.value.retryable
    assert post.envelopes == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_tries_to_be_a_header_arrives_as_text(
    port: int, post: Mailbox, name: str
) -> None:
    text = TEXTS[name]
    file = Attachment(text, b"content", "text/plain")
    Sender(port, sender_name=text).send(
        mail("a@b.example", subject=text, body="Hello", attachments=(file,))
    )
    raw = post.envelopes[0].content
    assert isinstance(raw, bytes)
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert sorted(names) == [
        *(b"Content-Type", b"Date", b"From", b"MIME-Version", b"Message-ID", b"Subject", b"To"),
        b"X-Idempotency-Key",
    ]
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert found["Subject"] == text
    (part,) = found.iter_attachments()
    assert part["Content-Disposition"].params.get("filename", "") == text
    assert post.envelopes[0].rcpt_tos == ["a@b.example"]


@pytest.mark.parametrize("name", BODIES)
def test_a_body_comes_through_a_server_as_it_was_written(
    mailer: Sender, post: Mailbox, name: str
) -> None:
    body = BODIES[name].replace("\n", "\r\n")
    mailer.send(mail("a@b.example", body=BODIES[name]))
    found = post.message().get_payload(decode=True)
    assert found == (body if body.endswith("\n") or not body else f"{body}\r\n").encode()


@pytest.fixture
def old_post() -> Iterator[Mailbox]:
    mailbox = Mailbox(utf8=False)
    mailbox.start()
    try:
        yield mailbox
    finally:
        mailbox.stop()


def test_a_domain_outside_ascii_needs_nothing_of_the_server(old_post: Mailbox) -> None:
    sender = Sender(old_post.port, sender="post@bücher.example")
    given = ("a@b.example", "ada@bücher.example", "b@xn--bcher-kva.example")
    receipt = sender.send(mail(*given, reply_to="r@bücher.example"))
    assert (receipt.accepted, receipt.rejected) == (given, ())
    assert receipt.message_id.endswith("@xn--bcher-kva.example>")
    (envelope,) = old_post.envelopes
    assert envelope.mail_from == "post@xn--bcher-kva.example"
    assert envelope.rcpt_tos == [
        "a@b.example", "ada@xn--bcher-kva.example", "b@xn--bcher-kva.example"
    ]  # fmt: skip
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()


def test_an_address_that_the_server_cannot_take_is_named_and_the_others_get_their_mail(
    old_post: Mailbox,
) -> None:
    receipt = Sender(old_post.port).send(mail("żółw@b.example", "a@b.example"))
    assert (receipt.accepted, receipt.rejected) == (("a@b.example",), ("żółw@b.example",))
    assert receipt.reasons["żółw@b.example"].startswith("553 5.6.7 ")
    assert old_post.message()["To"] == "a@b.example"
    alone = Sender(old_post.port).send(mail("żółw@b.example"))
    assert (alone.accepted, alone.rejected) == ((), ("żółw@b.example",))
    hidden = Sender(old_post.port).send(mail("żółw@b.example", bcc=("a@b.example",)))
    assert hidden.accepted == ("a@b.example",)
    assert old_post.message()["To"] == "undisclosed-recipients:;"


@pytest.mark.parametrize("more", [{"reply_to": "żółw@b.example"}, {}])
def test_a_sender_that_the_server_cannot_take_is_named_for_good(
    old_post: Mailbox, more: dict[str, str]
) -> None:
    own = {} if more else {"sender": "żółw@b.example"}
    with pytest.raises(StepError, match=r"żółw@b\.example") as caught:
        Sender(old_post.port, **own).send(mail("a@b.example", **more))
    assert not caught.value.retryable
    assert old_post.envelopes == []


def test_an_address_outside_ascii_is_sent_to_a_server_that_takes_it(
    port: int, post: Mailbox
) -> None:
    sender = Sender(port, sender="żółw@sender.example")
    receipt = sender.send(mail("ż@bücher.example", "a@b.example", reply_to="ą@b.example"))
    assert receipt.accepted == ("ż@bücher.example", "a@b.example")
    assert post.envelopes[0].rcpt_tos == ["ż@xn--bcher-kva.example", "a@b.example"]
    assert post.envelopes[0].mail_from == "żółw@sender.example"
    raw = post.envelopes[0].content
    assert isinstance(raw, bytes)
    assert "From: Automations <żółw@sender.example>\r\n".encode() in raw
    assert "To: ż@xn--bcher-kva.example,\r\n a@b.example\r\n".encode() in raw
    assert "Reply-To: ą@b.example\r\n".encode() in raw


@contextmanager
def answering(*answers: bytes, forever: bytes = b"", pause: float = 0.0) -> Iterator[int]:
    """A server that says these lines, one for each that it is sent, and goes on with the last."""

    def talk(client: socketserver.StreamRequestHandler, stopping: threading.Event) -> None:
        for answer in answers:
            client.wfile.write(answer)
            client.rfile.readline()
        while not stopping.wait(pause):
            client.wfile.write(forever)

    with talking(talk) as port:
        yield port


@pytest.mark.parametrize(
    ("answers", "forever", "pause"),
    [
        pytest.param((), b"", 0.05, id="silence"),
        pytest.param((), b"\0\xff" * 50_000, 0.0, id="garbage"),
        pytest.param((b"HTTP/1.1 200 OK\r\n\r\n",), b"", 0.05, id="another protocol"),
        pytest.param((), b"220-hello\r\n" * 10_000, 0.0, id="an endless greeting"),
        pytest.param((), b"220-hello\r\n", 0.05, id="a greeting that drips"),
        pytest.param((b"220 hi\r\n",), b"250-more\r\n" * 10_000, 0.0, id="endless features"),
        pytest.param((b"220 hi\r\n", b"250 ok\r\n"), b"", 0.05, id="silence later"),
    ],
)
def test_a_server_that_makes_no_sense_or_no_end_is_given_up(
    answers: tuple[bytes, ...], forever: bytes, pause: float
) -> None:
    makes_no_sense = forever.startswith(b"\0") or answers[:1] == (b"HTTP/1.1 200 OK\r\n\r\n",)
    # It never ends by itself; what makes no sense is seen by what it says, however late.
    timeout = timedelta(seconds=60 if makes_no_sense else 0.5)
    server = answering(*answers, forever=forever, pause=pause)
    with server as port, pytest.raises(StepError) as caught:
        Sender(port).send(mail("a@b.example", timeout=timeout))
    assert caught.value.kind == "mail"
    assert caught.value.retryable is not makes_no_sense
    assert len(caught.value.message) < 1_000


@pytest.mark.parametrize("name", drips.SMTP)
def test_a_server_that_drips_is_given_up_in_time(name: str) -> None:
    with dripping(*drips.SMTP[name]) as port, pytest.raises(StepError) as caught:
        Sender(port).send(mail("a@b.example", timeout=timedelta(seconds=0.5)))
    assert (caught.value.kind, caught.value.retryable) == ("mail", True)
    assert "too long" in caught.value.message or "timed out" in caught.value.message


def test_a_password_outside_ascii_is_sent_as_it_is(port: int, post: Mailbox) -> None:
    post.user = ("büro", "zażółć gęślą")
    Sender(port, username="büro", password="zażółć gęślą").send(mail("a@b.example"))
    assert len(post.envelopes) == 1


@pytest.mark.parametrize("challenge", [b"334 a\r\n", b"334 \xff\0\r\n"])
def test_a_server_that_asks_for_the_password_in_no_way_is_given_up(challenge: bytes) -> None:
    said = (b"220 hi\r\n", b"250-x\r\n250 AUTH CRAM-MD5\r\n", challenge, b"535 no\r\n")
    with answering(*said, pause=0.05) as port, pytest.raises(StepError) as caught:
        Sender(port, username="u", password="pass").send(mail("a@b.example"))
    assert (caught.value.kind, caught.value.retryable) == ("mail", False)


@pytest.mark.parametrize("password", ["correct-horse", "battery-staple"])
def test_a_wrong_password_is_told_and_not_tried_again(
    port: int, post: Mailbox, password: str
) -> None:
    sender = Sender(port, username="office", password=password)
    if password == Mailbox.USER[1]:
        sender.send(mail("a@b.example"))
        assert len(post.envelopes) == 1
        return
    for act in (sender.check, lambda: sender.send(mail("a@b.example"))):
        with pytest.raises(StepError, match="refused the user name or password") as caught:
            act()
        assert not caught.value.retryable
        assert password not in str(caught.value)
    assert post.envelopes == []
