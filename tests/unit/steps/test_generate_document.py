"""The step that makes a document: what it orders, and what it gives."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.ports import DocumentOrder, StoredDocument
from automations.steps.generate_document import GenerateDocument, GenerateDocumentConfig
from automations.steps.outcomes import Done, Outcome
from tests.doubles import context

NAMES = {
    "trigger": {"type": "manual"},
    "submission": {"name": "Ada"},
    "input": {},
    "variables": {"limit": 5},
    "steps": {"Look up": {"total": 3}},
    "run": {"id": "r"},
    "workflow": {"id": "w"},
    "now": "2026-03-01T12:00:00.000Z",
}


class Office:
    """Makes nothing and keeps the orders."""

    def __init__(self) -> None:
        self.orders: list[DocumentOrder] = []

    def generate(self, order: DocumentOrder) -> StoredDocument:
        self.orders.append(order)
        return StoredDocument("d1", "Letter.pdf", order.format, 3, "abc", "typst")


def run(config: dict[str, Any], names: dict[str, Any] = NAMES) -> tuple[Outcome, DocumentOrder]:
    office = Office()
    parsed = GenerateDocumentConfig.model_validate(config, context=RENDERED)
    outcome = GenerateDocument().run(parsed, context(names, documents=office))
    return outcome, office.orders[0]


def test_the_output_says_what_was_made_and_by_what() -> None:
    outcome, order = run({"templateId": "t1", "filename": "Letter", "data": {"a": 1}})
    assert outcome == Done(
        {
            "documentId": "d1",
            "name": "Letter.pdf",
            "format": "pdf",
            "size": 3,
            "sha256": "abc",
            "engine": "typst",
            "losses": [],
        }
    )
    assert order == DocumentOrder(
        workspace_id="workspace1",
        run_id="run1",
        key="run1:node1:0",
        template_id="t1",
        format="pdf",
        filename="Letter",
        data={"a": 1},
        seconds=context({}).timeout.total_seconds(),
        allow_loss=False,
    )


def test_without_data_the_template_gets_the_names_of_the_run() -> None:
    _, order = run({"templateId": "t1", "format": "docx"})
    assert order.data == NAMES
    assert order.format == "docx"


def test_in_a_loop_the_template_gets_its_item_too() -> None:
    _, order = run({"templateId": "t1"}, {**NAMES, "loop": {"item": "x", "index": 0}})
    assert order.data["loop"] == {"item": "x", "index": 0}


def test_what_may_be_lost_is_said_by_the_step_and_what_was_lost_by_its_output() -> None:
    class Lossy(Office):
        def generate(self, order: DocumentOrder) -> StoredDocument:
            self.orders.append(order)
            return StoredDocument("d1", "L.pdf", "pdf", 3, "abc", "typst", ("tabs",))

    office = Lossy()
    config = GenerateDocumentConfig.model_validate(
        {"templateId": "t1", "allowLoss": True}, context=RENDERED
    )
    outcome = GenerateDocument().run(config, context(NAMES, documents=office))
    assert isinstance(outcome, Done)
    assert (office.orders[0].allow_loss, outcome.output["losses"]) == (True, ["tabs"])


def test_empty_data_is_not_absent() -> None:
    _, order = run({"templateId": "t1", "data": {}})
    assert order.data == {}


def test_format_and_data_may_be_templates_until_they_are_rendered() -> None:
    config = {"templateId": "t1", "format": "{{input.format}}", "data": "{{submission}}"}
    GenerateDocumentConfig.model_validate(config)
    with pytest.raises(ValidationError):
        GenerateDocumentConfig.model_validate(config, context=RENDERED)


@pytest.mark.parametrize(
    "change",
    [
        {"templateId": ""},
        {"templateId": None},
        {"format": "exe"},
        {"filename": "  "},
        {"filename": "x" * 1_001},
        {"data": "text"},
        {"data": [1]},
        {"engine": "word"},
    ],
)
def test_a_config_that_makes_no_document_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GenerateDocumentConfig.model_validate({"templateId": "t1", **change})
