"""How to sign in to Slack, and how an Airflow connection says it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from automations.domain.host_connections import address_of, check_extra, check_kind
from automations.errors import StepError
from automations.ports import HostConnection

API, WEBHOOK = "slack", "slackwebhook"
"""Types of connections that messages may be posted by."""


@dataclass(frozen=True, slots=True)
class SlackAccount:
    """How a workspace signs in to Slack, and where it posts when a message does not say."""

    token: str = field(repr=False)
    channel: str | None = None


def account_of(connection: HostConnection) -> tuple[SlackAccount, str | None]:
    """The account of a connection, and where its Slack is when it is elsewhere.

    Raises:
        StepError: it cannot be used so.
    """
    token = _password(connection)
    base_url = connection.extra.get("base_url")
    return SlackAccount(token), f"{base_url}".rstrip("/") + "/" if base_url else None


def webhook_of(connection: HostConnection) -> str:
    """The address of a connection's incoming webhook.

    Raises:
        StepError: it cannot be used so.
    """
    token = _password(connection)
    if "://" in token:
        return token
    host = connection.host or "hooks.slack.com/services"
    base = address_of(replace(connection, host=host), "https")
    return f"{base.rstrip('/')}/{token.lstrip('/')}"


def _password(connection: HostConnection) -> str:
    check_kind(connection, (API, WEBHOOK))
    check_extra(connection, ("proxy",))
    password = (connection.password or "").strip()
    if not password:
        raise StepError(
            f"Connection {connection.id} has no password, which is the token.", kind="config"
        )
    return password
