"""Send an e-mail."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from automations.domain.email_addresses import normalise
from automations.domain.fields import (
    FROM_TEMPLATE,
    ONE_OR_MORE,
    Html,
    Model,
    OptionalText,
    OrTemplate,
    Text,
    as_list,
    is_rendered,
    is_template,
)
from automations.ports import Attachment, Documents, Mail
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.outcomes import Done, Fail, Outcome

MAX_RECIPIENTS = 100
"""RFC 5321 has servers take as many for one mail."""
# A name, in quotes if it has a comma, before an address in <>; or an address alone. One line.
_MAILBOX = re.compile(
    r' *+(?:(?:"(?:[^"\\\r\n]|\\.)*+" *+|[^<>",\r\n]*+)<([^<>,\s]++)>|([^<>",\s]++)) *+(?:,|\Z)'
)
MAX_ATTACHED_BYTES = 10_000_000
"""Base64 adds a third, and many servers take little more."""
_TOKEN = r"[A-Za-z0-9_.+-]+"  # noqa: S105 -- of RFC 2045
_MEDIA_TYPE = rf'^{_TOKEN}/{_TOKEN}(; ?{_TOKEN}=({_TOKEN}|"[A-Za-z0-9_.+ -]*"))*$'


def check_address(value: str, info: ValidationInfo) -> str:
    """An address, normalised; a template is let through until it is rendered."""
    if is_template(value) and not is_rendered(info):
        return value
    return normalise(value)


def _one_line(value: str, info: ValidationInfo) -> str:
    # Any mark that some mail program may take for the end of a header.
    if value.splitlines() not in ([], [value]):
        raise ValueError("must be one line")
    return value


def _of_one_part(value: str, info: ValidationInfo) -> str:
    if value.lower().startswith(("message/", "multipart/")):
        raise ValueError(
            "must not be of message/ or multipart/, which mail programs take for parts of the mail "
            "itself: send such a file as application/octet-stream"
        )
    return value


def decoded_size(content: str) -> int:
    """How many bytes a base64 text stands for."""
    packed = "".join(content.split())
    return len(packed) * 3 // 4 - packed.count("=", -2)


def _base64(value: str, info: ValidationInfo) -> str:
    if is_rendered(info) or not is_template(value):
        # As mail programs and command lines write it: in lines.
        value = "".join(value.split())
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("must be base64") from error
    return value


def _without_names(value: object, info: ValidationInfo) -> object:
    """Addresses, of which some may be written with a name, as in ``Ada <ada@example.com>``."""
    if isinstance(value, list):
        return [part for item in value for part in _addresses(item)]
    addresses = _addresses(value)
    return as_list(addresses[0] if len(addresses) == 1 else addresses, info)


def _without_name(value: object) -> object:
    """An address that may be written with a name."""
    addresses = _addresses(value)
    return addresses[0] if len(addresses) == 1 else value


def _addresses(value: object) -> list[object]:
    if not isinstance(value, str) or is_template(value) or "<" not in value:
        return [value]
    addresses: list[object] = []
    position = 0
    while position < len(value):
        mailbox = _MAILBOX.match(value, position)
        if mailbox is None:
            return [value]  # which is no address
        addresses.append(mailbox[1] or mailbox[2])
        position = mailbox.end()
    return addresses


Address = Annotated[Text, AfterValidator(check_address), BeforeValidator(_without_name)]
Addresses = Annotated[
    list[Address],
    # Here, so that they are counted before each of them is looked at.
    Field(max_length=MAX_RECIPIENTS),
    BeforeValidator(as_list),
    BeforeValidator(_without_names),
    ONE_OR_MORE,
]
Line = Annotated[Text, AfterValidator(_one_line), Field(max_length=998)]
FileName = Annotated[
    str, Field(min_length=1, max_length=998), AfterValidator(_one_line), FROM_TEMPLATE
]


class AttachmentConfig(Model):
    """A file to attach."""

    filename: FileName | None = Field(
        None, description="File name; by default the document's own name."
    )
    content: Annotated[Text, AfterValidator(_base64)] | None = Field(
        None, description="The file, in base64."
    )
    document_id: OptionalText = Field(
        None,
        min_length=1,
        max_length=100,
        description="A generated document to send, instead of content.",
    )
    content_type: (
        Annotated[Line, Field(pattern=_MEDIA_TYPE), AfterValidator(_of_one_part)] | None
    ) = Field(
        None,
        description="Media type, except message/ or multipart/; application/octet-stream by "
        "default for content.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.content is None) == (self.document_id is None):
            raise ValueError("give one of content and documentId")
        if self.content is not None and self.filename is None:
            raise ValueError("give filename with content")
        return self


class EmailContent(Model):
    """A mail: recipients and content."""

    to: Annotated[Addresses, Field(min_length=1)] = Field(
        description="Recipients: an address, several separated by commas, or a list. A name "
        "before an address in <> is ignored."
    )
    cc: Addresses = Field(default_factory=list, description="Recipients of a copy.")
    bcc: Addresses = Field(default_factory=list, description="Recipients hidden from all others.")
    subject: Line = Field(description="Subject, one line.")
    body: OptionalText = Field(None, max_length=1_000_000, description="The text.")
    html: Annotated[OptionalText, Html()] = Field(
        None, max_length=1_000_000, description="HTML that mail programs show instead of the text."
    )
    reply_to: Address | None = Field(
        None, description="Address for replies. A name before an address in <> is ignored."
    )
    attachments: OrTemplate[Annotated[list[AttachmentConfig], Field(max_length=20)]] = Field(
        default_factory=list,
        description="Attached files, 20 at most; or one template that produces them.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.body is None and self.html is None:
            raise ValueError("give body, html or both")
        written = sum(decoded_size(part.content or "") for part in self.files)
        if written > MAX_ATTACHED_BYTES:
            raise ValueError(f"attachments may have {MAX_ATTACHED_BYTES} bytes at most")
        return self

    @property
    def files(self) -> list[AttachmentConfig]:
        """The attachments; none before the template is rendered that gives them."""
        return self.attachments if isinstance(self.attachments, list) else []


class EmailConfig(EmailContent):
    """A mail, and the provider that sends it."""

    conn_id: OptionalText = Field(
        None,
        min_length=1,
        max_length=250,
        description="An Airflow connection of type smtp, used instead of the workspace's "
        "provider. Its extra sets the sender (from_email), and TLS as for Airflow's "
        "own SmtpHook. The setting AUTOMATIONS_CONNECTION_ALLOW must name it.",
    )


class Email(StepType[EmailConfig]):
    """Send an e-mail through the configured provider."""

    type = "email"
    title = "Send an e-mail"
    Config = EmailConfig
    refers_to: ClassVar = {"attachments.document_id": Subject.DOCUMENT}
    example: ClassVar = {
        "to": "{{input.email}}",
        "subject": "Welcome",
        "body": "Dear {{input.name}}, thank you for signing up.",
    }
    outputs: ClassVar = {
        "messageId": "the mail's Message-ID, the same for every attempt",
        "provider": "the provider that sent it",
        "accepted": "recipients that the mail server accepted",
        "rejected": "recipients that it refused, even temporarily: they did not get the mail",
        "reasons": "the mail server's reasons, by recipient",
    }

    def run(self, config: EmailConfig, ctx: StepContext) -> Outcome:
        attachments = tuple(
            load_attachment(part, ctx.workspace_id, ctx.ports.documents) for part in config.files
        )
        size = sum(len(part.content) for part in attachments)
        if size > MAX_ATTACHED_BYTES:
            return Fail(
                f"The attachments have {size} bytes; {MAX_ATTACHED_BYTES} at most.", "config"
            )
        connection = None if config.conn_id is None else ctx.connection(config.conn_id)
        receipt = ctx.ports.mailer.send(
            Mail(
                to=tuple(config.to),
                cc=tuple(config.cc),
                bcc=tuple(config.bcc),
                subject=config.subject,
                body=config.body or "",
                html=config.html,
                reply_to=config.reply_to,
                attachments=attachments,
                key=ctx.idempotency_key,
                workspace_id=ctx.workspace_id,
                timeout=ctx.timeout,
                connection=connection,
            )
        )
        output = {
            "messageId": receipt.message_id,
            "provider": receipt.provider,
            "accepted": list(receipt.accepted),
            "rejected": list(receipt.rejected),
            "reasons": dict(receipt.reasons),
        }
        if receipt.accepted:
            return Done(output)
        reasons = "; ".join(f"{address}: {why}" for address, why in receipt.reasons.items())
        return Fail(
            f"Every recipient was rejected: {reasons}", "rejected", receipt.for_now, output=output
        )


def load_attachment(part: AttachmentConfig, workspace_id: str, documents: Documents) -> Attachment:
    """The file that an attachment means; a document is loaded."""
    if part.document_id is None:
        content = base64.b64decode(part.content or "")
        kind = part.content_type or "application/octet-stream"
        return Attachment(part.filename or "attachment", content, kind)
    file = documents.file(workspace_id, part.document_id)
    return Attachment(
        part.filename or file.filename, file.content, part.content_type or file.content_type
    )
