"""Every page for every role: it is there, it is light, and it offers what its reader may do."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Match, Route

from api_bridge.console.queries import PAGE_SIZE
from automations.db.session import unit_of_work
from automations.db.tables import DocumentTemplate, Integration, Member, Submission, Wait
from automations.domain.statuses import WaitKind
from automations.services.runs import by_hand
from automations.services.workflows import workflows
from tests.console.conftest import Browser
from tests.console.sample import ROLES, Sample, editor_pages, pages
from tests.console.screenshots import addresses, doors
from tests.doubles import ports

MAX_BYTES = 200_000


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_shown_to_every_role(
    browsers: dict[str, Browser], there: Sample, role: str
) -> None:
    browser = browsers[role]
    may_edit = role in ("OWNER", "ADMIN")
    for path in [*pages(there), *(editor_pages(there) if may_edit else [])]:
        answer = browser.open(path)
        assert answer.status_code == 200, (path, answer.text[:2000])
        assert len(answer.content) < MAX_BYTES, path
        assert browser.heading(), path
        assert len(browser.root.xpath("//main")) == 1, path


NO_PAGES = {
    "/console/static/{name}",
    "/console/workflows/{workflow_id}/export",
    "/console/runs/{run_id}/export",
    "/console/runs/{run_id}/stream",
    "/console/forms/{form_id}/preview",
    "/console/documents/templates/{template_id}/content",
    "/console/documents/{document_id}/content",
    "/console/documents/{document_id}/view",
    "/console/tables/{table_id}/export",
    "/console/audit/export",
    "/console/security-events/export",
    "/console/evidence/{snapshot_id}/download",
    # It leads on to another page.
    "/console",
    # It is looked at with what the check of the chain says.
    "/console/evidence",
}
"""Addresses of what is no page, or stands in one."""


def test_every_page_is_among_those_that_are_looked_at(app: FastAPI, there: Sample) -> None:
    routes = [
        route
        for route in app.routes
        if isinstance(route, Route)
        and "GET" in (route.methods or ())
        and route.path.startswith("/console")
        and route.path not in NO_PAGES
    ]
    seen = set()
    for address in {**addresses(there), **doors(there)}.values():
        scope = {"type": "http", "method": "GET", "path": address.partition("?")[0]}
        seen.add(next(route.path for route in routes if route.matches(scope)[0] is Match.FULL))
    assert {route.path for route in routes} - seen == set()


@pytest.mark.parametrize(
    "data",
    [
        {f"key {number}": f"value {number}" for number in range(5_000)},
        {"list": [f"item {number}" for number in range(5_000)]},
        {"map": {f"key {number}": [number] * 9 for number in range(5_000)}},
        {"text": "word " * 100_000, "word " * 10_000: "x"},
        [["word " * 100] * 100] * 500,
        "word " * 100_000,
    ],
    ids=["keys", "list", "map", "text", "nested", "bare"],
)
def test_what_is_decided_on_makes_no_page_heavy(owner: Browser, there: Sample, data: Any) -> None:
    with unit_of_work() as session:
        for wait in session.query(Wait).filter(Wait.kind == WaitKind.DECISION):
            wait.question = {"subject": "May we?", "body": "", "data": data}
        for submission in session.query(Submission):
            submission.data = data if isinstance(data, dict) else {"data": data}
    asked = there.runs["asked"]
    for page, most in {
        "/console/approvals": 50_000,
        "/console/submissions": 200_000,
        f"/console/approvals/{asked}": 2_000_000,
        f"/console/runs/{asked}": 2_000_000,
    }.items():
        answer = owner.open(page)
        assert (answer.status_code, len(answer.content) < most) == (200, True), page
    owner.open(f"/console/approvals/{asked}")
    assert "shortened" in owner.text or "..." in owner.text


def test_an_automation_of_as_many_steps_as_there_may_be_is_shown_as_far_as_it_is_read(
    owner: Browser, there: Sample
) -> None:
    config = {"to": "a@b.example", "subject": "<&>" * 60, "body": "x"}
    step = {"type": "email", "config": config, "retry": {"maxAttempts": 3}}
    steps = [{**step, "id": f"s{number}", "name": f"Step {number}"} for number in range(500)]
    made = workflows.create(there.people["OWNER"], {"name": "Long", "steps": steps}, ports())
    run = by_hand.execute(there.people["OWNER"], made.id, {})
    page = f"/console/workflows/{made.id}/edit?at=trigger"
    answer = owner.open(page)
    assert (answer.status_code, len(answer.content) < MAX_BYTES) == (200, True)
    assert "edit them as YAML" in owner.text
    for page in (f"/console/workflows/{made.id}", f"/console/runs/{run.id}"):
        answer = owner.open(page)
        assert (answer.status_code, len(answer.content) < MAX_BYTES) == (200, True), page
        assert "Step 149" in owner.text
        assert "and more steps" in owner.text


def test_lists_of_what_administrators_make_have_pages(owner: Browser, there: Sample) -> None:
    with unit_of_work() as session:
        for number in range(PAGE_SIZE + 1):
            name = f"Another {number:02}"
            member = {"email": f"n{number}@b.example", "role": "VIEWER"}
            content = {"content": b"x", "size": 1, "sha256": "x", "placeholders": []}
            session.add(Member(workspace_id=there.workspace, name=name, **member))
            session.add(
                DocumentTemplate(
                    workspace_id=there.workspace, name=name, format="markdown", **content
                )
            )
            session.add(
                Integration(workspace_id=there.workspace, name=name, type="WEBHOOK", config={})
            )
    for path in ("/console/members", "/console/documents/templates", "/console/integrations"):
        owner.open(path)
        assert len(owner.root.xpath("//tbody/tr")) == PAGE_SIZE, path
        (following,) = owner.root.xpath("//a[@rel='next']/@href")
        owner.open(following)
        assert owner.root.xpath("//tbody/tr"), path
        assert owner.root.xpath("//a[@rel='next']") == []
        assert owner.open(path, params={"page": "9999"}).status_code == 200
