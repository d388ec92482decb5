"""Events: which automations they start, which not and why, and where chains end."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from automations.db.events.events import emit
from automations.db.session import Session, unit_of_work
from automations.db.tables import Event, Run
from automations.definitions.triggers import FILTERS, event_key
from automations.dispatch.jobs.registry import Handlers
from automations.domain.events import NewEvent
from automations.kit.ids import new_id
from automations.services.events import events
from automations.services.events.events import IncomingEvent
from automations.services.runs.starting import MAX_CHAIN_DEPTH
from tests.db.events import TRIGGER, automation, matched
from tests.db.workspace import workspace

TABLE, OTHER = new_id(), new_id()


def row_added(session: Session, here: str, cause: str | None = None) -> Event:
    data = {"rowId": "r1", "tableId": TABLE, "tableName": "Companies", "row": {"n": 1}}
    key = event_key("ROW_ADDED", TABLE)
    event, _ = emit(
        session, here, NewEvent(kind="ROW_ADDED", trigger_key=key, data=data, cause=cause)
    )
    return event


def happened(here: str, handlers: Handlers, cause: str | None = None) -> Event:
    """A row was added, and the dispatcher has matched that."""
    with unit_of_work() as session:
        event = row_added(session, here, cause)
    return matched(event.id, handlers)


def started(event: Event) -> list[Run]:
    summaries = events.get(event.workspace_id, event.id).runs
    with unit_of_work() as session:
        return [session.get_one(Run, summary.id) for summary in summaries]


def test_an_event_starts_those_that_filter_it_and_those_that_take_any(
    here: str, handlers: Handlers
) -> None:
    wanted = {
        automation(here, {"triggerType": "ROW_ADDED"}),
        automation(here, {"triggerType": "ROW_ADDED", "filterTableId": TABLE}),
    }
    automation(here, {"triggerType": "ROW_ADDED", "filterTableId": OTHER})
    automation(here, {"triggerType": "RECORD_UPDATED", "filterTableId": TABLE})
    automation(workspace("other"), {"triggerType": "ROW_ADDED"})
    event = happened(here, handlers)
    assert event.status == "MATCHED"
    assert {run.workflow_id for run in started(event)} == wanted


def test_a_run_has_the_documented_variables_and_everything_else_under_trigger(
    here: str, handlers: Handlers
) -> None:
    automation(here, {"triggerType": "ROW_ADDED"})
    (run,) = started(happened(here, handlers))
    assert run.variables == {
        "triggerType": "event",
        "rowId": "r1",
        "tableId": TABLE,
        "tableName": "Companies",
    }
    assert run.trigger_data["row"] == {"n": 1}


@pytest.mark.parametrize("status", ["DRAFT", "PAUSED", "ARCHIVED"])
def test_an_automation_that_is_not_active_is_passed_over_with_the_reason(
    here: str, handlers: Handlers, status: str
) -> None:
    automation(here, {"triggerType": "ROW_ADDED"}, status)
    event = happened(here, handlers)
    assert (event.status, started(event)) == ("SKIPPED", [])
    assert status in (event.reason or "")


def test_an_event_that_nobody_listens_to_says_so(here: str, handlers: Handlers) -> None:
    automation(here, {"triggerType": "ROW_ADDED", "filterTableId": OTHER})
    assert happened(here, handlers).reason == "No automation has a trigger that fits."


def test_a_chain_of_runs_that_cause_each_other_ends(here: str, handlers: Handlers) -> None:
    automation(here, {"triggerType": "ROW_ADDED"})
    cause: str | None = None
    for depth in range(MAX_CHAIN_DEPTH + 1):
        (run,) = started(happened(here, handlers, cause))
        assert run.depth == depth
        cause = run.id
    last = happened(here, handlers, cause)
    assert last.status == "SKIPPED"
    assert "chain" in (last.reason or "")


def test_a_replay_starts_only_what_was_not_started(here: str, handlers: Handlers) -> None:
    automation(here, {"triggerType": "ROW_ADDED"})
    event = happened(here, handlers)
    later = automation(here, {"triggerType": "ROW_ADDED"})
    assert events.replay(here, event.id).status == "PENDING"
    again = matched(event.id, handlers)
    assert len(started(again)) == 2
    assert later in {run.workflow_id for run in started(again)}


def test_a_named_event_starts_who_listens_to_the_name(here: str, handlers: Handlers) -> None:
    wanted = automation(here, {"triggerType": "com.example.paid"})
    sent = IncomingEvent("com.example.paid", "shop", "1", {"amount": 5})
    first, second = events.take(here, [sent, sent])
    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.event_id == second.event_id
    (run,) = started(matched(first.event_id, handlers))
    assert (run.workflow_id, run.trigger_data) == (wanted, {"amount": 5})


@pytest.mark.parametrize("event_type", FILTERS)
def test_each_documented_type_has_its_own_filter_only(event_type: str) -> None:
    for name in set(FILTERS.values()):
        config = {"triggerType": event_type, name: TABLE}
        if name == FILTERS[event_type]:
            trigger = TRIGGER.validate_python({"type": "event", "config": config})
            assert trigger.as_json() == {"type": "event", **config, "config": config}
        else:
            with pytest.raises(ValidationError, match="does not filter"):
                TRIGGER.validate_python({"type": "event", **config})
