"""The names that a run's templates can use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from automations.db.tables import Run
from automations.definitions.triggers import CONTEXT_VARIABLES
from automations.kit.clock import timestamp
from automations.kit.values import JSON
from automations.services.workflows.definitions import Loaded


def names_of(
    run: Run, loaded: Loaded, outputs: Mapping[str, JSON], now: datetime
) -> dict[str, JSON]:
    """What ``{{ … }}`` may refer to in a run, as plain JSON."""
    named = {
        loaded.plan.nodes[node_id].step.name: output
        for node_id, output in outputs.items()
        if node_id in loaded.plan.nodes
    }
    return {
        **names_at_start(run.trigger_type, run.trigger_data, run.input, run.variables),
        "steps": {**named, **outputs},
        "run": {"id": run.id, "startedAt": timestamp(run.started_at)},
        "workflow": {"id": run.workflow_id, "name": loaded.definition.name},
        "now": timestamp(now),
    }


def names_at_start(
    trigger_type: str,
    trigger_data: Mapping[str, JSON],
    input: Mapping[str, JSON],  # noqa: A002 -- the specification's word
    variables: Mapping[str, JSON],
) -> dict[str, JSON]:
    """Those of them that are known before there is a run."""
    submission = trigger_data.get("submission", {})
    return {
        **{name: value for name, value in trigger_data.items() if name in CONTEXT_VARIABLES},
        # An event's own data may have a type of its own.
        "trigger": {"type": trigger_type, **trigger_data},
        "submission": submission,
        "input": input,
        "variables": variables,
    }


_SHOWN = {"schedule": "scheduled"}
"""The specification's words in ``variables.triggerType``, where they differ."""


def first_variables(
    stored: Mapping[str, Any], trigger_type: str, trigger_data: Mapping[str, JSON]
) -> dict[str, JSON]:
    """What a run's variables are at first: those that its definition has, and the context's."""
    context = {key: value for key, value in trigger_data.items() if key in CONTEXT_VARIABLES}
    shown = _SHOWN.get(trigger_type, trigger_type)
    return {**stored.get("variables", {}), "triggerType": shown, **context}
