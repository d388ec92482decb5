"""Sends mail by SMTP."""

from __future__ import annotations

import hashlib
import io
import smtplib
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.message import EmailMessage, Message
from email.utils import formatdate, parseaddr
from typing import Any

from automations.adapters.http import guarded_address
from automations.errors import StepError
from automations.kit.masking import Masker
from automations.ports import Mail, MailReceipt, MailServer

_MAX_SILENCE = 30.0
_CHECK = timedelta(seconds=30)
_MAX_REPLIES = 100_000
"""Bytes that a server may say in one session."""


class _Replies(io.BufferedIOBase):
    """What a server says, with an end to it."""

    def __init__(self, connected: socket.socket, budget: _Budget) -> None:
        self._file = connected.makefile("rb")
        self._socket = connected
        self._budget = budget

    def readline(self, size: int | None = -1, /) -> bytes:
        self._socket.settimeout(self._budget.seconds())
        line: bytes = self._file.readline(-1 if size is None else size)
        self._budget.take(line)
        return line

    def close(self) -> None:
        self._file.close()
        super().close()


class _Budget:
    """What is left of a session's time and bytes."""

    def __init__(self, timeout: timedelta) -> None:
        self._deadline = time.monotonic() + timeout.total_seconds()
        self._bytes = _MAX_REPLIES

    def seconds(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        return min(left, _MAX_SILENCE)

    def take(self, line: bytes) -> None:
        self._bytes -= len(line)
        if self._bytes < 0:
            raise ConnectionError("it says too much")


class _Pinned(smtplib.SMTP):
    """Connects to an address that was looked up before, under the name of its host."""

    def __init__(self, address: str, host: str, port: int, timeout: timedelta, **more: Any) -> None:
        self._address = address
        self._budget = _Budget(timeout)
        super().__init__(host, port, timeout=self._budget.seconds(), **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(self._address, port, timeout)  # type: ignore[misc]  # made to be overridden
        return connected

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock, self._budget)
        return super().getreply()


class _PinnedTls(_Pinned, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""


class SmtpTransport:
    """Speaks to the mail server that it is told.

    Args:
        allow: hosts, as ``host`` or ``host:port``, that workspaces may use though not public.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow = frozenset(entry.lower() for entry in allow)

    def send(self, server: MailServer, mail: Mail) -> MailReceipt:
        """Send a message.

        Raises:
            StepError: the server cannot be reached, or refuses us or the message as a whole.
        """
        message = _message(server.sender, mail)
        recipients = list(dict.fromkeys((*mail.to, *mail.cc, *mail.bcc)))
        with self._session(server, mail.timeout) as session:
            refused = _deliver(session, message, recipients)
        hidden = _masker(server)
        return MailReceipt(
            message_id=message["Message-ID"],
            provider=server.provider,
            accepted=tuple(address for address in recipients if address not in refused),
            rejected=tuple(address for address in recipients if address in refused),
            reasons={
                who: hidden.text(f"{code} {_text(why)}") for who, (code, why) in refused.items()
            },
        )

    def check(self, server: MailServer) -> None:
        """Connect, sign in and do nothing.

        Raises:
            StepError: as ``send``.
        """
        with self._session(server, _CHECK) as session:
            code, answer = session.noop()
            if code != 250:
                raise smtplib.SMTPResponseException(code, answer)

    @contextmanager
    def _session(self, server: MailServer, timeout: timedelta) -> Iterator[smtplib.SMTP]:
        hidden = _masker(server)
        try:
            session = self._connect(server, timeout)
            try:
                _sign_in(session, server)
                yield session
            finally:
                # What was to be said is said by now: a failing farewell changes nothing.
                with suppress(smtplib.SMTPException, OSError):
                    session.quit()
                session.close()
        except smtplib.SMTPAuthenticationError as error:
            raise StepError(
                "The mail server refused the user name or password.", kind="mail"
            ) from error
        except smtplib.SMTPResponseException as error:
            reason = hidden.text(f"{error.smtp_code} {_text(error.smtp_error)}")
            raise StepError(
                f"The mail server refused the message: {reason}",
                kind="mail",
                retryable=400 <= error.smtp_code < 500,
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise StepError(
                f"The mail server cannot be reached: {hidden.text(str(error))}",
                kind="mail",
                retryable=True,
            ) from error

    def _connect(self, server: MailServer, timeout: timedelta) -> smtplib.SMTP:
        host, port = server.host, server.port
        address = guarded_address(host, port, self._allow) if server.guarded else host
        if server.security == "tls":
            trusted = ssl.create_default_context()
            return _PinnedTls(address, host, port, timeout, context=trusted)
        return _Pinned(address, host, port, timeout)


def _sign_in(session: smtplib.SMTP, server: MailServer) -> None:
    if server.security == "starttls":
        session.starttls(context=ssl.create_default_context())
    if server.username:
        session.login(server.username, server.password or "")


def _deliver(
    session: smtplib.SMTP, message: EmailMessage, recipients: list[str]
) -> dict[str, tuple[int, bytes]]:
    try:
        return session.send_message(message, to_addrs=recipients)
    except smtplib.SMTPRecipientsRefused as error:
        if len(error.recipients) < len(recipients):
            raise StepError(
                "The mail server broke off before all recipients were named; nothing was sent.",
                kind="mail",
                retryable=True,
            ) from error
        return error.recipients


def _message(sender: str, mail: Mail) -> EmailMessage:
    try:
        return _composed(sender, mail)
    except ValueError as error:  # a line break would start a header of the sender's choice
        raise StepError(f"The mail's headers are invalid: {error}", kind="config") from error


def _composed(sender: str, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(mail.to)
    if mail.cc:
        message["Cc"] = ", ".join(mail.cc)
    if mail.reply_to:
        message["Reply-To"] = mail.reply_to
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    # The same for every attempt, so that a repeat after a crash can be recognised.
    unique = hashlib.sha256(mail.key.encode()).hexdigest()[:32]
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{unique}@{domain}>"
    message["X-Idempotency-Key"] = unique
    message.set_content(mail.body)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    for file in mail.attachments:
        kind = Message()
        kind["Content-Type"] = file.content_type
        message.add_attachment(
            file.content,
            maintype=kind.get_content_maintype(),
            subtype=kind.get_content_subtype(),
            filename=file.filename,
            params=dict(kind.get_params(failobj=[])[1:]),
        )
    return message


def _masker(server: MailServer) -> Masker:
    return Masker([server.password] if server.password else [])


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
