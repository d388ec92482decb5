"""A real mail server that refuses on demand."""

from __future__ import annotations

import email
from email.message import Message

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.free_ports import free_port


class Mailbox:
    """Keeps what it is given; refuses recipients by the code in their names.

    Args:
        utf8: whether it takes addresses outside ASCII.
    """

    USER = ("office", "correct-horse")

    def __init__(self, *, utf8: bool = True) -> None:
        self.envelopes: list[Envelope] = []
        self.answer = "250 OK"
        self.user = self.USER
        self.port = free_port()
        self.controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=self._authenticate,
            auth_require_tls=False,
            data_size_limit=50_000_000,
            enable_SMTPUTF8=utf8,
            ready_timeout=120,
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.user, handled=False)

    async def handle_RCPT(  # noqa: N802  # the name that the server calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        code = address.partition("-")[0]
        if code.isdigit():
            return f"{code} no {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.answer.startswith("2"):
            self.envelopes.append(envelope)
        return self.answer

    def start(self) -> None:
        """Listen."""
        self.controller.start()

    def stop(self) -> None:
        """Go away, once."""
        if self.port:
            self.controller.stop()
            self.port = 0

    def message(self) -> Message:
        """The last message that came."""
        content = self.envelopes[-1].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content)
