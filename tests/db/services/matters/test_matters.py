"""Matters: numbers without doubles, decisions without doubles."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, Matter, MatterStep
from automations.domain.matters import Board, MatterDetail
from automations.errors import Conflict, StepError
from automations.ports import MatterReceipt, NewMatter
from automations.services.matters import matters, templates
from automations.services.matters.matters import WorkspaceMatters
from tests.db.workspace import BOARD, at_once, member, principal, template, workspace

pytestmark = pytest.mark.usefixtures("database")


def make(here: str, board: str | None = None) -> MatterDetail:
    return matters.create(principal(here), NewMatter(board or template(here), "Acme"))


def statuses(detail: MatterDetail) -> list[str]:
    return [step.status for step in detail.steps]


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


class TestNumbers:
    def test_matters_made_at_once_get_numbers_without_gaps_or_doubles(self, here: str) -> None:
        board = template(here)
        made = at_once(*[partial(make, here, board)] * 12)
        numbers = [item.matter.number for item in made if isinstance(item, MatterDetail)]
        assert sorted(numbers) == list(range(1, 13))

    def test_each_workspace_counts_for_itself(self, here: str) -> None:
        assert make(here).matter.number == 1
        assert make(workspace("elsewhere")).matter.number == 1
        assert make(here).matter.number == 2

    def test_a_matter_that_was_not_made_takes_no_number(self, here: str) -> None:
        board = template(here)
        with pytest.raises(StepError):
            WorkspaceMatters().create(
                NewMatter(board, "A", assignee_id="nobody"), workspace_id=here, run_id="r", key="k"
            )
        assert make(here, board).matter.number == 1


class TestRegister:
    def create(self, here: str, matter: NewMatter, key: str = "run:node:0") -> MatterReceipt:
        return WorkspaceMatters().create(matter, workspace_id=here, run_id="run", key=key)

    def test_a_matter_is_made_with_the_steps_of_its_board(self, here: str) -> None:
        ada = member(here, "ada").id
        order = NewMatter(template(here), "Acme", ("a", "b", "a"), "HIGH", ada, {"n": 1})
        receipt = self.create(here, order)
        detail = matters.get(here, receipt.matter_id)
        row = detail.matter
        assert (receipt.number, row.number) == ("MAT-0001", 1)
        assert (row.priority, row.tags, row.assignee_id) == ("HIGH", ["a", "b"], ada)
        assert (row.properties, row.created_by) == ({"n": 1}, "run:run")
        assert tuple(step.id for step in detail.steps) == receipt.step_ids
        assert [step.template_step_id for step in detail.steps] == ["form", "check", "sign"]
        assert row.current_step_id == receipt.step_ids[0]

    def test_a_repeat_finds_the_matter_of_its_key(self, here: str) -> None:
        order = NewMatter(template(here), "Acme")
        first = self.create(here, order)
        assert at_once(*[partial(self.create, here, order)] * 4) == [first] * 4
        assert self.create(here, order, "run:node:1").number == "MAT-0002"

    def test_what_is_not_there_is_an_error_of_the_config(self, here: str) -> None:
        elsewhere = workspace("elsewhere")
        board, eve = template(elsewhere), member(elsewhere, "eve").id
        for order, named in (
            (NewMatter(board, "A"), board),
            (NewMatter(template(here), "A", assignee_id=eve), eve),
        ):
            with pytest.raises(StepError, match=named) as refused:
                self.create(here, order)
            assert refused.value.kind == "config"
        with unit_of_work() as session:
            assert session.scalars(select(Matter)).all() == []
            assert session.scalars(select(MatterStep)).all() == []


class TestDecisions:
    def test_completing_walks_through_the_steps_and_completes_the_matter(self, here: str) -> None:
        detail = make(here)
        first, second, third = (step.id for step in detail.steps)
        matter = detail.matter.id
        detail = matters.complete(principal(here, name="ada"), matter, first)
        assert detail.matter.current_step_id == second
        detail = matters.complete(principal(here, name="ada"), matter, third)
        assert detail.matter.current_step_id == second
        assert statuses(detail) == ["COMPLETED", "PENDING", "COMPLETED"]
        detail = matters.advance(principal(here, name="bob"), matter, None)
        assert (detail.matter.status, detail.matter.current_step_id) == ("COMPLETED", None)
        assert detail.matter.completed_at is not None
        assert [step.decided_by for step in detail.steps] == ["ada", "bob", "ada"]

    def test_after_the_last_step_what_was_passed_over_is_next(self, here: str) -> None:
        detail = make(here)
        first, _, third = (step.id for step in detail.steps)
        matters.go_to(here, detail.matter.id, third)
        detail = matters.complete(principal(here, name="ada"), detail.matter.id, third)
        assert detail.matter.current_step_id == first

    def test_a_decision_is_an_event_in_the_same_transaction(self, here: str) -> None:
        detail = make(here)
        step = detail.steps[1]
        matters.reject(principal(here, name="ada"), detail.matter.id, step.id)
        (event,) = events()
        board = detail.matter.template_id
        assert (event.type, event.trigger_key) == (
            "MATTER_STEP_REJECTED",
            f"event:MATTER_STEP_REJECTED:{board}",
        )
        assert event.data == {
            "matterId": detail.matter.id,
            "stepId": step.id,
            "stepName": "KYC Review",
            "stepType": "APPROVAL",
            "templateId": board,
        }
        with unit_of_work() as session:
            (job,) = session.scalars(select(Job)).all()
        assert (job.kind, job.subject_id) == ("match_event", event.id)

    def test_of_decisions_at_once_one_counts(self, here: str) -> None:
        detail = make(here)
        matter, step = detail.matter.id, detail.steps[0].id
        acts = [
            partial(act, principal(here), matter, step)
            for act in (matters.complete, matters.reject)
        ]
        results = at_once(*acts * 4)
        assert len([item for item in results if isinstance(item, Conflict)]) == 7
        assert len(events()) == 1

    def test_advances_at_once_from_one_step_move_once(self, here: str) -> None:
        detail = make(here)
        matter, first = detail.matter.id, detail.steps[0].id
        results = at_once(*[partial(matters.advance, principal(here), matter, first)] * 4)
        assert len([item for item in results if isinstance(item, Conflict)]) == 3
        assert statuses(matters.get(here, matter)) == ["COMPLETED", "PENDING", "PENDING"]

    def test_a_matter_goes_to_the_lane_that_its_board_had_when_it_was_made(self, here: str) -> None:
        board = template(here)
        detail = make(here, board)
        matter, (first, second, _) = detail.matter.id, detail.steps
        matters.go_to_lane(here, matter, second.template_step_id, first.id)
        assert matters.get(here, matter).matter.current_step_id == second.id
        with pytest.raises(Conflict, match="is not in the step"):
            matters.go_to_lane(here, matter, second.template_step_id, first.id)
        with pytest.raises(Conflict, match="before the board had this step"):
            matters.go_to_lane(here, matter, "new", second.id)
        matters.cancel(here, matter)
        matters.go_to_lane(here, matter, second.template_step_id, second.id)  # nothing to do
        with pytest.raises(Conflict, match="cancelled"):
            matters.go_to_lane(here, matter, first.template_step_id, second.id)

    def test_a_rejected_step_holds_the_matter_until_somebody_goes_to_it(self, here: str) -> None:
        detail = make(here)
        matter, first = detail.matter.id, detail.steps[0].id
        detail = matters.reject(principal(here, name="ada"), matter, first)
        assert (detail.matter.status, detail.matter.current_step_id) == ("ACTIVE", first)
        with pytest.raises(Conflict, match="rejected before"):
            matters.advance(principal(here, name="ada"), matter, None)
        detail = matters.go_to(here, matter, first)
        assert (detail.steps[0].status, detail.steps[0].decided_by) == ("PENDING", None)
        assert statuses(matters.complete(principal(here), matter, first))[0] == "COMPLETED"

    def test_nothing_is_decided_in_a_matter_that_has_ended(self, here: str) -> None:
        detail = make(here)
        matter, step = detail.matter.id, detail.steps[0].id
        assert matters.cancel(here, matter).matter.status == "CANCELLED"
        for act in (
            partial(matters.complete, principal(here), matter, step),
            partial(matters.reject, principal(here), matter, step),
            partial(matters.advance, principal(here), matter, None),
            partial(matters.go_to, here, matter, step),
            partial(matters.cancel, here, matter),
            partial(matters.update, here, matter, {"title": "x"}),
        ):
            with pytest.raises(Conflict, match="cancelled"):
                act()
        assert events() == []

    def test_of_cancellation_and_completion_at_once_the_first_counts(self, here: str) -> None:
        for _ in range(5):
            detail = make(here)
            matter = detail.matter.id
            for step in detail.steps[:2]:
                matters.complete(principal(here), matter, step.id)
            last = detail.steps[2].id
            ended, cancelled = at_once(
                partial(matters.complete, principal(here), matter, last),
                partial(matters.cancel, here, matter),
            )
            status = matters.get(here, matter).matter.status
            won, lost = (ended, cancelled) if status == "COMPLETED" else (cancelled, ended)
            assert isinstance(won, MatterDetail)
            assert isinstance(lost, Conflict)


def test_a_board_that_changes_leaves_the_matters_made_before(here: str) -> None:
    board = template(here)
    before = make(here, board)
    changed = Board.model_validate({**BOARD, "steps": [{"name": "Only", "type": "TASK"}]})
    templates.replace(here, board, changed)
    assert len(matters.get(here, before.matter.id).steps) == 3
    assert [step.name for step in make(here, board).steps] == ["Only"]
    templates.delete(here, board)
    assert matters.get(here, before.matter.id).matter.template_id == board
