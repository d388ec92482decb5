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

    def save(given: dict[str, Any]) -> Response:
        made = connections.create(caller.workspace_id, _shape(given))
        return responses.redirect(f"{ROOT}/{made.id}", "pipeline.made")

    given = pipeline_forms.read(_empty(text(form, "type")), form)
    show = partial(_page, request, caller, None, "")
    return drafts.respond(form, given, show, done=partial(_apply, form), save=save)


@router.post("/new/fields")
@slow
@outside
@repeatable
def look_first(request: Request, caller: Admin, form: Posted) -> Response:
    """Read the first page of the source that was typed, and offer what its records have."""
    given = pipeline_forms.read(_empty(text(form, "type")), form)
    return _probe(request, caller, None, "", given)


@router.get("/{connection_id}/edit")
def show_form(request: Request, caller: Admin, connection_id: str) -> Response:
    """A pipeline, to be changed."""
    found = connections.get(caller.workspace_id, connection_id)
    return _page(request, caller, found, "", as_given(found))


@router.post("/{connection_id}/edit")
def change(request: Request, caller: Admin, connection_id: str, form: Posted) -> Response:
    """Change a pipeline, or what its form offers."""
    found = connections.get(caller.workspace_id, connection_id)
    seen = text(form, "seen")

    def save(given: dict[str, Any]) -> Response:
        _shape(given)
        changes = {key: given[key] for key in ("name", "config", "tables", "interval")}
        known = timestamps.read_seen(seen, found.updated_at)
        connections.update(caller.workspace_id, connection_id, changes, seen=known)
        return responses.redirect(f"{ROOT}/{connection_id}", "pipeline.changed")

    given = pipeline_forms.read(as_given(found), form)
    show = partial(_page, request, caller, found, seen)
    return drafts.respond(form, given, show, done=partial(_apply, form), save=save)


@router.post("/{connection_id}/edit/fields")
@slow
@outside
@repeatable
def look(request: Request, caller: Admin, connection_id: str, form: Posted) -> Response:
    """Read the first page of the source as it was typed, and offer what its records have."""
    found = connections.get(caller.workspace_id, connection_id)
    given = pipeline_forms.read(as_given(found), form)
    return _probe(request, caller, found, text(form, "seen"), given)


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


def _shape(given: Mapping[str, Any]) -> ConnectionShape:
    """What was typed as a pipeline.

    Raises:
        ValidationFailed: it is none; names all that is wrong, the source's fields among it.
    """
    wrong = config_errors(str(given["connectorType"]), given["config"])
    try:
        shape = shape_of(given)
    except ValidationFailed as error:
        raise ValidationFailed({**error.field_errors, **wrong}) from error
    if wrong:
        raise ValidationFailed(wrong)
    return shape


def _apply(form: FormData, given: Mapping[str, Any], do: str) -> dict[str, Any]:
    """The pipeline with one table more or less."""
    verb, _, what = do.partition(".")
    filled = list(given["tables"])
    place = place_named(what)
    if verb == "remove" and 0 <= place < len(filled):
        del filled[place]
    if verb == "add" and (table_id := text(form, "add")):
        filled.append({"tableId": table_id, "keyColumns": [], "fieldMapping": {}})
    return {**given, "tables": filled}


def _probe(
    request: Request,
    caller: Principal,
    known: Connection | None,
    seen: str,
    given: dict[str, Any],
) -> Response:
    http = wiring.ports().http
    kind, config = str(given["connectorType"]), given["config"]
    try:
        found = probes.fields(caller.workspace_id, kind, config, http)
    except ValidationFailed as error:
        return _page(request, caller, known, seen, given, error.field_errors)
    except DomainError as error:
        return _page(request, caller, known, seen, given, found=error.message)
    return _page(request, caller, known, seen, given, found=found)


def _page(
    request: Request,
    caller: Principal,
    known: Connection | None,
    seen: str,
    draft: dict[str, Any],
    problems: Errors | None = None,
    found: Mapping[str, JSON] | str | None = None,
) -> Response:
    """The form.

    Args:
        found: what the source's records have, or why it could not be read.
    """
    here = caller.workspace_id
    named = [one.name for one in secrets.list_all(here)]
    fields = found if isinstance(found, Mapping) else None
    there = tables.list_all(here)[:_MAX_TABLES]
    return responses.page(
        request,
        "pipeline_form.html",
        caller,
        conflicts.status(problems),
        one=known,
        form=pipeline_forms.build_form(draft, there, named, problems or {}),
        intervals=pipeline_forms.INTERVALS,
        every=parse_duration,
        ways=pipeline_forms.PAGING,
        problems=problems or {},
        seen=seen or (timestamps.stamp(known.updated_at) if known is not None else ""),
        fields={
            path: words.short(format_value(example)) for path, example in (fields or {}).items()
        },
        looked=fields is not None,
        refused=found if isinstance(found, str) else None,
    )
