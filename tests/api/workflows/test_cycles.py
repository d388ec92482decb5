"""Automations that would run themselves, directly or by others, are refused when they are saved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import WorkflowVersion
from tests.api.conftest import Api


def calling(workflow_id: str, **more: Any) -> dict[str, Any]:
    config = {"workflowId": workflow_id}
    return {"name": "Call", "type": "run_workflow", "order": 0, "config": config, **more}


def patch(api: Api, workflow_id: str, **body: Any) -> Any:
    return api.call("PATCH", f"/api/workflows/{workflow_id}", body)


def refused(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 400, answer.text
    field_errors: dict[str, list[str]] = answer.json()["details"]["fieldErrors"]
    return field_errors


def test_an_automation_cannot_run_itself(api: Api) -> None:
    itself = str(api.workflow(name="A")["id"])
    found = refused(patch(api, itself, steps=[calling(itself)]))
    assert found == {
        "steps.0.config.workflowId": ["makes the automation run itself: 'A' → 'A'"],
    }
    assert api.call("GET", f"/api/workflows/{itself}").json()["version"] == 1


def test_nor_by_others_from_wherever_they_are_run(api: Api) -> None:
    a = str(api.workflow(name="A")["id"])
    b = str(api.workflow(name="B", steps=[calling(a)])["id"])
    loop = {
        "name": "Loop",
        "type": "loop",
        "order": 0,
        "config": {"collection": [1], "steps": [calling(b)]},
    }
    c = str(api.workflow(name="C", steps=[loop])["id"])
    rescue = {
        "name": "Wait",
        "type": "delay",
        "order": 0,
        "config": {"duration": "PT1H"},
        "onError": [calling(c)],
    }
    assert refused(patch(api, a, steps=[rescue])) == {
        "steps.0.onError.0.config.workflowId": [
            "makes the automation run itself: 'A' → 'C' → 'B' → 'A'"
        ],
    }


@pytest.mark.parametrize("how", ["template", "disabled"])
def test_what_does_not_lead_back_for_certain_is_taken(api: Api, how: str) -> None:
    a = str(api.workflow(name="A")["id"])
    b = str(api.workflow(name="B", steps=[calling(a)])["id"])
    step = {
        "template": calling("{{input.next}}"),
        "disabled": calling(b, disabled=True),
    }[how]
    assert patch(api, a, steps=[step]).status_code == 200


def test_one_that_was_archived_is_not_activated_into_a_cycle(api: Api) -> None:
    a = str(api.workflow(name="A")["id"])
    b = str(api.workflow(name="B", status="ARCHIVED", steps=[calling(a)])["id"])
    assert patch(api, a, steps=[calling(b)]).status_code == 200
    for status in ("ACTIVE", "DRAFT"):
        assert list(refused(patch(api, b, status=status))) == ["steps.0.config.workflowId"]
    assert patch(api, b, name="B, archived").status_code == 200


def test_one_that_an_older_release_took_keeps_no_other_from_being_saved(api: Api) -> None:
    a, b = (str(api.workflow(name=name)["id"]) for name in "AB")
    with unit_of_work() as session:
        for version in session.query(WorkflowVersion).filter_by(workflow_id=b):
            version.definition = {"name": "B", "steps": [{"type": "gone"}]}
    assert patch(api, a, steps=[calling(b)]).status_code == 200


def test_of_two_that_begin_to_run_each_other_at_once_one_is_refused(api: Api) -> None:
    for _ in range(3):
        pair = [str(api.workflow(name=name)["id"]) for name in "AB"]
        with ThreadPoolExecutor(2) as pool:
            answers = pool.map(
                lambda one, other: patch(api, one, steps=[calling(other)]).status_code,
                pair,
                reversed(pair),
            )
        assert sorted(answers) == [200, 400]
