"""The price of a request to a language model, by the public price lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from automations.errors import StepError
from automations.ports import ModelQuestion, TokenUsage

_OVERHEAD_TOKENS = 1_000
"""Tokens that roles, separators and the description of a tool may take beside the texts."""


def cost(provider: str, model: str, usage: Any) -> Decimal | None:
    """The price of a usage in US dollars; None when the model's price is not known."""
    from genai_prices import calc_price

    try:
        return calc_price(usage, model, provider_id=provider).total_price
    except (LookupError, ValueError):
        return None


def most_spent(
    question: ModelQuestion, provider: str, model: str, written: str
) -> TokenUsage | None:
    """What a question may take; None when its answer has no bound.

    Args:
        written: everything that is sent.
    """
    if question.max_tokens is None:
        return None
    from genai_prices import Usage

    # No token has less than one byte.
    sent = len(written.encode(errors="replace")) + _OVERHEAD_TOKENS
    usage = Usage(input_tokens=sent, output_tokens=question.max_tokens)
    return TokenUsage(sent + question.max_tokens, cost(provider, model, usage))


def check_cost(question: ModelQuestion, model: str, reservation: TokenUsage | None) -> None:
    """Refuse a question that could cost more than it may.

    Raises:
        StepError: kind ``budget``.
    """
    if question.max_cost is None or reservation is None or reservation.cost is None:
        return
    if reservation.cost > Decimal(str(question.max_cost)):
        raise StepError(
            f"The answer of {model} could cost ${reservation.cost:.4f}, more than maxCost "
            f"${question.max_cost:g}; shorten the prompt or lower maxTokens.",
            kind="budget",
        )
