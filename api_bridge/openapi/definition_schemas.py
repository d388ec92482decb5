"""JSON schemas of what clients may write of an automation."""

from __future__ import annotations

import copy
from typing import Any

from automations.definitions.model import DEFINITION
from automations.definitions.triggers import TRIGGERS
from automations.domain.statuses import WorkflowStatus
from automations.services.integrations.mail import Message

_STATUS = {
    "type": "string",
    "enum": [status.value for status in WorkflowStatus],
    "description": "Only the triggers of an ACTIVE automation start runs; DRAFT at first.",
}
_ID = (
    "The automation that the definition belongs to; by default, it is found by its key, else by "
    "its name."
)
_FILE = (
    "An automation in a file. It refers to others by `errorWorkflowKey`, and by `workflowKey` in "
    "the config of `run_workflow`, or by their ids."
)
_ERROR_KEY = "In place of `errorWorkflowId`: its key, in the file or in the workspace."


def schemas(ref_template: str) -> dict[str, Any]:
    """The components by name: ``Definition`` to create, ``DefinitionChange``, ``Message``."""
    definition = DEFINITION.json_schema(by_alias=True, ref_template=ref_template)
    message = Message.model_json_schema(by_alias=True, ref_template=ref_template)
    definitions: dict[str, Any] = definition.pop("$defs")
    definitions |= message.pop("$defs")
    for trigger in TRIGGERS.values():
        name = trigger.__name__
        definitions[name] = _in_both_shapes(definitions[name])
    definition["properties"]["status"] = _STATUS
    file = copy.deepcopy(definition)
    file["description"] = _FILE
    file["properties"] = {
        "id": {"type": "string", "description": _ID},
        **file["properties"],
        "errorWorkflowKey": {"type": "string", "description": _ERROR_KEY},
    }
    change = copy.deepcopy(definition)
    change.pop("required")
    for field in change["properties"].values():
        field.pop("default", None)
    change["description"] = "What to change of an automation; what is left out stays."
    return {
        **definitions,
        "Definition": definition,
        "DefinitionFile": file,
        "DefinitionChange": change,
        "Message": message,
    }


def _in_both_shapes(schema: dict[str, Any]) -> dict[str, Any]:
    """A trigger may be written flat, or with its fields below ``config``."""
    fields = {name: field for name, field in schema["properties"].items() if name != "type"}
    kind = {key: value for key, value in schema["properties"]["type"].items() if key != "default"}
    required = [name for name in schema.get("required", ()) if name != "type"]
    config = {
        "type": "object",
        "additionalProperties": False,
        "properties": fields,
        "required": required,
    }
    nested = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"type": kind, "config": config},
        "required": ["type", *(["config"] if required else [])],
    }
    flat = {**nested, "properties": {"type": kind, **fields}, "required": ["type", *required]}
    return {
        "title": schema["title"],
        "description": schema["description"],
        "anyOf": [flat, nested],
    }
