"""Checks what clients send of automations, and merges it with what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automations.db import matters
from automations.db.forms import forms
from automations.db.rows import data_tables
from automations.db.session import Session
from automations.definitions import checking, field_errors, step_ids
from automations.definitions.model import Definition, walk
from automations.definitions.triggers import (
    HIDDEN,
    EventTrigger,
    FormSubmission,
    Manual,
    Trigger,
    WebhookTrigger,
)
from automations.domain.fields import without_nulls
from automations.domain.statuses import WorkflowStatus
from automations.errors import Conflict, ValidationFailed
from automations.kit.json_schema.formats import DATES
from automations.kit.json_schema.schemas import Schema, SchemaFault
from automations.kit.json_schema.validation import schema_fault, violations
from automations.kit.storable import faults, identical, same
from automations.kit.values import JSON
from automations.ports import Ports
from automations.services.workflows import webhook_secrets
from automations.steps.registry import STEP_TYPES


def split(payload: Any, default: WorkflowStatus) -> tuple[WorkflowStatus, dict[str, Any]]:
    """The status that a payload gives, else ``default``, and the rest of it.

    Raises:
        ValidationFailed: it is no object, or the status is unknown.
    """
    if not isinstance(payload, dict):
        raise ValidationFailed({"body": ["must be a JSON object"]})
    body: dict[str, Any] = without_nulls(Definition, payload)
    body = {key: value for key, value in body.items() if key != "status" or value is not None}
    if "status" not in body:
        return default, body
    status = body.pop("status")
    if status not in list(WorkflowStatus):
        statuses = ", ".join(WorkflowStatus)
        raise ValidationFailed({"status": [f"must be one of {statuses}"]})
    return WorkflowStatus(status), body


def validate(body: dict[str, Any], before: Mapping[str, Any]) -> Definition:
    """A definition that can be stored, with its secrets sealed.

    Args:
        before: the trigger that is stored, whose secret stays where none is given.

    Raises:
        ValidationFailed: names every field that is wrong.
    """
    definition, errors = checking.parse(body)
    if definition is None or errors:
        raise ValidationFailed(errors)
    trigger = definition.trigger
    schema = trigger.input_schema if isinstance(trigger, Manual) else None
    if schema is not None and (fault := schema_fault(schema)):
        raise _of_trigger("inputSchema", f"is not a JSON schema: {fault}", body)
    if isinstance(trigger, WebhookTrigger):
        try:
            sealed = webhook_secrets.seal(trigger, before)
        except ValueError as error:
            raise _of_trigger("secret", str(error), body) from error
        return definition.model_copy(update={"trigger": sealed})
    return definition


def check_subject(
    session: Session, workspace_id: str, trigger: Trigger, body: Mapping[str, Any]
) -> None:
    """What a trigger listens to must be there."""
    form_id = template_id = table_id = None
    field = "formId"
    if isinstance(trigger, FormSubmission):
        form_id = trigger.form_id
    elif isinstance(trigger, EventTrigger):
        field = "filterFormId"
        form_id, template_id = trigger.filter_form_id, trigger.filter_matter_template_id
        table_id = trigger.filter_table_id
    if form_id and not forms.find(session, workspace_id, form_id):
        raise _of_trigger(field, f"there is no form {form_id}", body)
    if template_id and not matters.find_template(session, workspace_id, template_id):
        raise _of_trigger("filterMatterTemplateId", f"there is no template {template_id}", body)
    if table_id and not data_tables.find(session, workspace_id, table_id):
        raise _of_trigger("filterTableId", f"there is no table {table_id}", body)


def check_available(
    workspace_id: str, definition: Definition, status: WorkflowStatus, ports: Ports
) -> None:
    """Check that an automation that is to begin has what its steps need of the installation."""
    if status is not WorkflowStatus.ACTIVE:
        return
    errors: dict[str, list[str]] = {}
    for path, step in walk(definition.steps):
        reason = STEP_TYPES[step.type].unavailable(step.config, workspace_id, ports)
        if reason is not None:
            errors[f"{path}.type"] = [reason]
    if errors:
        raise ValidationFailed(errors)


def to_store(definition: Definition, body: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a payload that was validated."""
    return {
        **body,
        "trigger": definition.trigger.model_dump(mode="json", by_alias=True, exclude_none=True),
        "steps": step_ids.fill_ids(body.get("steps", []), definition.steps),
    }


