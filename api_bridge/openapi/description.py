"""The API's description in OpenAPI 3.1, with the errors that it really returns."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api_bridge import scopes
from api_bridge.cloud_events import CloudEvent
from api_bridge.error_bodies import PROBLEM
from api_bridge.openapi import definition_schemas, response_schemas

ERROR = {
    "type": "object",
    "description": "The platform's error envelope; application/problem+json by Accept.",
    "required": ["success", "error", "code", "details", "requestId"],
    "properties": {
        "success": {"const": False},
        "error": {"type": "string", "description": "Message for people."},
        "code": {"type": "string", "description": "Code for programs, such as VALIDATION_ERROR."},
        "details": {
            "type": "object",
            "properties": {
                "fieldErrors": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                }
            },
        },
        "requestId": {"type": "string"},
    },
}
_ERRORS = {
    "400": "The payload, a parameter or the address is invalid; details.fieldErrors names it.",
    "401": "The API key is missing or invalid.",
    "403": "The API key's role does not allow that.",
    "404": "This workspace has no such object.",
    "409": "The current state does not allow that.",
    "410": "It was used, has expired or is no longer needed.",
    "413": "The body is too large.",
    "415": "The body's media type is not supported.",
    "422": "The data breaks a rule.",
    "429": "Too many requests; Retry-After says when to try again.",
    "500": "Something went wrong on our side.",
    "502": "A service of others, such as the mail server, has failed or refused.",
    "503": "A part that this needs is not available now.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request get the same answer for 24 hours, with the header "
    "Idempotent-Replayed; another request with the key gets 422, one at the same time 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_MODELS = "#/components/schemas/{model}"
_BODIES = {
    ("/api/workflows", "post"): "Definition",
    ("/api/workflows/{workflow_id}", "patch"): "DefinitionChange",
    ("/api/workflows/send-email", "post"): "Message",
}
"""Bodies that are checked below the bridge."""


def description(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI document."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=app.routes,
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = ERROR
    schemas["ApiKeyToMake"]["properties"]["scopes"]["anyOf"][0]["items"]["enum"] = (
        scopes.list_scopes(app)
    )
    answers, parts = response_schemas.schemas(_MODELS)
    _add(schemas, definition_schemas.schemas(_MODELS))
    _add(schemas, parts)
    schemas["CloudEvent"] = CloudEvent.model_json_schema()
    document["components"]["responses"] = _error_responses()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe_errors(operation)
            if method == "post" and operation.get("security"):
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            if (schema := answers.get((path, method))) is not None:
                _succeeding(operation)["application/json"]["schema"] = schema
            if (model := _BODIES.get((path, method))) is not None:
                content = operation["requestBody"]["content"]["application/json"]
                content["schema"] = {"$ref": _MODELS.format(model=model)}
    return document


def _succeeding(operation: dict[str, Any]) -> dict[str, Any]:
    """The content of the answer when all goes well."""
    status = next(status for status in operation["responses"] if status.startswith("2"))
    content: dict[str, Any] = operation["responses"][status]["content"]
    return content


def _add(schemas: dict[str, Any], parts: dict[str, Any]) -> None:
    for name, part in parts.items():
        existing = schemas.setdefault(name, part)
        # FastAPI writes defaults and references in other ways, but never these.
        if any(existing.get(key) != part.get(key) for key in ("title", "description")):
            raise TypeError(f"Two schemas are named {name}")


def _error_responses() -> dict[str, Any]:
    """What all operations share: each error as a program gets it, and as a page shows it."""
    content = {
        "application/json": {"schema": {"$ref": _MODELS.format(model="Error")}},
        PROBLEM: {"schema": {"type": "object", "description": "As RFC 9457 says."}},
    }
    page = {**content, "text/html": {"schema": {"type": "string"}}}
    return {
        f"{kind}{status}": {"description": text, "content": shown}
        for status, text in _ERRORS.items()
        for kind, shown in (("Error", content), ("Page", page))
    }


def _describe_errors(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    is_page = any("text/html" in answer.get("content", ()) for answer in responses.values())
    kind = "Page" if is_page else "Error"
    for status in _ERRORS:
        responses.setdefault(status, {"$ref": f"#/components/responses/{kind}{status}"})
