"""How workspaces sign in to providers of language models."""

from __future__ import annotations

from dataclasses import dataclass, field

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