_UNSAID: Mapping[str, JSON] = {
    "description": "",
    "variables": {},
    "steps": [],
    "execution": "airflow",
}
"""What a definition without these fields says of them, as answers show it."""


def alike(left: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two stored definitions say the same, one of them perhaps what others leave out."""
    fields, others = _stated_fields(left), _stated_fields(other)
    return fields.keys() == others.keys() and all(
        identical(value, others[name]) for name, value in fields.items()
    )


def _stated_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    # A form's id is in the trigger, too, wherever a client has written it.
    return {
        name: value
        for name, value in stored.items()
        if name != "formId" and value is not None and not same(value, _UNSAID.get(name))
    }


def merge(stored: Mapping[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """What a definition is with the fields of a change."""
    whole = {**stored, **body}
    if "trigger" in body:
        whole["trigger"] = _as_changed(trigger_of(stored), body["trigger"])
    if "formId" not in body:
        # It is in the stored trigger.
        whole.pop("formId", None)
    elif "trigger" not in body and trigger_of(whole).get("type") in ("manual", "form_submission"):
        whole.pop("trigger")
    return with_kept_ids(stored, whole) if "steps" in body else whole


def with_kept_ids(stored: Mapping[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """A definition whose steps have the ids that they have had."""
    if not isinstance(body.get("steps"), list):
        return body
    before = stored.get("steps")
    existing = before if isinstance(before, list) else []
    return {**body, "steps": step_ids.keep_ids(existing, body["steps"])}


def check_input(stored: Mapping[str, Any], input_data: Mapping[str, JSON]) -> None:
    """Check that an input can be kept, and satisfies the trigger's schema.

    Raises:
        ValidationFailed: it cannot, or does not.
        Conflict: the schema cannot be used for it.
    """
    if problems := faults(dict(input_data), "input"):
        raise ValidationFailed(problems)
    schema = trigger_of(stored).get("inputSchema")
    if schema is None:
        return
    errors: dict[str, list[str]] = {}
    try:
        for violation in violations(Schema.read(schema), dict(input_data), DATES):
            path = ".".join(["input", *map(str, violation.path)])
            errors.setdefault(path, []).append(violation.message)
    except SchemaFault as fault:
        raise Conflict(f"The trigger's inputSchema cannot be used: {fault}") from fault
    if errors:
        raise ValidationFailed(errors)


def trigger_of(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored trigger, whatever another release has made of it."""
    trigger = stored.get("trigger")
    return trigger if isinstance(trigger, dict) else {}


def drop_blanks(stored: Mapping[str, Any], input_data: Mapping[str, JSON]) -> dict[str, JSON]:
    """An input without the fields that somebody has left empty in Airflow's form.

    For each of these it sends null, which is taken for what the schema lets be absent but not null.
    """
    schema = trigger_of(stored).get("inputSchema")
    fields = schema.get("properties") if isinstance(schema, dict) else None
    empty = [name for name, value in input_data.items() if value is None]
    if not empty or not isinstance(fields, dict):
        return dict(input_data)
    try:
        read = Schema.read(schema)
        refused = {
            str(violation.path[0])
            for violation in violations(read, dict.fromkeys(empty))
            if violation.path
        }
    except SchemaFault:
        return dict(input_data)  # The check says so.
    dropped = {name for name in empty if name in fields and name in refused}
    return {name: value for name, value in input_data.items() if name not in dropped}


def _as_changed(stored: Mapping[str, Any], step: Any) -> Any:
    """A trigger as that of its two shapes says which was changed; answers show both."""
    config = step.get("config") if isinstance(step, dict) else None
    if not isinstance(config, dict):
        return step
    step = {**step, "config": dict(config)}
    for key in (step.keys() & config.keys()) - {"type", "config"}:
        as_before = (stored.get(key), HIDDEN)
        if config[key] in as_before:
            step["config"][key] = step[key]
        elif step[key] in as_before:
            step[key] = config[key]
    return step


def _of_trigger(field: str, message: str, body: Mapping[str, Any]) -> ValidationFailed:
    return ValidationFailed({field_errors.as_written(f"trigger.{field}", body): [message]})
