"""The fields of objects come back in the order in which they were written."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Event, Run
from automations.settings import get_settings
from tests.api.conftest import Api
from tests.api.matters.boards import board

WRITTEN = {"zeta": 1, "b": {"y": 1, "x": 2}, "alpha": [{"q": 1, "a": 2}], "aa": 9007199254740993}
SAME = json.dumps(WRITTEN)


def test_of_a_definition(api: Api) -> None:
    step = {
        "name": "Send",
        "type": "http_request",
        "config": {"url": "https://a.example", "method": "POST", "body": WRITTEN},
    }
    made = api.workflow(steps=[{**step, "order": 0}], variables=WRITTEN)
    automation = api.call("GET", f"/api/workflows/{made['id']}").json()
    assert json.dumps(automation["variables"]) == SAME
    assert json.dumps(automation["steps"][0]["config"]["body"]) == SAME
    assert list(automation["steps"][0]["config"]) == ["url", "method", "body"]


def test_of_a_runs_input_and_variables(api: Api) -> None:
    made = api.workflow(variables=WRITTEN)
    where = f"/api/workflows/{made['id']}"
    run = api.call("POST", f"{where}/execute", {"input": WRITTEN}).json()["runId"]
    shown = api.call("GET", f"{where}/runs/{run}").json()["run"]["state"]["variables"]
    assert list(shown) == [*WRITTEN, "triggerType"]
    with unit_of_work() as session:
        runs.set_variables(session, run, {"b": 5, "new": WRITTEN})
    with unit_of_work() as session:
        stored_run = session.get_one(Run, run)
    assert json.dumps(stored_run.input) == SAME
    assert list(stored_run.variables) == [*WRITTEN, "triggerType", "new"]
    assert json.dumps(stored_run.variables["new"]) == SAME


def test_of_a_delivery(api: Api) -> None:
    trigger = {"type": "webhook", "config": {"verification": "none"}}
    url = api.workflow(trigger=trigger)["webhookUrl"].removeprefix(get_settings().bridge_base)
    assert api.http.post(url, json=WRITTEN).status_code == 202
    with unit_of_work() as session:
        (event,) = session.scalars(select(Event))
    assert json.dumps(event.data["body"]) == SAME


def test_of_a_form_and_what_was_filled_in(api: Api) -> None:
    fields: list[dict[str, Any]] = [
        {"type": "table_fill", "key": key, "id": key} for key in ("zeta", "b", "alpha")
    ]
    body = {"title": "x", "schema": {"sections": [{"title": "T", "id": "s", "fields": fields}]}}
    form = api.call("POST", "/api/forms", body).json()["id"]
    shown = api.call("GET", f"/api/forms/{form}").json()
    shown_fields = shown["schema"]["sections"][0]["fields"]
    assert [field["key"] for field in shown_fields] == ["zeta", "b", "alpha"]
    data = {"zeta": WRITTEN, "b": [1], "alpha": [WRITTEN]}
    sent = api.call("POST", "/api/submissions", {"formId": form, "data": data}).json()
    kept = api.call("GET", f"/api/submissions/{sent['id']}").json()
    assert json.dumps(kept["data"]) == json.dumps(data)


def test_of_what_is_changed_in_nothing_else(api: Api) -> None:
    before, after = {"a": 1, "b": {"x": [1.0], "y": 2}}, {"b": {"y": 2, "x": [1]}, "a": 1.0}
    step = {"name": "Run", "type": "run_workflow", "order": 0}
    definitions = [
        {"variables": value, "steps": [{**step, "config": {"dagId": "x", "input": value}}]}
        for value in (before, after)
    ]
    fields = [
        {"type": "table_fill", "key": "t", "id": "t", "was": value} for value in (before, after)
    ]
    forms = [{"schema": {"sections": [{"id": "s", "fields": [field]}]}} for field in fields]
    form = api.call("POST", "/api/forms", {"title": "x", **forms[0]}).json()["id"]
    board_id = board(api)["id"]
    for path, made, change in (
        ("/api/workflows", {"name": "x", **definitions[0]}, definitions[1]),
        ("/api/forms", {"title": "x", **forms[0]}, forms[1]),
        (
            "/api/submissions",
            {"formId": form, "data": {"t": before}},
            {"data": {"t": after}},
        ),
        (
            "/api/matters",
            {"templateId": board_id, "title": "x", "properties": before},
            {"properties": after},
        ),
    ):
        where = f"{path}/{api.call('POST', path, made).json()['id']}"
        changed = api.call("PATCH", where, change)
        assert changed.status_code == 200, changed.text
        assert json.dumps(after) in api.call("GET", where).text.replace('":', '": ').replace(
            ',"', ', "'
        )
