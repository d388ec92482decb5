"""The ways in which a request authenticates with a secret."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from automations.domain.fields import (
    SECRET_NAME,
    Model,
    OptionalText,
    Text,
    is_rendered,
    is_template,
)
from automations.domain.http_headers import check_header, is_printable
from automations.errors import StepError
from automations.kit.queries import names_in
from automations.kit.values import JSON


def _secret_by_name(value: str, info: ValidationInfo) -> str:
    """A secret's bare name is short for the template; a secret itself is refused."""
    if is_rendered(info) or is_template(value):
        return value
    if not SECRET_NAME.fullmatch(value):
        raise ValueError("must name a secret, such as API_KEY or {{secret.API_KEY}}")
    return f"{{{{secret.{value}}}}}"


class HttpAuth(Model):
    """How a request proves who it is from."""

    type: Literal["bearer", "basic", "header", "query"] = Field(
        description="A bearer token, a user name and password, a header, or a query parameter."
    )
    secret: Annotated[Text, AfterValidator(_secret_by_name)] = Field(
        min_length=1, description="The secret's name, or a template such as {{secret.API_KEY}}."
    )
    username: OptionalText = Field(None, description="For basic; the secret is the password.")
    name: OptionalText = Field(
        None, min_length=1, description="For header and query: the header's or parameter's name."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.type == "basic") != (self.username is not None):
            raise ValueError("username is for type basic, which needs it")
        if (self.type in ("header", "query")) != (self.name is not None):
            raise ValueError("name is for types header and query, which need it")
        if self.username is not None and ":" in self.username and not is_template(self.username):
            raise ValueError("username must not hold a colon")
        if self.type == "header" and self.name is not None and not is_template(self.name):
            check_header(self.name, "")
        return self

    def alone(self, headers: Mapping[str, str], query: Mapping[str, JSON], url: str) -> None:
        """ValueError when the request has in its own words what this would add."""
        if self.type == "query":
            if self.name in query or self.name in names_in(url):
                raise ValueError("give auth or its query parameter, not both")
        elif (self.name or "authorization").lower() in {name.lower() for name in headers}:
            raise ValueError("give auth or its header, not both")

    def sign(self, headers: dict[str, str], query: dict[str, JSON]) -> None:
        """Add the secret, which is rendered, to a request's headers or query."""
        match self.type:
            case "bearer":
                headers["authorization"] = f"Bearer {_in_header(self.secret)}"
            case "basic":
                pair = f"{self.username}:{self.secret}".encode()
                headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            case "header":
                headers[str(self.name).lower()] = _in_header(self.secret)
            case "query":
                query[str(self.name)] = self.secret


def _in_header(secret: str) -> str:
    if not is_printable(secret):
        raise StepError("auth.secret has characters that no header can hold.", kind="config")
    return secret
