"""Changes of a definition that is being written."""

from __future__ import annotations

import re
from typing import Any

import pytest

from automations.definitions import editing
from automations.definitions.editing import Position, position_of
from automations.errors import NotFound, ValidationFailed
from tests.growth import growth


def step(name: str, kind: str = "email", **config: Any) -> dict[str, Any]:
    return {"id": name.lower(), "name": name, "type": kind, "config": config}


def flow() -> dict[str, Any]:
    inner = [step("B1"), step("B2", "loop", steps=[step("C")])]
    return {"name": "x", "steps": [step("A"), step("B", "condition", then=inner), step("D")]}


def shape(definition: dict[str, Any]) -> list[str]:
    return [
        f"{'/'.join(place.parents)}>{place.step['id']}@{place.spot.name}{place.spot.index}"
        for place in editing.walk(definition)
    ]


def ids(definition: dict[str, Any]) -> list[str]:
    return [str(place.step["id"]) for place in editing.walk(definition)]


def test_steps_are_found_with_the_paths_that_errors_have() -> None:
    assert [place.path for place in editing.walk(flow())] == [
        "steps.0",
        "steps.1",
        "steps.1.config.then.0",
        "steps.1.config.then.1",
        "steps.1.config.then.1.config.steps.0",
        "steps.2",
    ]
    assert editing.find(flow(), "c").parents == ("b", "b2")
    with pytest.raises(NotFound):
        editing.find(flow(), "nothing")


def test_what_is_laid_out_has_ids_and_the_order_in_which_it_runs() -> None:
    given = {
        "steps": [
            {"name": "second", "type": "email", "order": 7},
            {"id": "x", "name": "first", "type": "loop", "order": 1, "config": {"steps": [{}]}},
            {"id": "x", "name": "third", "type": "email", "order": 9},
        ]
    }
    made = editing.lay_out(given)
    assert [one["name"] for one in made["steps"]] == ["first", "second", "third"]
    assert not any("order" in one for one in made["steps"])
    assert len(set(ids(made))) == 4
    assert made["steps"][0]["id"] == "x"
    assert editing.lay_out(made) == made


@pytest.mark.parametrize(
    "steps", [None, "text", [1, None, "x"], [{"type": 5, "onError": [{}]}], {}]
)
def test_what_is_no_definition_yet_breaks_nothing(steps: Any) -> None:
    made = editing.lay_out({"steps": steps})
    assert isinstance(list(editing.walk(made)), list)


def test_a_step_is_added_anywhere_under_a_name_of_its_own() -> None:
    draft = flow()
    for place in ("/steps/0", "b/then/1", "b/else/0", "b2/steps/1"):
        made, made_id = editing.add(draft, "delay", position_of(place))
        assert str(editing.find(made, made_id).spot) == place
        assert editing.find(made, made_id).step["name"] == "Delay"
        assert re.fullmatch("delay_[0-9a-z]{6}", made_id)
    made, _ = editing.add(draft, "delay", position_of("/steps/3"))
    made, made_id = editing.add(made, "delay", position_of("/steps/3"))
    assert editing.find(made, made_id).step["name"] == "Delay 2"
    assert draft == flow(), "what was there is as it was"
    for place in ("a/then/0", "b/nothing/0", "/steps/9", "gone/then/0"):
        with pytest.raises(NotFound):
            editing.add(draft, "delay", position_of(place))
    for written in ("", "/steps", "//", "a b/then/0", "/steps/x", "/steps/1000000"):
        with pytest.raises(ValidationFailed):
            position_of(written)
    with pytest.raises(ValidationFailed):
        editing.add(draft, "nothing", Position("", "steps", 0))


def test_a_step_moves_by_one_in_every_direction_there_is() -> None:
    draft = flow()

    def ways(step_id: str) -> dict[str, str]:
        found = editing.neighbours(draft, editing.find(draft, step_id))
        return {way: str(spot) for way, spot in found.items()}

    assert ways("a") == {"down": "/steps/2"}
    assert ways("d") == {"up": "/steps/1", "in": "b/then/2"}
    assert ways("b1") == {"down": "b/then/2", "out": "/steps/2"}
    assert ways("c") == {"out": "b/then/2"}
    for step_id in ids(draft):
        for spot in editing.neighbours(draft, editing.find(draft, step_id)).values():
            made = editing.move(draft, step_id, spot)
            assert sorted(ids(made)) == sorted(ids(draft))
            assert shape(made) != shape(draft)
    assert ids(editing.move(draft, "a", Position("", "steps", 3))) == [
        "b",
        "b1",
        "b2",
        "c",
        "d",
        "a",
    ]
    assert editing.find(editing.move(draft, "d", Position("b2", "steps", 0)), "d").parents == (
        "b",
        "b2",
    )
    with pytest.raises(ValidationFailed, match="into itself"):
        editing.move(draft, "b", Position("b2", "steps", 0))


