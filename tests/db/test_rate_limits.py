"""Counts are exact over connections, and a window forgives the one before."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from automations.db import rate_limits
from automations.db.session import unit_of_work
from automations.errors import TooManyRequests
from automations.services.access import rate_limits as service


def hit(key: str, limit: int) -> int | None:
    with unit_of_work() as session:
        return rate_limits.hit(session, key, limit=limit, seconds=60)


@pytest.fixture
def minute(database: str) -> Iterator[time_machine.Traveller]:
    with time_machine.travel("2026-03-01T10:00:15Z", tick=False) as clock:
        yield clock


def test_hits_up_to_the_limit_pass_and_the_next_one_waits_for_the_window(
    minute: time_machine.Traveller,
) -> None:
    assert [hit("a", 2) for _ in range(3)] == [None, None, 45]


def test_keys_do_not_count_for_each_other(minute: time_machine.Traveller) -> None:
    assert hit("a", 1) is None
    assert hit("b", 1) is None


def test_a_new_window_starts_from_nothing(minute: time_machine.Traveller) -> None:
    assert [hit("a", 1), hit("a", 1)] == [None, 45]
    minute.shift(60)
    assert hit("a", 1) is None


def test_hits_at_once_are_counted_exactly(minute: time_machine.Traveller) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hit("a", 30), range(50)))
    assert answers.count(None) == 30


def test_a_refused_try_counts_too(minute: time_machine.Traveller) -> None:
    for _ in range(2):
        service.check({"x": 2})
    for _ in range(2):
        with pytest.raises(TooManyRequests) as refused:
            service.check({"x": 2})
        assert refused.value.retry_after == 45


def test_a_hot_path_is_stopped_soon_after_its_limit_and_until_the_window_ends(
    minute: time_machine.Traveller,
) -> None:
    waits: list[int] = []

    def passes() -> bool:
        try:
            service.check_roughly("hot", 120)
        except TooManyRequests as error:
            waits.append(error.retry_after)
            return False
        return True

    allowed = sum(passes() for _ in range(400))
    assert 120 <= allowed <= 120 + 50
    assert all(0 < wait <= 60 for wait in waits)
    with unit_of_work() as session:
        counted = rate_limits.hit(session, "hot", limit=1_000, seconds=60)
    assert counted is None
    minute.shift(60)
    assert passes()
