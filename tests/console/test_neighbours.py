"""What a form names in its inputs is the workspace's own: nothing of another one is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from automations.db.access import api_keys
from automations.db.session import unit_of_work
from automations.db.tables import Matter, Member
from automations.domain.forms.schema import FormSchema
from automations.domain.matters import Board
from automations.domain.principals import Principal
from automations.domain.tables.columns import TableShape
from automations.errors import DomainError
from automations.ports import NewMatter
from automations.services.access import members, sign_ins
from automations.services.forms import forms
from automations.services.matters import matters, templates
from automations.services.runs import by_hand
from automations.services.tables import tables
from automations.services.workflows import workflows
from tests.console import sample
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.doubles import ports


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another workspace, with something of what forms name."""

    member: str
    board: str
    matter: str
    form: str
    table: str
    workflow: str
    run: str


@pytest.fixture
def neighbour(there: Sample) -> Neighbour:
    with unit_of_work() as session:
        here = api_keys.ensure_workspace(session, "next-door", "Next door")
    first = Principal(here, "OWNER", "setup", key_id="setup")
    member = members.create(first, name="Nia", email="nia@next.example", role="OWNER")
    owner = Principal(here, "OWNER", member.email, member_id=member.id)
    board = templates.create(
        here, Board.model_validate({"name": "B", "steps": [{"name": "S", "type": "TASK"}]})
    )
    made = matters.create(owner, NewMatter(template_id=board.id, title="Theirs"))
    schema = FormSchema.model_validate({"sections": [{"id": "s", "fields": []}]})
    workflow = workflows.create(owner, sample.KYC, ports()).id
    return Neighbour(
        member=member.id,
        board=board.id,
        matter=made.matter.id,
        form=forms.create(here, title="F", description="", form=schema).id,
        table=tables.create(
            here,
            TableShape.model_validate({"name": "T", "columns": [{"key": "a", "type": "text"}]}),
        ).id,
        workflow=workflow,
        run=by_hand.execute(owner, workflow, {"company": "x"}).id,
    )


def test_no_input_of_a_form_reaches_another_workspace(
    owner: Browser, there: Sample, neighbour: Neighbour
) -> None:
    owner.open("/console/workflows")
    (token,) = set(owner.root.xpath("//input[@name='csrf']/@value"))
    new: dict[str, str] = {"title": "x", "priority": "LOW"}
    sent: list[tuple[str, dict[str, str], set[int]]] = [
        ("/console/matters/new", {**new, "board": neighbour.board}, {404}),
        (
            "/console/matters/new",
            {**new, "board": there.board, "assignee_id": neighbour.member},
            {400},
        ),
        ("/console/matters/move", {"matter": neighbour.matter, "act": "advance"}, {400}),
        ("/console/matters/move", {"advance": f"{neighbour.matter}:x"}, {400}),
        (
            "/console/api-keys",
            {"name": "x", "role": "VIEWER", "member": neighbour.member},
            {400},
        ),
        ("/console/runs/bulk", {"run": neighbour.run, "act": "cancel"}, {400}),
        ("/console/approvals/bulk", {"run": neighbour.run, "decision": "approved"}, {400, 404}),
    ]
    for path, values, statuses in sent:
        answer = owner.send(path, token, **values)
        assert answer.status_code in statuses, (path, values, answer.status_code)
        assert "Theirs" not in answer.text
    with unit_of_work() as session:
        theirs = session.get_one(Matter, neighbour.matter)
        assert (theirs.status, session.query(Matter).filter_by(title="x").count()) == ("ACTIVE", 0)


def ids_of(there: Sample) -> dict[str, str]:
    """What a page's address may name of a workspace, by the names that routes have for it."""
    return {
        "connection_id": there.things["http"],
        "document_id": next(iter(there.documents.values())),
        "event_id": there.event,
        "form_id": there.questionnaire,
        "integration_id": there.things["integration"],
        "key_id": there.things["key"],
        "matter_id": there.matters[0],
        "member_id": str(there.people["VIEWER"].member_id),
        "node_id": "register",
        "number": "1",
        "row_id": there.rows[0],
        "run_id": there.runs["completed"],
        "submission_id": there.submission,
        "sync_id": there.things["sync"],
        "table_id": there.table,
        "template_id": there.template,
        "workflow_id": there.workflow,
    }


def test_no_address_of_a_page_leads_into_another_workspace(
    app: FastAPI, there: Sample, neighbour: Neighbour
) -> None:
    with unit_of_work() as session:
        token = sign_ins.open_session(session, session.get_one(Member, neighbour.member)).token
    browser = Browser(app, token)
    browser.open("/console/workflows")
    csrf = browser.root.xpath("//input[@name='csrf']/@value")[0]
    known = ids_of(there)
    tried = 0
    for route in app.routes:
        if not isinstance(route, APIRoute) or not route.path.startswith("/console/"):
            continue
        named = set(route.param_convertors)
        if not named or not named <= known.keys():
            continue
        path = route.path.format_map(known)
        answer = browser.open(path) if "GET" in route.methods else browser.send(path, csrf)
        assert answer.status_code == 404, (path, answer.status_code, answer.text[:300])
        tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("create_matter", {"templateId": "{board}", "title": "x"}),
        ("send_form", {"formId": "{form}", "recipients": "a@b.example"}),
        ("table_operations", {"operation": "create", "tableId": "{table}", "data": {}}),
    ],
)
def test_an_automation_that_names_what_is_of_another_workspace_is_not_activated(
    owner: Browser, there: Sample, neighbour: Neighbour, kind: str, config: dict[str, Any]
) -> None:
    theirs = {
        name: value.format_map({name: getattr(neighbour, name) for name in neighbour.__slots__})
        if isinstance(value, str)
        else value
        for name, value in config.items()
    }
    body = {
        "name": "x",
        "status": "ACTIVE",
        "steps": [{"name": "S", "type": kind, "config": theirs}],
    }
    with pytest.raises(DomainError):
        workflows.create(there.people["OWNER"], body, ports())
