"""The configuration of integrations, by type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from automations.definitions.field_errors import field_errors
from automations.domain.fields import LITERAL, Model
from automations.kit.bearer_tokens import BearerToken
from automations.kit.setting_types import Host, Url
from automations.kit.values import Errors
from automations.steps.email import Address, Line

IntegrationType = Literal["EMAIL_PROVIDER", "DOCUMENT_ENGINE", "WEBHOOK", "SLACK", "AI_PROVIDER"]
EMAIL, SLACK, AI = "EMAIL_PROVIDER", "SLACK", "AI_PROVIDER"

NEEDED_BY: Mapping[str, Sequence[str]] = {
    AI: ("ai",),
    EMAIL: ("email", "send_form", "send_document", "approval"),
    SLACK: ("slack",),
}
"""The types of steps that act by an integration, by its type."""

DESTINATIONS = ("host", "baseUrl", "url")
"""Where credentials go; a change of one needs the credentials again."""


class EmailProvider(Model):
    """A mail server."""

    host: Host = Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$", description="Name or address.")
    port: int = Field(587, ge=1, le=65535, strict=True)
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="TLS, and when.")
    from_email: Address = Field(description="The sender of all mail.")
    from_name: Line = Field("", description="The sender's name.")


class EmailCredentials(Model):
    """How to sign in to a mail server; nothing when it asks for nothing."""

    username: str | None = Field(None, min_length=1, max_length=320)
    password: str | None = Field(None, min_length=1, max_length=2_000)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("give username and password, or neither")
        return self


class SlackConfig(Model):
    """A Slack workspace."""

    channel: str | None = Field(None, description="Where messages go that name no channel.")


class SlackCredentials(Model):
    """A Slack app's token."""

    token: BearerToken = Field(min_length=1, max_length=2_000, description="xoxb-…")


class AiProvider(Model):
    """A provider of language models."""

    provider: Literal["openai", "anthropic"] = Field(
        description="openai (also any compatible server, by baseUrl) or anthropic."
    )
    model: str | None = Field(None, max_length=200, description="The model when none is named.")
    base_url: Url | None = Field(None, max_length=2_000, description="Of a compatible server.")


class AiCredentials(Model):
    """A provider's key; a server of one's own may need none."""

    api_key: BearerToken | None = Field(None, min_length=1, max_length=2_000)


_ANYTHING: TypeAdapter[Any] = TypeAdapter(dict[str, Any])
_TEXTS: TypeAdapter[Any] = TypeAdapter(dict[str, str])
_FORMS: dict[str, tuple[TypeAdapter[Any], TypeAdapter[Any]]] = {
    EMAIL: (TypeAdapter(EmailProvider), TypeAdapter(EmailCredentials)),
    SLACK: (TypeAdapter(SlackConfig), TypeAdapter(SlackCredentials)),
    AI: (TypeAdapter(AiProvider), TypeAdapter(AiCredentials)),
    "WEBHOOK": (_ANYTHING, _TEXTS),
    "DOCUMENT_ENGINE": (_ANYTHING, _TEXTS),
}


def schemas(type_: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What config and credentials of a type look like, as JSON schemas; {} where all is taken."""
    config, credentials = (form.json_schema(by_alias=True) for form in _FORMS[type_])
    return (config, credentials) if "properties" in config else ({}, {})


def check(type_: str, config: Any, credentials: Any) -> Errors:
    """What is wrong with the configuration of an integration of a type.

    Args:
        credentials: None when they are kept as they are.
    """
    form, secret_form = _FORMS[type_]
    return {
        **_check(form, config, "config"),
        **(_check(secret_form, credentials, "credentials") if credentials is not None else {}),
    }


def _check(form: TypeAdapter[Any], value: Any, name: str) -> Errors:
    try:
        form.validate_python(value, context=LITERAL)
    except ValidationError as error:
        problems = field_errors(error, value, f"{name}.")
        return {path.rstrip("."): messages for path, messages in problems.items()}
    return {}
