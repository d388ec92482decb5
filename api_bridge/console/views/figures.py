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


def build_page(figures: Figures, names: Mapping[str, str]) -> FiguresPage:
    """The figures of a period as plots, bars and words."""
    whole = figures.runs.whole
    return FiguresPage(
        plots.whole_span(figures.period),
        _facts(whole, figures),
        plots.runs(figures) if whole.runs else None,
        plots.durations(figures),
        plots.costs(figures),
        _failing(figures, names),
        _waits(figures),
        figures.runs.oldest if figures.is_cut else None,
    )


def automations(figures: Figures, names: Mapping[str, str]) -> list[Automation]:
    """What became of the runs of those automations that ran most."""
    busiest = sorted(figures.runs.automations.items(), key=lambda item: -item[1].runs)
    return [
        Automation(
            workflow_id,
            names.get(workflow_id, texts.text("figures.deleted")),
            outcomes.runs,
            outcomes.counts.get(RunStatus.FAILED, 0),
            success(outcomes.counts),
            *_durations(outcomes),
            plots.dollars(outcomes.cost) if outcomes.cost else "–",
        )
        for workflow_id, outcomes in busiest[:_MAX_AUTOMATIONS]
    ]


def _facts(whole: Outcomes, figures: Figures) -> list[Fact]:
    rate = success(whole.counts)
    median, longest = _durations(whole)
    waiting = sum(sum(counts) for counts in figures.waits.values())
    shown = {
        "runs": f"{whole.runs:,}",
        "success": "–" if rate is None else f"{rate} %",
        "median": median,
        "longest": longest,
        "waiting": f"{waiting:,}",
        "cost": plots.dollars(whole.cost) if whole.cost or whole.tokens else "–",
    }
    return [Fact(texts.text(f"figures.fact_{name}"), value) for name, value in shown.items()]


def _durations(outcomes: Outcomes) -> tuple[str, str]:
    if not outcomes.seconds:
        return "–", "–"
    return timestamps.duration(outcomes.seconds[0]), timestamps.duration(outcomes.seconds[1])


def _failing(figures: Figures, names: Mapping[str, str]) -> list[Failing]:
    highest = max((step.runs for step in figures.failing), default=1)
    return [
        Failing(
            step.workflow_id,
            names.get(step.workflow_id, texts.text("figures.deleted")),
            step.name or texts.text("figures.no_step"),
            words.icon(step.step_type or ""),
            step.runs,
            round(_BAR * step.runs / highest, 1),
            step.last_run_id,
        )
        for step in figures.failing
    ]


def _waits(figures: Figures) -> list[Waiting]:
    highest = max((sum(counts) for counts in figures.waits.values()), default=1)
    rows = []
    for kind, counts in sorted(figures.waits.items(), key=lambda item: -sum(item[1])):
        x, bar = 0.0, []
        for age, number in zip(_AGES, counts, strict=True):
            width = _BAR * number / highest
            if number:
                bar.append((age, round(x, 1), round(width, 1)))
            x += width
        rows.append(Waiting(kind, sum(counts), counts, bar))
    return rows
