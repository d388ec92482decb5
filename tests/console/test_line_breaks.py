"""Names of several lines: shown on their pages, and kept where nobody touches them."""

from __future__ import annotations

from typing import Any

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.domain.matters import Board
from automations.domain.tables import exports
from automations.domain.tables.columns import TableShape, columns_of
from automations.domain.tables.imports import rows_of
from automations.services.forms import edits
from automations.services.integrations import integrations
from automations.services.matters import templates
from automations.services.tables import tables
from automations.services.workflows import workflows
from automations.services.workflows.edits import get as edit_of
from tests.console.conftest import Browser
from tests.console.sample import KYC, Sample, editor_pages, pages, say
from tests.doubles import ports


class Editing:
    """A browser that has an automation or a form open to be written."""

    def __init__(self, browser: Browser, page: str) -> None:
        self.browser, self.page = browser, f"{page}/edit"

    def open(self, at: str) -> None:
        self.browser.open(f"{self.page}?at={at}")

    def keep(self, **typed: str) -> None:
        self.browser.press(self.page, typed=typed, do="keep:")


ODD = ["Two\nlines", "Two\r\nlines", "Two\rlines", "Two\u2028lines", 'A "quote"\n<b>&\tx  y']


@pytest.mark.parametrize("odd", ODD)
def test_of_a_table_and_its_columns(owner: Browser, there: Sample, odd: str) -> None:
    columns = [
        {"key": "a", "name": odd, "type": "text"},
        {"key": "b", "name": "B", "type": "select", "options": [odd]},
    ]
    written = {"name": odd, "description": f"{odd}\r\n", "columns": columns}
    made = tables.create(there.workspace, TableShape.model_validate(written))
    page = f"/console/tables/{made.id}/columns"
    owner.open(page)
    owner.press(page, typed={"c1.name": "Other"}, do="down.0")
    owner.press(page, do="save")
    table = tables.get(there.workspace, made.id)
    assert (table.name, table.description) == (made.name, made.description)
    assert [column["name"] for column in table.columns] == ["Other", odd]
    assert table.columns[0]["options"] == made.columns[1]["options"]


@pytest.mark.parametrize("odd", ODD)
def test_of_a_board_and_its_steps(owner: Browser, there: Sample, odd: str) -> None:
    steps = [{"name": odd, "type": "TASK"}, {"name": "B", "type": "TASK"}]
    written = {"name": odd, "description": odd, "steps": steps}
    made = templates.create(there.workspace, Board.model_validate(written))
    page = f"/console/matters/boards/{made.id}"
    owner.open(page)
    owner.press(page, typed={"s1.name": "Other"}, do="down.0")
    owner.press(page, do="save")
    template = templates.get(there.workspace, made.id)
    assert (template.name, template.description) == (odd, odd)
    assert [step["name"] for step in template.steps] == ["Other", odd]


@pytest.mark.parametrize("odd", ODD)
def test_of_an_integration(owner: Browser, there: Sample, odd: str) -> None:
    made = integrations.update(there.workspace, there.things["integration"], {"name": odd})
    page = f"/console/integrations/{made.id}"
    owner.open(page)
    owner.press(page, typed={"config.port": "25"})
    integration = integrations.get(there.workspace, made.id)
    assert (integration.name, integration.config["port"]) == (odd, 25)


@pytest.mark.parametrize("odd", ODD)
def test_of_a_form_and_all_its_parts(owner: Browser, there: Sample, odd: str) -> None:
    options = [{"label": odd, "value": odd}, {"label": "B", "value": "b"}]
    field = {"id": "f", "key": odd, "type": "select", "label": odd, "help": odd, "options": options}
    draft = {
        "title": odd.strip(),
        "description": odd,
        "schema": {"sections": [{"id": "s", "title": odd, "fields": [field]}]},
    }
    form = there.questionnaire
    designing = Editing(owner, f"/console/forms/{form}")
    edit = edits.get(there.people["OWNER"], form)
    edits.apply(there.people["OWNER"], form, edit.base_version, edit.number, "", lambda _: draft)
    for at in ("form", "part.0", "part.0.0"):
        designing.open(at)
        designing.keep()
        assert edits.get(there.people["OWNER"], form).draft == draft, at
    designing.keep(**{"option.1": "Other"})
    kept = edits.get(there.people["OWNER"], form).draft["schema"]["sections"][0]
    assert kept["fields"][0]["options"] == [options[0], {"label": "Other", "value": "b"}]


