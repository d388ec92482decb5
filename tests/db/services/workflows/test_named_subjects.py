"""An automation names what somebody deletes at the same moment: one of the two is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from automations.db.session import Session
from automations.db.tables import DataTable, Form, MatterTemplate
from automations.db.workflows import workflows as named
from automations.domain.forms.schema import FormSchema
from automations.domain.tables.columns import TableShape
from automations.errors import InUse, ValidationFailed
from automations.kit import common_clock
from automations.kit.ids import new_id
from automations.services.forms import forms
from automations.services.matters import templates
from automations.services.tables import tables
from automations.services.workflows import files, workflows
from automations.services.workflows.lookups import require
from tests.db.workspace import behind, principal, template, workspace
from tests.doubles import ports

SHAPE = TableShape.model_validate({"name": "T", "columns": [{"key": "a", "type": "text"}]})
FORM = FormSchema.model_validate({"sections": []})


@dataclass(frozen=True)
class Subject:
    """Something that automations name.

    Args:
        naming: an automation that does.
        row: what is marked when it is deleted.
    """

    naming: dict[str, Any]
    delete: Callable[[], object]
    row: tuple[type[Any], str]


def active(kind: str, **config: Any) -> dict[str, Any]:
    return {
        "name": "Names it",
        "status": "ACTIVE",
        "steps": [{"name": "S", "type": kind, "config": config}],
    }


@pytest.fixture
def here(database: str) -> str:
    return workspace()


@pytest.fixture(params=["table", "form", "form of a trigger", "board"])
def subject(request: pytest.FixtureRequest, here: str) -> Subject:
    if request.param == "table":
        one = tables.create(here, SHAPE).id
        naming = active("table_operations", operation="query", tableId=one)
        return Subject(naming, lambda: tables.delete(here, one), (DataTable, one))
    if request.param == "board":
        one = template(here)
        naming = active("create_matter", templateId=one, title="x")
        return Subject(naming, lambda: templates.delete(here, one), (MatterTemplate, one))
    one = forms.create(here, title="F", description="", form=FORM).id
    naming = active("send_form", formId=one, recipients="a@b.example")
    if request.param == "form of a trigger":
        naming = {"name": "x", "status": "ACTIVE", "formId": one, "steps": []}
    return Subject(naming, lambda: forms.delete(here, one), (Form, one))


def test_who_deletes_it_waits_and_finds_it_named(here: str, subject: Subject) -> None:
    by = principal(here)

    def create(session: Session) -> object:
        return workflows.add(session, by, subject.naming, ports(), new_id())

    assert isinstance(behind(create, subject.delete), InUse)


def test_so_does_who_deletes_it_while_a_draft_is_activated(here: str, subject: Subject) -> None:
    by = principal(here)
    draft = workflows.create(by, {**subject.naming, "status": "DRAFT"}, ports()).id

    def activate(session: Session) -> object:
        found = require(session, here, draft, lock=True)
        return workflows.change(session, by, found, {"status": "ACTIVE"}, ports())

    assert isinstance(behind(activate, subject.delete), InUse)


@pytest.mark.parametrize("door", ["API", "file"])
def test_who_names_it_waits_and_finds_it_gone(here: str, subject: Subject, door: str) -> None:
    by = principal(here)
    kind, row_id = subject.row

    def delete(session: Session) -> None:
        assert named.active_with(session, here, row_id) == []
        session.get_one(kind, row_id).deleted_at = common_clock.now()
        session.flush()

    def name_it() -> object:
        if door == "file":
            return files.apply(by, [subject.naming], ports())
        return workflows.create(by, subject.naming, ports())

    assert isinstance(behind(delete, name_it), ValidationFailed)
