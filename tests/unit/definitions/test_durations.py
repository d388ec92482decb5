"""Durations: as long as they say, whenever they begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from automations.definitions.checking import parse
from automations.definitions.flow_control import Debounce
from automations.definitions.model import DEFINITION, Retry
from automations.definitions.schedules import check_interval
from automations.domain.fields import parse_duration
from automations.steps.approval import ApprovalConfig
from automations.steps.delay import DelayConfig
from automations.steps.evidence_snapshot import parse_time
from automations.steps.send_form import SendFormConfig

OF_THE_CALENDAR = ["P1M", "P1Y", "P1Y2M3D", "P2M1DT3H", "P1Y2M10DT2H30M"]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("PT1M", timedelta(minutes=1)),
        ("P1W", timedelta(weeks=1)),
        ("P1DT5M", timedelta(days=1, minutes=5)),
        ("PT0.5S", timedelta(seconds=0.5)),
    ],
)
def test_what_is_always_equally_long_is_read(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["P1D1D", "PT1H1H", "PT1M1H", "PT1S1M", "P1D1W", "P1DT1D", "P1"])
def test_each_part_is_there_once_and_in_its_place(text: str) -> None:
    with pytest.raises(ValueError, match="such as PT30S"):
        parse_duration(text)


def before_now(text: str) -> datetime:
    return parse_time(text, datetime.now(UTC), "UTC")


@pytest.mark.parametrize("text", OF_THE_CALENDAR)
def test_months_and_years_are_refused_with_the_way_to_write_them(text: str) -> None:
    said = "must not have months or years"
    for read in (parse_duration, check_interval, before_now):
        with pytest.raises(ValueError, match=said):
            read(text)
    for model, fields in (
        (DelayConfig, {"duration": text}),
        (Debounce, {"delay": text}),
        (ApprovalConfig, {"approvers": ["a@b.example"], "message": "x", "expiresIn": text}),
    ):
        with pytest.raises(ValidationError, match=said):
            model.model_validate(fields)
    step = {"name": "x", "type": "delay", "order": 0, "config": {"duration": "PT1S"}}
    with pytest.raises(ValidationError, match=said):
        DEFINITION.validate_python({"name": "x", "steps": [{**step, "timeout": text}]})


@pytest.mark.parametrize("every", ["PT0.001S", "PT1S", "PT59S"])
def test_nobody_is_reminded_each_second(every: str) -> None:
    with pytest.raises(ValidationError, match="PT1M at least"):
        ApprovalConfig.model_validate(
            {"approvers": ["a@b.example"], "message": "x", "remindEvery": every}
        )
    with pytest.raises(ValidationError, match="PT1M at least"):
        SendFormConfig.model_validate(
            {"formId": "c1", "recipients": ["a@b.example"], "remindEvery": every}
        )


@pytest.mark.parametrize(
    ("written", "attempt", "seconds"),
    [
        ({"delay": "PT10M"}, 1, 600),
        ({"delay": "PT10M"}, 9, 600),
        ({"delay": "PT1H", "backoff": "fixed"}, 1, 3600),
        ({"delay": "PT2M"}, 3, 300),
        ({"maxDelay": "PT1S"}, 1, 1),
        ({"delay": "PT10M", "maxDelay": "PT1H"}, 19, 3600),
    ],
)
def test_a_retry_comes_after_the_delay_that_is_written(
    written: dict[str, str], attempt: int, seconds: int
) -> None:
    retry = Retry.model_validate({"maxAttempts": 20, **written})
    assert retry.delay_after(attempt) == timedelta(seconds=seconds)


def test_a_longest_delay_that_is_shorter_than_the_first_one_is_refused() -> None:
    retry = {"delay": "PT10M", "maxDelay": "PT5M"}
    step = {"name": "x", "type": "delay", "config": {"duration": "PT1S"}, "retry": retry}
    _, errors = parse({"name": "x", "steps": [step]})
    assert errors == {"steps.0.retry.maxDelay": ["must not be shorter than delay"]}


@pytest.mark.parametrize("late", ["P7D", "P30D"])
def test_what_would_come_after_the_end_of_a_pause_is_refused(late: str) -> None:
    asked = {"approvers": ["a@b.example"], "message": "x", "escalateTo": ["b@b.example"]}
    form = {"formId": "c1", "recipients": ["a@b.example"]}
    for model, fields in (
        (ApprovalConfig, {**asked, "escalateAfter": late}),
        (ApprovalConfig, {**asked, "escalateAfter": "P1D", "remindEvery": late}),
        (SendFormConfig, {**form, "remindEvery": late}),
    ):
        with pytest.raises(ValidationError, match="shorter than expiresIn, which is P7D"):
            model.model_validate(fields)
    ApprovalConfig.model_validate({**asked, "escalateAfter": "P6D", "expiresIn": "{{input.time}}"})
