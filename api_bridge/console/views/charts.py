"""Figures as pictures: what SVGs are drawn from, made on the server."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api_bridge.console import texts
from api_bridge.console.views import timestamps, words
from automations.domain.runs import PastPause, RunStory, RunSummary
from automations.domain.statuses import StepStatus, WaitStatus
from automations.kit import common_clock

_HEIGHT, _MIN_HEIGHT = 28, 5
_WIDTH = 1000.0
_MIN_BAR_WIDTH = 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in a row of them: the longer it took, the higher."""

    run_id: str
    status: str
    height: int
    label: str


def bars(recent: Sequence[RunSummary]) -> list[Bar]:
    """The newest runs of an automation, the oldest of them first."""
    now = common_clock.now()
    seconds = [((run.completed_at or now) - run.started_at).total_seconds() for run in recent]
    longest = max((math.log1p(max(value, 0.0)) for value in seconds), default=0.0) or 1.0
    bars_ = []
    for run, taken in zip(recent, seconds, strict=True):
        share = math.log1p(max(taken, 0.0)) / longest
        label = f"{words.status(run.status)}, {timestamps.duration(taken)}"
        bars_.append(
            Bar(run.id, run.status, round(_MIN_HEIGHT + share * (_HEIGHT - _MIN_HEIGHT)), label)
        )
    return bars_[::-1]


def bars_in_words(recent: Sequence[RunSummary]) -> str:
    """The same for those who hear the page."""
    if not recent:
        return texts.text("bars.none")
    numbers = Counter(str(run.status) for run in recent)
    parts = (f"{number} {words.status(status).lower()}" for status, number in numbers.items())
    return texts.text("bars.some", n=len(recent), parts=", ".join(parts))


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a timeline: when something was at work, or waited."""

    kind: str
    x: float
    width: float
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """A step in a timeline."""

    step_id: str
    name: str
    spans: Sequence[Span]
    taken: str


def timeline(story: RunStory, names: Mapping[str, str]) -> list[Row]:
    """When each step of a run was at work, and when it waited."""
    now = common_clock.now()
    run = story.detail.run
    first = min([run.started_at, *(time.started_at for time in story.times)])
    ends = [time.ended_at or now for time in story.times]
    last = max([run.completed_at or now, *ends]) if ends else (run.completed_at or now)
    whole = max((last - first).total_seconds(), 0.001)

    def span(kind: str, begin: datetime, end: datetime, label: str) -> Span:
        x = _WIDTH * (begin - first).total_seconds() / whole
        width = max(_WIDTH * (end - begin).total_seconds() / whole, _MIN_BAR_WIDTH)
        return Span(kind, round(min(x, _WIDTH - _MIN_BAR_WIDTH), 1), round(width, 1), label)

    # One that waits has done something before, and its waits are parts of their own.
    statuses = {
        step.node_id: "RUNNING" if step.status == StepStatus.WAITING else str(step.status)
        for step in story.detail.steps
    }
    rows = []
    for step_time in story.times:
        end = step_time.ended_at or now
        taken = timestamps.duration(end - step_time.started_at)
        own = [span(statuses.get(step_time.node_id, "DONE"), step_time.started_at, end, taken)]
        for pause in story.pauses:
            if pause.node_id == step_time.node_id:
                until = _end_of(pause, now)
                label = texts.text(f"wait.{pause.kind}")
                own.append(span("wait", pause.created_at, until, label))
        rows.append(
            Row(step_time.node_id, names.get(step_time.node_id, step_time.node_id), own, taken)
        )
    return rows


def _end_of(pause: PastPause, now: datetime) -> datetime:
    if pause.decided_at is not None:
        return pause.decided_at
    return now if pause.status == WaitStatus.OPEN else pause.created_at
