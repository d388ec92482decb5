"""Serializes mails: headers, texts and files."""

from __future__ import annotations

import base64
import hashlib
import quopri
import re
from email.generator import BytesGenerator
from email.message import Message
from email.policy import compat32
from email.utils import formatdate
from io import BytesIO

from automations.adapters import mail_headers
from automations.domain.email_addresses import to_ascii
from automations.ports import Attachment, Mail, MailServer

# The older policy: it writes a header as it is given, and reads nothing into it. Lines that begin
# with "From " are no business of a mail's: they are those of a mailbox file.
_POLICY = compat32.clone(linesep="\r\n", max_line_length=0, mangle_from_=False)
_MEDIA_TYPE = re.compile(r"[\x21-\x7e]+/[\x20-\x7e]*[\x21-\x7e]")
_MAX_LINE = 78
"""Of RFC 5322, which recommends it."""


def message_id(server: MailServer, mail: Mail) -> str:
    """The same for every attempt, so that a repeat after a crash can be recognised."""
    domain = to_ascii(server.sender).rpartition("@")[2] or "localhost"
    return f"<{_unique(mail)}@{domain}>"


def compose(server: MailServer, mail: Mail, *, international: bool) -> bytes:
    """A mail, without its blind copies.

    Args:
        international: whether addresses outside ASCII can be sent; they are left out otherwise.

    Raises:
        ValueError: a header cannot be written; for people.
    """

    def format_addresses(addresses: tuple[str, ...]) -> list[str]:
        wired = map(to_ascii, addresses)
        return [_raw(address) for address in wired if international or address.isascii()]

    message = _body(mail)
    message["MIME-Version"] = "1.0"
    sender = mail_headers.mailbox(to_ascii(server.sender), server.sender_name)
    message["From"] = _raw(sender)
    message["To"] = mail_headers.mailboxes(format_addresses(mail.to))
    if mail.cc:
        message["Cc"] = mail_headers.mailboxes(format_addresses(mail.cc))
    if mail.reply_to:
        message["Reply-To"] = _raw(mail_headers.mailbox(to_ascii(mail.reply_to)))
    message["Subject"] = mail_headers.text(mail.subject, "Subject")
    message["Date"] = formatdate()
    message["Message-ID"] = message_id(server, mail)
    message["X-Idempotency-Key"] = _unique(mail)
    written = BytesIO()
    BytesGenerator(written, mangle_from_=False, policy=_POLICY).flatten(message)
    return written.getvalue()


def _unique(mail: Mail) -> str:
    return hashlib.sha256(mail.key.encode()).hexdigest()[:32]


def _raw(header: str) -> str:
    """A header that is written as UTF-8 (RFC 6532), as the standard library marks such bytes."""
    return header.encode().decode("ascii", "surrogateescape")


def _body(mail: Mail) -> Message:
    part = _text(mail.body, "plain")
    if mail.html is not None:
        part = _together("alternative", part, _text(mail.html, "html"))
    if mail.attachments:
        part = _together("mixed", part, *map(_file, mail.attachments))
    return part


def _together(kind: str, *parts: Message) -> Message:
    message = Message(_POLICY)
    message["Content-Type"] = f"multipart/{kind}"
    for part in parts:
        message.attach(part)
    return message


def _text(written: str, kind: str) -> Message:
    lines = re.split(r"\r\n|\r|\n", written)
    content = "".join(f"{line}\n" for line in (lines if lines[-1] else lines[:-1])).encode()
    message = Message(_POLICY)
    message["Content-Type"] = f'text/{kind}; charset="utf-8"'
    if _is_plain(content):
        return _payload(message, "7bit", content)
    # Escaped, since servers that keep mail in one file put a mark before such a line.
    quoted = re.sub(rb"^From ", b"=46rom ", quopri.encodestring(content), flags=re.MULTILINE)
    # Lines of text end with both characters, which base64 would hide.
    packed = base64.encodebytes(content.replace(b"\n", b"\r\n"))
    if len(quoted) <= len(packed):
        return _payload(message, "quoted-printable", quoted)
    return _payload(message, "base64", packed)


def _is_plain(content: bytes) -> bool:
    lines = content.split(b"\n")
    return (
        re.fullmatch(rb"[\x20-\x7e\t\n]*", content) is not None
        and max(map(len, lines)) <= _MAX_LINE
        and not any(line.startswith(b"From ") or line.endswith((b" ", b"\t")) for line in lines)
    )


def _file(file: Attachment) -> Message:
    if not _MEDIA_TYPE.fullmatch(file.content_type):
        raise ValueError(f"'{file.content_type[:100]}' is not a media type")
    if file.content_type.lower().startswith(("message/", "multipart/")):
        raise ValueError(f"an attachment cannot be of the type '{file.content_type[:100]}'")
    message = Message(_POLICY)
    message["Content-Type"] = file.content_type.replace("; ", f";{mail_headers.FOLD}")
    name = mail_headers.parameter("filename", file.filename)
    message["Content-Disposition"] = f"attachment{name}"
    return _payload(message, "base64", base64.encodebytes(file.content))


def _payload(message: Message, encoding: str, content: bytes) -> Message:
    message["Content-Transfer-Encoding"] = encoding
    message.set_payload(content.decode("ascii"))
    return message
