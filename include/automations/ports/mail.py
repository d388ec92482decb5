"""The port for mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from automations.ports.connections import HostConnection


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file sent with a mail."""

    filename: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to send.

    Args:
        workspace_id: whose mail provider sends it.
        key: idempotency key; the Message-ID is made from it, so a repeat can be recognised.
        timeout: how long the mail server may take in all.
        connection: of the mail server to send by instead of the workspace's.
    """

    to: tuple[str, ...]
    subject: str
    body: str
    key: str
    workspace_id: str
    html: str | None = None
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    timeout: timedelta = timedelta(minutes=2)
    connection: HostConnection | None = None


@dataclass(frozen=True, slots=True)
class MailReceipt:
    """What the mail server said, per recipient."""

    message_id: str
    provider: str
    accepted: tuple[str, ...]
    rejected: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def for_now(self) -> bool:
        """Whether each of those who were refused was so for the time being."""
        return all(self.reasons.get(address, "").startswith("4") for address in self.rejected)


class Mailer(Protocol):
    """Sends mail; raises StepError when the server refuses all or cannot be reached."""

    def send(self, mail: Mail) -> MailReceipt: ...


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server, and how we speak to it.

    Args:
        security: ``starttls``, ``tls`` or ``none``.
        sender: the address that mail is from.
        sender_name: whose that is, as text.
        provider: its name in receipts.
        guarded: whether it must be a public address, since a workspace chose it.
    """

    host: str
    port: int
    security: str
    sender: str
    provider: str
    username: str | None = None
    password: str | None = None
    sender_name: str = ""
    guarded: bool = True


class MailTransport(Protocol):
    """Speaks to one mail server; raises StepError as ``Mailer`` does."""

    def send(self, server: MailServer, mail: Mail) -> MailReceipt: ...

    def check(self, server: MailServer) -> None:
        """Connect and sign in, and send nothing."""
        ...
