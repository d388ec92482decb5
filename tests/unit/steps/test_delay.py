"""The delay step: when it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.domain.statuses import Decision
from automations.errors import StepError
from automations.steps.delay import Delay, DelayConfig
from automations.steps.outcomes import Answer, Done, WaitUntil
from tests.doubles import NOW, context


def due(**config: Any) -> datetime:
    outcome = Delay().run(DelayConfig.model_validate(config, context=RENDERED), context())
    assert isinstance(outcome, WaitUntil)
    return outcome.when


@pytest.mark.parametrize("amount", [True, "1_000", "1_0.5", "yes", "٥"])
def test_what_is_no_number_is_no_amount_whoever_gives_it(amount: Any) -> None:
    for context_ in (None, RENDERED):
        with pytest.raises(ValidationError):
            DelayConfig.model_validate({"amount": amount, "unit": "days"}, context=context_)


@pytest.mark.parametrize(
    ("config", "wait"),
    [
        ({"duration": "PT90S"}, timedelta(seconds=90)),
        ({"duration": "P1DT2H"}, timedelta(days=1, hours=2)),
        ({"amount": 90, "unit": "seconds"}, timedelta(seconds=90)),
        ({"amount": 1.5, "unit": "hours"}, timedelta(minutes=90)),
        ({"amount": 2, "unit": "weeks"}, timedelta(days=14)),
        ({"amount": 0, "unit": "days"}, timedelta(0)),
    ],
)
def test_a_length_counts_from_now(config: dict[str, Any], wait: timedelta) -> None:
    assert due(**config) == NOW + wait


@pytest.mark.parametrize(
    ("config", "instant"),
    [
        ({"until": "2026-03-02T08:00:00Z"}, "2026-03-02T08:00:00+00:00"),
        ({"until": "2026-03-02T08:00:00+05:30"}, "2026-03-02T02:30:00+00:00"),
        ({"until": "2026-03-02T08:00:00"}, "2026-03-02T08:00:00+00:00"),
        ({"until": "2026-03-02"}, "2026-03-02T00:00:00+00:00"),
        ({"until": "2026-03-02", "timezone": "Europe/Warsaw"}, "2026-03-01T23:00:00+00:00"),
        (
            {"until": "2026-03-02T08:00:00Z", "timezone": "Europe/Warsaw"},
            "2026-03-02T08:00:00+00:00",
        ),
    ],
)
def test_a_moment_is_read_in_its_zone(config: dict[str, Any], instant: str) -> None:
    assert due(**config) == datetime.fromisoformat(instant)


def test_a_wall_time_that_a_clock_change_skips_is_read_as_before_the_change() -> None:
    assert due(until="2026-03-29T02:30:00", timezone="Europe/Warsaw") == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )


def test_of_a_wall_time_that_comes_twice_the_first_is_meant() -> None:
    assert due(until="2026-10-25T02:30:00", timezone="Europe/Warsaw") == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


def test_a_moment_that_has_passed_is_due_already() -> None:
    assert due(until="2020-01-01") < NOW


@given(seconds=st.integers(min_value=1, max_value=366 * 24 * 3600))
def test_seconds_and_the_same_duration_are_due_together(seconds: int) -> None:
    assert due(amount=seconds, unit="seconds") == due(duration=f"PT{seconds}S")


@pytest.mark.parametrize(
    "config",
    [
        {"amount": 367, "unit": "days"},
        {"amount": 1e300, "unit": "weeks"},
    ],
)
def test_more_than_a_year_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="366 days at most"):
        DelayConfig.model_validate(config)


@pytest.mark.parametrize(
    "config",
    [
        {"until": "2028-01-01"},
        {"until": "9999-12-31T23:59:59", "timezone": "Pacific/Honolulu"},
    ],
)
def test_a_moment_of_more_than_a_year_from_now_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(StepError, match=r"beyond the calendar|366 days at most") as caught:
        due(**config)
    assert caught.value.kind == "config"


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_beyond_the_calendar_is_refused_when_it_is_written(until: str) -> None:
    with pytest.raises(ValidationError, match="beyond the calendar"):
        DelayConfig.model_validate({"until": until})


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(ValidationError, match="cannot be negative"):
        DelayConfig.model_validate({"amount": -1, "unit": "days"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "exactly one of duration, amount with unit, or until"),
        ({"duration": "P367D"}, "P366D at most"),
        ({"duration": "P3000000D"}, "P366D at most"),
        ({"duration": "PT1S", "until": "2026-03-02"}, "exactly one of"),
        ({"amount": 1}, "amount and unit go together"),
        ({"unit": "days"}, "amount and unit go together"),
        ({"amount": 1, "unit": "years"}, "Input should be 'seconds'"),
        ({"duration": "2 hours"}, "must be an ISO 8601 duration"),
        ({"duration": "PT0S"}, "must be longer than zero"),
        ({"until": "tomorrow"}, "must be an ISO 8601 date or time"),
        ({"until": "2026-03-02", "timezone": "Mars/Base"}, "must be an IANA time zone"),
        ({"until": "2026-03-02", "timezone": "../etc/passwd"}, "must be an IANA time zone"),
    ],
)
def test_a_config_that_names_no_one_moment_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DelayConfig.model_validate(config)


@pytest.mark.parametrize(
    "config",
    [
        {"duration": "{{input.wait}}"},
        {"amount": "{{input.days}}", "unit": "days"},
        {"until": "{{trigger.date}}", "timezone": "{{input.zone}}"},
    ],
)
def test_a_template_is_accepted_until_it_has_been_rendered(config: dict[str, Any]) -> None:
    DelayConfig.model_validate(config)
    with pytest.raises(ValidationError):
        DelayConfig.model_validate(config, context=RENDERED)


@pytest.mark.parametrize(
    ("decision", "by", "early"),
    [(Decision.ELAPSED, None, False), (Decision.RESUMED, "ada@b.example", True)],
)
def test_the_output_says_when_and_how_the_wait_ended(
    decision: Decision, by: str | None, early: bool
) -> None:
    config = DelayConfig.model_validate({"duration": "PT1H"})
    assert Delay().resume(config, context(), Answer(decision, by, NOW)) == Done(
        {"waitedUntil": "2026-03-01T12:00:00.000Z", "resumedEarly": early, "by": by}
    )
