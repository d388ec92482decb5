"""The scheduler rests while there is nothing to do, and is woken when there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from airflow.jobs import scheduler_job_runner
from sqlalchemy import Engine, text

from automations_airflow.scheduler import resting
from automations_airflow.scheduler.resting import CHANNEL, Rest, Waker
from tests.waiting import until


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    """One that has had nothing to do for long."""
    monkeypatch.setattr(resting, "IDLE_AFTER", 0.0)
    yield Rest()
    scheduler_job_runner.time = time  # type: ignore[attr-defined]


class Sleeper:
    """The scheduler's loop, as far as it sleeps: for ten minutes, if it is let."""

    def __init__(self, rest: Rest) -> None:
        self.looks = 0
        self._rest = rest
        threading.Thread(target=self._loop, daemon=True).start()

    def _loop(self) -> None:
        while True:
            self._rest.sleep(600.0)
            self.looks += 1


def test_with_nothing_to_do_it_sleeps_until_it_is_told(rest: Rest) -> None:
    sleeper = Sleeper(rest)
    for told in range(1, 4):
        rest.wake()
        until("a look", lambda told=told: sleeper.looks == told)  # type: ignore[misc]


def test_as_long_as_there_are_runs_of_automations_it_looks_often(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "IDLE_AFTER", 600.0)
    monkeypatch.setattr(resting, "BUSY_SLEEP", 0.001)
    sleeper = Sleeper(rest)
    rest.note_runs()
    rest.wake()
    until("a look", lambda: sleeper.looks > 20)


def test_who_wishes_to_sleep_for_less_does_so(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "BUSY_SLEEP", 600.0)
    monkeypatch.setattr(resting, "IDLE_AFTER", 600.0)
    rest.note_runs()
    rest.sleep(0.0)


def test_who_is_told_before_it_sleeps_does_not_sleep(rest: Rest) -> None:
    rest.wake()
    rest.sleep(0.0)


def test_the_schedulers_loop_sleeps_by_it_and_has_the_clock_as_ever(rest: Rest) -> None:
    resting.install(rest)
    rest.wake()
    clock = vars(scheduler_job_runner)["time"]
    clock.sleep(0.0)
    assert clock.monotonic is time.monotonic


def test_a_notification_wakes_it(rest: Rest, airflow_database: Engine) -> None:
    sleeper = Sleeper(rest)
    waker = Waker(airflow_database, rest)
    waker.start()
    until("a look", lambda: sleeper.looks == 1)
    for told in range(2, 5):
        with airflow_database.connect() as connection:
            connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
        until("a look", lambda told=told: sleeper.looks == told)  # type: ignore[misc]
    waker.stop()
    with airflow_database.connect() as connection:
        connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
    waker.join(60)
    assert not waker.is_alive()
