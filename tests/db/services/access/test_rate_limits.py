"""Counts are exact over connections, and a window forgives the one before."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, update

from automations.db.access import rate_limits
from automations.db.session import unit_of_work
from automations.db.tables import RateLimit
from automations.errors import TooManyRequests
from automations.services.access import rate_limits as service


def hit(key: str, limit: int) -> int | None:
    with unit_of_work() as session:
        return rate_limits.hit(session, key, limit=limit, seconds=60)


def windows_end() -> None:
    with unit_of_work() as session:
        session.execute(update(RateLimit).values(ends_at=func.clock_timestamp()))


def test_hits_up_to_the_limit_pass_and_the_next_one_waits_for_the_window(
    database: str,
) -> None:
    *passed, wait = [hit("a", 2) for _ in range(3)]
    assert passed == [None, None]
    assert wait is not None
    assert 0 < wait <= 60


def test_keys_do_not_count_for_each_other(database: str) -> None:
    assert hit("a", 1) is None
    assert hit("b", 1) is None


def test_a_new_window_starts_from_nothing(database: str) -> None:
    assert (hit("a", 1), hit("a", 1) is None) == (None, False)
    windows_end()
    assert hit("a", 1) is None
    assert hit("a", 1) is not None


def test_hits_at_once_are_counted_exactly(database: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hit("a", 30), range(50)))
    assert answers.count(None) == 30


def test_a_refused_try_counts_too(database: str) -> None:
    for _ in range(2):
        service.check({"x": 2})
    for _ in range(2):
        with pytest.raises(TooManyRequests) as refused:
            service.check({"x": 2})
        assert 0 < refused.value.retry_after <= 60


def test_a_hot_path_is_stopped_soon_after_its_limit_and_until_the_window_ends(
    database: str, monkeypatch: pytest.MonkeyPatch
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
    windows_end()
    later = time.monotonic() + 60
    monkeypatch.setattr(service, "_now", lambda: later)
    assert passes()
