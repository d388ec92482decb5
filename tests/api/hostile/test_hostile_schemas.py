"""Schemas that could hold the API, where it takes them, and values for them and for forms."""

from __future__ import annotations

from typing import Any

import pytest

from automations.kit.values import JSON
from tests.api.conftest import Api
from tests.api.documents.documents import field_errors
from tests.hostile import schemas as hostile


def manual(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "manual", "inputSchema": {"type": "object", **schema}}


@pytest.mark.parametrize(
    "name", ["a pattern that looks back", "repetitions of repetitions", "a reference to elsewhere"]
)
def test_no_trigger_has_a_schema_that_cannot_be_used(api: Api, name: str) -> None:
    body = {"name": "x", "steps": [], "trigger": manual(hostile.REFUSED[name])}
    errors = field_errors(api.call("POST", "/api/workflows", body))
    assert "is not a JSON schema" in errors["trigger.inputSchema"][0]


@pytest.mark.parametrize("name", ["references that double", "many names for many patterns"])
def test_an_input_is_not_checked_without_end(api: Api, name: str) -> None:
    schema, value = hostile.COSTLY[name]
    inside = {key: part for key, part in schema.items() if key != "$defs"}
    trigger = manual({"properties": {"a": inside}, "$defs": schema.get("$defs", {})})
    workflow = api.workflow(trigger=trigger)["id"]
    answer = api.call("POST", f"/api/workflows/{workflow}/execute", {"input": {"a": value}})
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert "needs too many checks" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["multiselect", "checkbox"])
def test_the_items_of_a_submission_are_counted_before_they_are_compared(
    api: Api, kind: str
) -> None:
    options = [{"label": letter, "value": letter} for letter in "ab"]
    field = {"id": "c", "key": "c", "type": kind, "options": options}
    form = {"title": "x", "schema": {"sections": [{"id": "s", "fields": [field]}]}}
    form_id = api.call("POST", "/api/forms", form).json()["id"]
    too_many: tuple[list[JSON], ...] = ([*range(4_000), "a"], [[]] * 4_000, ["a", "b", "a"])
    for data in too_many:
        answer = api.call("POST", "/api/submissions", {"formId": form_id, "data": {"c": data}})
        assert field_errors(answer) == {"data.c": ["must have at most 2 items"]}
    answer = api.call("POST", "/api/submissions", {"formId": form_id, "data": {"c": ["a", "a"]}})
    assert list(field_errors(answer)) == ["data.c"]
