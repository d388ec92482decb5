"""Definitions as files: exported, and imported again, here or elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request, Response

from api_bridge.bodies import MAX_FILES_BYTES, body_limit, json_of
from api_bridge.deps import Admin, Viewer
from api_bridge.downloads import download, response_docs
from api_bridge.endpoint_marks import slow
from api_bridge.routing import Router
from api_bridge.server.threads import in_thread
from automations import wiring
from automations.definitions.files import MAX_AUTOMATIONS, Format, automations_in, read, write
from automations.errors import ValidationFailed
from automations.kit.form_bodies import charset_of, media_type
from automations.kit.json_text import decode, is_json
from automations.services.workflows import exports, files
from automations.services.workflows.exports import SkippedWorkflow
from automations.services.workflows.files import Applied

router = Router(prefix="/api/workflows", tags=["workflows"])

_CONTENT_TYPES = {"yaml": "application/yaml", "json": "application/json"}
_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_DEFINITION = {"$ref": "#/components/schemas/DefinitionFile"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        _DEFINITION,
                        {
                            "type": "array",
                            "items": _DEFINITION,
                            "minItems": 1,
                            "maxItems": MAX_AUTOMATIONS,
                        },
                    ]
                }
            },
            "application/yaml": {
                "schema": {"type": "string", "description": "The same; one or more documents."}
            },
        },
    }
}
_FormatQuery = Annotated[Format, Query(alias="format")]


async def _definitions(request: Request) -> list[Any]:
    content_type = request.headers.get("content-type", "")
    body = await request.body()
    if is_json(content_type):
        return await in_thread(_json_definitions, body, content_type)
    if media_type(content_type) not in _YAML:
        raise HTTPException(415, "Send application/yaml or application/json.")
    return await in_thread(_yaml_definitions, body, content_type)


def _yaml_definitions(body: bytes, content_type: str) -> list[Any]:
    try:
        text = decode(body, charset_of(content_type))
    except ValueError as error:
        raise ValidationFailed({"body": [str(error)]}) from error
    return read(text)


def _json_definitions(body: bytes, content_type: str) -> list[Any]:
    return automations_in([json_of(body, content_type)])


@router.get("/export", response_class=Response, responses=response_docs(*_CONTENT_TYPES.values()))
def export_several(
    caller: Viewer,
    form: _FormatQuery = "yaml",
    ids: Annotated[
        list[str] | None, Query(alias="id", max_length=500, description="Only these.")
    ] = None,
) -> Response:
    """Download all or some automations as one definition file, without secrets.

    Definitions that no file can hold are omitted: the header `X-Left-Out` has their ids, a YAML
    file the reasons.
    """
    exported = exports.export(caller.workspace_id, ids or ())
    answer = _file("automations", exported.automations, form, _remarks(exported.left_out))
    if exported.left_out:
        answer.headers["X-Left-Out"] = ", ".join(
            workflow.workflow_id for workflow in exported.left_out
        )
    return answer


@router.get(
    "/{workflow_id}/export",
    response_class=Response,
    responses=response_docs(*_CONTENT_TYPES.values()),
)
def export_one(caller: Viewer, workflow_id: str, form: _FormatQuery = "yaml") -> Response:
    """Download an automation as a definition file, without secrets."""
    definition = exports.export_one(caller.workspace_id, workflow_id)
    name = str(definition.get("key") or workflow_id)
    return _file(name, [definition], form)


@router.post("/import", openapi_extra=_BODY)
@slow
@body_limit(MAX_FILES_BYTES)
def import_definitions(
    caller: Admin,
    definitions: Annotated[list[Any], Depends(_definitions)],
    dry_run: Annotated[
        bool, Query(alias="dryRun", description="Only report what would change.")
    ] = False,
) -> dict[str, Any]:
    """Create and update automations from a definition file, all of them or none.

    Each is found by its id, else its key, else its name. No difference creates no version.
    """
    applied = files.apply(caller, definitions, wiring.ports(), dry_run=dry_run)
    return {
        "dryRun": dry_run,
        "changed": any(result.action != "unchanged" for result in applied),
        "automations": [_applied(result) for result in applied],
    }


def _file(
    name: str, definitions: list[dict[str, Any]], form: Format, remarks: Sequence[str] = ()
) -> Response:
    content = write(definitions, form, remarks).encode()
    return download(f"{name}.{form}", content, _CONTENT_TYPES[form])


def _remarks(left_out: Sequence[SkippedWorkflow]) -> list[str]:
    return [
        f"{workflow.name} ({workflow.workflow_id}) is left out: {workflow.reason}"
        for workflow in left_out
    ]


def _applied(result: Applied) -> dict[str, Any]:
    return {
        "action": result.action,
        "id": result.workflow_id,
        "key": result.key,
        "name": result.name,
        "version": result.version,
        "diff": result.diff,
    }
