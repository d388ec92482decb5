"""The names that a run's templates can use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from automations.db.tables import Run
from automations.definitions.triggers import CONTEXT_VARIABLES
from automations.kit.clock import timestamp
from automations.services.workflows.loaded import Loaded
from automations.steps.outcomes import JSON


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
    trigger = dict(trigger_data)
    submission = trigger.pop("submission", {})
    return {
        **{name: value for name, value in trigger.items() if name in CONTEXT_VARIABLES},
        "trigger": {**trigger, "type": trigger_type},
        "submission": submission,
        "input": input,
        "variables": variables,
    }
