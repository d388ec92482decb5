"""Sends one question to a provider; the only module that imports the vendors' libraries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
from pydantic_ai import direct, messages, settings
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from automations.adapters.language_model.accounts import PROVIDERS, ModelAccount
from automations.adapters.language_model.provider_errors import step_error
from automations.adapters.language_model.transport import BoundedTransport
from automations.ports import ModelQuestion

TOOL = "final_result"
"""The tool whose arguments are the answer, when it has a schema."""

_MAX_BYTES = 2_000_000
"""An answer is read into memory as a whole."""


def exchange(question: ModelQuestion, account: ModelAccount, model: str) -> messages.ModelResponse:
    """Send a question and read the answer.

    Raises:
        StepError: as ``ProviderModels.ask``.
    """
    # Loads the provider's SDK, before the clock starts.
    build = _builder(account.provider)
    seconds = question.timeout.total_seconds()

    async def send() -> messages.ModelResponse:
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(
                transport=BoundedTransport(_MAX_BYTES, account.address),
                trust_env=False,
                timeout=seconds,
            ) as http,
        ):
            return await direct.model_request(
                build(
                    model,
                    api_key=account.api_key or "none",
                    base_url=account.base_url or PROVIDERS[account.provider],
                    http_client=http,
                    # The step's own policy decides about another attempt.
                    max_retries=0,
                ),
                [messages.ModelRequest(parts=_parts(question))],
                model_settings=_settings(question, seconds),
                model_request_parameters=_form(question),
            )

    try:
        return asyncio.run(send())
    except Exception as error:  # SDKs raise whatever they stumble over in a strange answer
        raise step_error(error, account.provider, model, question.timeout) from error


def _parts(question: ModelQuestion) -> list[messages.ModelRequestPart]:
    prompt = messages.UserPromptPart(question.prompt)
    return [messages.SystemPromptPart(question.system), prompt] if question.system else [prompt]


def _settings(question: ModelQuestion, seconds: float) -> settings.ModelSettings:
    wished = settings.ModelSettings(timeout=seconds)
    if question.temperature is not None:
        wished["temperature"] = question.temperature
    if question.max_tokens is not None:
        wished["max_tokens"] = question.max_tokens
    return wished


def _form(question: ModelQuestion) -> ModelRequestParameters:
    if question.schema is None:
        return ModelRequestParameters()
    # An answer by a tool's arguments is what the most providers and servers understand.
    tool = ToolDefinition(
        name=TOOL,
        description="Give the answer.",
        parameters_json_schema=dict(question.schema),
        kind="output",
    )
    return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)


def _builder(provider: str) -> Callable[..., Model[Any]]:
    if provider == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return lambda model, **options: AnthropicModel(
            model, provider=AnthropicProvider(anthropic_client=AsyncAnthropic(**options))
        )
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return lambda model, **options: OpenAIChatModel(
        model, provider=OpenAIProvider(openai_client=AsyncOpenAI(**options))
    )