def test_a_copy_is_behind_its_step_with_names_and_ids_of_its_own() -> None:
    made, made_id = editing.duplicate(flow(), "b")
    assert len(set(ids(made))) == 10
    assert made_id.startswith("condition_")
    copy = editing.find(made, made_id)
    assert (copy.spot.index, copy.step["name"]) == (2, "B 2")
    names = [place.step["name"] for place in editing.walk(made)]
    assert len(set(names)) == len(names)


def test_steps_from_elsewhere_have_free_names_and_name_each_other_by_these() -> None:
    taken = [
        {"id": "a", "name": "A", "type": "email", "config": {"to": "{{input.to}}"}},
        {"id": "x", "name": "X", "type": "email", "config": {"to": "{{steps['A'].to}}"}},
    ]
    made, made_id = editing.insert(flow(), taken, editing.behind(Position("b", "then", 0)))
    first, second = made["steps"][1]["config"]["then"][1:3]
    assert (first["id"], first["name"], second["name"]) == (made_id, "A 2", "X")
    assert second["config"] == {"to": "{{steps['A 2'].to}}"}
    assert len(set(ids(made))) == 8
    # What was taken stays as it was.
    assert (taken[0]["id"], taken[0]["name"]) == ("a", "A")
    with pytest.raises(NotFound):
        editing.insert(flow(), taken, Position("b", "nothing", 0))


def test_a_new_name_that_was_another_steps_leads_to_no_other_step() -> None:
    uses = {
        "to": "{{steps['A'].to}} {{steps.A.to}} {{ xsteps.A }} steps.A",
        "expression": "steps.A.ok and steps['A 2'].ok",
    }
    taken = [step("A"), step("A 2"), {**step("X"), "config": uses}]
    made, _ = editing.insert(flow(), taken, editing.end_of(flow()))
    *_, first, second, last = made["steps"]
    assert (first["name"], second["name"]) == ("A 2", "A 2 2")
    assert last["config"] == {
        "to": "{{steps['A 2'].to}} {{steps['A 2'].to}} {{ xsteps.A }} steps.A",
        "expression": "steps['A 2'].ok and steps['A 2 2'].ok",
    }


@pytest.mark.slow
def test_many_steps_from_elsewhere_take_a_time_that_grows_as_they_do() -> None:
    def insert(count: int) -> None:
        steps = [step(f"S{number}", "delay") for number in range(count)]
        editing.insert(flow(), steps, editing.end_of(flow()))

    assert growth(insert, 250, 1_000) < 10


@pytest.mark.slow
def test_a_copy_of_many_steps_takes_a_time_that_grows_as_they_do() -> None:
    def copy(count: int) -> None:
        inner = [{"id": f"s{n}", "name": "One", "type": "delay"} for n in range(count)]
        around = {"id": "around", "name": "If", "type": "condition", "config": {"then": inner}}
        made, _ = editing.duplicate({"steps": [around]}, "around")
        assert len(set(ids(made))) == 2 * (count + 1)

    assert growth(copy, 250, 1_000) < 10


def test_a_step_goes_with_what_is_inside_of_it() -> None:
    assert ids(editing.remove(flow(), "b")) == ["a", "d"]


def test_templates_follow_a_step_to_its_new_name() -> None:
    draft = flow()
    draft["steps"][2]["config"] = {"body": "{{steps['A'].x}} {{steps[\"A\"].y}} {{steps['AB'].z}}"}
    made = editing.replace(draft, "a", {**draft["steps"][0], "name": "First one"})
    assert made["steps"][2]["config"]["body"] == (
        "{{steps['First one'].x}} {{steps['First one'].y}} {{steps['AB'].z}}"
    )
