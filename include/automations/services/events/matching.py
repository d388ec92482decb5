"""Matches events: starts a run of each automation that fits, at once or after a debounce."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from automations.db.events import debounces, events, matching
from automations.db.runs.new_runs import NewRun
from automations.db.session import Session
from automations.db.tables import Event, Workflow
from automations.db.workflows import versions
from automations.definitions.flow_control import Debounce, FlowControl, key_of
from automations.definitions.triggers import data_for
from automations.domain.fields import parse_duration
from automations.domain.statuses import EventStatus, WorkflowStatus
from automations.errors import Conflict, RateLimited, Unreadable, ValidationFailed
from automations.kit import common_clock
from automations.kit.clock import timestamp
from automations.services.runs import template_names
from automations.services.runs.starting import MAX_CHAIN_DEPTH, start_run
from automations.services.runs.template_names import names_at_start


def match(session: Session, event: Event) -> None:
    """Start one run for each ACTIVE automation that the event fits: all or nothing."""
    too_deep = matching.depth(session, event) > MAX_CHAIN_DEPTH
    workflows = [] if too_deep else matching.listeners(session, event)
    matched = [_match(session, event, workflow) for workflow in workflows]
    remarks = [remark for remark in matched if remark is not None]
    if too_deep:
        remarks = [f"It ends a chain of {MAX_CHAIN_DEPTH} runs, each caused by the last."]
    elif not workflows:
        remarks = [matching.explain_no_match(session, event)]
    # Last, since whoever collects a later event locks the debounce's row before this event.
    is_of_use = None in matched or debounces.is_of_use(session, event.id)
    _settle(event, is_of_use, " ".join(remarks) or None)


def end_debounce(session: Session, debounce_id: str) -> timedelta | None:
    """Start the run for the events that were collected; returns how long to wait if not yet due."""
    locked = debounces.lock(session, debounce_id)
    if locked is None:
        return None
    row, left = locked
    if left > timedelta(0):
        return left
    event = session.get_one(Event, row.event_id)
    workflow = session.get_one(Workflow, row.workflow_id)
    remark = f"It stands for {row.events} events (debounce)." if row.events > 1 else None
    session.delete(row)
    session.flush()
    if workflow.status == WorkflowStatus.ACTIVE:
        remark = _start(session, event, workflow) or remark
    else:
        remark = f"'{workflow.name}' was {workflow.status} when no more events came (debounce)."
    _settle(event, debounces.is_of_use(session, event.id), remark)
    return None


def _settle(event: Event, is_of_use: bool, reason: str | None) -> None:
    # The caller holds the event's job, or the row of the debounce that collected it.
    event.status, event.reason = EventStatus.MATCHED if is_of_use else EventStatus.SKIPPED, reason
    event.matched_at = common_clock.now()


def _match(session: Session, event: Event, workflow: Workflow) -> str | None:
    """Start the automation, or collect the event for it; returns a remark unless it started."""
    stored = versions.definition(session, workflow.id, workflow.version) or {}
    try:
        flow = FlowControl.of(stored)
    except Unreadable as problem:  # must not keep the event from other automations
        return f"'{workflow.name}' was not started: {problem.message}"
    limited = flow.debounce is not None or flow.rate_limit is not None
    if limited and events.has_started(session, event.id, workflow.id):
        return None
    if flow.debounce is None:
        return _start(session, event, workflow, stored)
    trigger_type, input_data = matching.trigger_type(event), matching.input_of(event)
    data = data_for(workflow.trigger_key, event.type, event.data)
    variables = template_names.first_variables(stored, trigger_type, data)
    names = names_at_start(trigger_type, data, input_data, variables)
    key = key_of(flow.debounce, names, workflow.id)
    if key is None:
        return _start(session, event, workflow, stored)
    return _collect(session, event, workflow, flow.debounce, key)


def _start(
    session: Session,
    event: Event,
    workflow: Workflow,
    stored: Mapping[str, Any] | None = None,
) -> str | None:
    new = NewRun(
        trigger_type=matching.trigger_type(event),
        trigger_data=data_for(workflow.trigger_key, event.type, event.data),
        input=matching.input_of(event),
        started_by=None,
        starters=[*event.actors, *matching.starters_of_cause(session, event)],
        event_id=event.id,
        depth=matching.depth(session, event),
    )
    try:
        start_run(session, workflow, new, stored)
    except RateLimited as limited:
        return f"'{workflow.name}' was not started: {limited.rule}."
    except (ValidationFailed, Conflict) as problem:
        return f"'{workflow.name}' was not started: {problem.message}"
    return None


def _collect(
    session: Session, event: Event, workflow: Workflow, debounce: Debounce, key: str
) -> str:
    collected = debounces.collect(
        session,
        workflow.id,
        key,
        event,
        parse_duration(debounce.delay),
        parse_duration(debounce.max_wait) if debounce.max_wait else None,
    )
    if collected.event_id != event.id:
        return f"'{workflow.name}' takes event {collected.event_id}, which came later (debounce)."
    if collected.replaced_id not in (None, event.id):
        replaced = str(collected.replaced_id)
        reason = f"'{workflow.name}' takes event {event.id}, which came later (debounce)."
        events.supersede(session, replaced, reason, of_use=debounces.is_of_use(session, replaced))
    due = timestamp(collected.due_at)
    return f"'{workflow.name}' waits until {due} for later ones (debounce)."
