"""How runs begin: every start is a committed row first, and work for the dispatcher second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automations.db import runs, versions
from automations.db.session import Session
from automations.db.tables import Run, Workflow
from automations.definitions.flow_control import FlowControl
from automations.kit.values import JSON
from automations.services.runs import admission, template_names
from automations.services.runs.template_names import names_at_start

MAX_CHAIN_DEPTH = 10
"""Automations that set off each other, or themselves, end after so many runs."""


def start_run(
    session: Session,
    workflow: Workflow,
    *,
    trigger_type: str,
    trigger_data: dict[str, JSON],
    input: dict[str, JSON],  # noqa: A002 -- the specification's word
    started_by: str | None,
    event_id: str | None = None,
    replay_of: str | None = None,
    depth: int = 0,
    parent_run_id: str | None = None,
    awaited: bool = False,
    stored: Mapping[str, Any] | None = None,
) -> Run | None:
    """Record a run of the automation's newest version; the dispatcher brings it to Airflow.

    Args:
        awaited: whether the parent waits for it, so that it ends with the parent.
        stored: the newest version's definition, for who has read it already.

    Returns:
        The run, or None when the event has started this automation before.

    Raises:
        RateLimited: the automation's rate limit has no room for one more.
    """
    if stored is None:
        stored = versions.definition(session, workflow.id, workflow.version) or {}
    variables = template_names.first_variables(stored, trigger_type, trigger_data)
    flow = FlowControl.of(stored)
    names = names_at_start(trigger_type, trigger_data, input, variables)
    run = runs.insert_run(
        session,
        workflow,
        trigger_type=trigger_type,
        trigger_data=trigger_data,
        input=input,
        started_by=started_by,
        event_id=event_id,
        replay_of=replay_of,
        depth=depth,
        parent_run_id=parent_run_id,
        awaited=awaited,
        variables=variables,
        slot_key=admission.slot_key(workflow.id, flow, names),
        rate_key=admission.rate_key(session, workflow.id, flow, names),
    )
    if run is not None:
        admission.enqueue(session, run)
    return run
