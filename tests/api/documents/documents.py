"""Document templates and documents, over HTTP."""

from __future__ import annotations

import base64
from typing import Any

from automations.adapters.documents.renderer import ConfinedRenderer
from automations.db.access import api_keys
from automations.db.session import unit_of_work
from automations.ports import Delivery, DocumentOrder, StoredDocument
from automations.services.documents.documents import StoredDocuments
from tests.api.conftest import Api
from tests.letters import letter

TEMPLATES = "/api/document-templates"


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def body(*paragraphs: str, **more: Any) -> dict[str, Any]:
    content = encoded(letter(*paragraphs))
    return {"name": "Letter", "format": "docx", "content": content, **more}


def create(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.call("POST", TEMPLATES, body("Dear {{ name }}", **more))
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def field_errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "VALIDATION_ERROR"
    errors: dict[str, list[str]] = answer.json()["details"]["fieldErrors"]
    return errors


def generate(api: Api, filename: str = "Letter") -> tuple[str, StoredDocument]:
    """A document that a run made, and the run."""
    workflow = api.workflow()["id"]
    run_id = api.call("POST", f"/api/workflows/{workflow}/execute", {}).json()["runId"]
    with unit_of_work() as session:
        workspace_id = api_keys.ensure_workspace(session, "default", "Default")
    order = DocumentOrder(
        workspace_id=workspace_id,
        run_id=run_id,
        key=f"{run_id}:make:0",
        template_id=create(api)["id"],
        format="docx",
        filename=filename,
        data={"name": "Ada"},
    )
    documents = StoredDocuments(ConfinedRenderer())
    made = documents.generate(order)
    delivery = Delivery(made.id, "ada@b.example", "REJECTED", None, "550 unknown")
    documents.record(f"{run_id}:send:0:ada@b.example", workspace_id, run_id, delivery)
    return run_id, made
