"""Sends mail by SMTP."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from automations.errors import StepError
from automations.ports import Mail, MailReceipt
from automations.settings import Settings

_TIMEOUT = 30


class SmtpMailer:
    """The configured mail server, or the development mail catcher when there is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._catching = settings.smtp_host is None

    def send(self, mail: Mail) -> MailReceipt:
        """Send a message.

        Raises:
            StepError: the server cannot be reached, or refuses us or the message as a whole.
        """
        message = self._message(mail)
        recipients = list(dict.fromkeys((*mail.to, *mail.cc, *mail.bcc)))
        try:
            server = self._connect()
            try:
                refused = self._deliver(server, message, recipients)
            finally:
                # The message is accepted or not by now: a failing farewell changes nothing.
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
        except smtplib.SMTPAuthenticationError as error:
            raise StepError(
                "The mail server refused the user name or password.", kind="mail"
            ) from error
        except smtplib.SMTPResponseException as error:
            raise StepError(
                f"The mail server refused the message: {error.smtp_code} {_text(error.smtp_error)}",
                kind="mail",
                retryable=400 <= error.smtp_code < 500,
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise StepError(
                f"The mail server cannot be reached: {error}", kind="mail", retryable=True
            ) from error
        return MailReceipt(
            message_id=message["Message-ID"],
            provider="development" if self._catching else "smtp",
            accepted=tuple(address for address in recipients if address not in refused),
            rejected=tuple(address for address in recipients if address in refused),
            reasons={who: f"{code} {_text(why)}" for who, (code, why) in refused.items()},
        )

    @staticmethod
    def _deliver(
        server: smtplib.SMTP, message: EmailMessage, recipients: list[str]
    ) -> dict[str, tuple[int, bytes]]:
        try:
            return server.send_message(message, to_addrs=recipients)
        except smtplib.SMTPRecipientsRefused as error:
            if len(error.recipients) < len(recipients):
                raise StepError(
                    "The mail server broke off before all recipients were named; nothing was sent.",
                    kind="mail",
                    retryable=True,
                ) from error
            return error.recipients

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.smtp_host is None:
            return smtplib.SMTP(settings.host, settings.mail_smtp_port, timeout=_TIMEOUT)
        host, port = settings.smtp_host, settings.smtp_port
        context = ssl.create_default_context()
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT)
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_username:
            server.login(settings.smtp_username, settings.smtp_password or "")
        return server

    def _message(self, mail: Mail) -> EmailMessage:
        sender = self._settings.mail_from
        message = EmailMessage()
        try:
            message["From"] = sender
            message["To"] = ", ".join(mail.to)
            if mail.cc:
                message["Cc"] = ", ".join(mail.cc)
            if mail.reply_to:
                message["Reply-To"] = mail.reply_to
            message["Subject"] = mail.subject
        except ValueError as error:  # a line break would start a header of the sender's choice
            raise StepError(f"The mail's headers are invalid: {error}", kind="config") from error
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
            main, _, sub = file.content_type.partition("/")
            message.add_attachment(file.content, maintype=main, subtype=sub, filename=file.filename)
        return message


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
