"""Pipelines made, changed and deleted: their source, and which columns of which tables it fills."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import drafts, responses
from api_bridge.console.form_data import Posted, check_sure, place_named, text
from api_bridge.console.queries import Text
from api_bridge.console.views import conflicts, pipeline_forms, timestamps, words
from api_bridge.console.views.typed_values import format_value
from api_bridge.deps import Admin
from api_bridge.endpoint_marks import outside, repeatable, slow
from api_bridge.routing import Router
from automations import wiring
from automations.definitions.pipelines import (
    CONNECTORS,
    ConnectionShape,
    config_errors,
    shape_of,
)
from automations.domain.fields import parse_duration
from automations.domain.principals import Principal
from automations.errors import DomainError, ValidationFailed
from automations.kit.values import JSON, Errors
from automations.services.integrations import secrets
from automations.services.pipelines import connections, probes
from automations.services.pipelines.connections import Connection, as_given
from automations.services.tables import tables

ROOT = "/console/pipelines"
router = Router(prefix=ROOT, tags=["pipelines"])

_MAX_TABLES = 200
"""Tables to choose from."""


@router.get("/new")
def show_new(
    request: Request,
    caller: Admin,
    type: Text = "",  # noqa: A002
) -> Response:
    """The ways in which records can come, or the form of one of them."""
    if not type:
        return responses.page(request, "pipeline_new.html", caller, kinds=list(CONNECTORS))
    return _page(request, caller, None, "", _empty(type))


@router.post("/new")
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Set up a pipeline, or change what its form offers."""

    def save(definition: dict[str, Any]) -> Response:
        created = connections.create(caller.workspace_id, _shape(definition))
        return responses.redirect(f"{ROOT}/{created.id}", "pipeline.made")

    typed = pipeline_forms.read(_empty(text(form, "type")), form)
    show = partial(_page, request, caller, None, "")
    return drafts.respond(form, typed, show, done=partial(_apply, form), save=save)


@router.post("/new/fields")
@slow
@outside
@repeatable
def look_first(request: Request, caller: Admin, form: Posted) -> Response:
    """Read the first page of the source that was typed, and offer what its records have."""
    definition = pipeline_forms.read(_empty(text(form, "type")), form)
    return _probe(request, caller, None, "", definition)


@router.get("/{connection_id}/edit")
def show_form(request: Request, caller: Admin, connection_id: str) -> Response:
    """A pipeline, to be changed."""
    connection = connections.get(caller.workspace_id, connection_id)
    return _page(request, caller, connection, "", as_given(connection))


@router.post("/{connection_id}/edit")
def change(request: Request, caller: Admin, connection_id: str, form: Posted) -> Response:
    """Change a pipeline, or what its form offers."""
    connection = connections.get(caller.workspace_id, connection_id)
    seen = text(form, "seen")

    def save(definition: dict[str, Any]) -> Response:
        _shape(definition)
        changes = {key: definition[key] for key in ("name", "config", "tables", "interval")}
        seen_at = timestamps.read_seen(seen, connection.updated_at)
        connections.update(caller.workspace_id, connection_id, changes, seen=seen_at)
        return responses.redirect(f"{ROOT}/{connection_id}", "pipeline.changed")

    typed = pipeline_forms.read(as_given(connection), form)
    show = partial(_page, request, caller, connection, seen)
    return drafts.respond(form, typed, show, done=partial(_apply, form), save=save)


@router.post("/{connection_id}/edit/fields")
@slow
@outside
@repeatable
def look(request: Request, caller: Admin, connection_id: str, form: Posted) -> Response:
    """Read the first page of the source as it was typed, and offer what its records have."""
    connection = connections.get(caller.workspace_id, connection_id)
    definition = pipeline_forms.read(as_given(connection), form)
    return _probe(request, caller, connection, text(form, "seen"), definition)


@router.post("/{connection_id}/delete")
def delete(caller: Admin, connection_id: str, form: Posted) -> Response:
    """Delete a pipeline and the record of its syncs; rows stay."""
    connections.get(caller.workspace_id, connection_id)
    check_sure(form)
    connections.delete(caller.workspace_id, connection_id)
    return responses.redirect(ROOT, "pipeline.deleted")


def _empty(kind: str) -> dict[str, Any]:
    if kind not in CONNECTORS:
        raise ValidationFailed({"type": [f"must be one of {', '.join(CONNECTORS)}"]})
    return {"name": "", "connectorType": kind, "config": {}, "tables": [], "interval": None}


def _shape(definition: Mapping[str, Any]) -> ConnectionShape:
    """What was typed as a pipeline.

    Raises:
        ValidationFailed: it is none; names all that is wrong, the source's fields among it.
    """
    problems = config_errors(str(definition["connectorType"]), definition["config"])
    try:
        shape = shape_of(definition)
    except ValidationFailed as error:
        raise ValidationFailed({**error.field_errors, **problems}) from error
    if problems:
        raise ValidationFailed(problems)
    return shape


def _apply(form: FormData, definition: Mapping[str, Any], do: str) -> dict[str, Any]:
    """The pipeline with one table more or less."""
    verb, _, what = do.partition(".")
    filled = list(definition["tables"])
    place = place_named(what)
    if verb == "remove" and 0 <= place < len(filled):
        del filled[place]
    if verb == "add" and (table_id := text(form, "add")):
        filled.append({"tableId": table_id, "keyColumns": [], "fieldMapping": {}})
    return {**definition, "tables": filled}


def _probe(
    request: Request,
    caller: Principal,
    connection: Connection | None,
    seen: str,
    definition: dict[str, Any],
) -> Response:
    http = wiring.ports().http
    kind, config = str(definition["connectorType"]), definition["config"]
    try:
        fields = probes.fields(caller.workspace_id, kind, config, http)
    except ValidationFailed as error:
        return _page(request, caller, connection, seen, definition, error.field_errors)
    except DomainError as error:
        return _page(request, caller, connection, seen, definition, probed=error.message)
    return _page(request, caller, connection, seen, definition, probed=fields)


def _page(
    request: Request,
    caller: Principal,
    connection: Connection | None,
    seen: str,
    draft: dict[str, Any],
    problems: Errors | None = None,
    probed: Mapping[str, JSON] | str | None = None,
) -> Response:
    """The form.

    Args:
        probed: what the source's records have, or why it could not be read.
    """
    workspace_id = caller.workspace_id
    named = [secret.name for secret in secrets.list_all(workspace_id)]
    fields = probed if isinstance(probed, Mapping) else None
    listed_tables = tables.list_all(workspace_id)[:_MAX_TABLES]
    return responses.page(
        request,
        "pipeline_form.html",
        caller,
        conflicts.status(problems),
        one=connection,
        form=pipeline_forms.build_form(draft, listed_tables, named, problems or {}),
        intervals=pipeline_forms.INTERVALS,
        every=parse_duration,
        ways=pipeline_forms.PAGING,
        problems=problems or {},
        seen=seen or (timestamps.stamp(connection.updated_at) if connection is not None else ""),
        fields={
            path: words.short(format_value(example)) for path, example in (fields or {}).items()
        },
        looked=fields is not None,
        refused=probed if isinstance(probed, str) else None,
    )
