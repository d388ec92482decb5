"""Puts the parts together for a process: the one place that knows which adapter plays a role."""

from __future__ import annotations

from functools import lru_cache

from automations.adapters.documents.renderer import ConfinedRenderer
from automations.adapters.http import GuardedHttpClient
from automations.adapters.smtp import SmtpMailer
from automations.db.publications import SqlPublications
from automations.engine import Engine
from automations.ports import DocumentRenderer, Ports
from automations.publishing import Publications
from automations.services.documents import StoredDocuments
from automations.settings import get_settings


@lru_cache(maxsize=1)
def ports() -> Ports:
    """The outside world, by the settings."""
    settings = get_settings()
    return Ports(
        mailer=SmtpMailer(settings),
        http=GuardedHttpClient(settings.http_allow),
        documents=StoredDocuments(document_renderer()),
    )


def document_renderer() -> DocumentRenderer:
    """What reads and fills document templates."""
    return ConfinedRenderer()


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process."""
    return Engine(ports())


def publications() -> Publications:
    """What the bundle publishes, from our database."""
    return SqlPublications()
