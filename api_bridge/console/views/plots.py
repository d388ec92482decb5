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
    top = _ceiling(max(part.runs for part in parts))
    columns, rows = [], []
    for number, part in enumerate(parts):
        counts = by_outcome(part)
        counted = [_describe(status, n) for status, n in counts.items() if n]
        label = f"{_span(figures.period, number)}: {', '.join(counted) or texts.text('value.none')}"
        columns.append(Column(_x(number), _stack(counts, top), label))
        if part.runs:
            rows.append([_span(figures.period, number), *map(str, counts.values())])
    shown_statuses = [
        status for status in STATUSES if any(by_outcome(part)[status] for part in parts)
    ]
    whole = by_outcome(figures.runs.whole)
    return Plot(
        ", ".join(_describe(status, n) for status, n in whole.items() if n),
        _COLUMN * len(parts),
        columns,
        _count_marks(top, lambda value: f"{value:g}"),
        _ticks(figures.period),
        shown_statuses,
        [texts.text("figures.when"), *map(outcome, STATUSES)],
        rows,
    )


def durations(figures: Figures) -> Plot | None:
    """How long runs took that have completed: median, nine of ten, 99 of 100; None without any."""
    parts = _parts(figures)
    measured = [part.seconds for part in parts if part.seconds]
    if not measured:
        return None
    low, high = _bounds(
        min(quantiles[0] for quantiles in measured), max(quantiles[-1] for quantiles in measured)
    )
    columns, rows = [], []
    for number, part in enumerate(parts):
        span = _span(figures.period, number)
        if not part.seconds:
            columns.append(Column(_x(number), [], f"{span}: {texts.text('value.none')}"))
            continue
        taken = [timestamps.duration(second) for second in part.seconds]
        ys = [_log_y(second, low, high) for second in part.seconds]
        blocks = [
            _between("p99", ys[2], ys[1]),
            _between("p90", ys[1], ys[0]),
            _block("p50", ys[0] - _MIN_BAR_WIDTH, _MIN_BAR_WIDTH * 2),
        ]
        label = ", ".join(
            f"{texts.text(f'figures.{name}')} {duration}"
            for name, duration in zip(("p50", "p90", "p99"), taken, strict=True)
        )
        columns.append(Column(_x(number), blocks, f"{span}: {label}"))
        rows.append([span, *taken])
    names = [texts.text(f"figures.{name}") for name in ("p50", "p90", "p99")]
    whole = figures.runs.whole.seconds or ()
    named_durations = zip(names, map(timestamps.duration, whole), strict=True)
    return Plot(
        ", ".join(f"{name} {duration}" for name, duration in named_durations),
        _COLUMN * len(parts),
        columns,
        [
            _mark(_log_y(mark, low, high), _round_duration(mark))
            for mark in _duration_marks(low, high)
        ],
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
    top = _ceiling(max(values), whole=not in_dollars)
    columns, rows = [], []
    for number, (part, value) in enumerate(zip(parts, values, strict=True)):
        span = _span(figures.period, number)
        label = f"{dollars(part.cost)}, {tokens(part.tokens)}"
        height = HEIGHT * value / top
        blocks = [_block("cost", HEIGHT - height, height)] if value else []
        columns.append(Column(_x(number), blocks, f"{span}: {label}"))
        if value:
            rows.append([span, dollars(part.cost), f"{part.tokens:,}"])
    return Plot(
        f"{dollars(whole.cost)}, {tokens(whole.tokens)}",
        _COLUMN * len(parts),
        columns,
        _count_marks(top, (lambda value: f"${value:g}") if in_dollars else (lambda v: f"{v:,.0f}")),
        _ticks(figures.period),
        (),
        [texts.text(f"figures.{name}") for name in ("when", "cost", "tokens")],
        rows,
    )


def by_outcome(outcomes: Outcomes) -> dict[str, int]:
    """Numbers of runs by what became of them; those that may still change are one number."""
    unfinished = sum(outcomes.counts.get(status, 0) for status in UNFINISHED)
    return {
        status: unfinished if status == _OPEN else outcomes.counts.get(RunStatus(status), 0)
        for status in STATUSES
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
    by_number = figures.runs.parts
    return [by_number.get(number, NO_OUTCOMES) for number in range(figures.period.parts)]


def _x(number: int) -> float:
    return number * _COLUMN + _GAP / 2


def _describe(name: str, number: int) -> str:
    return f"{number:,} {outcome(name).lower()}"


def _stack(counts: dict[str, int], top: float) -> list[Block]:
    blocks, y = [], HEIGHT
    for name, number in counts.items():
        if number:
            height = max(HEIGHT * number / top, _MIN_BAR_WIDTH)
            blocks.append(_block(name, y - height, height))
            y = blocks[-1].y
    return blocks


def _between(name: str, top: float, bottom: float) -> Block:
    return _block(name, top, bottom - top)


def _block(name: str, top: float, height: float) -> Block:
    """A rectangle that is thick enough to be seen, and wholly on the plot."""
    seen = round(max(height, _MIN_BAR_WIDTH), 1)
    return Block(name, round(min(max(top, 0.0), HEIGHT - seen), 1), seen)


def _ceiling(highest: float, whole: bool = True) -> float:
    """The end of an axis, of which half is a round number, too."""
    if whole and highest <= 2:
        return 2.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= highest * 0.999)


def _count_marks(top: float, text: Callable[[float], str]) -> list[Mark]:
    return [_mark(HEIGHT * (1 - share), text(top * share)) for share in (1.0, 0.5, 0.0)]


def _mark(y: float, text: str) -> Mark:
    # The first and the last label would be cut off at the edge of the picture.
    return Mark(round(y, 1), round(min(max(y + _BELOW, 9.0), HEIGHT - 1), 1), text)


def _bounds(shortest: float, longest: float) -> tuple[float, float]:
    low = max((duration for duration in _ROUND if duration <= shortest), default=_ROUND[0])
    high = min(
        (duration for duration in _ROUND if duration >= longest and duration > low),
        default=_MAX_DURATION,
    )
    return low, high


def _log_y(seconds: float, low: float, high: float) -> float:
    share = math.log(max(seconds, low) / low) / math.log(high / low)
    return HEIGHT * (1 - min(share, 1.0))


def _duration_marks(low: float, high: float) -> list[float]:
    """Durations that are marked: as many as stand clear of each other."""
    marks_kept: list[float] = []
    for duration in (*_ROUND, _MAX_DURATION):
        if low <= duration <= high:
            y = _log_y(duration, low, high)
            if not marks_kept or _log_y(marks_kept[-1], low, high) - y >= _APART:
                marks_kept.append(duration)
    return marks_kept


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
    instants = [period.since + whole * share / (_LABELS - 1) for share in range(_LABELS)]
    if whole <= timedelta(days=2):
        return [f"{instant:%H:%M}" for instant in instants]
    return [_day(instant) for instant in instants]


def _day(instant: datetime) -> str:
    return f"{instant.astimezone(UTC).day} {instant:%b}"
