"""Sends mail by SMTP."""

from __future__ import annotations

import io
import smtplib
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from automations.adapters import tls_contexts
from automations.adapters.http import guarded_address
from automations.adapters.mail_messages import compose, message_id
from automations.domain.email_addresses import to_ascii
from automations.errors import StepError
from automations.kit.excerpts import excerpt
from automations.kit.masking import Masker
from automations.ports import Mail, MailReceipt, MailServer

_MAX_SILENCE = 30.0
"""Seconds for one answer of the server, within the time of the whole mail."""
_FAREWELL = 1.0
"""Seconds for the end of a session: nothing depends on it any more."""
_CHECK_TIMEOUT = timedelta(seconds=30)
_CHUNK_SIZE = 8_192
_MAX_SAID = 1_000
"""Characters of what a server gives as its reason."""
_MAX_REPLIES = 100_000
"""Bytes that a server may say in one session."""
_NO_UTF8 = (
    553,
    b"5.6.7 the mail server takes no address with letters outside ASCII before the @ (SMTPUTF8)",
)
Rejections = dict[str, tuple[int, bytes]]


class _Replies(io.BufferedIOBase):
    """What a server says, with an end to it, also when it says a letter from time to time."""

    def __init__(self, connected: socket.socket, budget: _Budget) -> None:
        self._socket = connected
        self._budget = budget
        self._waiting = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        limit = _MAX_REPLIES if size is None or size < 0 else size
        silent_at = self._budget.silent_at()
        while b"\n" not in self._waiting[:limit] and len(self._waiting) < limit:
            self._socket.settimeout(self._budget.seconds(silent_at))
            piece = self._socket.recv(_CHUNK_SIZE)
            if not piece:
                break
            self._budget.take(piece)
            self._waiting += piece
        end = self._waiting.find(b"\n", 0, limit) + 1 or limit
        line, self._waiting = self._waiting[:end], self._waiting[end:]
        return line


class _Budget:
    """What is left of a session's time and bytes."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._bytes = _MAX_REPLIES

    def silent_at(self) -> float:
        """When a line must have come that is waited for from now on."""
        return min(self._deadline, time.monotonic() + _MAX_SILENCE)

    def end_within(self, seconds: float) -> None:
        """Leave no more than this of the time."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def seconds(self, until: float | None = None) -> float:
        left = (self._deadline if until is None else until) - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        return left

    def take(self, line: bytes) -> None:
        self._bytes -= len(line)
        if self._bytes < 0:
            raise ConnectionError("it says too much")


class _Utf8Text(str):
    """A text that is sent as UTF-8 (RFC 4616), where the library would send ASCII or nothing."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("utf-8", errors)


class _Pinned(smtplib.SMTP):
    """Connects to an address that was looked up before, under the name of its host."""

    def __init__(self, address: str, host: str, port: int, deadline: float, **more: Any) -> None:
        self._address = address
        self._budget = _Budget(deadline)
        seconds = self._budget.seconds(self._budget.silent_at())
        super().__init__(host, port, timeout=seconds, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(self._address, port, timeout)  # type: ignore[misc]  # made to be overridden
        return connected

    def auth_plain(self, challenge: object = None) -> str:
        return _Utf8Text(f"\0{self.user}\0{self.password}")

    def send(self, s: Any) -> None:
        if self.sock is not None:
            # For all that is sent: a long mail takes longer than an answer.
            self.sock.settimeout(self._budget.seconds())
        super().send(s)

    def quit(self) -> tuple[int, bytes]:
        # What was to be said is said by now: whether this is answered changes nothing.
        self._budget.end_within(_FAREWELL)
        return super().quit()

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
        recipients = list(dict.fromkeys((*mail.to, *mail.cc, *mail.bcc)))
        with _headers():
            wired = {address: to_ascii(address) for address in recipients}
            # Before anything is said to the server.
            content = compose(server, mail, international=True)
        with self._session(server, mail.timeout) as session, _headers():
            session.ehlo_or_helo_if_needed()
            rejections = _transmit(session, server, mail, wired, content)
        rejected = {
            address: rejections[wire] for address, wire in wired.items() if wire in rejections
        }
        hidden = _masker(server)
        return MailReceipt(
            message_id=message_id(server, mail),
            provider=server.provider,
            accepted=tuple(address for address in recipients if address not in rejected),
            rejected=tuple(address for address in recipients if address in rejected),
            reasons={
                address: hidden.text(f"{code} {_text(why)}")
                for address, (code, why) in rejected.items()
            },
        )

    def check(self, server: MailServer) -> None:
        """Connect, sign in and do nothing.

        Raises:
            StepError: as ``send``.
        """
        with self._session(server, _CHECK_TIMEOUT) as session:
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
        deadline = time.monotonic() + timeout.total_seconds()
        address = guarded_address(host, port, deadline, self._allow) if server.guarded else host
        if server.security == "tls":
            return _PinnedTls(address, host, port, deadline, context=tls_contexts.of_mail())
        return _Pinned(address, host, port, deadline)


def _sign_in(session: smtplib.SMTP, server: MailServer) -> None:
    if server.security == "starttls":
        session.starttls(context=tls_contexts.of_mail())
    if server.username:
        try:
            session.login(_Utf8Text(server.username), _Utf8Text(server.password or ""))
        except ValueError as error:
            raise StepError(
                "The mail server asks for the password in a way that cannot be answered.",
                kind="mail",
            ) from error


def _transmit(
    session: smtplib.SMTP,
    server: MailServer,
    mail: Mail,
    wired: Mapping[str, str],
    content: bytes,
) -> Rejections:
    """Who was refused, by the address on the wire."""
    sender = to_ascii(server.sender)
    answers = to_ascii(mail.reply_to) if mail.reply_to else ""
    recipients = list(dict.fromkeys(wired.values()))
    international = bool(session.has_extn("smtputf8"))
    if international:
        rejected: Rejections = {}
    else:
        for address in (sender, answers):
            if not address.isascii():
                raise StepError(
                    f"The mail server takes no mail from or answered to {address}: before the @ "
                    "it has letters outside ASCII (SMTPUTF8).",
                    kind="mail",
                )
        rejected = {address: _NO_UTF8 for address in recipients if not address.isascii()}
    taken = [address for address in recipients if address not in rejected]
    if not taken:
        return rejected
    if rejected:
        content = compose(server, mail, international=False)
    is_ascii = all(address.isascii() for address in (sender, answers, *recipients))
    options = () if is_ascii or not international else ("SMTPUTF8", "BODY=8BITMIME")
    return rejected | _deliver(session, sender, taken, content, options)


def _deliver(
    session: smtplib.SMTP,
    sender: str,
    recipients: list[str],
    content: bytes,
    options: Sequence[str],
) -> Rejections:
    try:
        return session.sendmail(sender, recipients, content, options)
    except smtplib.SMTPRecipientsRefused as error:
        if len(error.recipients) < len(recipients):
            raise StepError(
                "The mail server broke off before all recipients were named; nothing was sent.",
                kind="mail",
                retryable=True,
            ) from error
        return error.recipients


@contextmanager
def _headers() -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # a line break would start a header of the sender's choice
        raise StepError(f"The mail's headers are invalid: {error}", kind="config") from error


def _masker(server: MailServer) -> Masker:
    return Masker([server.password] if server.password else [])


def _text(answer: bytes | str) -> str:
    reply = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return excerpt(reply, _MAX_SAID)
