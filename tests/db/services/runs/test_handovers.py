"""What was done ahead is taken by the scheduler's side, whatever stands before it."""

from __future__ import annotations

from typing import Any

import pytest

from automations.db.runs import handovers as rows
from automations.db.session import unit_of_work
from automations.services.runs.handovers import HandoverConsumer
from tests.db.runs import MAIL, begin, step


class Side:
    """A side that cannot mark some, and notes which it has tried."""

    def __init__(self, locked: int) -> None:
        self.locked = set(range(locked))
        self.tried: list[int] = []
        self.now = 100.0
        self.taker = HandoverConsumer(self.mark, lambda: self.now)

    def mark(self, marks: dict[str, Any]) -> bool:
        self.tried.append(marks["number"])
        return marks["number"] not in self.locked

    def take(self) -> list[int]:
        """Which it tries, from now until there is nothing to do."""
        self.tried = []
        for _ in range(100):
            if not self.taker.take():
                return self.tried
        raise AssertionError("it takes no end")


def hand_over(number: int) -> None:
    ours = begin(step("a", "email", 0, MAIL))
    with unit_of_work() as session:
        for index in range(number):
            rows.add(session, ours.id, {"number": index})


@pytest.mark.parametrize("locked", [0, 1, 9, 10, 11, 35])
def test_those_that_cannot_be_marked_hold_up_no_other(database: str, locked: int) -> None:
    hand_over(40)
    side = Side(locked)
    # Each of them once more: most often its rows are free by then.
    assert sorted(side.take()) == sorted([*range(40), *range(locked)])
    assert side.take() == []


@pytest.mark.slow
def test_they_are_tried_again_later_and_later_until_they_can_be(database: str) -> None:
    hand_over(12)
    side = Side(11)
    side.take()
    tries = []
    for _ in range(300):
        side.now += 1
        tries.append(len(side.take()))
    # After 1, 2, 4, 8, 16, 32 seconds, and then each minute.
    at = [second for second, number in enumerate(tries, 1) if number]
    assert at == [1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert {number for number in tries if number} == {11}
    side.locked = set()
    side.now += 60
    assert sorted(side.take()) == list(range(11))
    side.now += 60
    assert side.take() == []


def test_what_others_have_taken_meanwhile_is_forgotten(database: str) -> None:
    hand_over(3)
    side = Side(3)
    side.take()
    Side(0).take()
    side.now += 60
    assert side.take() == []
    assert side.taker._aside == {}
