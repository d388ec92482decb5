"""The circuit breaker before Airflow: it opens late enough, probes seldom, and closes at once."""

from __future__ import annotations

import pytest

from automations.dispatch.breaker import Breaker


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """One that has just opened."""
    made = Breaker(clock)
    made.record_failure(1, "away", probe=False)
    made.record_failure(2, "away", probe=False)
    return made


def may_probe(breaker: Breaker) -> bool:
    with breaker.probing() as may:
        return may


def test_one_job_that_fails_again_and_again_holds_up_no_other() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.record_failure(1, "away", probe=False)
    assert not breaker.is_open


def test_two_jobs_open_it_unless_something_was_answered_between_them() -> None:
    breaker = Breaker()
    breaker.record_failure(1, "away", probe=False)
    assert not breaker.record_answer()
    breaker.record_failure(2, "away", probe=False)
    assert not breaker.is_open
    breaker.record_failure(1, "away", probe=False)
    assert breaker.is_open


def test_the_pause_doubles_with_each_probe_that_fails_up_to_ten_seconds(
    breaker: Breaker, clock: Clock
) -> None:
    pauses = []
    for _ in range(7):
        pause = breaker.seconds_to_probe()
        assert pause is not None
        pauses.append(pause)
        clock.now += pause - 0.01
        assert not may_probe(breaker)
        clock.now += 0.01
        with breaker.probing() as may:
            assert may
            breaker.record_failure(3, "away", probe=True)
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 10, 10])


def test_what_was_under_way_when_it_opened_makes_the_pause_no_longer(
    breaker: Breaker, clock: Clock
) -> None:
    clock.now += 0.4
    breaker.record_failure(3, "away", probe=False)
    assert breaker.seconds_to_probe() == pytest.approx(0.1)


def test_there_is_one_probe_at_a_time(breaker: Breaker, clock: Clock) -> None:
    clock.now += 1
    with breaker.probing() as may:
        assert may
        assert not may_probe(breaker)
        assert breaker.seconds_to_probe() is None
    assert may_probe(breaker), "one that found nothing to try stands in nobody's way"


def test_an_answer_closes_it_at_once_and_is_news_once(breaker: Breaker, clock: Clock) -> None:
    assert breaker.record_answer()
    assert not breaker.record_answer()
    assert (breaker.is_open, breaker.seconds_to_probe(), may_probe(breaker)) == (False, None, False)
    clock.now += 1
    breaker.record_failure(1, "away", probe=True)
    assert not breaker.is_open, "a probe of before says as little as any other job"
