"""Sample data for trying templates: that of an automation's last run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db.runs import run_lists, run_queries, run_steps
from automations.db.session import reading
from automations.domain.runs import RunFilter
from automations.kit import common_clock
from automations.kit.clock import timestamp
from automations.kit.values import JSON
from automations.services.runs.template_names import first_variables, names_at_start
from automations.services.workflows.lookups import require


@dataclass(frozen=True, slots=True)
class Sample:
    """What templates would find, were they rendered in that run.

    Args:
        run_id: of the run that the data is of; None when there was none yet.
        names: what ``{{ … }}`` may refer to, without secrets.
        outputs: of the run's steps, by their ids.
    """

    run_id: str | None
    started_at: datetime | None
    names: Mapping[str, JSON]
    outputs: Mapping[str, JSON]


def last(workspace_id: str, workflow_id: str, definition: Mapping[str, Any]) -> Sample:
    """The data of the last run of an automation, for what its definition is to be.

    Raises:
        NotFound: there is no such automation.
    """
    trigger = definition.get("trigger")
    kind = str(trigger.get("type")) if isinstance(trigger, Mapping) else "manual"
    name = str(definition.get("name") or "")
    own = definition.get("variables")
    stored = {"variables": own if isinstance(own, dict) else {}}
    now = common_clock.now()
    with reading() as session:
        require(session, workspace_id, workflow_id)
        newest = run_lists.list_page(session, workspace_id, workflow_id, RunFilter(), None, 1)
        run = run_queries.find(session, workflow_id, newest[0].run.id) if newest else None
        outputs = run_steps.outputs(session, run.id) if run is not None else {}
    if run is None:
        names = names_at_start(kind, {}, {}, first_variables(stored, kind, {}))
    else:
        variables = {**stored["variables"], **run.variables}
        names = names_at_start(kind, run.trigger_data, run.input, variables)
    names |= {
        "run": {
            "id": "" if run is None else run.id,
            "startedAt": timestamp(now if run is None else run.started_at),
        },
        "workflow": {"id": workflow_id, "name": name},
        "now": timestamp(now),
        "steps": {},
    }
    if run is None:
        return Sample(None, None, names, outputs)
    return Sample(run.id, run.started_at, names, outputs)
