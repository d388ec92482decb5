"""What a request to a language model costs, by the public price lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from automations.errors import StepError
from automations.ports import ModelQuestion

_FRAME = 1_000
"""Tokens that roles, separators and the description of a tool may take beside the texts."""


def cost(provider: str, model: str, usage: Any) -> Decimal | None:
    """The price of a usage in US dollars; None when the model's price is not known."""
    from genai_prices import calc_price

    try:
        return calc_price(usage, model, provider_id=provider).total_price
    except (LookupError, ValueError):
        return None


def check_budget(question: ModelQuestion, provider: str, model: str, written: str) -> None:
    """Refuse a question that could cost more than it may.

    Args:
        written: everything that is sent.

    Raises:
        StepError: kind ``budget``.
    """
    if question.max_cost is None or question.max_tokens is None:
        return
    from genai_prices import Usage

    # No token has less than one byte.
    most = Usage(
        input_tokens=len(written.encode(errors="replace")) + _FRAME,
        output_tokens=question.max_tokens,
    )
    estimate = cost(provider, model, most)
    if estimate is not None and estimate > Decimal(str(question.max_cost)):
        raise StepError(
            f"The answer of {model} could cost ${estimate:.4f}, more than maxCost "
            f"${question.max_cost:g}; shorten the prompt or lower maxTokens.",
            kind="budget",
        )
