"""Plots of figures over time: what their SVGs are drawn from, and the same as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api_bridge.console import texts
from api_bridge.console.views import timestamps, words
from automations.domain.figures import NO_OUTCOMES, Figures, Outcomes, Period
from automations.domain.statuses import UNFINISHED, RunStatus

HEIGHT = 160.0
"""Of a plot: it is stretched to its page's width, and never in height."""
_COLUMN, _GAP = 10.0, 1.5
_MIN_BAR_WIDTH = 1.5
_LABELS = 5
_APART = 16.0
_BELOW = 3
"""How far an axis' label stands below its line."""
_OPEN = "OPEN"
STATUSES = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, _OPEN)
"""What became of runs, from the ground up."""
_ROUND = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)
"""Seconds that an axis of durations may begin, be marked and end with."""
_MAX_DURATION = 31_536_000.0


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of a column."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """What is drawn of one part of the period, and said of it."""

    x: float
    blocks: Sequence[Block]
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across a plot, and what it stands for."""

    y: float
    text_y: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot over time.

    Args:
        summary: what a screen reader says of it.
        ticks: the words below it, at equal distances.
        kinds: the parts of its columns, for the legend; none where they have but one.
        heads: of its columns as a table.
        rows: the same as a table: those parts in which something is.
    """

    summary: str
    width: float
    columns: Sequence[Column]
    marks: Sequence[Mark]
    ticks: Sequence[str]
    kinds: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def runs(figures: Figures) -> Plot:
    """How many runs began when, by what became of them."""
    parts = _parts(figures)
    most = _ceiling(max(part.runs for part in parts))
    columns, rows = [], []
    for number, part in enumerate(parts):
        counts = by_outcome(part)
        said = [_describe(one, n) for one, n in counts.items() if n]
        label = f"{_span(figures.period, number)}: {', '.join(said) or texts.text('value.none')}"
        columns.append(Column(_x(number), _stack(counts, most), label))
        if part.runs:
            rows.append([_span(figures.period, number), *map(str, counts.values())])
    there = [one for one in STATUSES if any(by_outcome(part)[one] for part in parts)]
    whole = by_outcome(figures.runs.whole)
    return Plot(
        ", ".join(_describe(one, n) for one, n in whole.items() if n),
        _COLUMN * len(parts),
        columns,
        _count_marks(most, lambda value: f"{value:g}"),
        _ticks(figures.period),
        there,
        [texts.text("figures.when"), *map(outcome, STATUSES)],
        rows,
    )


def durations(figures: Figures) -> Plot | None:
    """How long runs took that have completed: median, nine of ten, 99 of 100; None without any."""
    parts = _parts(figures)
    found = [part.seconds for part in parts if part.seconds]
    if not found:
        return None
    low, high = _bounds(min(one[0] for one in found), max(one[-1] for one in found))
    columns, rows = [], []
    for number, part in enumerate(parts):
        span = _span(figures.period, number)
        if not part.seconds:
            columns.append(Column(_x(number), [], f"{span}: {texts.text('value.none')}"))
            continue
        taken = [timestamps.duration(one) for one in part.seconds]
        ys = [_log_y(one, low, high) for one in part.seconds]
        blocks = [
            _between("p99", ys[2], ys[1]),
            _between("p90", ys[1], ys[0]),
            _block("p50", ys[0] - _MIN_BAR_WIDTH, _MIN_BAR_WIDTH * 2),
        ]
        label = ", ".join(
            f"{texts.text(f'figures.{name}')} {one}"
            for name, one in zip(("p50", "p90", "p99"), taken, strict=True)
        )
        columns.append(Column(_x(number), blocks, f"{span}: {label}"))
        rows.append([span, *taken])
    names = [texts.text(f"figures.{name}") for name in ("p50", "p90", "p99")]
    whole = figures.runs.whole.seconds or ()
    said = zip(names, map(timestamps.duration, whole), strict=True)
    return Plot(
        ", ".join(f"{name} {one}" for name, one in said),
        _COLUMN * len(parts),
        columns,
        [_mark(_log_y(one, low, high), _round_duration(one)) for one in _duration_marks(low, high)],
        _ticks(figures.period),
        ("p50", "p90", "p99"),
        [texts.text("figures.when"), *names],
        rows,
    )


def costs(figures: Figures) -> Plot | None:
    """What runs spent on language models, in dollars or, where none are known, tokens."""
    whole = figures.runs.whole
    if not whole.tokens and not whole.cost:
        return None
    in_dollars = bool(whole.cost)
    parts = _parts(figures)
    values = [float(part.cost) if in_dollars else float(part.tokens) for part in parts]
    most = _ceiling(max(values), whole=not in_dollars)
    columns, rows = [], []
    for number, (part, value) in enumerate(zip(parts, values, strict=True)):
        span = _span(figures.period, number)
        said = f"{dollars(part.cost)}, {tokens(part.tokens)}"
        height = HEIGHT * value / most
        blocks = [_block("cost", HEIGHT - height, height)] if value else []
        columns.append(Column(_x(number), blocks, f"{span}: {said}"))
        if value:
            rows.append([span, dollars(part.cost), f"{part.tokens:,}"])
    return Plot(
        f"{dollars(whole.cost)}, {tokens(whole.tokens)}",
        _COLUMN * len(parts),
        columns,
        _count_marks(
            most, (lambda value: f"${value:g}") if in_dollars else (lambda v: f"{v:,.0f}")
        ),
        _ticks(figures.period),
        (),
        [texts.text(f"figures.{name}") for name in ("when", "cost", "tokens")],
        rows,
    )


def by_outcome(found: Outcomes) -> dict[str, int]:
    """Numbers of runs by what became of them; those that may still change are one number."""
    unfinished = sum(found.counts.get(status, 0) for status in UNFINISHED)
    return {
        one: unfinished if one == _OPEN else found.counts.get(RunStatus(one), 0) for one in STATUSES
    }


def outcome(name: str) -> str:
    """What became of runs, in a word."""
    return texts.text("figures.open") if name == _OPEN else words.status(name)


def kind(name: str) -> str:
    """What a colour of a plot stands for."""
    return outcome(name) if name in STATUSES else texts.text(f"figures.{name}")


def dollars(cost: object) -> str:
    """An amount of money, with as many places as it takes to see it."""
    amount = float(str(cost))
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def tokens(number: int) -> str:
    """A number of tokens."""
    return texts.text("figures.n_tokens", n=f"{number:,}")


def _parts(figures: Figures) -> list[Outcomes]:
    found = figures.runs.parts
    return [found.get(number, NO_OUTCOMES) for number in range(figures.period.parts)]


def _x(number: int) -> float:
    return number * _COLUMN + _GAP / 2


def _describe(name: str, number: int) -> str:
    return f"{number:,} {outcome(name).lower()}"


def _stack(counts: dict[str, int], most: float) -> list[Block]:
    blocks, y = [], HEIGHT
    for name, number in counts.items():
        if number:
            height = max(HEIGHT * number / most, _MIN_BAR_WIDTH)
            blocks.append(_block(name, y - height, height))
            y = blocks[-1].y
    return blocks


def _between(name: str, top: float, bottom: float) -> Block:
    return _block(name, top, bottom - top)


def _block(name: str, top: float, height: float) -> Block:
    """A rectangle that is thick enough to be seen, and wholly on the plot."""
    seen = round(max(height, _MIN_BAR_WIDTH), 1)
    return Block(name, round(min(max(top, 0.0), HEIGHT - seen), 1), seen)


def _ceiling(most: float, whole: bool = True) -> float:
    """The end of an axis, of which half is a round number, too."""
    if whole and most <= 2:
        return 2.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= most * 0.999)


def _count_marks(most: float, text: Callable[[float], str]) -> list[Mark]:
    return [_mark(HEIGHT * (1 - share), text(most * share)) for share in (1.0, 0.5, 0.0)]


def _mark(y: float, text: str) -> Mark:
    # The first and the last label would be cut off at the edge of the picture.
    return Mark(round(y, 1), round(min(max(y + _BELOW, 9.0), HEIGHT - 1), 1), text)


def _bounds(least: float, most: float) -> tuple[float, float]:
    low = max((one for one in _ROUND if one <= least), default=_ROUND[0])
    high = min((one for one in _ROUND if one >= most and one > low), default=_MAX_DURATION)
    return low, high


def _log_y(seconds: float, low: float, high: float) -> float:
    share = math.log(max(seconds, low) / low) / math.log(high / low)
    return HEIGHT * (1 - min(share, 1.0))


def _duration_marks(low: float, high: float) -> list[float]:
    """Durations that are marked: as many as stand clear of each other."""
    found: list[float] = []
    for one in (*_ROUND, _MAX_DURATION):
        if low <= one <= high:
            y = _log_y(one, low, high)
            if not found or _log_y(found[-1], low, high) - y >= _APART:
                found.append(one)
    return found


def _round_duration(seconds: float) -> str:
    return timestamps.duration(seconds).replace(".0 ", " ")


def whole_span(period: Period) -> str:
    """A period in words, in UTC."""
    return texts.text(
        "figures.span", since=_format_time(period.since), until=_format_time(period.until)
    )


def _format_time(instant: datetime) -> str:
    return f"{_day(instant)} {instant.astimezone(UTC):%Y, %H:%M}"


def _span(period: Period, number: int) -> str:
    begin = period.since + period.width * number
    if period.width < timedelta(days=1):
        return f"{_day(begin)}, {begin:%H:%M}"
    if period.width == timedelta(days=1):
        return _day(begin)
    return f"{_day(begin)} – {_day(begin + period.width - timedelta(days=1))}"


def _ticks(period: Period) -> list[str]:
    whole = period.until - period.since
    found = [period.since + whole * share / (_LABELS - 1) for share in range(_LABELS)]
    if whole <= timedelta(days=2):
        return [f"{one:%H:%M}" for one in found]
    return [_day(one) for one in found]


def _day(instant: datetime) -> str:
    return f"{instant.astimezone(UTC).day} {instant:%b}"
