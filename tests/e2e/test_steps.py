"""Every step type in one real DAG, each with a real counterpart, pauses included."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import requests

from tests import specification
from tests.e2e.conftest import Stack
from tests.e2e.subjects import BOARD, FORM
from tests.waiting import until

TABLE = {"name": "Matters", "columns": [{"key": "matter", "name": "Matter", "type": "text"}]}
LETTER = {
    "name": "Letter",
    "format": "markdown",
    "content": base64.b64encode(b"# Dear {{ who }}\n\nThank you.").decode(),
}


def step(name: str, kind: str, order: int, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": kind, "order": order, "config": config}


def test_every_step_type_does_its_work_in_one_run(stack: Stack) -> None:
    form = stack.api("POST", "/api/forms", FORM, expect=201)["id"]
    table = stack.api("POST", "/api/tables", TABLE, expect=201)["id"]
    child = stack.create(step("Add", "code", 0, {"code": "return {n: input.input.n + 1}"}))
    letter = stack.api("POST", "/api/document-templates", LETTER, expect=201)["id"]
    board = stack.api("POST", "/api/matter-templates", BOARD, expect=201)["id"]
    steps: list[Callable[[int], dict[str, Any]]] = [
        lambda order: step(
            "Compute",
            "code",
            order,
            {
                "code": "variables.total = input.n * 2; console.log('hi'); return {n: input.n + 1}",
                "input": {"n": "{{input.n}}"},
            },
        ),
        lambda order: step(
            "Big?",
            "condition",
            order,
            {
                "rules": [{"field": "{{variables.total}}", "operator": "gt", "value": 10}],
                "then": [
                    step("Tell", "slack", 0, {"text": "{{steps.Compute.n}}", "channel": "#general"})
                ],
            },
        ),
        lambda order: step("Think", "ai", order, {"prompt": "size {{variables.total}}"}),
        lambda order: step(
            "Order",
            "http_request",
            order,
            {
                "method": "POST",
                "url": f"{stack.counterparts.url}/jobs",
                "body": {"report": "{{callback.url}}"},
                "waitForCallback": True,
            },
        ),
        lambda order: step(
            "Matter", "create_matter", order, {"templateId": board, "title": "{{steps.Think.text}}"}
        ),
        lambda order: step(
            "Letter",
            "generate_document",
            order,
            {"templateId": letter, "format": "pdf", "data": {"who": "{{steps.Matter.number}}"}},
        ),
        lambda order: step(
            "Send",
            "send_document",
            order,
            {
                "documentId": "{{steps.Letter.documentId}}",
                "recipients": ["letter@example.com"],
                "subject": "Your letter",
            },
        ),
        lambda order: step("Note", "notification", order, {"title": "Done", "message": "So far"}),
        lambda order: step(
            "Fill",
            "send_form",
            order,
            {
                "formId": form,
                "recipients": ["fill@example.com"],
                "waitForCompletion": True,
            },
        ),
        lambda order: step(
            "Child",
            "run_workflow",
            order,
            {
                "workflowId": child,
                "input": {"n": "{{variables.total}}"},
                "waitForCompletion": True,
            },
        ),
        lambda order: step(
            "Each",
            "loop",
            order,
            {
                "collection": "{{input.items}}",
                "steps": [
                    step(
                        "Twice",
                        "code",
                        0,
                        {"code": "return {n: input.n * 2}", "input": {"n": "{{loop.item}}"}},
                    )
                ],
            },
        ),
        lambda order: step(
            "Row",
            "table_operations",
            order,
            {
                "operation": "upsert",
                "tableId": table,
                "keys": ["matter"],
                "data": {"matter": "{{steps.Matter.number}}"},
            },
        ),
        lambda order: step(
            "Evidence", "evidence_snapshot", order, {"source": "AUDIT_LOGS", "title": "Log"}
        ),
        lambda order: step("Rest", "delay", order, {"duration": "PT1S"}),
        lambda order: step(
            "Ask", "approval", order, {"message": "OK?", "approvers": ["ask@example.com"]}
        ),
        lambda order: step(
            "Mail",
            "email",
            order,
            {
                "to": "all@example.com",
                "subject": "{{steps.Matter.number}}",
                "body": "{{steps.Fill.submissions[0].data.size}} {{steps.Order.callback.state}}",
            },
        ),
    ]
    workflow = stack.create(*(make(order) for order, make in enumerate(steps)))
    run = stack.execute(workflow, n=41, items=[1, 2, 3])

    link = until("the form's link", lambda: found_link(stack, "fill@example.com"), 120)
    assert requests.post(link, data={"data.size": "12"}, timeout=60).status_code == 200
    link = until("the approver's link", lambda: found_link(stack, "ask@example.com"), 120)
    assert requests.post(link, data={"decision": "approved"}, timeout=60).status_code == 200
    done = stack.wait(workflow, run, "COMPLETED")

    names = {line["stepId"]: line["stepName"] for line in done["logs"]}
    outputs = {names[node]: out for node, out in done["state"]["stepOutputs"].items()}
    assert outputs["Compute"] == {"n": 42, "logs": ["hi"]}
    assert done["state"]["variables"]["total"] == 82
    assert outputs["Tell"]["channel"] == "#general"
    assert outputs["Think"]["text"] == "About size 82"
    assert outputs["Think"]["usage"] == {"inputTokens": 5, "outputTokens": 7}
    assert outputs["Order"]["callback"] == {"state": "ready"}
    matter = stack.api("GET", f"/api/matters/{outputs['Matter']['matterId']}")
    assert matter["title"] == "About size 82"
    assert outputs["Letter"]["engine"] in ("typst", "libreoffice")
    (mail,) = stack.mails("letter@example.com")
    assert [file["filename"] for file in mail["attachments"]] == [outputs["Letter"]["name"]]
    assert outputs["Child"]["outputs"]["Add"]["n"] == 83
    assert [one["workflowId"] for one in done["childRuns"]] == [child]
    assert [result["n"] for result in outputs["Each"]["results"]] == [2, 4, 6]
    assert outputs["Row"]["row"] == {"matter": outputs["Matter"]["number"]}
    assert outputs["Evidence"]["rowCount"] > 0
    assert stack.command("verify-evidence").returncode == 0
    assert len(outputs["Note"]["notificationIds"]) == 1
    assert outputs["Fill"]["submissions"][0]["data"] == {"size": 12}
    (mail,) = stack.mails("all@example.com")
    assert (mail["subject"], mail["text"].strip()) == (outputs["Matter"]["number"], "12 ready")
    assert {line["stepType"] for line in done["logs"]} == specification.STEP_TYPES


def found_link(stack: Stack, address: str) -> str | None:
    for mail in stack.mails(address):
        if link := re.search(r"http://\S+/api/\S+", mail["text"]):
            return link.group(0)
    return None
