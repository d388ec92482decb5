"""How runs begin: every start is a committed row first, and work for the dispatcher second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from automations.db.runs import runs
from automations.db.runs.runs import NewRun
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
"""Automations that set off each other, or themselves, end after so many runs."""


class PreparedRun(NamedTuple):
    """A run as it may be inserted, and why it may not begin, if there is a reason.

    Args:
        rejection: its input is not what the trigger asks for, or the rate limit has no room for it.
    """

    new: NewRun
    rejection: DomainError | None


def prepare(
    session: Session, workflow: Workflow, new: NewRun, stored: Mapping[str, Any]
) -> PreparedRun:
    """Give a run its first variables, and what it counts for in the automation's limits.

    Whatever starts it, this is where its input is held against the trigger's schema.

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
        stored: the newest version's definition, for who has read it already.

    Returns:
        The run, or None when the event has started this automation before.

    Raises:
        ValidationFailed, Conflict: its input is not what the trigger's schema asks for.
        RateLimited: the automation's rate limit has no room for one more.
    """
    if stored is None:
        stored = versions.definition(session, workflow.id, workflow.version) or {}
    prepared = prepare(session, workflow, new, stored)
    if prepared.rejection is not None:
        raise prepared.rejection
    run = runs.insert_run(session, workflow, prepared.new)
    if run is not None:
        admission.enqueue(session, run)
    return run
