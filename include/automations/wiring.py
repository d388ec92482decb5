"""Puts the parts together for a process: the one place that knows which adapter plays a role."""

from __future__ import annotations

from functools import lru_cache

from automations.adapters.http import GuardedHttpClient
from automations.adapters.language_model.accounts import ModelAccount
from automations.adapters.language_model.asking import ProviderModels
from automations.adapters.quickjs.runner import QuickJsRunner
from automations.adapters.slack import SlackAccount, SlackChat
from automations.adapters.smtp import SmtpMailer
from automations.db.publications import SqlPublications
from automations.engine import Engine
from automations.ports import Ports
from automations.publishing import Publications
from automations.settings import get_settings


@lru_cache(maxsize=1)
def ports() -> Ports:
    """The outside world, by the settings."""
    settings = get_settings()
    http = GuardedHttpClient(settings.http_allow)
    return Ports(
        mailer=SmtpMailer(settings),
        http=http,
        scripts=QuickJsRunner(),
        chat=SlackChat(_slack_account, http, settings.http_allow, settings.slack_base_url),
        language_model=ProviderModels(_model_account),
    )


def _slack_account(workspace_id: str) -> SlackAccount | None:
    token = get_settings().slack_token
    return SlackAccount(token) if token else None


def _model_account(workspace_id: str, provider: str | None) -> ModelAccount | None:
    settings = get_settings()
    if settings.ai_provider is None or provider not in (None, settings.ai_provider):
        return None
    return ModelAccount(
        settings.ai_provider, settings.ai_model, settings.ai_api_key, settings.ai_base_url
    )


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process."""
    return Engine(ports())


def publications() -> Publications:
    """What the bundle publishes, from our database."""
    return SqlPublications()
