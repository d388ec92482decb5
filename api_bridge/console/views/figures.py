"""Figures as their pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api_bridge.console import texts
from api_bridge.console.views import plots, timestamps, words
from api_bridge.console.views.plots import Plot
from automations.domain.figures import Figures, Outcomes, success
from automations.domain.statuses import RunStatus, WaitKind

_MAX_AUTOMATIONS = 15
_BAR = 100.0
_AGES = ("hour", "day", "week", "older")


@dataclass(frozen=True, slots=True)
class Fact:
    """A number that one looks for first."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Failing:
    """A step at which runs have failed, and its share as a bar."""

    workflow_id: str
    workflow: str
    step: str
    icon: str
    runs: int
    width: float
    last_run_id: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What runs wait for, by how long: numbers, and parts of a bar."""

    kind: WaitKind
    whole: int
    counts: Sequence[int]
    bar: Sequence[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class FiguresPage:
    """All of it.

    Args:
        counted_since: when the oldest run began that was counted, where there are more.
    """

    span: str
    facts: Sequence[Fact]
    runs: Plot | None
    durations: Plot | None
    costs: Plot | None
    failing: Sequence[Failing]
    waits: Sequence[Waiting]
    counted_since: datetime | None


@dataclass(frozen=True, slots=True)
class Automation:
    """What became of the runs of one automation."""

    id: str
    name: str
    runs: int
    failed: int
    success: int | None
    median: str
    longest: str
    cost: str


def build_page(found: Figures, names: Mapping[str, str]) -> FiguresPage:
    """The figures of a period as plots, bars and words."""
    whole = found.runs.whole
    return FiguresPage(
        plots.whole_span(found.period),
        _facts(whole, found),
        plots.runs(found) if whole.runs else None,
        plots.durations(found),
        plots.costs(found),
        _failing(found, names),
        _waits(found),
        found.runs.oldest if found.is_cut else None,
    )


def automations(found: Figures, names: Mapping[str, str]) -> list[Automation]:
    """What became of the runs of those automations that ran most."""
    most = sorted(found.runs.automations.items(), key=lambda one: -one[1].runs)
    return [
        Automation(
            workflow_id,
            names.get(workflow_id, texts.text("figures.deleted")),
            one.runs,
            one.counts.get(RunStatus.FAILED, 0),
            success(one.counts),
            *_durations(one),
            plots.dollars(one.cost) if one.cost else "–",
        )
        for workflow_id, one in most[:_MAX_AUTOMATIONS]
    ]


def _facts(whole: Outcomes, found: Figures) -> list[Fact]:
    rate = success(whole.counts)
    median, longest = _durations(whole)
    waiting = sum(sum(counts) for counts in found.waits.values())
    shown = {
        "runs": f"{whole.runs:,}",
        "success": "–" if rate is None else f"{rate} %",
        "median": median,
        "longest": longest,
        "waiting": f"{waiting:,}",
        "cost": plots.dollars(whole.cost) if whole.cost or whole.tokens else "–",
    }
    return [Fact(texts.text(f"figures.fact_{name}"), value) for name, value in shown.items()]


def _durations(one: Outcomes) -> tuple[str, str]:
    if not one.seconds:
        return "–", "–"
    return timestamps.duration(one.seconds[0]), timestamps.duration(one.seconds[1])


def _failing(found: Figures, names: Mapping[str, str]) -> list[Failing]:
    most = max((one.runs for one in found.failing), default=1)
    return [
        Failing(
            one.workflow_id,
            names.get(one.workflow_id, texts.text("figures.deleted")),
            one.name or texts.text("figures.no_step"),
            words.icon(one.step_type or ""),
            one.runs,
            round(_BAR * one.runs / most, 1),
            one.last_run_id,
        )
        for one in found.failing
    ]


def _waits(found: Figures) -> list[Waiting]:
    most = max((sum(counts) for counts in found.waits.values()), default=1)
    rows = []
    for kind, counts in sorted(found.waits.items(), key=lambda one: -sum(one[1])):
        x, bar = 0.0, []
        for age, number in zip(_AGES, counts, strict=True):
            width = _BAR * number / most
            if number:
                bar.append((age, round(x, 1), round(width, 1)))
            x += width
        rows.append(Waiting(kind, sum(counts), counts, bar))
    return rows
