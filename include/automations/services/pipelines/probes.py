"""Probes the source of a pipeline before anything is synced."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from automations.definitions.pipelines import PUSH, HttpConfig, config_errors
from automations.errors import Conflict, DomainError, ProviderFailed, StepError, ValidationFailed
from automations.kit.record_paths import paths_of
from automations.kit.storable import MAX_DEPTH, fault
from automations.kit.values import JSON
from automations.ports import HttpClient
from automations.services.pipelines import pulls

# For a person to choose from: more records seldom have other fields.
_MAX_RECORDS, _MAX_PATHS = 100, 500


def problem(
    workspace_id: str, connector_type: str, config: Mapping[str, Any], http: HttpClient
) -> str | None:
    """Why a source's first page cannot be read; None when it can, or nothing is read.

    Raises:
        ValidationFailed: the config does not fit the connector.
    """
    errors = config_errors(connector_type, config)
    if errors:
        raise ValidationFailed(errors)
    if connector_type == PUSH:
        return None
    try:
        pulls.read(workspace_id, HttpConfig.model_validate(dict(config)), None, http)
    except (StepError, DomainError) as error:
        return error.message
    return None


def fields(
    workspace_id: str, connector_type: str, config: Mapping[str, Any], http: HttpClient
) -> dict[str, JSON]:
    """The paths in the records of a source's first page, with an example of each.

    Raises:
        ValidationFailed: the config does not fit the connector.
        Conflict: records are sent to it.
        ProviderFailed: the page cannot be read.
    """
    errors = config_errors(connector_type, config)
    if errors:
        raise ValidationFailed(errors)
    if connector_type == PUSH:
        raise Conflict("Records are sent to this connection: there is nothing to read.")
    try:
        page = pulls.read(workspace_id, HttpConfig.model_validate(dict(config)), None, http)
    except StepError as error:
        raise ProviderFailed(error.message) from error
    examples: dict[str, JSON] = {}
    for record in page.records[:_MAX_RECORDS]:
        # What cannot be kept cannot be shown, either.
        is_shown = isinstance(record, Mapping) and fault(record, MAX_DEPTH) is None
        for path, value in paths_of(record) if is_shown else ():
            if examples.get(path) is None:
                examples[path] = value
    return dict(islice(examples.items(), _MAX_PATHS))
