"""Puts the parts together for a process: the one place that knows which adapter plays a role."""

from __future__ import annotations

from functools import lru_cache

from automations.adapters.http import GuardedHttpClient
from automations.adapters.smtp import SmtpTransport
from automations.db.publications import SqlPublications
from automations.engine import Engine
from automations.ports import MailTransport, Ports
from automations.publishing import Publications
from automations.services.form_requests import SentForms
from automations.services.mail import WorkspaceMailer
from automations.services.matters import WorkspaceMatters
from automations.services.notifications import WorkspaceNotifier
from automations.services.row_steps import WorkspaceTables
from automations.settings import get_settings


@lru_cache(maxsize=1)
def ports() -> Ports:
    """The outside world, by the settings."""
    settings = get_settings()
    return Ports(
        mailer=WorkspaceMailer(mail_transport()),
        http=GuardedHttpClient(settings.http_allow),
        forms=SentForms(),
        notifier=WorkspaceNotifier(),
        matters=WorkspaceMatters(),
        tables=WorkspaceTables(),
    )


def mail_transport() -> MailTransport:
    """What speaks to mail servers."""
    return SmtpTransport(get_settings().http_allow)


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process."""
    return Engine(ports())


def publications() -> Publications:
    """What the bundle publishes, from our database."""
    return SqlPublications()
