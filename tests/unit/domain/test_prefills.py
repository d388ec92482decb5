"""Values that a form's page begins with: shown, or refused before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from automations.domain.forms.prefills import misfits

OPTIONS = [{"label": "Small", "value": "s"}, {"label": "Five", "value": "5"}]


def form(kind: str, **more: Any) -> dict[str, Any]:
    one = {"id": "x", "key": "x", "type": kind, **more}
    title = {"id": "h", "key": "h", "type": "heading"}
    return {
        "sections": [
            {"id": "a", "fields": [title, one]},
            {"id": "b", "repeatable": True, "fields": [one]},
        ]
    }


CHOICE = {"options": OPTIONS}
SHOWN: list[tuple[str, Any, dict[str, Any]]] = [
    *[("number", value, {}) for value in (12, 1.5, "12", "-0.5", 2**60, None, "")],
    *[("yesno", value, {}) for value in (True, "yes", "No", "false", None)],
    *[("date", "2026-03-01", {}), ("time", "09:30", {}), ("datetime", "2026-03-01T09:30", {})],
    *[("select", value, CHOICE) for value in ("s", 5, "")],
    *[("multiselect", value, CHOICE) for value in (["s"], "s", [], None)],
    *[("checkbox", ["a", 1], {}), ("multiselect", "a", {}), ("select", "any", {})],
    *[("text", value, {}) for value in ("a", 1, True, ["a"], {"a": 1})],
    *[("email", "Ada <a@b.example>", {}), ("table_fill", [[1]], {}), ("signature", "x", {})],
    ("rating", 9, {"validation": {"max": 5}}),
]


@pytest.mark.parametrize(("kind", "value", "more"), SHOWN)
def test_what_the_page_shows_is_taken(kind: str, value: Any, more: dict[str, Any]) -> None:
    asked = form(kind, **more)
    assert misfits(asked, {"x": value, "section_b_items": [{"x": value}]}) == {}


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        *[("number", value, "must be a number") for value in ("abc", "12,5", True, [1], {"a": 1})],
        ("currency", "0.12345678901234567890", "must be a number"),
        *[("yesno", value, "must be yes or no") for value in ("perhaps", 2, ["yes"])],
        *[("date", value, "must be a date") for value in ("01.02.2026", "2026-01-01T10:00Z", 5)],
        *[("time", "9:30", "must be a time"), ("datetime", "soon", "must be a date and time")],
        *[("select", value, "must be one of s, 5") for value in ("zz", ["s"], True)],
        *[("multiselect", value, "must be some of s, 5") for value in ("zz", ["s", "t"], [5])],
        *[("multiselect", value, "must be a list") for value in (5, {"s": 1})],
        ("file", "letter.pdf", "takes a file"),
    ],
)
def test_what_the_page_would_not_show_is_refused(kind: str, value: Any, said: str) -> None:
    more = CHOICE if kind in ("select", "multiselect") else {}
    problems = misfits(form(kind, **more), {"x": value, "section_b_items": [{}, {"x": value}]})
    assert list(problems) == ["x", "section_b_items.1.x"]
    assert all(why.startswith(said) for why in problems.values())


def test_what_is_of_no_field_is_refused() -> None:
    values = {"y": 1, "h": "x", "section_b_items": [{"y": 1}]}
    assert list(misfits(form("text"), values)) == ["y", "h", "section_b_items.0.y"]
    assert misfits(form("text"), {"section_b_items": "x"}) == {
        "section_b_items": "must be a list of objects"
    }
