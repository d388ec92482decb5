"""The folder of caught mail: one ``.eml`` and one ``.json`` (the envelope) for each message."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from automations.kit.stored import known_fields

IDENTIFIER = re.compile(r"[0-9]{16,24}")


@dataclass(frozen=True)
class Envelope:
    """What the SMTP client said beside the message."""

    sender: str
    recipients: list[str]
    received: str


class MailFolder:
    """Caught mail, newest first."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._last = 0

    def add(self, content: bytes, sender: str, recipients: list[str]) -> str:
        """Keep a message and return its id.

        Raises:
            OSError: it cannot be kept now; nothing of it is.
        """
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            identifier = str(self._last)
        received = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        envelope = Envelope(sender, recipients, received)
        beside, temporary = (self._path / f"{identifier}.{kind}" for kind in ("json", "new"))
        try:
            beside.write_text(json.dumps(asdict(envelope)))
            # The message comes last, whole: a reader lists the messages by it.
            temporary.write_bytes(content)
            temporary.rename(self._path / f"{identifier}.eml")
        except OSError:
            for unfinished in (beside, temporary):
                unfinished.unlink(missing_ok=True)
            raise
        return identifier

    def identifiers(self) -> list[str]:
        """Every message's id, newest first."""
        return sorted((path.stem for path in self._path.glob("*.eml")), key=int, reverse=True)

    def raw(self, identifier: str) -> bytes | None:
        """A message as it was sent; None when there is none."""
        if not IDENTIFIER.fullmatch(identifier):
            return None
        try:
            return (self._path / f"{identifier}.eml").read_bytes()
        except FileNotFoundError:
            return None

    def describe(self, identifier: str) -> dict[str, Any] | None:
        """A message as JSON; None when there is none."""
        content = self.raw(identifier)
        if content is None:
            return None
        stored = json.loads((self._path / f"{identifier}.json").read_text())
        envelope = Envelope(**known_fields(Envelope, stored))
        message = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
        return {
            "id": identifier,
            "from": _header(message, "from"),
            "to": _header(message, "to"),
            "cc": _header(message, "cc"),
            "replyTo": _header(message, "reply-to"),
            "subject": _header(message, "subject"),
            "date": _header(message, "date"),
            "messageId": _header(message, "message-id"),
            "mailFrom": envelope.sender,
            "rcpt": envelope.recipients,
            "received": envelope.received,
            "text": _body(message, "plain"),
            "html": _body(message, "html"),
            "attachments": [_attachment(part) for part in _attachments(message)],
        }

    def clear(self) -> None:
        """Forget every message."""
        for pattern in ("*.eml", "*.json", "*.new"):
            for path in self._path.glob(pattern):
                path.unlink(missing_ok=True)


def _header(message: EmailMessage, name: str) -> str | None:
    try:
        value = message[name]
    except (ValueError, LookupError, IndexError, AttributeError):
        # The parser of the standard library raises on some malformed headers.
        return None
    return None if value is None else str(value)


def _body(message: EmailMessage, kind: str) -> str | None:
    try:
        part = message.get_body(preferencelist=(kind,))
    except (ValueError, LookupError, AttributeError):
        return None
    return None if part is None else _text(part)


def _text(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (ValueError, LookupError):
        payload = part.get_payload(decode=True)
        return payload.decode(errors="replace") if isinstance(payload, bytes) else ""


def _attachments(message: EmailMessage) -> list[EmailMessage]:
    try:
        return [part for part in message.iter_attachments() if isinstance(part, EmailMessage)]
    except (ValueError, LookupError, AttributeError):
        return []


def _attachment(part: EmailMessage) -> dict[str, Any]:
    payload = part.get_payload(decode=True)
    return {
        "filename": part.get_filename(),
        "contentType": part.get_content_type(),
        "size": len(payload) if isinstance(payload, bytes) else 0,
    }
