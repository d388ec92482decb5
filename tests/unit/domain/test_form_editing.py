"""Changes of a form that is being written: each gives a new one, with all that it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from automations.domain.forms import editing
from automations.domain.forms.editing import Draft, FieldPosition, place_of
from automations.errors import NotFound


def draft(*fields: list[str]) -> Draft:
    """A form with sections of text fields of these keys."""
    sections = [
        {
            "id": f"s{number}",
            "layout": "wide",
            "fields": [{"id": key, "key": key, "type": "text", "label": key} for key in keys],
        }
        for number, keys in enumerate(fields)
    ]
    return editing.lay_out("Form", "", {"sections": sections, "theme": "dark"})


def keys(of: Draft) -> list[list[str]]:
    return [[field["key"] for field in section["fields"]] for section in editing.sections(of)]


def test_a_section_without_fields_is_laid_out_with_none_and_nothing_else_changes() -> None:
    schema = {"sections": [{"id": "s", "logic": [1]}], "theme": "dark"}
    made = editing.lay_out("Form", "", schema)
    assert made["schema"] == {
        "sections": [{"id": "s", "logic": [1], "fields": []}],
        "theme": "dark",
    }
    assert schema == {"sections": [{"id": "s", "logic": [1]}], "theme": "dark"}


def test_a_new_field_has_a_key_of_its_own_made_of_its_label() -> None:
    before = draft(["e_mail_address"], [])
    after = editing.add(before, FieldPosition(1, 0), "email", "E-mail address")
    assert keys(after) == [["e_mail_address"], ["e_mail_address_2"]]
    assert keys(before) == [["e_mail_address"], []]
    assert editing.find(after, FieldPosition(1, 0))["label"] == "E-mail address"
    assert "label" not in editing.find(
        editing.add(before, FieldPosition(0, 0), "divider", "L"), FieldPosition(0, 0)
    )
    assert (
        editing.find(editing.add(before, FieldPosition(0, 9), "select", "S"), FieldPosition(0, 1))[
            "options"
        ]
        == []
    )


@pytest.mark.parametrize(
    ("label", "key"),
    [("Name", "name_2"), ("Größe (cm)", "grosse_cm"), ("日本", "field"), ("x" * 99, "x" * 60)],
)
def test_a_key_is_of_plain_letters(label: str, key: str) -> None:
    assert editing.key_for(label, {"name"}) == key


@pytest.mark.parametrize(
    ("place", "to", "expected", "then"),
    [
        ("0.0", "0.2", [["b", "a", "c"], ["d"]], "0.1"),
        ("0.2", "0.0", [["c", "a", "b"], ["d"]], "0.0"),
        ("0.2", "1.0", [["a", "b"], ["c", "d"]], "1.0"),
        ("1.0", "0.3", [["a", "b", "c", "d"], []], "0.3"),
        ("0.1", "0.1", [["a", "b", "c"], ["d"]], "0.1"),
        ("1", "0", [["d"], ["a", "b", "c"]], "0"),
        ("0", "2", [["d"], ["a", "b", "c"]], "1"),
    ],
)
def test_a_part_is_moved(place: str, to: str, expected: list[list[str]], then: str) -> None:
    before = draft(["a", "b", "c"], ["d"])
    made, where = editing.move(before, place_of(place), place_of(to))
    assert (keys(made), str(where)) == (expected, then)
    assert keys(before) == [["a", "b", "c"], ["d"]]


def test_by_single_steps_a_field_comes_through_all_sections_and_back() -> None:
    made, place = draft(["a", "b"], [], ["c"]), FieldPosition(0, 0)
    seen = []
    for way in ("down",) * 5 + ("up",) * 5:
        ways = editing.neighbours(made, place)
        if way in ways:
            made, place = editing.move(made, place, ways[way])
        seen.append(str(place))
    assert seen == ["0.1", "1.0", "2.0", "2.1", "2.1", "2.0", "1.0", "0.1", "0.0", "0.0"]
    assert keys(made) == [["a", "b"], [], ["c"]]


def test_a_copy_has_ids_and_keys_of_its_own_and_stands_behind() -> None:
    made, place = editing.duplicate(draft(["a", "b"]), FieldPosition(0, 0))
    assert (keys(made), str(place)) == ([["a", "a_2", "b"]], "0.1")
    made, place = editing.duplicate(made, FieldPosition(0))
    assert keys(made) == [["a", "a_2", "b"], ["a_3", "a_2_2", "b_2"]]
    assert (str(place), editing.sections(made)[1]["layout"]) == ("1", "wide")
    ids = [field["id"] for _, field in editing.walk(made)]
    assert len(set(ids)) == len(ids)


def test_what_is_taken_out_leads_to_what_is_next_to_it() -> None:
    made, place = editing.remove(draft(["a", "b"], ["c"]), FieldPosition(0, 1))
    assert (keys(made), place) == ([["a"], ["c"]], FieldPosition(0, 0))
    made, place = editing.remove(made, FieldPosition(0, 0))
    assert (keys(made), place) == ([[], ["c"]], FieldPosition(0))
    made, place = editing.remove(made, FieldPosition(0))
    assert (keys(made), place) == ([["c"]], FieldPosition(0))
    assert editing.remove(made, FieldPosition(0)) == (
        {**made, "schema": {**made["schema"], "sections": []}},
        None,
    )


@pytest.mark.parametrize("text", ["", "x", "0.", "-1", "0.0.0", "9999", "٣"])
def test_what_is_no_place_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        place_of(text)


@pytest.mark.parametrize("place", [FieldPosition(3), FieldPosition(0, 7), FieldPosition(3, 0)])
def test_what_is_gone_is_not_found(place: FieldPosition) -> None:
    acts: list[Any] = [
        lambda: editing.find(draft(["a"]), place),
        lambda: editing.remove(draft(["a"]), place),
        lambda: editing.move(draft(["a"]), place, FieldPosition(0, 0)),
        lambda: editing.duplicate(draft(["a"]), place),
    ]
    for act in acts:
        with pytest.raises(NotFound):
            act()