@pytest.mark.parametrize("odd", ODD)
def test_of_an_automation_and_its_steps(owner: Browser, there: Sample, odd: str) -> None:
    config = {
        "url": "https://b.example",
        "headers": {"x-a": "{{input.a}}"},
        "query": {odd: odd, "b": "2"},
    }
    rules = [
        {"field": odd, "operator": "equals", "value": odd},
        {"field": "", "operator": "equals", "value": ""},
        {"field": "{{input.a}}", "operator": "equals", "value": "x"},
    ]
    steps: list[dict[str, Any]] = [
        {"id": "a", "name": odd, "type": "http_request", "config": config},
        {"id": "b", "name": "B", "type": "condition", "config": {"rules": rules}},
    ]
    schema = {"type": "object", "properties": {odd: {"type": "string", "title": odd}}}
    written = {
        "name": odd,
        "description": odd,
        "steps": steps,
        "trigger": {"type": "manual", "inputSchema": schema},
    }
    made = workflows.create(there.people["OWNER"], written, ports())
    building = Editing(owner, f"/console/workflows/{made.id}")
    for at in ("step.a", "step.b", "trigger", "settings", "yaml"):
        building.open(at)
        building.keep()
        assert not edit_of(there.people["OWNER"], made.id).is_changed, at
    building.open("step.b")
    building.keep(**{"f:config.rules:2:value": "y"})
    building.open("step.a")
    building.keep(**{"f:config.query:1:value": "3"})
    kept = edit_of(there.people["OWNER"], made.id).definition["steps"]
    assert kept[1]["config"]["rules"] == [*rules[:2], {**rules[2], "value": "y"}]
    assert kept[0]["config"]["query"] == {odd: odd, "b": 3}
    for page in ("", "/versions"):
        owner.open(f"/console/workflows/{made.id}{page}")
        assert owner.answer.status_code == 200, page


@pytest.mark.parametrize("odd", ODD)
def test_of_what_a_run_may_be_given(owner: Browser, there: Sample, odd: str) -> None:
    schema = {
        "properties": {
            "one": {"type": "string", "enum": [odd, "b"]},
            "text": {"type": "string", "default": odd},
        },
    }
    written = {
        "name": "x",
        "status": "ACTIVE",
        "steps": [],
        "trigger": {"type": "manual", "inputSchema": schema},
    }
    made = workflows.create(there.people["OWNER"], written, ports())
    page = f"/console/workflows/{made.id}"
    owner.open(f"{page}/run")
    owner.press(
        f"{page}/execute", typed={"input.one": odd.replace("\r\n", "\n").replace("\r", "\n")}
    )
    assert "/console/runs/" in owner.path, owner.text
    with unit_of_work() as session:
        run = session.get_one(Run, owner.path.rpartition("/")[2])
        assert run.input == {"one": odd, "text": odd}


def test_of_everything_on_every_page_and_in_every_file(owner: Browser, there: Sample) -> None:
    odd = 'Two\nlines\r\nand\u2028a "third",; one'
    body = {**KYC, "name": odd, "description": odd}
    body["steps"] = [{**step, "name": f"{step['name']} {odd}"} for step in body["steps"]]
    workflows.update(there.people["OWNER"], there.workflow, body, ports())
    say(there, odd)
    files: set[str] = set()
    for path in [*pages(there), *editor_pages(there), f"/console/workflows/{there.workflow}/run"]:
        assert owner.open(path).status_code == 200, path
        files.update(owner.root.xpath("//a[@download]/@href"))
    assert len(files) > 5
    for path in files:
        answer = owner.open(path)
        assert answer.status_code == 200, path
        assert answer.content, path
    table = tables.get(there.workspace, there.table)
    written = "".join(exports.serialize("csv", columns_of(table.columns), [{"company": odd}]))
    assert rows_of(columns_of(table.columns), written) == [{"company": odd}]
