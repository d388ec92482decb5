"""The port for language models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

from automations.ports.connections import HostConnection


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """One question to a language model.

    Args:
        provider: None for the workspace's own choice; so is ``model``.
        schema: a JSON schema of the object to answer with; None for a text.
        connection: with whose account it is asked, instead of the workspace's.
        max_cost: in US dollars; refused before it is asked if it could cost more.
    """

    workspace_id: str
    run_id: str
    prompt: str
    timeout: timedelta
    system: str | None = None
    provider: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    max_cost: float | None = None
    connection: HostConnection | None = None


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a language model answered, and what it took.

    Args:
        cost: in US dollars; None when the model's price is not known.
        cut: whether it ended at ``max_tokens``.
    """

    text: str | None
    data: Any
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost: float | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What questions have taken, or may take.

    Args:
        cost: in US dollars; None when the model's price is not known.
    """

    tokens: int
    cost: Decimal | None


NOTHING = TokenUsage(0, Decimal(0))


class Spending(Protocol):
    """Keeps what runs spend on language models within their budgets."""

    def reserve(self, run_id: str, reservation: TokenUsage | None) -> None:
        """Set aside what a question may take; StepError of kind ``budget`` when there is less.

        Args:
            reservation: None when it cannot be told, so that no budget can be kept.
        """
        ...

    def settle(self, run_id: str, reservation: TokenUsage | None, spent: TokenUsage) -> None:
        """Put what a question has taken in place of what was set aside for it."""
        ...


class LanguageModel(Protocol):
    """Asks language models; raises StepError."""

    def ask(self, question: ModelQuestion) -> ModelAnswer: ...

    def missing(self, workspace_id: str, provider: str | None, model: str | None) -> str | None:
        """What has to be configured before a question can be asked; None when nothing has."""
        ...
