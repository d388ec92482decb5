"""Ask a language model."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from automations.domain.fields import (
    Model,
    OptionalText,
    OrTemplate,
    Real,
    Text,
    Whole,
    is_rendered,
    is_template,
)
from automations.kit.json_schema.validation import first_violation, schema_fault
from automations.kit.values import JSON
from automations.ports import ModelAnswer, ModelQuestion, Ports
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Done, Fail, Outcome


class AiConfig(Model):
    """The model, the prompt and how to treat the answer."""

    prompt: Text = Field(min_length=1, max_length=500_000, description="The question.")
    system: OptionalText = Field(
        None, max_length=100_000, description="The system prompt: how the model should behave."
    )
    provider: OrTemplate[Literal["openai", "anthropic"]] | None = Field(
        None,
        description=(
            "openai (also any compatible server, by the integration's base URL) or "
            "anthropic; by default the configured one."
        ),
    )
    model: OptionalText = Field(
        None,
        min_length=1,
        max_length=200,
        description="The model's name; by default the configured one.",
    )
    conn_id: OptionalText = Field(
        None,
        min_length=1,
        max_length=250,
        description="An Airflow connection of type openai, anthropic or pydanticai, used instead "
        "of the AI integration: its password is the key, its host the base URL. The "
        "setting AUTOMATIONS_CONNECTION_ALLOW must name it.",
    )
    temperature: OrTemplate[Real] | None = Field(
        None, description="How varied answers are, 0 to 2; by default the model's own."
    )
    max_tokens: OrTemplate[Whole] | None = Field(
        None, description="Maximum number of tokens in the answer."
    )
    schema_: dict[str, Any] | None = Field(
        None,
        alias="schema",
        description=(
            'JSON schema of an object ("type": "object"). With it, the answer is such an '
            "object in `data`, without it `text`. An answer that does not match fails and "
            "may be retried."
        ),
    )
    max_cost: OrTemplate[Real] | None = Field(
        None,
        description=(
            "Maximum cost in US dollars; needs maxTokens. A request that could cost more "
            "by the public price list is not sent; if the price is unknown, it is sent, "
            "and cost is null."
        ),
    )

    @field_validator("temperature", "max_tokens", "max_cost")
    @classmethod
    def _within_bounds(cls, value: Any, info: ValidationInfo) -> Any:
        minimum, maximum = {"temperature": (0, 2), "max_tokens": (1, 1_000_000)}.get(
            str(info.field_name), (0, 10_000)
        )
        if isinstance(value, int | float) and not minimum <= value <= maximum:
            raise ValueError(f"must be between {minimum} and {maximum}")
        return value

    @field_validator("schema_")
    @classmethod
    def _usable(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is None or (not is_rendered(info) and _has_template(value)):
            return value
        if value.get("type") != "object":
            raise ValueError('must have "type": "object"')
        if fault := schema_fault(value):
            raise ValueError(f"is not a JSON schema: {fault}")
        return value

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if self.max_cost is not None and self.max_tokens is None:
            raise ValueError("maxCost needs maxTokens, from which the cost is estimated")
        return self


class Ai(StepType[AiConfig]):
    """Ask a language model for text, or for data that matches a schema.

    A refusal, an answer that a content filter withheld, and one that ran out of tokens (with a
    schema, or without any text) are errors of the kind rejected, with the provider's message: they
    are not retried.

    With a `budget`, the automation limits what all of these steps use together in one run,
    including their attempts and every item of a loop. A request is not sent if it could use more
    than is left; its prompt counts as one token per byte, and it needs maxTokens.
    """

    type = "ai"
    title = "Ask a language model"
    Config = AiConfig
    heavy = True
    example: ClassVar = {"prompt": "Welcome {{input.name}} in one sentence.", "maxTokens": 100}
    outputs: ClassVar = {
        "text": "the answer, without a schema",
        "data": "the answer, with a schema",
        "model": "the model that answered",
        "provider": "the model's provider",
        "usage": "inputTokens and outputTokens",
        "cost": "in US dollars; null if the price is unknown",
        "truncated": "true if the tokens were used up and the text was cut off",
        "overBudget": "true if it cost more than maxCost",
    }

    def unavailable(self, config: AiConfig, workspace_id: str, ports: Ports) -> str | None:
        if config.conn_id is not None:
            return super().unavailable(config, workspace_id, ports)
        if is_template(config.provider) or is_template(config.model):
            return None
        return ports.language_model.missing(workspace_id, config.provider, config.model)

    def run(self, config: AiConfig, ctx: StepContext) -> Outcome:
        max_cost = None if config.max_cost is None else float(config.max_cost)
        connection = None if config.conn_id is None else ctx.connection(config.conn_id)
        answer = ctx.ports.language_model.ask(
            ModelQuestion(
                workspace_id=ctx.workspace_id,
                run_id=ctx.run_id,
                prompt=config.prompt,
                system=config.system,
                provider=config.provider,
                model=config.model,
                temperature=None if config.temperature is None else float(config.temperature),
                max_tokens=None if config.max_tokens is None else int(config.max_tokens),
                schema=config.schema_,
                max_cost=max_cost,
                timeout=ctx.timeout,
                connection=connection,
            )
        )
        output = _output(answer, max_cost)
        if config.schema_ is None:
            return Done({"text": answer.text, **output})
        if problem := first_violation(config.schema_, answer.data):
            return Fail(
                f"The model's answer does not fit config.schema: {problem}",
                kind="answer",
                retryable=not answer.cut,
                output={"data": answer.data, **output},
            )
        return Done({"data": answer.data, **output})


def _output(answer: ModelAnswer, max_cost: float | None) -> dict[str, JSON]:
    is_over_budget = max_cost is not None and answer.cost is not None and answer.cost > max_cost
    return {
        "model": answer.model,
        "provider": answer.provider,
        "usage": {"inputTokens": answer.input_tokens, "outputTokens": answer.output_tokens},
        "cost": answer.cost,
        **({"truncated": True} if answer.cut else {}),
        **({"overBudget": True} if is_over_budget else {}),
    }


def _has_template(value: JSON) -> bool:
    return is_template(json.dumps(value).replace('\\"', '"'))
