"""Sends a workspace's mail by its own provider, or by the installation's server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from automations.db import integrations
from automations.db.session import unit_of_work
from automations.db.tables import Integration
from automations.definitions.field_errors import field_errors
from automations.definitions.integrations import EMAIL, EmailProvider
from automations.domain.fields import LITERAL
from automations.errors import (
    Conflict,
    ProviderFailed,
    RuleBroken,
    StepError,
    TooLarge,
    ValidationFailed,
)
from automations.kit import mailboxes
from automations.ports import (
    Attachment,
    Documents,
    Mail,
    MailReceipt,
    MailServer,
    MailTransport,
    Ports,
)
from automations.services.audit import audit
from automations.services.integrations.connected_mail import from_connection
from automations.services.integrations.integrations import credentials, find
from automations.settings import Settings, get_settings
from automations.steps.email import MAX_ATTACHED_BYTES, EmailContent, decoded_size, load_attachment

NO_PROVIDER = (
    "No site email provider is configured. An administrator adds one by POST /api/integrations "
    "with the type EMAIL_PROVIDER and setAsSiteEmailProvider."
)


class WorkspaceMailer:
    """Sends each mail by the server of its workspace."""

    def __init__(self, transport: MailTransport) -> None:
        self._transport = transport

    def send(self, mail: Mail) -> MailReceipt:
        """Send a mail.

        Raises:
            StepError: there is no server, it cannot be reached, or it refuses the message.
        """
        if mail.connection is not None:
            return self._transport.send(from_connection(mail.connection), mail)
        server = server_of(mail.workspace_id)
        if server is None:
            raise StepError(NO_PROVIDER, kind="provider")
        return self._transport.send(server, mail)


class Message(EmailContent):
    """A mail that the API is asked to send."""

    body: str


def server_of(workspace_id: str) -> MailServer | None:
    """The mail server that a workspace uses, if there is any."""
    with unit_of_work() as session:
        chosen = integrations.site_email_provider(session, workspace_id)
    return _server(chosen) if chosen is not None else _default(get_settings())


def check(workspace_id: str, integration_id: str, transport: MailTransport) -> str | None:
    """Why an integration's mail server cannot be used, or None when it answers.

    Raises:
        RuleBroken: the integration is of a type that has no test.
    """
    with unit_of_work() as session:
        integration = find(session, workspace_id, integration_id)
    if integration.type != EMAIL:
        raise RuleBroken(f"There is no test for integrations of type {integration.type}.")
    try:
        transport.check(_server(integration))
    except StepError as error:
        return error.message
    return None


def send(workspace_id: str, payload: Any, ports: Ports, effect_id: str) -> MailReceipt:
    """Send a mail that a client asks for.

    Args:
        effect_id: the same for a repeat, so that its Message-ID is, too.

    Raises:
        ValidationFailed: names the fields that are wrong.
        TooLarge: the attachments have too many bytes.
        Conflict: no site email provider is configured.
        ProviderFailed: it refuses everybody, or cannot be reached.
    """
    if _attached_bytes(payload) > MAX_ATTACHED_BYTES:
        raise TooLarge(f"The attachments may have {MAX_ATTACHED_BYTES} bytes at most.")
    try:
        message = Message.model_validate(payload, context=LITERAL)
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, payload)) from error
    if server_of(workspace_id) is None:
        raise Conflict(NO_PROVIDER)
    mail = _mail(workspace_id, message, ports.documents, effect_id)
    try:
        receipt = ports.mailer.send(mail)
    except StepError as error:
        raise ProviderFailed(error.message) from error
    if not receipt.accepted:
        raise ProviderFailed("The mail provider refused every recipient.", receipt.reasons)
    with unit_of_work() as session:
        audit.record(
            session,
            "mail.send",
            audit.Resource(workspace_id, "mail", receipt.message_id),
            recipients=list(receipt.accepted),
        )
    return receipt


def _mail(workspace_id: str, message: Message, documents: Documents, effect_id: str) -> Mail:
    return Mail(
        to=tuple(message.to),
        cc=tuple(message.cc),
        bcc=tuple(message.bcc),
        subject=message.subject,
        body=message.body,
        html=message.html,
        reply_to=message.reply_to,
        attachments=tuple(_attachments(workspace_id, message, documents)),
        key=f"send-email:{workspace_id}:{effect_id}",
        workspace_id=workspace_id,
    )


def _attachments(workspace_id: str, message: Message, documents: Documents) -> Iterator[Attachment]:
    for place, part in enumerate(message.files):
        try:
            yield load_attachment(part, workspace_id, documents)
        except StepError as error:
            where = f"attachments.{place}.documentId"
            raise ValidationFailed({where: [error.message]}) from error


def _attached_bytes(payload: Any) -> int:
    files = payload.get("attachments") if isinstance(payload, dict) else None
    contents: Sequence[Any] = files if isinstance(files, list) else ()
    return sum(
        decoded_size(part["content"])
        for part in contents
        if isinstance(part, dict) and isinstance(part.get("content"), str)
    )


def _server(integration: Integration) -> MailServer:
    config = EmailProvider.model_validate(integration.config, context=LITERAL)
    account = credentials(integration)
    return MailServer(
        host=config.host,
        port=config.port,
        security=config.security,
        sender=config.from_email,
        sender_name=config.from_name,
        provider=integration.name,
        username=account.get("username"),
        password=account.get("password"),
    )


def _default(settings: Settings) -> MailServer | None:
    name, sender = mailboxes.parse(settings.mail_from)
    if settings.smtp_host is not None:
        return MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            sender=sender,
            sender_name=name,
            provider="smtp",
            username=settings.smtp_username,
            password=settings.smtp_password,
            guarded=False,
        )
    if settings.mail_default == "none":
        return None
    return MailServer(
        host=settings.host,
        port=settings.mail_smtp_port,
        security="none",
        sender=sender,
        sender_name=name,
        provider="development",
        guarded=False,
    )
