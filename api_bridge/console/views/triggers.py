"""Describes triggers in words, and when they are next due."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from api_bridge.console import texts
from api_bridge.console.views import timestamps
from automations.definitions.triggers import FILTERS, ScheduleTrigger
from automations.domain.fields import parse_duration
from automations.domain.statuses import WorkflowStatus
from automations.kit import common_clock

_TIME = re.compile(r"(\d{1,2}) (\d{1,2}) (\S+) (\S+) (\S+)")
_EVERY = re.compile(r"\*/(\d{1,2}) \* \* \* \*")
_NAMED = frozenset({*FILTERS, "RUN_FAILED"})
"""Types of events that have words."""
_WEEK = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS = {str(number): day for number, day in enumerate(_WEEK)}


def describe(definition: Mapping[str, Any]) -> str:
    """What starts an automation."""
    trigger = definition.get("trigger") or {}
    match trigger.get("type"):
        case "schedule":
            return _schedule(trigger, definition.get("timezone"))
        case "event":
            return _event(str(trigger.get("triggerType")))
        case "form_submission" | "webhook" | "manual" as kind:
            return texts.text(f"trigger.{kind}")
        case other:
            return str(other)


def next_due(definition: Mapping[str, Any], status: str) -> datetime | None:
    """When an automation starts next; None when no clock starts it."""
    trigger = definition.get("trigger") or {}
    if trigger.get("type") != "schedule" or status != WorkflowStatus.ACTIVE:
        return None
    schedule = ScheduleTrigger.model_validate(trigger).schedule(definition.get("timezone"))
    return schedule.next_after(common_clock.now())


def _event(kind: str) -> str:
    """An event that the product itself tells of in words; else as its sender has named it."""
    key = f"trigger.{kind}" if kind in _NAMED else "trigger.event"
    return texts.text(key, type=kind)


def _schedule(trigger: Mapping[str, Any], timezone: str | None) -> str:
    zone = str(trigger.get("timezone") or timezone or "UTC")
    interval = trigger.get("interval")
    if interval is not None:
        period = parse_duration(str(interval))
        return timestamps.interval(period)
    return f"{_cron(str(trigger.get('cron')))} ({zone})"


def _cron(cron: str) -> str:
    """A cron expression in words, when it is one of the frequent ones; else as it is written."""
    if match := _EVERY.fullmatch(cron):
        return timestamps.interval(timedelta(minutes=int(match[1])))
    if (at := _TIME.fullmatch(cron)) is None:
        return texts.text("trigger.cron", cron=cron)
    minute, hour, day, month, weekday = at.groups()
    time = f"{int(hour):02d}:{int(minute):02d}"
    match day, month, weekday:
        case "*", "*", "*":
            return texts.text("trigger.daily", time=time)
        case "*", "*", "1-5":
            return texts.text("trigger.weekdays", time=time)
        case "*", "*", one if one in _DAYS:
            return texts.text("trigger.weekly", day=_DAYS[one], time=time)
        case one, "1,4,7,10", "*" if one.isdigit():
            return texts.text("trigger.quarterly", day=one, time=time)
        case one, "*", "*" if one.isdigit():
            return texts.text("trigger.monthly", day=one, time=time)
    return texts.text("trigger.cron", cron=cron)
