"""Asks a language model one question."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from automations.adapters.language_model.accounts import PROVIDERS, ModelAccount
from automations.adapters.language_model.prices import check_cost, cost, most_spent
from automations.errors import StepError
from automations.kit.json_text import parse_json
from automations.kit.storable import MAX_DEPTH, same, sanitize, storable
from automations.kit.values import JSON
from automations.ports import (
    NOTHING,
    HostConnection,
    ModelAnswer,
    ModelQuestion,
    Spending,
    TokenUsage,
)

Accounts = Callable[[str, str | None, HostConnection | None], ModelAccount | None]
"""Finds a workspace's account with a provider, or its first one when no provider is named.

With a connection it is that one's instead.
"""

_FREE = frozenset(
    {"config", "auth", "quota", "rate_limited", "unavailable", "connection", "rejected"}
)
"""Kinds of error by which a provider asks for no money."""


class ProviderModels:
    """The language models of the configured providers."""

    def __init__(self, accounts: Accounts, spending: Spending) -> None:
        self._accounts = accounts
        self._spending = spending

    def missing(self, workspace_id: str, provider: str | None, model: str | None) -> str | None:
        """What has to be configured before a question can be asked."""
        try:
            self._find(workspace_id, provider, model)
        except StepError as error:
            return error.message
        return None

    def ask(self, question: ModelQuestion) -> ModelAnswer:
        """Ask, and wait for the answer.

        Raises:
            StepError: kind ``config``, ``budget``, ``auth``, ``quota``, ``rate_limited``,
                ``unavailable``, ``connection``, ``timeout``, ``rejected``, ``too_large`` or
                ``answer``.
        """
        account, model = self._find(
            question.workspace_id, question.provider, question.model, question.connection
        )
        schema = json.dumps(question.schema) if question.schema is not None else ""
        written = (question.system or "") + question.prompt + schema
        reservation = most_spent(question, account.provider, model, written)
        check_cost(question, model, reservation)
        self._spending.reserve(question.run_id, reservation)
        # Imported when a question is asked, not when the process starts: it takes two seconds.
        from automations.adapters.language_model.exchange import TOOL, exchange

        try:
            response = exchange(question, account, model)
        except StepError as error:
            if error.kind in _FREE:
                self._spending.settle(question.run_id, reservation, NOTHING)
            raise
        usage = response.usage
        price = None
        if not getattr(usage, "unmeasured_requests", 0):
            price = cost(account.provider, model, usage)
        tokens = usage.input_tokens + usage.output_tokens
        self._spending.settle(question.run_id, reservation, TokenUsage(tokens, price))
        end = _end_of(response)
        _check_end(response, end, account.provider)
        data = None if question.schema is None else _data(response, end, TOOL)
        text = _text(response, end) if question.schema is None else None
        return ModelAnswer(
            text=text,
            data=data,
            provider=account.provider,
            model=str(sanitize(response.model_name or model)),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=None if price is None else float(price),
            cut=end == _CUT,
        )

    def _find(
        self,
        workspace_id: str,
        provider: str | None,
        model: str | None,
        connection: HostConnection | None = None,
    ) -> tuple[ModelAccount, str]:
        account = self._accounts(workspace_id, provider, connection)
        if account is None or account.provider not in PROVIDERS:
            subject = f"The provider {provider}" if provider else "A language model"
            raise StepError(
                f"{subject} is not set up: add an AI integration, or set AUTOMATIONS_AI_PROVIDER, "
                "AUTOMATIONS_AI_API_KEY and AUTOMATIONS_AI_MODEL.",
                kind="config",
            )
        if account.api_key is None and account.base_url is None:
            raise StepError(
                f"The provider {account.provider} has no API key: set it in its integration, or "
                "by AUTOMATIONS_AI_API_KEY.",
                kind="config",
            )
        chosen = model or account.model
        if chosen is None:
            raise StepError(
                "config.model: name a model, or set a default by AUTOMATIONS_AI_MODEL.",
                kind="config",
            )
        return account, chosen


_FENCED = re.compile(r"```(?:json)?[ \t]*\r?\n(.*)\n[ \t]*```", re.DOTALL | re.IGNORECASE)
_CUT, _FILTERED, _BROKEN = "length", "content_filter", "error"
_WHOLE = frozenset({"", "stop", "eos", "end", "end_turn", "stop_sequence", "complete", "completed"})
_ENDS = (
    (_FILTERED, ("filter", "safety", "prohibit", "block", "recitation", "refus", "guardrail")),
    (_CUT, ("length", "max_token")),
)
"""Parts of the words by which servers say why an answer has ended."""


def _end_of(response: Any) -> str:
    """Why an answer has ended: in the library's words, else as what the server's own word means."""
    if response.finish_reason is not None:
        return str(response.finish_reason)
    finish_reason = str((response.provider_details or {}).get("finish_reason") or "")
    word = finish_reason.lower().replace("-", "_")
    if word in _WHOLE:
        return "stop"
    ends = (end for end, parts in _ENDS if any(part in word for part in parts))
    return next(ends, finish_reason)


def _check_end(response: Any, end: str, provider: str) -> None:
    """Refuse an answer that the model, or what watches over it, has broken off.

    Raises:
        StepError: kind ``rejected`` or ``unavailable``.
    """
    details = response.provider_details or {}
    refusal = str(sanitize(details.get("refusal") or ""))[:500]
    if refusal:
        raise StepError(f"The model refused to answer: {refusal}", kind="rejected")
    if end == _FILTERED:
        raise StepError(
            f"The content filter of {provider} kept the answer back, or a part of it.",
            kind="rejected",
        )
    if end not in ("stop", "tool_call", _CUT) or details.get("finish_reason") == _BROKEN:
        by = "by an error" if end in ("stop", _BROKEN) else f"by '{str(sanitize(end))[:100]}'"
        raise StepError(
            f"{provider} broke the answer off {by}.", kind="unavailable", retryable=True
        )


def _out_of_tokens() -> StepError:
    # The same question would be cut off again, and paid for again.
    return StepError(
        "The model's tokens were used up before its answer was complete: give it more by "
        "config.maxTokens, or ask for less.",
        kind="rejected",
    )


def _text(response: Any, end: str) -> str:
    text = response.text
    if not text and end == _CUT:
        raise _out_of_tokens()
    if not text:
        raise StepError("The model gave no text.", kind="answer", retryable=True)
    try:
        return str(storable(text))
    except ValueError as error:
        raise StepError(
            f"The model's answer {error}, which cannot be kept.", kind="answer", retryable=True
        ) from error


def _data(response: Any, end: str, tool: str) -> JSON:
    """What the model gave to the tool, or wrote as JSON although it was to use the tool."""
    calls = [part.args for part in response.tool_calls if part.tool_name == tool]
    sources = calls or [_strip_fence(response.text)]
    try:
        values = [
            parse_json(source, MAX_DEPTH) if isinstance(source, str) else source
            for source in sources
        ]
        value = values[0]
        if not isinstance(value, dict):
            raise ValueError("is not an object")
        if not all(same(value, other) for other in values):
            raise ValueError(f"comes {len(values)} times, each time another one")
        return storable(value)
    except ValueError as error:
        if end == _CUT:
            raise _out_of_tokens() from error
        raise StepError(
            f"The model's answer is not the JSON that config.schema asks for: it {error}.",
            kind="answer",
            retryable=True,
        ) from error


def _strip_fence(text: str | None) -> str | None:
    """A text without the fence of Markdown that models put around code."""
    match = _FENCED.fullmatch((text or "").strip())
    return match[1] if match else text
