"""Ids of steps over changes, wherever the steps lie."""

from __future__ import annotations

from typing import Any

import pytest

from automations.definitions import step_ids
from automations.definitions.model import DEFINITION


def step(name: str, kind: str = "delay", config: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "order": 0,
        "config": {"duration": "PT1H"} if config is None else config,
        **more,
    }


def around(place: str, inner: list[Any], **more: Any) -> dict[str, Any]:
    """A step that has others inside of it."""
    if place == "then":
        return step("Outer", "condition", {"expression": "true", "then": inner}, **more)
    if place == "steps":
        config = {"collection": "{{input.items}}", "steps": inner}
        return step("Outer", "loop", config, **more)
    return step("Outer", onError=inner, **more)


def inside(place: str, outer: dict[str, Any]) -> list[Any]:
    return list(outer[place] if place == "onError" else outer["config"][place])


@pytest.mark.parametrize("place", ["then", "steps", "onError"])
def test_steps_keep_their_ids_by_name_and_type_also_inside_of_others(place: str) -> None:
    written = [around(place, [step("A"), step("B", order=1)])]
    definition = DEFINITION.validate_python({"name": "x", "steps": written})
    before = step_ids.fill_ids(written, definition.steps)
    ids = [one["id"] for one in inside(place, before[0])]
    assert step_ids.keep_ids(before, written) == before
    after = step_ids.keep_ids(before, [around(place, [step("B"), step("New"), step("A", order=1)])])
    assert after[0]["id"] == before[0]["id"]
    assert [one.get("id") for one in inside(place, after[0])] == [ids[1], None, ids[0]]


def test_a_step_of_another_type_is_another_step() -> None:
    before = [step("A", id="a", onError=[step("In", id="in")])]
    changed = step("A", "code", {"code": "1"}, onError=[step("In")])
    assert step_ids.keep_ids(before, [changed]) == [changed]
    (named,) = step_ids.keep_ids(before, [{**changed, "id": "a"}])
    assert "id" not in named["onError"][0]


def test_each_id_is_given_once() -> None:
    before = [step("A", id="a1"), step("A", id="a2", order=1)]
    after = step_ids.keep_ids(before, [step("A", id="a2"), step("A"), step("A")])
    assert [one.get("id") for one in after] == ["a2", "a1", None]


@pytest.mark.parametrize("wrong", [None, 5, "x", [], {"id": 5}, {"name": [], "type": {}}])
def test_what_is_no_step_is_left_for_the_checks(wrong: Any) -> None:
    assert step_ids.keep_ids([step("A", id="a")], [wrong]) == [wrong]
