"""Files of definitions refer to automations by key, so that they can be applied elsewhere."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from tests.api.answers import errors
from tests.api.conftest import Api
from tests.api.workflows.definition_files import applied, exported, send, versions


def calling(key: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "Call",
        "type": "run_workflow",
        "order": 0,
        "config": {"workflowKey": key},
        **more,
    }


def file(*automations: dict[str, Any]) -> str:
    return json.dumps(list(automations))


def shown(api: Api, workflow_id: str, role: str = "ADMIN") -> Any:
    return api.call("GET", f"/api/workflows/{workflow_id}", role=role).json()


PARENT = {"key": "parent", "name": "Parent", "steps": [calling("child")]}
CHILD = {"key": "child", "name": "Child"}


class TestApply:
    @pytest.mark.parametrize("order", [(PARENT, CHILD), (CHILD, PARENT)], ids=["before", "behind"])
    def test_keys_of_the_same_file_are_resolved_in_any_order(self, api: Api, order: Any) -> None:
        ids = {entry["key"]: entry["id"] for entry in applied(api, file(*order))}
        (step,) = shown(api, ids["parent"])["steps"]
        assert step["config"] == {"workflowId": ids["child"]}
        assert [entry["action"] for entry in applied(api, file(*order))] == ["unchanged"] * 2

    def test_keys_of_the_workspace_are_resolved_and_no_others(self, api: Api) -> None:
        (child,) = applied(api, file(CHILD))
        (parent,) = applied(api, file(PARENT))
        assert shown(api, parent["id"])["steps"][0]["config"] == {"workflowId": child["id"]}
        field_errors = errors(send(api, file(PARENT), role="STRANGER"))
        assert field_errors == {
            "0.steps.0.config.workflowKey": ["there is no automation with the key 'child'"]
        }

    def test_wherever_a_step_lies_and_for_failures_too(self, api: Api) -> None:
        steps = [
            {
                "name": "Loop",
                "type": "loop",
                "order": 0,
                "config": {"collection": [1], "steps": [calling("child")]},
                "onError": [calling("child", id="rescue")],
            },
            {
                "name": "Ask",
                "type": "approval",
                "order": 1,
                "config": {"message": "?", "onReject": [calling("child", name="No")]},
            },
        ]
        parent = {**PARENT, "steps": steps, "errorWorkflowKey": "child"}
        made, child = applied(api, file(parent, CHILD))
        stored = shown(api, made["id"])
        assert stored["errorWorkflowId"] == child["id"]
        assert json.dumps(stored).count(f'{{"workflowId": "{child["id"]}"}}') == 3
        assert "workflowKey" not in json.dumps(stored)

    def test_an_unknown_key_is_named_and_nothing_is_applied(self, api: Api) -> None:
        branch = {
            "name": "Branch",
            "type": "condition",
            "order": 0,
            "config": {"expression": "true", "then": [calling("nobody")]},
        }
        text = file(CHILD, {**PARENT, "steps": [branch], "errorWorkflowKey": "nowhere"})
        assert errors(send(api, text)) == {
            "1.errorWorkflowKey": ["there is no automation with the key 'nowhere'"],
            "1.steps.0.config.then.0.config.workflowKey": [
                "there is no automation with the key 'nobody'"
            ],
        }
        assert api.call("GET", "/api/workflows").json() == []

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"workflowKey": "child", "workflowId": "x"}, "give workflowId or workflowKey"),
            ({"workflowKey": 5}, "must be a key"),
            ({"workflowKey": "{{input.key}}"}, "there is no automation with the key"),
            ({"workflowKey": ["child"]}, "must be a key"),
        ],
    )
    def test_what_is_no_key_is_refused(self, api: Api, config: Any, message: str) -> None:
        text = file(CHILD, {**PARENT, "steps": [calling("", config=config)]})
        (found,) = errors(send(api, text)).items()
        assert found[0] == "1.steps.0.config.workflowKey"
        assert message in found[1][0]

    def test_what_only_looks_like_a_reference_is_left_alone(self, api: Api) -> None:
        looks = {"type": "run_workflow", "config": {"workflowKey": "nobody"}}
        (made,) = applied(api, file({"name": "Data", "variables": {"steps": [looks]}}))
        assert shown(api, made["id"])["variables"] == {"steps": [looks]}

    def test_the_api_itself_takes_ids_only(self, api: Api) -> None:
        applied(api, file(CHILD))
        answer = api.call("POST", "/api/workflows", {**PARENT, "errorWorkflowKey": "child"})
        assert {"errorWorkflowKey", "steps.0.config.workflowKey"} <= set(errors(answer))

    def test_a_dry_run_says_the_same_and_does_nothing(self, api: Api) -> None:
        text = file(PARENT, CHILD)
        tried = applied(api, text, "?dryRun=true")
        assert (versions(), [one["id"] for one in tried]) == (0, [None, None])
        done = applied(api, text)
        for parent in (tried[0], done[0]):
            assert "+    workflowKey: child\n" in parent["diff"]
            assert "workflowId" not in parent["diff"]

    def test_a_key_that_the_file_gives_away_is_that_of_the_one_that_gets_it(self, api: Api) -> None:
        (old,) = applied(api, file(CHILD))
        renamed = {"id": old["id"], "key": "old", "name": "Old"}
        given, new, made = applied(api, file(renamed, {"key": "child", "name": "New"}, PARENT))
        assert (given["id"], new["action"]) == (old["id"], "create")
        assert shown(api, made["id"])["steps"][0]["config"] == {"workflowId": new["id"]}


class TestRings:
    def test_a_ring_of_new_automations_is_refused_by_where_it_is_written(self, api: Api) -> None:
        child = {**CHILD, "steps": [calling("parent")]}
        field_errors = errors(send(api, file(PARENT, child)))
        assert field_errors == {
            "0.steps.0.config.workflowKey": [
                "makes the automation run itself: 'Parent' → 'Child' → 'Parent'"
            ],
            "1.steps.0.config.workflowKey": [
                "makes the automation run itself: 'Child' → 'Parent' → 'Child'"
            ],
        }
        assert api.call("GET", "/api/workflows").json() == []

    def test_one_may_run_another_that_is_told_of_its_failures(self, api: Api) -> None:
        child = {**CHILD, "errorWorkflowKey": "parent"}
        parent, made = applied(api, file(PARENT, child))
        assert shown(api, made["id"])["errorWorkflowId"] == parent["id"]
        assert (parent["version"], made["version"]) == (1, 1)

    def test_failures_that_lead_back_are_refused(self, api: Api) -> None:
        pair = [
            {"key": "a", "name": "A", "errorWorkflowKey": "b"},
            {"key": "b", "name": "B", "errorWorkflowKey": "a"},
        ]
        field_errors = errors(send(api, file(*pair)))
        assert list(field_errors) == ["0.errorWorkflowKey", "1.errorWorkflowKey"]

    @pytest.mark.parametrize("first", ["parent", "child"])
    def test_who_runs_whom_may_be_turned_round(self, api: Api, first: str) -> None:
        applied(api, file(PARENT, CHILD))
        turned: list[dict[str, Any]] = [
            {"key": "parent", "name": "Parent"},
            {"key": "child", "name": "Child", "steps": [calling("parent")]},
        ]
        turned.sort(key=lambda one: one["key"] != first)
        assert [entry["action"] for entry in applied(api, file(*turned))] == ["update", "update"]

    def test_of_two_that_hand_each_other_their_failures_at_once_one_is_refused(
        self, api: Api
    ) -> None:
        for _ in range(3):
            pair = [str(api.workflow(name=name)["id"]) for name in "AB"]
            with ThreadPoolExecutor(2) as pool:
                answers = pool.map(
                    lambda one, other: (
                        api.call(
                            "PATCH", f"/api/workflows/{one}", {"errorWorkflowId": other}
                        ).status_code
                    ),
                    pair,
                    reversed(pair),
                )
            assert sorted(answers) == [200, 400]


class TestExport:
    def test_references_are_by_key_where_there_is_one(self, api: Api) -> None:
        parent, _ = applied(api, file({**PARENT, "errorWorkflowKey": "child"}, CHILD))
        (written,) = yaml.safe_load_all(exported(api, parent["id"]))
        assert written["errorWorkflowKey"] == "child"
        assert written["steps"][0]["config"] == {"workflowKey": "child"}
        assert "workflowId" not in json.dumps(written).replace("errorWorkflowId", "workflowId")

    def test_one_without_a_key_is_referred_to_by_its_id(self, api: Api) -> None:
        child = str(api.workflow(name="No key")["id"])
        step = {**calling(""), "config": {"workflowId": child}}
        parent = str(api.workflow(name="Parent", steps=[step])["id"])
        text = exported(api, parent)
        (written,) = yaml.safe_load_all(text)
        assert written["steps"][0]["config"] == {"workflowId": child}
        assert [entry["action"] for entry in applied(api, text)] == ["unchanged"]

    def test_what_is_exported_is_applied_elsewhere_and_reads_the_same_there(self, api: Api) -> None:
        applied(api, file({**PARENT, "errorWorkflowKey": "child"}, CHILD))
        text = exported(api)
        assert [entry["action"] for entry in applied(api, text)] == ["unchanged", "unchanged"]
        made = applied(api, text, role="STRANGER")
        assert [one["action"] for one in made] == ["create", "create"]
        assert exported(api, role="STRANGER") == text
        (step,) = shown(api, made[0]["id"], "STRANGER")["steps"]
        assert step["config"]["workflowId"] == made[1]["id"]

    def test_a_deleted_one_is_referred_to_by_its_id(self, api: Api) -> None:
        parent, child = applied(api, file(PARENT, CHILD))
        assert api.call("DELETE", f"/api/workflows/{child['id']}").status_code in (200, 204)
        (written,) = yaml.safe_load_all(exported(api, parent["id"]))
        assert written["steps"][0]["config"] == {"workflowId": child["id"]}


class TestAtOnce:
    def test_imports_at_once_in_any_order_do_not_hinder_each_other(self, api: Api) -> None:
        many = [{"key": f"k{number}", "name": f"N{number}"} for number in range(8)]
        applied(api, file(*many))

        def change(number: int) -> int:
            changed = [{**one, "description": str(number)} for one in many]
            if number % 3 == 2:
                target = shown(api, ids[number])
                body = {"description": f"by hand {number}"}
                return int(api.call("PATCH", f"/api/workflows/{target['id']}", body).status_code)
            ordered = changed if number % 3 else list(reversed(changed))
            return int(send(api, file(*ordered)).status_code)

        ids = [entry["id"] for entry in applied(api, file(*many))]
        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(change, range(8))) == {200}
