"""Matters in the console: on their board, one by one, and what they have started."""

from __future__ import annotations

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import Event, Run
from automations.domain.matters import Board
from automations.ports import NewMatter
from automations.services.matters import matters, templates
from automations.services.runs import by_hand
from tests.console.conftest import Browser
from tests.console.sample import Sample

ROOT = "/console/matters"


def step_of(there: Sample, matter_id: str) -> str:
    """The name of the step that a matter is in; empty when it is in none."""
    found = matters.get(there.workspace, matter_id)
    here = [step.name for step in found.steps if step.id == found.matter.current_step_id]
    return here[0] if here else ""


def lanes(browser: Browser) -> dict[str, list[str]]:
    """The titles of cards by the names of lanes."""
    found = {}
    for lane in browser.root.xpath("//section[contains(@class, 'lane')]"):
        (heading,) = lane.xpath("./h2")
        found[heading.text.strip()] = lane.xpath(".//h3/a/text()")
    return found


class TestBoard:
    def test_cards_stand_in_their_steps_the_urgent_first(
        self, owner: Browser, there: Sample
    ) -> None:
        owner.open(ROOT)
        assert lanes(owner) == {
            "Collect the documents": ["Take on ACME GmbH", "Take on Old Mill"],
            "Check the register": ["Take on Łódź Textiles", "Take on Fjord & Søn"],
            "Approve": ["Take on Quarry, Inc."],
            "Sign the engagement": ["Take on Blue Harbour"],
            "Completed": ["Take on Done & Sons"],
        }
        assert "Owner Lovelace" in owner.text

    def test_a_card_s_button_completes_the_step_that_was_seen_and_no_other(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        member, matter = browsers["MEMBER"], there.matters[3]
        member.open(f"{ROOT}?board={there.board}")
        (value,) = member.root.xpath(f"//button[starts-with(@value, '{matter}:')]/@value")
        member.send(f"{ROOT}/move", advance=value, next=f"{ROOT}?board={there.board}")
        assert step_of(there, matter) == "Sign the engagement"
        assert "Moved." in member.text
        answer = member.send(f"{ROOT}/move", advance=value)
        assert answer.status_code == 400
        assert "0 of 1 matters were moved." in member.text
        assert "MAT-0004" in member.text
        assert step_of(there, matter) == "Sign the engagement"

    def test_chosen_cards_are_moved_to_any_step(self, owner: Browser, there: Sample) -> None:
        owner.open(ROOT)
        boxes = owner.root.xpath("//input[@name='matter']/@value")
        chosen = [box for box in boxes if box.split(":")[0] in there.matters[:3]]
        (step,) = owner.root.xpath("//select[@name='step']/option[. = 'Approve']/@value")
        token = owner.root.xpath("//input[@name='csrf']/@value")[0]
        body = {"csrf": token, "matter": chosen, "step": step, "act": "goto"}
        owner.post(f"{ROOT}/move", data=body)
        assert [step_of(there, matter) for matter in there.matters[:3]] == ["Approve"] * 3
        (body["csrf"],) = set(owner.root.xpath("//input[@name='csrf']/@value"))
        owner.post(f"{ROOT}/move", data=body)
        assert owner.answer.status_code == 400, "they are not where they were seen any more"
        assert owner.post(f"{ROOT}/move", data={"csrf": token}).status_code == 400

    def test_matters_of_before_a_change_of_the_board_keep_their_lane(
        self, owner: Browser, there: Sample
    ) -> None:
        owner.open(f"{ROOT}/boards/{there.board}")
        owner.press(f"{ROOT}/boards/{there.board}", do="remove.0")
        owner.press(f"{ROOT}/boards/{there.board}", do="down.0")
        owner.press(f"{ROOT}/boards/{there.board}", typed={"name": "Intake"}, do="save")
        assert list(lanes(owner)) == [
            "Approve", "Check the register", "Sign the engagement", "Collect the documents",
            "Completed",
        ]  # fmt: skip
        assert lanes(owner)["Collect the documents"] == ["Take on ACME GmbH", "Take on Old Mill"]

    def test_who_comes_second_overwrites_no_board(self, owner: Browser, there: Sample) -> None:
        owner.open(f"{ROOT}/boards/{there.board}")
        board = Board.model_validate({"name": "Mine", "steps": [{"name": "A", "type": "TASK"}]})
        templates.replace(there.workspace, there.board, board)
        owner.press(f"{ROOT}/boards/{there.board}", typed={"name": "Yours"}, do="save")
        assert owner.answer.status_code == 409
        assert "Somebody else has changed the board" in owner.text
        assert templates.get(there.workspace, there.board).name == "Mine"

    def test_what_does_not_say_what_it_has_seen_overwrites_no_board(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/boards/{there.board}"
        owner.open(page)
        typed = {"name": "Yours", "seen": "0001-01-01T00:00:00+14:00"}
        assert owner.press(page, typed=typed, do="save").status_code == 409
        assert "load it anew" in owner.text
        assert templates.get(there.workspace, there.board).name == "Client intake"

    def test_a_board_is_made_and_deleted(self, owner: Browser, there: Sample) -> None:
        owner.open(f"{ROOT}/boards/new")
        assert owner.press(f"{ROOT}/boards/new", do="save").status_code == 400
        typed = {"name": "Hiring", "s0.name": "Read", "s1.name": "Talk", "s1.type": "REVIEW"}
        owner.press(f"{ROOT}/boards/new", typed=typed, do="save")
        assert (owner.heading(), list(lanes(owner))) == ("Hiring", ["Read", "Talk", "Completed"])
        (address,) = owner.root.xpath("//a[contains(., 'Edit board')]/@href")
        owner.open(address)
        owner.press(f"{address}/delete")
        assert owner.heading() == "Client intake"

    def test_an_empty_page_says_how_to_begin(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        templates.delete(there.workspace, there.board)
        browsers["OWNER"].open(ROOT)
        assert "No boards yet" in browsers["OWNER"].text
        assert browsers["OWNER"].root.xpath(f"//a[@href='{ROOT}/boards/new']")
        browsers["VIEWER"].open(ROOT)
        assert not browsers["VIEWER"].root.xpath(f"//a[@href='{ROOT}/boards/new']")


class TestMatter:
    def test_one_is_made_with_all_that_was_typed(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        member = browsers["MEMBER"]
        member.open(f"{ROOT}/new?board={there.board}")
        typed = {
            "title": " Take on Nova ",
            "tags": "a; b, c",
            "priority": "HIGH",
            "assignee_id": str(there.people["ADMIN"].member_id),
            "properties": '{"fee": 12345678901234567890}',
        }
        member.press(f"{ROOT}/new", typed=typed)
        matter = matters.get(there.workspace, member.path.rpartition("/")[2]).matter
        assert (matter.title, matter.priority) == ("Take on Nova", "HIGH")
        assert (matter.tags, matter.properties) == (["a", "b, c"], {"fee": 12345678901234567890})
        assert "Admin Lovelace" in member.text
        member.open(f"{ROOT}/new")
        answer = member.press(f"{ROOT}/new", typed={"title": " ", "properties": "[1]"})
        assert answer.status_code == 400
        assert member.root.get_element_by_id("properties").text.strip() == "[1]"

    def test_steps_are_completed_rejected_and_gone_to(self, owner: Browser, there: Sample) -> None:
        matter = there.matters[0]
        page = f"{ROOT}/{matter}"
        steps = matters.get(there.workspace, matter).steps
        owner.open(page)
        owner.press(f"{page}/act", do=f"complete:{steps[0].id}")
        assert step_of(there, matter) == "Check the register"
        owner.press(f"{page}/act", do=f"reject:{steps[1].id}")
        assert "Rejected" in owner.text
        owner.press(f"{page}/act", do=f"goto:{steps[0].id}")
        assert step_of(there, matter) == "Collect the documents"
        assert owner.send(f"{page}/act", do=f"complete:{steps[1].id}").status_code == 409
        owner.open(page)
        assert owner.send(f"{page}/act", do="jump").status_code == 400
        with unit_of_work() as session:
            kinds = [
                event.type for event in session.query(Event) if event.data.get("matterId") == matter
            ]
        assert sorted(kinds) == ["MATTER_STEP_COMPLETED", "MATTER_STEP_REJECTED"]

    def test_a_step_is_gone_to_only_from_where_it_was_seen(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.matters[0]}"
        steps = matters.get(there.workspace, there.matters[0]).steps
        owner.open(page)
        matters.advance(there.people["MEMBER"], there.matters[0], None)
        owner.press(f"{page}/act", do=f"goto:{steps[3].id}")
        assert owner.answer.status_code == 409
        assert step_of(there, there.matters[0]) == "Check the register"

    def test_what_it_has_started_is_shown_with_its_runs(
        self, owner: Browser, there: Sample
    ) -> None:
        run = by_hand.execute(there.people["OWNER"], there.workflow, {"company": "x"})
        with unit_of_work() as session:
            event = next(
                event
                for event in session.query(Event)
                if event.data.get("matterId") == there.matters[1]
            )
            session.get_one(Run, run.id).event_id = event.id
        owner.open(f"{ROOT}/{there.matters[1]}")
        assert "“Collect the documents” completed" in owner.text
        assert owner.root.xpath(f"//a[@href='/console/runs/{run.id}']/text()") == ["KYC review"]

    def test_fields_are_changed_by_themselves_and_nobody_s_work_is_overwritten(
        self, owner: Browser, there: Sample
    ) -> None:
        matter = there.matters[1]
        page = f"{ROOT}/{matter}"
        owner.open(page)
        matters.update(there.workspace, matter, {"title": "Theirs"})
        owner.press(page, typed={"priority": "LOW"})
        found = matters.get(there.workspace, matter).matter
        assert (found.title, found.priority) == ("Theirs", "LOW")
        owner.open(page)
        matters.update(there.workspace, matter, {"title": "Theirs again"})
        owner.press(page, typed={"title": "Mine"})
        assert owner.answer.status_code == 409
        assert "Somebody else has changed 'title' of this matter meanwhile." in owner.text
        assert matters.get(there.workspace, matter).matter.title == "Theirs again"

    def test_line_breaks_of_what_was_not_touched_stay(self, owner: Browser, there: Sample) -> None:
        matter = there.matters[1]
        given = {"title": "Two\r\nlines", "tags": ["a\nb", "c"]}
        matters.update(there.workspace, matter, given)
        owner.open(f"{ROOT}/{matter}")
        owner.press(f"{ROOT}/{matter}", typed={"priority": "LOW"})
        found = matters.get(there.workspace, matter).matter
        assert (found.title, found.tags, found.priority) == (*given.values(), "LOW")
        owner.press(f"{ROOT}/{matter}", typed={"title": "Three\r\nlines"})
        found = matters.get(there.workspace, matter).matter
        assert (found.title, found.tags) == ("Three\nlines", given["tags"])

    def test_what_was_typed_stays_where_somebody_else_was_first(
        self, owner: Browser, there: Sample
    ) -> None:
        matter = there.matters[1]
        page = f"{ROOT}/{matter}"
        owner.open(page)
        matters.update(there.workspace, matter, {"title": "Theirs", "tags": ["one"]})
        mine = {"title": "Mine", "properties": '{"mine": 1}'}
        assert owner.press(page, typed=mine).status_code == 409
        assert "is now “Theirs”: save again to replace it" in owner.text
        assert owner.root.xpath("//input[@id='title']/@value") == ["Mine"]
        assert owner.root.xpath("//input[@id='title']/@aria-invalid") == ["true"]
        assert owner.root.xpath("//input[@id='tags']/@value") == ["one"], "as it is by now"
        owner.press(page)
        found = matters.get(there.workspace, matter).matter
        assert (found.title, found.tags, found.properties) == ("Mine", ["one"], {"mine": 1})

    def test_what_cannot_be_read_does_not_hide_what_somebody_else_has_changed(
        self, owner: Browser, there: Sample
    ) -> None:
        matter = there.matters[1]
        page = f"{ROOT}/{matter}"
        owner.open(page)
        matters.update(there.workspace, matter, {"tags": ["theirs"]})
        assert owner.press(page, typed={"tags": "mine", "properties": "{"}).status_code == 400
        assert owner.press(page, typed={"properties": "{}"}).status_code == 409
        assert matters.get(there.workspace, matter).matter.tags == ["theirs"]

    def test_a_cancelled_one_stays_readable_and_offers_nothing(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.matters[0]}"
        owner.open(page)
        owner.press(f"{page}/cancel")
        assert "Cancelled" in owner.heading()
        assert owner.actions() == set()
        assert matters.get(there.workspace, there.matters[0]).matter.status == "CANCELLED"


@pytest.mark.parametrize(
    ("query", "found"), [("", 7), ("status=COMPLETED", 1), ("board=none", 0), ("page=2", 0)]
)
def test_all_of_them_are_a_list(owner: Browser, there: Sample, query: str, found: int) -> None:
    owner.open(f"{ROOT}/list?{query}")
    assert len(owner.root.xpath("//tbody/tr")) == found


def test_a_list_goes_on_behind_its_page(owner: Browser, there: Sample) -> None:
    for number in range(25):
        new = NewMatter(template_id=there.board, title=f"One {number}")
        matters.create(there.people["OWNER"], new)
    owner.open(f"{ROOT}/list")
    (following,) = owner.root.xpath("//a[@rel='next']/@href")
    assert len(owner.root.xpath("//tbody/tr")) == 25
    owner.open(following)
    assert len(owner.root.xpath("//tbody/tr")) == 7


def test_a_viewer_sees_boards_and_matters_and_no_way_to_change_them(
    browsers: dict[str, Browser], there: Sample
) -> None:
    viewer = browsers["VIEWER"]
    for page in (ROOT, f"{ROOT}/list", f"{ROOT}/{there.matters[0]}"):
        viewer.open(page)
        assert viewer.actions() == set(), page
        assert not viewer.root.xpath("//input[@name='matter'] | //button[@name='do']"), page
        assert not viewer.root.xpath("//a[contains(@href, '/new')]"), page
