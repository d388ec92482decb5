"""Starts runs: each start is first a committed row, and then a job for the dispatcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from automations.db.runs import new_runs
from automations.db.runs.new_runs import NewRun
from automations.db.session import Session
from automations.db.tables import Run, Workflow
from automations.db.workflows import versions
from automations.definitions.flow_control import FlowControl
from automations.errors import Conflict, DomainError, RateLimited, ValidationFailed
from automations.services.runs import admission
from automations.services.runs.template_names import first_variables, names_at_start
from automations.services.workflows import payloads
from automations.settings import get_settings

MAX_CHAIN_DEPTH = 10
"""Automations that start each other, or themselves, stop after this many runs."""


class PreparedRun(NamedTuple):
    """A run that is ready to be inserted, and the reason why it may not begin, if there is one.

    Args:
        rejection: its input does not fit the trigger's schema, or the rate limit is reached.
    """

    new: NewRun
    rejection: DomainError | None


def prepare(
    session: Session, workflow: Workflow, new: NewRun, stored: Mapping[str, Any]
) -> PreparedRun:
    """Give a run its first variables, and its keys in the automation's limits.

    Whatever starts the run, this is where its input is checked against the trigger's schema.

    Args:
        stored: the definition of the version that it is to run.
    """
    variables = first_variables(stored, new.trigger_type, new.trigger_data)
    names = names_at_start(new.trigger_type, new.trigger_data, new.input, variables)
    flow = FlowControl.of(stored)
    slot_key = admission.slot_key(workflow.id, flow, names)
    rate_key: str | None = None
    rejection: DomainError | None = None
    try:
        payloads.check_input(stored, new.input)
        rate_key = admission.rate_key(session, workflow.id, flow, names)
    except (ValidationFailed, Conflict, RateLimited) as problem:
        rejection = problem
    express = stored.get("execution") == "express" and get_settings().express_seconds > 0
    ready = replace(new, variables=variables, slot_key=slot_key, rate_key=rate_key, express=express)
    return PreparedRun(ready, rejection)


def start_run(
    session: Session, workflow: Workflow, new: NewRun, stored: Mapping[str, Any] | None = None
) -> Run | None:
    """Record a run of the automation's newest version; the dispatcher brings it to Airflow.

    Args:
        stored: the newest version's definition, if the caller has read it already.

    Returns:
        The run, or None if this event has started this automation before.

    Raises:
        ValidationFailed, Conflict: its input does not fit the trigger's schema.
        RateLimited: the automation's rate limit is reached.
    """
    if stored is None:
        stored = versions.definition(session, workflow.id, workflow.version) or {}
    prepared = prepare(session, workflow, new, stored)
    if prepared.rejection is not None:
        raise prepared.rejection
    run = new_runs.insert_run(session, workflow, prepared.new)
    if run is not None:
        admission.enqueue(session, run)
    return run
