"""Boards: which are taken, and how their steps are numbered."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.matters import Board, number_text
from automations.kit.ids import PATTERN


def board(*steps: dict[str, Any], **more: Any) -> Board:
    return Board.model_validate({"name": "Onboarding", "steps": list(steps), **more})


def test_steps_are_kept_in_their_order_and_get_ids() -> None:
    made = board(
        {"name": "Second", "type": "TASK", "order": 5},
        {"id": "first", "name": "First", "type": "FORM", "order": 2},
    )
    first, second = made.numbered_steps()
    assert first == {"id": "first", "name": "First", "type": "FORM", "order": 2}
    assert (second["name"], second["order"]) == ("Second", 5)
    assert re.fullmatch(PATTERN, second["id"])


def test_without_an_order_the_place_in_the_list_counts() -> None:
    made = board({"name": "A", "type": "TASK"}, {"name": "B", "type": "REVIEW"})
    assert [(step["name"], step["order"]) for step in made.numbered_steps()] == [("A", 0), ("B", 1)]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"steps": []}, "at least 1 item"),
        ({"steps": [{"name": "A", "type": "task"}]}, "FORM"),
        ({"steps": [{"name": " ", "type": "TASK"}]}, "at least 1 character"),
        ({"steps": [{"name": "A", "type": "TASK", "id": "a b"}]}, "pattern"),
        ({"steps": [{"name": "A", "type": "TASK", "order": -1}]}, "greater than or equal"),
        ({"steps": [{"name": "A", "type": "TASK", "order": 10**9}]}, "less than or equal"),
        ({"steps": [{"name": "A", "type": "TASK", "id": "x"}] * 2}, "several steps have the id x"),
        (
            {"steps": [{"name": n, "type": "TASK", "order": 1} for n in "AB"]},
            "several steps have the order 1",
        ),
        ({"steps": [{"name": str(n), "type": "TASK"} for n in range(201)]}, "at most 200"),
        ({"steps": [{"name": "A", "type": "TASK"}], "boardType": "SCRUM"}, "PROCESS"),
        ({"steps": [{"name": "A", "type": "TASK"}], "name": 5}, "valid string"),
        ({"steps": [{"name": "A", "type": "TASK"}], "colour": 5}, "Extra inputs"),
    ],
)
def test_a_board_that_makes_no_sense_is_refused(payload: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Board.model_validate({"name": "Onboarding", **payload})


@pytest.mark.parametrize(
    ("number", "text"), [(1, "MAT-0001"), (12, "MAT-0012"), (12345, "MAT-12345")]
)
def test_numbers_have_four_digits_at_least(number: int, text: str) -> None:
    assert number_text(number) == text
