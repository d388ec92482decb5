"""The accounts of workspaces at providers of language models."""

from __future__ import annotations

from dataclasses import dataclass, field

from automations.domain.host_connections import address_of, check_extra, check_kind
from automations.errors import StepError
from automations.kit.bearer_tokens import is_token
from automations.ports import HostConnection

PROVIDERS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}
"""The providers, and where they are when nothing else is said."""


@dataclass(frozen=True, slots=True)
class ModelAccount:
    """How a workspace signs in to a provider of language models.

    Args:
        model: the one that is asked when a step names none.
        base_url: of a server that speaks the provider's API.
        address: that its host was found to have, and is connected to whatever it has by then.
    """

    provider: str
    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    address: str | None = None


KINDS = (*PROVIDERS, "pydanticai")
"""Types of connections of Airflow's that models may be asked by."""


def from_connection(connection: HostConnection, provider: str | None) -> ModelAccount:
    """The account that a connection of Airflow's describes, as Airflow's hooks read it.

    Args:
        provider: the one that a step names.

    Raises:
        StepError: the connection cannot be used so, or is another provider's.
    """
    check_kind(connection, KINDS)
    check_extra(connection, ("proxy", "proxies"))
    # A model may be named with its provider, as in openai:gpt-5.
    stated_provider, _, model = str(connection.extra.get("model") or "").rpartition(":")
    own = connection.kind if connection.kind in PROVIDERS else stated_provider or None
    if provider is not None and own not in (None, provider):
        raise StepError(f"Connection {connection.id} is with {own}, not {provider}.", kind="config")
    chosen = provider or own
    if chosen not in PROVIDERS:
        raise StepError(
            f"config.provider: connection {connection.id} does not say whose models it is for.",
            kind="config",
        )
    # A line break that was pasted behind it is no part of a key.
    key = (connection.password or "").strip() or None
    if key is not None and not is_token(key):
        raise StepError(
            f"The password of connection {connection.id} is no key: it has blanks, line breaks or "
            "letters that no header can hold.",
            kind="config",
        )
    return ModelAccount(chosen, model or None, key, _base_url(connection))


def _base_url(connection: HostConnection) -> str | None:
    return address_of(connection, "https") if connection.host else None
