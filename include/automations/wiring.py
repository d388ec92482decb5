"""Wires a process together: the one place that knows which adapter plays which role."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache

from automations.adapters import telemetry
from automations.adapters.documents.renderer import ConfinedRenderer
from automations.adapters.http import GuardedHttpClient, guarded_server
from automations.adapters.language_model.accounts import ModelAccount, from_connection
from automations.adapters.language_model.asking import ProviderModels
from automations.adapters.quickjs.runner import QuickJsRunner
from automations.adapters.slack import SlackChat
from automations.adapters.slack_connections import SlackAccount
from automations.adapters.smtp import SmtpTransport
from automations.adapters.webhook_signatures import WebhookSignatures
from automations.db.queue.channels import Channel
from automations.db.workflows import workflows
from automations.db.workflows.publications import SqlPublications
from automations.definitions.integrations import AI, SLACK
from automations.definitions.published import Publications
from automations.execution.engine import Engine
from automations.kit import tracing
from automations.ports import (
    DocumentRenderer,
    HostConnection,
    MailTransport,
    Ports,
    SecretSource,
    SignatureVerifier,
)
from automations.services.documents.documents import StoredDocuments
from automations.services.evidence.evidence import WorkspaceEvidence
from automations.services.integrations.connections import AllowedConnections
from automations.services.integrations.integrations import credentials_of
from automations.services.integrations.mail import WorkspaceMailer
from automations.services.integrations.notifications import WorkspaceNotifier
from automations.services.matters.matters import WorkspaceMatters
from automations.services.runs.children import StartedRuns
from automations.services.runs.dag_calls import CalledDags
from automations.services.runs.model_usage import RunSpending
from automations.services.tables.row_steps import WorkspaceTables
from automations.services.waits.form_requests import SentForms
from automations.settings import get_settings

_DNS_TIMEOUT = 30.0
"""Seconds within which the address of a model server must be resolved."""


@lru_cache(maxsize=1)
def ports() -> Ports:
    """The ports, with adapters as configured."""
    settings = get_settings()
    http = GuardedHttpClient(settings.http_allow)
    return Ports(
        mailer=WorkspaceMailer(mail_transport()),
        http=http,
        forms=SentForms(),
        notifier=WorkspaceNotifier(),
        matters=WorkspaceMatters(),
        scripts=QuickJsRunner(),
        chat=SlackChat(_slack_account, http, settings.http_allow, settings.slack_base_url),
        language_model=ProviderModels(_model_account, RunSpending()),
        documents=StoredDocuments(document_renderer()),
        children=StartedRuns(),
        dags=CalledDags(),
        evidence=WorkspaceEvidence(),
        tables=WorkspaceTables(),
        connections=AllowedConnections(),
    )


def mail_transport() -> MailTransport:
    """The transport for mail."""
    return SmtpTransport(get_settings().http_allow)


def document_renderer() -> DocumentRenderer:
    """The renderer of document templates."""
    return ConfinedRenderer()


def signature_verifier() -> SignatureVerifier:
    """The verifier of webhook deliveries."""
    return WebhookSignatures()


def _slack_account(workspace_id: str) -> SlackAccount | None:
    account = credentials_of(workspace_id, SLACK)
    if account is not None:
        config, credentials = account
        return SlackAccount(credentials["token"], config.get("channel"))
    token = get_settings().slack_token
    return SlackAccount(token) if token else None


def _model_account(
    workspace_id: str, provider: str | None, connection: HostConnection | None
) -> ModelAccount | None:
    if connection is not None:
        return _pin_address(from_connection(connection, provider))
    settings = get_settings()
    account = credentials_of(workspace_id, AI)
    if account is not None and provider in (None, account[0]["provider"]):
        config, credentials = account
        return _pin_address(
            ModelAccount(
                config["provider"],
                config.get("model"),
                credentials.get("apiKey"),
                config.get("baseUrl"),
            )
        )
    if settings.ai_provider is None or provider not in (None, settings.ai_provider):
        return None
    return ModelAccount(
        settings.ai_provider, settings.ai_model, settings.ai_api_key, settings.ai_base_url
    )


def _pin_address(account: ModelAccount) -> ModelAccount:
    """Resolve the address of the account's server and pin it.

    It must not be in our own network, and a later answer of the name server must not change it.
    """
    if account.base_url is None:
        return account
    until = time.monotonic() + _DNS_TIMEOUT
    address = guarded_server(str(account.base_url), until, get_settings().http_allow)
    return replace(account, address=address)


@lru_cache(maxsize=1)
def engine(elsewhere: SecretSource | None = None) -> Engine:
    """The engine of this process.

    Args:
        elsewhere: the host's own secrets and connections, if the process can read them.
    """
    begin_tracing("automations-worker")
    return Engine(ports(), elsewhere)


def begin_tracing(service: str) -> None:
    """Have this process export its spans, if the environment names a collector."""
    if not tracing.is_on():
        tracing.use(telemetry.provider(service))


def announcements() -> Channel:
    """The channel that announces new versions to publishers."""
    return Channel(workflows.PUBLISHED)


def publications() -> Publications:
    """The published versions, from our database."""
    return SqlPublications()
