"""What holds for each step type, with everything real around them but Airflow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import select

from automations import wiring
from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.db.tables import (
    DagCall,
    DataRow,
    Document,
    DocumentDelivery,
    EvidenceSnapshot,
    FormRequest,
    Matter,
    Notification,
    Run,
    Wait,
)
from automations.execution import trials
from automations.execution.engine import Engine
from automations.execution.entered import Entered
from automations.execution.trial_data import TrialData
from automations.execution.verdicts import AskPeople, GiveUp, Proceed, Sleep, TaskRef, Verdict
from automations.steps.base import EXAMPLE_INPUT
from automations.steps.outcomes import Outcome
from automations.steps.registry import STEP_TYPES
from tests.db.cutting import Killed
from tests.db.place import Place, begun


def renamed(config: Any, name: str) -> Any:
    """The config with another name for each that it takes from the run's input."""
    return json.loads(re.sub(r"\binput\.(\w+)", name, json.dumps(config)))


def ended(kind: str) -> Any:
    """How a step of this type ends in what it does."""
    return AskPeople | Sleep if STEP_TYPES[kind].pauses else Proceed


def output(ref: TaskRef) -> Any:
    with unit_of_work() as session:
        row = run_steps.step(session, ref.run_id, "step")
        assert row is not None
        return row.output


def rows(table: Any, *columns: Any) -> list[Any]:
    """What is in a table."""
    with unit_of_work() as session:
        return [tuple(row) for row in session.execute(select(*(columns or (table.id,))))]


def message_ids(place: Place) -> list[Any]:
    found = []
    for envelope in place.mailbox.envelopes:
        content = envelope.content
        assert isinstance(content, bytes)
        found += [line for line in content.splitlines() if line.startswith(b"Message-ID:")]
    return found


def slack_ids(place: Place) -> list[Any]:
    return [body["client_msg_id"] for path, body in place.counterparts.posted if "chat." in path]


def children(_: Place) -> list[Any]:
    with unit_of_work() as session:
        return list(session.scalars(select(Run.id).where(Run.parent_run_id.is_not(None))))


EFFECTS: dict[str, tuple[int, Callable[[Place], list[Any]]]] = {
    "ai": (2, lambda place: [json.dumps(body) for _, body in place.counterparts.posted]),
    "airflow_operator": (1, lambda _: rows(DagCall)),
    "approval": (1, lambda _: rows(Wait)),
    "create_matter": (1, lambda _: rows(Matter)),
    "delay": (1, lambda _: rows(Wait)),
    "email": (2, message_ids),
    "evidence_snapshot": (1, lambda _: rows(EvidenceSnapshot)),
    "generate_document": (1, lambda _: rows(Document)),
    "http_request": (2, lambda place: list(place.counterparts.keys)),
    "notification": (1, lambda _: rows(Notification)),
    "run_workflow": (1, children),
    "send_document": (1, lambda place: rows(DocumentDelivery) and message_ids(place)),
    "send_form": (1, lambda _: rows(FormRequest)),
    "slack": (2, slack_ids),
    "table_operations": (1, lambda _: rows(DataRow)),
}
"""How often what has an effect has it when it is repeated, and by what a repeat is known."""


class Dying(Engine):
    """Is killed after the effect, before the record."""

    def record(
        self, entered: Entered, outcome: Outcome, more: Mapping[str, Any] = MappingProxyType({})
    ) -> Verdict:
        raise Killed


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_step_does_its_work_and_a_repeat_answers_the_same(place: Place, kind: str) -> None:
    ref = begun(place, kind, place.config(kind))
    verdict = wiring.engine().run(ref)
    assert isinstance(verdict, ended(kind)), verdict
    before = output(ref)
    assert wiring.engine().run(ref) == verdict
    assert output(ref) == before
    if kind in EFFECTS:
        assert len(EFFECTS[kind][1](place)) == 1


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_process_that_is_killed_between_effect_and_record_does_no_harm(
    place: Place, kind: str
) -> None:
    ref = begun(place, kind, place.config(kind))
    with pytest.raises(Killed):
        Dying(wiring.ports()).run(ref)
    verdict = wiring.engine().run(ref)
    assert isinstance(verdict, ended(kind)), verdict
    if kind in EFFECTS:
        times, found = EFFECTS[kind]
        effects = found(place)
        # What cannot be undone or recognised by us carries a key by which the other side can.
        assert len(effects) == times
        assert len(set(effects)) == 1


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_template_that_names_what_is_not_there_fails_with_step_and_field(
    place: Place, kind: str
) -> None:
    config = renamed(place.config(kind), "input.missing")
    fields = [name for name, value in config.items() if "input.missing" in json.dumps(value)]
    verdict = wiring.engine().run(begun(place, kind, config))
    assert isinstance(verdict, GiveUp), verdict
    assert any(f"step 'Step', config.{field}" in verdict.error for field in fields)
    if kind in EFFECTS:
        assert EFFECTS[kind][1](place) == []


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_step_does_the_same_in_a_loop_for_each_item_under_keys_of_their_own(
    place: Place, kind: str
) -> None:
    inner = renamed(place.config(kind), r"loop.item.\1")
    body = {"id": "inner", "name": "Inner", "type": kind, "order": 0, "config": inner}
    people = [EXAMPLE_INPUT, {**EXAMPLE_INPUT, "name": "Bob", "email": "bob@example.com"}]
    ref = begun(place, "loop", {"collection": people, "steps": [body]})
    verdict = wiring.engine().run(ref)
    if STEP_TYPES[kind].pauses:
        assert isinstance(verdict, Sleep), verdict
        assert EFFECTS[kind][1](place) != []
        return
    assert isinstance(verdict, Proceed), verdict
    assert len(output(ref)["results"]) == 2
    if kind in EFFECTS:
        effects = EFFECTS[kind][1](place)
        assert len(effects) == len(set(effects)) == 2


INSIDE = ("code", "condition", "loop")
"""Types that do nothing outside of the run."""


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_trial_says_what_a_step_would_do_and_does_nothing(place: Place, kind: str) -> None:
    workflow = place.automation(kind, place.config(kind))
    given, before = TrialData(input=EXAMPLE_INPUT), rows(Run)
    trial = trials.run(wiring.ports(), place.workspace, workflow, given, {})
    assert trial.status == "completed", trial.error
    tried = trial.steps[0]
    assert tried.status == "done"
    assert tried.config is not None
    if kind in INSIDE:
        assert not tried.effects
        assert not tried.waits
    if kind in EFFECTS:
        assert tried.effects or tried.waits
        assert EFFECTS[kind][1](place) == []
    assert rows(Run) == before
