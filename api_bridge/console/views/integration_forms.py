"""An integration as a form, and back: the fields of its type."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData

from api_bridge.console.form_data import text
from api_bridge.console.views import inputs, words
from api_bridge.console.views.inputs import Field
from api_bridge.console.views.typed_values import object_of
from automations.definitions.integrations import AI, EMAIL, SLACK, schemas
from automations.services.integrations.integrations import Integration

CONFIG, CREDENTIALS = "config", "credentials"
_PUBLIC = ("username",)
"""Of credentials, what may be seen while it is typed."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields; None where they are typed as JSON, which stands beside them then."""

    config: Sequence[Field] | None
    credentials: Sequence[Field] | None
    config_text: str
    credentials_text: str


def build_form(kind: str, integration: Integration | None, typed_in: FormData | None) -> Form:
    """The form of a type of integrations: as it was typed, else as it is kept."""
    config_schema, secret_schema = schemas(kind)
    config: Mapping[str, Any] = integration.config if integration is not None else {}
    if not config_schema:
        written = json.dumps(config, indent=2, ensure_ascii=False) if config else ""
        if typed_in is not None:
            written = text(typed_in, CONFIG)
        # What is secret is never sent back, not even to whoever has just typed it.
        return Form(None, None, written, "")
    return Form(_fields(CONFIG, config_schema, config, typed_in), _secret(secret_schema), "", "")


def read(
    kind: str, form: FormData, integration: Integration | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Config and credentials as they were typed; what was left empty is absent.

    Args:
        integration: the integration as it is: what nobody has touched stays exactly.

    Raises:
        ValidationFailed: names the inputs that cannot be read.
    """
    config_schema, secret_schema = schemas(kind)
    if not config_schema:
        return (
            object_of(text(form, CONFIG), CONFIG),
            object_of(text(form, CREDENTIALS), CREDENTIALS),
        )
    config = _fields(
        CONFIG, config_schema, integration.config if integration is not None else {}, form
    )
    credentials = inputs.fields_of(_flat(secret_schema), f"{CREDENTIALS}.", form) or ()
    return inputs.values_of(config), inputs.values_of(credentials)


def summary(integration: Integration) -> str:
    """What tells an integration from others of its type, in a few words."""
    config = integration.config
    if integration.type == EMAIL:
        return f"{config.get('fromEmail')} · {config.get('host')}"
    if integration.type == AI:
        return " · ".join(
            str(part) for part in (config.get("provider"), config.get("model")) if part
        )
    if integration.type == SLACK:
        return str(config.get("channel") or "")
    return str(config.get("url") or "")


def _fields(
    prefix: str, schema: Mapping[str, Any], stored: Mapping[str, Any], typed_in: FormData | None
) -> list[Field]:
    flattened = _flat(schema)
    for key, value in stored.items():
        if key in flattened["properties"]:
            flattened["properties"][key]["default"] = value
    return [
        replace(field, words={value: words.option(field.key, value) for value in field.options})
        for field in inputs.fields_of(flattened, f"{prefix}.", typed_in) or []
    ]


def _secret(schema: Mapping[str, Any]) -> list[Field]:
    fields = inputs.fields_of(_flat(schema), f"{CREDENTIALS}.") or []
    return [field if field.key in _PUBLIC else replace(field, type="password") for field in fields]


def _flat(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose fields are of one type each, named as people read."""
    properties = {}
    for key, property_schema in schema["properties"].items():
        either: Mapping[str, Any] = next(
            (part for part in property_schema.get("anyOf", ()) if part.get("type") != "null"), {}
        )
        properties[key] = {**either, **property_schema, "title": _label(key), "maxLength": 0}
    return {"properties": properties, "required": schema.get("required", [])}


def _label(key: str) -> str:
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", key).lower()
    return (words[:1].upper() + words[1:]).replace("Api ", "API ").replace(" url", " URL")
