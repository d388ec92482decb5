"""Which automations use a secret, table, form and the like, for whoever wants to change it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from automations.db import matters, resource_names
from automations.db.rows import data_tables
from automations.db.session import reading
from automations.db.workflows import versions, workflows
from automations.definitions import uses
from automations.definitions.integrations import NEEDED_BY
from automations.definitions.triggers import matching_keys, sync_key
from automations.domain.overviews import NamedResource, NamedWorkflow, Usage, UsedResources
from automations.domain.statuses import WorkflowStatus
from automations.kit.ids import PATTERN
from automations.services.integrations import integrations

_ID = re.compile(PATTERN)
MAX_READ = 1_000
"""Automations of a workspace whose definitions are read to answer."""


def of_secrets(workspace_id: str) -> Mapping[str, Sequence[NamedWorkflow]]:
    """The automations that name each secret, by its name."""
    return _by(workspace_id, ["secret"], uses.secrets_of)


def of_step_types(
    workspace_id: str, step_types: Sequence[str]
) -> Mapping[str, Sequence[NamedWorkflow]]:
    """The automations with a step of each of some types, by the type."""
    patterns = [f'"{step_type}"' for step_type in step_types]
    by_type = _by(workspace_id, patterns, uses.step_types_of)
    return {step_type: by_type[step_type] for step_type in step_types if step_type in by_type}


def of_integrations(workspace_id: str) -> Mapping[str, Sequence[NamedWorkflow]]:
    """The automations whose steps act by each integration, by its id and by name."""
    by_step = of_step_types(workspace_id, [step for steps in NEEDED_BY.values() for step in steps])
    by_integration: dict[str, Sequence[NamedWorkflow]] = {}
    for kind, steps in NEEDED_BY.items():
        users = {workflow.id: workflow for step in steps for workflow in by_step.get(step, ())}
        acted_by = integrations.acting_id(workspace_id, kind)
        if acted_by is not None:
            by_integration[acted_by] = sorted(
                users.values(), key=lambda workflow: workflow.name.lower()
            )
    return by_integration


def of_synced_tables(workspace_id: str, table_ids: Collection[str]) -> Sequence[NamedWorkflow]:
    """The automations that listen to what a sync changes in any of some tables, by name."""
    keys = {
        key
        for table_id in table_ids
        for key in matching_keys(sync_key(table_id, added=True, updated=True))
    }
    with reading() as session:
        return workflows.of_trigger_keys(session, workspace_id, keys, MAX_READ)


def of_ids(workspace_id: str, ids: Collection[str]) -> Mapping[str, Sequence[Usage]]:
    """The automations that name tables or boards by their ids, by these; no archived ones."""
    usages: dict[str, list[Usage]] = {}
    words = [f'"{wanted_id}"' for wanted_id in ids]
    if not words:
        return usages
    with reading() as session:
        named = versions.newest_with(session, workspace_id, words, MAX_READ)
    for workflow, definition in named:
        if workflow.status == WorkflowStatus.ARCHIVED:
            continue
        started_by = uses.texts_of(definition.get("trigger"))
        for resource_id in uses.texts_of(definition).intersection(ids):
            usages.setdefault(resource_id, []).append(Usage(workflow, resource_id in started_by))
    return usages


def of_workflow(workspace_id: str, definition: Mapping[str, Any]) -> UsedResources:
    """The tables and boards that an automation names."""
    named = uses.texts_of(definition)
    with reading() as session:
        tables = data_tables.list_page(session, workspace_id, None)
        boards = matters.list_templates(session, workspace_id)
    return UsedResources(
        {table.id: table.name for table in tables if table.id in named},
        {board.id: board.name for board in boards if board.id in named},
    )


def names_in(workspace_id: str, definition: Mapping[str, Any]) -> Mapping[str, NamedResource]:
    """The names of what a definition names by ids, by these."""
    ids = {text for text in uses.texts_of(definition) if _ID.fullmatch(text)}
    if not ids:
        return {}
    with reading() as session:
        return resource_names.of_ids(session, workspace_id, ids)


def _by(
    workspace_id: str, words: Sequence[str], used: Callable[[Any], set[str]]
) -> Mapping[str, Sequence[NamedWorkflow]]:
    by_name: dict[str, list[NamedWorkflow]] = {}
    with reading() as session:
        for workflow, definition in versions.newest_with(session, workspace_id, words, MAX_READ):
            for name in used(definition):
                by_name.setdefault(name, []).append(workflow)
    return by_name
