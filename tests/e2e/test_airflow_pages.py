"""What Airflow's own pages are given of automations, by its API."""

from __future__ import annotations

from typing import Any

from automations.definitions import files
from automations.definitions.published import dag_id
from tests.e2e.automations import email, outputs
from tests.e2e.conftest import Stack
from tests.waiting import until


def test_the_code_tab_shows_the_automations_own_definition(stack: Stack) -> None:
    other = stack.create(email("Of another", 0, "other@example.com"))
    workflow = stack.create(email("Mine", 0, "mine@example.com"))

    def code() -> str | None:
        path = f"/dags?dag_ids={dag_id(workflow)}&dag_id_pattern={dag_id(workflow)}"
        if not stack.in_airflow("GET", path)["dags"]:
            return None
        return str(stack.in_airflow("GET", f"/dagSources/{dag_id(workflow)}")["content"])

    shown = until("the DAG to be there", code)
    (read,) = files.read(shown)
    assert read["id"] == workflow
    assert [step["name"] for step in read["steps"]] == ["Mine"]
    assert other not in shown
    assert "Of another" not in shown


def test_the_trigger_dialog_has_the_fields_of_the_input_and_refuses_others(stack: Stack) -> None:
    schema: dict[str, Any] = {
        "properties": {
            "amount": {"type": "number", "title": "Amount", "maximum": 10},
            "note": {"type": "string"},
        },
        "required": ["amount"],
    }
    trigger = {"type": "manual", "inputSchema": schema}
    script = {"input": "{{input}}", "code": "return {given: input}"}
    keep = {"name": "Keep", "type": "code", "order": 0, "config": script}
    workflow = stack.create(keep, trigger=trigger)

    def given(run: str) -> Any:
        return outputs(stack.wait(workflow, run, "COMPLETED"))["Keep"]["given"]

    run = stack.execute(workflow, amount=3)
    assert given(run) == {"amount": 3}
    path = f"/dags/{dag_id(workflow)}"
    params = stack.in_airflow("GET", f"{path}/details")["params"]
    assert params["amount"]["schema"]["title"] == "Amount"
    too_much = {"conf": {"amount": 11}, "logical_date": None}
    refused = stack.tried_in_airflow("POST", f"{path}/dagRuns", too_much)
    assert refused.status_code == 400
    assert "11 is greater than 10" in refused.text
    # As the form sends it when a field is left empty.
    conf = {"amount": 4, "note": None}
    made = stack.in_airflow("POST", f"{path}/dagRuns", {"conf": conf, "logical_date": None})
    of_airflow = made["dag_run_id"]
    address = f"{stack.bridge}/api/workflows/{workflow}/runs/{of_airflow}"
    until("the run to be known", lambda: True if stack.http.get(address).ok else None)
    assert given(of_airflow) == {"amount": 4}
