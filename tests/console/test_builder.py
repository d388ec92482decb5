"""The builder, as a browser without scripts has it: every change is a form that was sent."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, Run
from automations.definitions import editing
from automations.services.integrations import secrets
from automations.services.tables import tables
from automations.services.workflows import edits, workflows
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.doubles import ports


class Building:
    """A browser that has an automation open in the builder."""

    def __init__(self, browser: Browser, workflow: str) -> None:
        self.browser, self.page = browser, f"/console/workflows/{workflow}/edit"

    def open(self, at: str = "") -> None:
        self.browser.open(f"{self.page}?at={at}" if at else self.page)

    def do(self, doing: str, typed: dict[str, str] | None = None) -> Any:
        return self.browser.press(self.page, typed=typed, do=doing)

    def steps(self) -> list[str]:
        return [" ".join(text.split()) for text in self.texts("//button[@data-step]//strong")]

    def texts(self, path: str) -> list[str]:
        return [one.text_content() for one in self.browser.root.xpath(path)]

    def value(self, name: str) -> Any:
        found = self.browser.root.get_element_by_id(name)
        return found.value.removeprefix("\n") if found.tag == "textarea" else found.value

    def about(self, name: str) -> str:
        return " ".join(self.browser.root.get_element_by_id(f"about-{name}").text_content().split())


@pytest.fixture
def building(owner: Browser, there: Sample) -> Building:
    made = Building(owner, there.workflow)
    made.open()
    return made


def of(there: Sample) -> edits.Edit:
    return edits.get(there.people["OWNER"], there.workflow)


def test_the_flow_is_drawn_with_what_is_chosen_beside_it(building: Building) -> None:
    assert building.steps() == [
        "Look the company up",
        "Is it risky?",
        "Ask compliance",
        "Note that it is harmless",
        "Each director",
        "Send the questionnaire",
        "Wait for a week",
    ]
    assert building.value("f:config.url") == "https://registry.example/{{input.company}}"
    building.do("at:step.ask")
    assert building.value("f:config.message") == "May we take on {{input.company}}?"
    assert not of_changed(building)


def of_changed(building: Building) -> bool:
    return "have no effect until you save them" in building.browser.text


def test_looking_at_every_step_changes_nothing(building: Building, there: Sample) -> None:
    for step in ("register", "risky", "ask", "note", "each", "hello", "later"):
        building.open(f"step.{step}")
        building.do("keep:")
        assert not of_changed(building), step
    for at in ("trigger", "settings", "yaml", "sample"):
        building.do(f"at:{at}")
        building.do("keep:")
        assert not of_changed(building), at
    assert of(there).sample == {}


def test_what_was_typed_is_kept_whatever_button_is_pressed(
    building: Building, there: Sample
) -> None:
    building.open("step.register")
    building.do("at:step.ask", {"f:name": "Register", "f:config.method": "POST"})
    assert building.steps()[0] == "Register"
    step = of(there).definition["steps"][0]
    assert (step["name"], step["config"]["method"]) == ("Register", "POST")
    building.do("undo:", {"f:config.message": "Changed, and taken back"})
    assert building.value("f:config.message") == "May we take on {{input.company}}?"
    building.do("redo:")
    assert building.value("f:config.message") == "Changed, and taken back"


def test_steps_are_added_moved_copied_disabled_and_taken_out(building: Building) -> None:
    building.do("at:add.risky/then/1")
    assert "Ask a language model" in building.browser.text
    building.do("new:delay")
    assert building.value("f:name") == "Delay"
    assert building.steps()[2:4] == ["Ask compliance", "Delay"]
    (up,) = building.browser.root.xpath("//button[@data-way='up']/@value")
    building.do(up)
    assert building.steps()[2:4] == ["Delay", "Ask compliance"]
    (out,) = building.browser.root.xpath("//button[@data-way='out']/@value")
    building.do(out)
    assert building.steps()[4] == "Delay"
    (copy,) = building.browser.root.xpath("//button[@data-way='copy']/@value")
    building.do(copy)
    assert building.steps()[4:6] == ["Delay", "Delay 2"]
    (toggle,) = building.browser.root.xpath("//button[starts-with(@value, 'toggle:')]/@value")
    building.do(toggle)
    assert "runs skip this step" in building.browser.text
    (delete,) = building.browser.root.xpath("//button[@data-way='delete']/@value")
    building.do(delete)
    assert "Delay 2" not in building.steps()


def test_every_problem_stands_at_its_field_in_the_words_of_the_api(
    building: Building, there: Sample
) -> None:
    building.open("step.register")
    building.do("keep:", {"f:config.url": "", "f:timeout": "soon"})
    assert building.about("f:config.url") == "is required"
    assert "must be an ISO 8601 duration" in building.about("f:timeout")
    assert "2 problems" in building.browser.text
    answer = building.do("save:")
    assert answer.status_code == 400
    assert "“Look the company up”, url" in building.browser.text
    building.do("undo:")
    building.open("step.note")
    building.do("keep:", {"f:config.message": "{{steps.nothing.x}} {{nowhere}}"})
    assert "there is no step 'nothing' before this one" in building.about("f:config.message")
    assert "unknown name 'nowhere'" in building.about("f:config.message")
    assert workflows.get(there.workspace, there.workflow).version == 2


def test_a_template_is_shown_with_what_it_would_come_to(building: Building, there: Sample) -> None:
    building.open("step.hello")
    assert building.about("f:config.to") == "becomes ada@b.example"
    building.do("keep:", {"f:config.subject": "{{input.company}}: {{steps.register.status}}"})
    assert building.about("f:config.subject").endswith(": 200")
    building.do("keep:", {"f:config.body": "{{input.nobody}}"})
    assert building.about("f:config.body").startswith("not with this data:")
    building.open("step.risky")
    said = "row 1: 'input.amount' is not there in this run"
    assert said in building.browser.text
    building.do("at:sample")
    building.do("at:step.hello", {"sample": '{"input": {"nobody": "Somebody"}}'})
    assert building.about("f:config.body") == "becomes Somebody"
    building.do("at:sample")
    for wrong in ("{", "[]", '{"nothing": {}}', '{"input": 5}'):
        assert building.do("keep:", {"sample": wrong}).status_code == 400
        assert building.value("sample") == wrong, "it is not lost"


def test_what_is_at_hand_at_a_place_is_offered(building: Building, there: Sample) -> None:
    secrets.put(there.workspace, "API_KEY", "correct horse battery")
    building.open("step.hello")
    offered = building.browser.root.xpath("//button/@data-insert")
    assert "{{input.company}}" in offered
    assert "{{steps['Look the company up'].body.directors}}" in offered
    assert "{{loop.item.email}}" in offered
    assert "{{secret.API_KEY}}" in offered
    assert "correct horse battery" not in building.browser.answer.text
    building.open("step.register")
    offered = building.browser.root.xpath("//button/@data-insert")
    assert not [one for one in offered if one.startswith(("{{steps", "{{loop"))]


def test_saving_makes_a_version_and_is_on_record(building: Building, there: Sample) -> None:
    building.open("step.note")
    building.do("at:settings", {"f:config.title": "Fine"})
    building.do(
        "save:",
        {"f:description": "New words", "f:variables:0": "limit", "f:variables:0:value": "12"},
    )
    assert "Saved as a new version" in building.browser.text
    automation = workflows.get(there.workspace, there.workflow)
    assert (automation.version, automation.definition["description"]) == (3, "New words")
    assert automation.definition["variables"] == {"limit": 12}
    with unit_of_work() as session:
        last = session.query(AuditLog).order_by(AuditLog.at.desc()).first()
        assert last is not None
        assert (last.action, last.details["version"]) == ("workflow.update", 3)


def test_who_comes_second_is_told_and_chooses(building: Building, there: Sample) -> None:
    building.open("step.note")
    building.do("keep:", {"f:config.title": "Mine"})
    workflows.update(there.people["ADMIN"], there.workflow, {"description": "Theirs"}, ports())
    answer = building.do("save:")
    assert answer.status_code == 409
    assert "admin@b.example has saved version 3 meanwhile" in building.browser.text
    assert workflows.get(there.workspace, there.workflow).version == 3
    building.do("follow:")
    building.do("save:")
    assert workflows.get(there.workspace, there.workflow).version == 4
    workflows.update(there.people["ADMIN"], there.workflow, {"description": "Again"}, ports())
    building.open("settings")
    assert building.value("f:description") == "Again", "there was nothing to lose"


def test_another_window_s_changes_are_not_overwritten(
    app: FastAPI, building: Building, there: Sample
) -> None:
    building.open("step.note")
    other = Building(Browser(app, there.tokens["OWNER"]), there.workflow)
    other.open("step.later")
    other.do("keep:", {"f:config.duration": "P1D"})
    answer = building.do("keep:", {"f:config.title": "Late"})
    assert answer.status_code == 409
    assert "another window" in building.browser.text
    assert of(there).definition["steps"][3]["config"] == {"duration": "P1D"}


def test_what_an_edit_means_for_runs_in_flight_is_said(building: Building) -> None:
    building.open("step.later")
    building.do("delete:later")
    assert "3 runs are in flight: they continue on the version" in building.browser.text
    assert "1 of them waits at a step that you removed" in building.browser.text


def test_yaml_changes_the_flow_and_the_other_way_round(building: Building, there: Sample) -> None:
    building.do("at:yaml")
    written = building.value("yaml")
    assert "Look the company up" in written
    building.do("keep:", {"yaml": written.replace("Look the company up", "Ask the register")})
    assert building.steps()[0] == "Ask the register"
    ids = [step["id"] for step in of(there).definition["steps"]]
    assert ids == ["register", "risky", "each", "later"]
    answer = building.do("keep:", {"yaml": "name: [\n"})
    assert answer.status_code == 400
    assert building.value("yaml").strip() == "name: [", "what was typed is not lost"
    assert "line 2" in building.about("yaml")
    building.do("at:step.register", {"yaml": "name: Empty\nsteps: []\n"})
    assert building.steps() == []
    building.do("undo:")
    assert building.steps()[0] == "Look the company up"


def test_a_trigger_is_of_another_type_by_a_button(building: Building, there: Sample) -> None:
    building.do("at:trigger")
    building.do("kind:schedule")
    building.do("keep:", {"f:trigger.cron": "0 9 * * 1"})
    assert "Every Monday at 09:00" in building.browser.text
    building.do("keep:", {"f:trigger.cron": "whenever"})
    assert building.about("f:trigger.cron")
    building.do("kind:webhook")
    building.do(
        "save:", {"f:trigger.verification": "github", "f:trigger.secret": "correct horse battery"}
    )
    assert "Saved" in building.browser.text
    assert "correct horse battery" not in building.browser.answer.text
    assert building.value("f:trigger.secret") == "********"


def test_one_step_is_tested_as_it_was_saved(building: Building, there: Sample) -> None:
    building.open("step.risky")

    def test() -> Any:
        return building.browser.press(building.page, to=f"{building.page}/test", do="test:")

    building.do("at:sample")
    building.do(
        "at:step.risky", {"sample": '{"input": {"amount": 20000, "politicallyExposed": false}}'}
    )
    assert test().status_code == 200
    assert "Continues with: If so" in building.browser.text
    with unit_of_work() as session:
        run = session.query(Run).filter(Run.trigger_type == "test").one()
        assert run.status == "COMPLETED"
    building.do("keep:", {"f:name": "Changed"})
    assert test().status_code == 409
    assert "Save first" in building.browser.text


def test_a_step_that_is_not_saved_is_saved_and_tested_unless_it_is_in_use(
    building: Building, there: Sample
) -> None:
    owner, draft = there.people["OWNER"], {"status": "DRAFT"}
    building.open("step.risky")
    building.do("keep:", {"f:name": "Changed"})
    assert building.texts("//button[@value='test:']")
    assert not building.texts("//button[@value='test:save']")
    building.do("discard:")
    workflows.update(owner, there.workflow, draft, ports())
    building.open("step.risky")
    building.do("at:sample")
    given = '{"input": {"amount": 20000, "politicallyExposed": false}}'
    building.do("at:step.risky", {"sample": given})
    building.do("keep:", {"f:name": "Changed"})
    (label,) = building.texts("//button[@value='test:save']")
    assert label.strip() == "Save and test this step"
    page = building.page
    assert building.browser.press(page, to=f"{page}/test", do="test:save").status_code == 200
    assert "Continues with: If so" in building.browser.text
    assert "Changed" in str(workflows.get(there.workspace, there.workflow).definition)


def test_steps_are_taken_to_another_automation_as_text(
    building: Building, owner: Browser, there: Sample
) -> None:
    building.open("step.risky")
    source = building.browser.root.get_element_by_id("step-source").text_content()
    assert "May we take on {{input.company}}?" in source
    other = Building(owner, there.digest)
    other.open("step.mail")
    # By the keyboard, from the clipboard; then by hand, before the first step.
    other.do("paste:", {"clip": source})
    pasted = ["Is it risky?", "Ask compliance", "Note that it is harmless"]
    assert other.steps() == ["Mail the digest", *pasted]
    other.do("at:add./steps/0")
    other.do("paste:", {"pasted": "- {name: Mail the digest, type: email}\n- {type: delay}"})
    assert other.steps()[:3] == ["Mail the digest 2", "delay", "Mail the digest"]
    many = "- {type: delay}\n" * 1_001
    for wrong in ("", "just a text", "- {type: nothing}", "a: [", "{}", "[]", many):
        before = other.steps()
        assert other.do("paste:", {"clip": wrong}).status_code == 400
        assert other.steps() == before


def test_a_member_and_a_viewer_see_no_way_to_edit(
    browsers: dict[str, Browser], there: Sample
) -> None:
    page = f"/console/workflows/{there.workflow}"
    for role in ("MEMBER", "VIEWER"):
        browsers[role].open(page)
        assert not browsers[role].root.xpath(f"//a[@href='{page}/edit']")
        assert browsers[role].open(f"{page}/edit").status_code == 403
    browsers["ADMIN"].open(page)
    assert browsers["ADMIN"].root.xpath(f"//a[@href='{page}/edit']")


def test_what_cannot_be_done_with_a_draft_is_refused_and_changes_nothing(
    building: Building, there: Sample
) -> None:
    for doing in (
        "new:nothing", "new:delay", "kind:nothing", "move:risky:risky/then/0", "move:risky",
        "copy:nothing", "delete:", "toggle:x", "move:ask:gone/then/0",
    ):  # fmt: skip
        building.open("step.note")
        assert building.do(doing).status_code in (400, 404), doing
    building.open("step.note")
    assert building.do("keep:", {"number": "x"}).status_code == 400
    assert not of(there).is_changed


def test_the_input_of_a_run_is_described_by_rows(building: Building, there: Sample) -> None:
    building.do("at:trigger")
    assert building.browser.root.xpath("//*[@name='f:trigger.inputSchema:1']/@value") == ["country"]
    typed = {
        "f:trigger.inputSchema:4": "due",
        "f:trigger.inputSchema:4:value": "Due on",
        "f:trigger.inputSchema:4:operator": "date",
        "f:trigger.inputSchema:4:ticked": "on",
        "f:trigger.inputSchema:2": "",
        "f:trigger.inputSchema:2:operator": "",
    }
    building.do("keep:", typed)
    schema = of(there).definition["trigger"]["inputSchema"]
    assert schema["required"] == ["company", "due"]
    assert list(schema["properties"]) == ["company", "country", "politicallyExposed", "due"]
    assert schema["properties"]["country"]["enum"] == ["PL", "DE", "FR"], "what else it says stays"
    assert schema["properties"]["due"] == {"type": "string", "format": "date", "title": "Due on"}
    building.do("at:yaml")
    building.do(
        "at:trigger",
        {"yaml": "name: x\ntrigger: {type: manual, config: {inputSchema: {anyOf: [{}]}}}\n"},
    )
    assert building.value("f:trigger.inputSchema") == '{\n  "anyOf": [\n    {}\n  ]\n}'


def test_a_window_that_has_not_seen_the_last_change_acts_on_nothing(
    app: FastAPI, building: Building, there: Sample
) -> None:
    for doing in ("undo:", "discard:", "save:", "delete:risky"):
        building.open("step.note")
        other = Building(Browser(app, there.tokens["OWNER"]), there.workflow)
        other.open("step.later")
        days = f"P{of(there).number + 2}D"
        other.do("keep:", {"f:config.duration": days})
        assert building.do(doing).status_code == 409, doing
        found = of(there).definition["steps"]
        assert (len(found), found[3]["config"]["duration"]) == (4, days)


def test_whatever_a_text_says_the_draft_can_be_opened_again(
    building: Building, there: Sample
) -> None:
    for written in (
        "name: x\ntrigger: abc\nsteps: []",
        "name: x\ntrigger: {type: [webhook]}\nsteps: hello",
        "name: [x]\nsteps: [5, {type: 5, name: [a], config: 3}]",
        "name: x\nsteps: [{type: nothing, name: a, onError: [{type: delay, name: b}]}]",
    ):
        building.open("yaml")
        assert building.do("keep:", {"yaml": written}).status_code in (200, 400), written
        for placed in editing.walk(of(there).definition):
            step_id = placed.step["id"]
            for doing in (f"copy:{step_id}", f"toggle:{step_id}", f"delete:{step_id}"):
                building.open(f"step.{step_id}")
                assert building.do(doing).status_code == 200, (written, doing)
                building.do("undo:")


def test_the_whole_is_tried_as_it_is_written_and_nothing_is_done(
    building: Building, there: Sample
) -> None:
    before = _runs(there)
    building.do("at:sample")
    building.do("keep:", {"sample": '{"input": {"amount": 5, "politicallyExposed": false}}'})
    building.open("step.ask")
    building.do("at:trial", {"f:config.message": "Shall we take on {{input.company}}?"})
    assert "without effects" in building.browser.text
    building.browser.press(building.page, to=f"{building.page}/try")
    assert [" ".join(text.split()) for text in building.texts("//li[@data-tried]//strong")][:3] == [
        "Look the company up",
        "Is it risky?",
        "Note that it is harmless",
    ]
    assert "GET https://registry.example/" in building.browser.text
    assert _runs(there) == before


def test_a_pause_is_passed_as_it_was_chosen(building: Building, there: Sample) -> None:
    building.do("at:sample", {"sample": ""})
    building.do("keep:", {"sample": '{"input": {"company": "ACME", "amount": 20000}}'})
    building.do("at:trial")
    building.browser.press(building.page, to=f"{building.page}/try")
    assert "May we take on ACME?" in building.browser.text
    assert "A run would complete." in building.browser.text
    chosen = {"answer:ask": "rejected"}
    building.browser.press(building.page, typed=chosen, to=f"{building.page}/try")
    assert "A run would fail." in building.browser.text
    (kept,) = building.browser.root.xpath("//select[@name='answer:ask']")
    assert kept.value == "rejected"


def test_what_comes_with_an_answer_is_of_the_sample(building: Building, there: Sample) -> None:
    sample = '{"answers": {"Ask compliance": {"decision": "rejected", "data": {"note": "no"}}}, '
    building.do("at:sample", {"sample": ""})
    building.do("keep:", {"sample": f'{sample}"input": {{"company": "ACME", "amount": 20000}}}}'})
    building.do("at:trial")
    building.browser.press(building.page, to=f"{building.page}/try")
    assert "A run would fail." in building.browser.text
    assert '"note": "no"' in building.browser.text


def test_what_is_not_whole_is_not_tried_and_says_where(building: Building) -> None:
    building.open("step.register")
    building.do("keep:", {"f:config.url": ""})
    building.browser.press(building.page, to=f"{building.page}/try")
    assert building.browser.answer.status_code == 400
    assert "“Look the company up”, url" in building.browser.text


def _runs(there: Sample) -> int:
    with unit_of_work() as session:
        return session.query(Run).filter_by(workflow_id=there.workflow).count()


def test_what_a_step_names_by_an_id_is_drawn_by_its_name(owner: Browser, there: Sample) -> None:
    owner.open("/console/workflows/new")
    owner.press("/console/workflows/new/invoice-approval")
    (invoices,) = [table for table in tables.list_all(there.workspace) if table.name == "Invoices"]
    flow, workflow = "//*[@data-flow]", owner.path.removesuffix("/edit")
    (drawn,) = owner.root.xpath(flow)
    assert "Invoices · Add or change a row" in drawn.text_content()
    assert invoices.id not in drawn.text_content()
    owner.open(workflow)
    assert "Invoices · Add or change a row" in owner.text
    owner.open(f"{workflow}/run")
    filled = {"input.number": "1", "input.supplier": "ACME", "input.amount": "5"}
    owner.press(f"{workflow}/execute", typed=filled)
    assert owner.path.startswith("/console/runs/")
    assert "Invoices · Add or change a row" in owner.text
    tables.delete(there.workspace, invoices.id, force=True)
    owner.open(workflow)
    assert "Invoices (deleted) · Add or change a row" in owner.text
