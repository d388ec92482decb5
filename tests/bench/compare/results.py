"""What was measured: kept in a file of JSON, to which each measurement is added as it is done."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.compare.shapes import Shape


@dataclass(frozen=True, slots=True)
class Taken:
    """One measurement.

    Args:
        processor: seconds of processor time of all processes of the engine.
        megabytes: of their memory at its end.
        load: of the machine at its end.
        parts: the processor time by part of the engine, where that was noted.
    """

    seconds: float
    processor: float
    megabytes: float
    load: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """What a shape came to on one engine; medians."""

    shape: Shape
    engine: str
    taken: list[Taken]

    @property
    def seconds(self) -> float:
        return median(measurement.seconds for measurement in self.taken)

    @property
    def spread(self) -> str:
        """The least and the most seconds."""
        seconds = [measurement.seconds for measurement in self.taken]
        return f"{min(seconds):.2f} to {max(seconds):.2f}" if len(seconds) > 1 else "once"

    @property
    def per_step(self) -> float:
        """Milliseconds of processor time."""
        return median(measurement.processor for measurement in self.taken) / self.shape.steps * 1e3

    @property
    def parts(self) -> dict[str, float]:
        """Milliseconds of processor time for each run, by part, the most first."""
        grouped = [_grouped(measurement.parts) for measurement in self.taken]
        names = {name for parts in grouped for name in parts}
        spent = {name: median(parts.get(name, 0.0) for parts in grouped) for name in names}
        in_order = sorted(spent.items(), key=lambda item: -item[1])
        return {name: seconds / self.shape.runs * 1e3 for name, seconds in in_order}

    @property
    def megabytes(self) -> float:
        return median(measurement.megabytes for measurement in self.taken)

    @property
    def load(self) -> float:
        return median(measurement.load for measurement in self.taken)

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.shape.steps / self.seconds


class Results:
    """All that was measured, also by earlier calls.

    Args:
        file: where it is kept, if anywhere.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._rows: dict[tuple[str, str], Row] = {}
        self._of_this_call: set[tuple[str, str]] = set()
        self.at = ""
        self.cpus = os.cpu_count()
        if file is not None and file.exists():
            self._read(json.loads(file.read_text()))

    def rows(self) -> list[Row]:
        """The quick shapes first, and of each the quickest engine."""
        return sorted(
            self._rows.values(), key=lambda row: (row.shape.steps, row.shape.name, row.seconds)
        )

    def seconds(self, shape: Shape, engine: str) -> float | None:
        row = self._rows.get((shape.name, engine))
        return row.seconds if row else None

    def ratio(self, shape: Shape, engine: str, other: str) -> float | None:
        """How many times as fast as another an engine is."""
        fast, slow = self.seconds(shape, engine), self.seconds(shape, other)
        return slow / fast if fast and slow else None

    def add(self, shape: Shape, engine: str, taken: Taken) -> None:
        """Add one; the first of a call takes the place of those of calls before."""
        key = (shape.name, engine)
        if key not in self._of_this_call:
            self._of_this_call.add(key)
            self._rows[key] = Row(shape, engine, [])
        self._rows[key].taken.append(taken)
        self.at, self.cpus = datetime.now(UTC).date().isoformat(), os.cpu_count()
        if self._file is not None:
            self._file.write_text(json.dumps(self._as_json(), indent=1) + "\n")

    def _as_json(self) -> dict[str, object]:
        rows = [
            {
                "shape": asdict(row.shape),
                "engine": row.engine,
                "taken": [_rounded(asdict(measurement)) for measurement in row.taken],
            }
            for row in self.rows()
        ]
        return {"at": self.at, "cpus": self.cpus, "rows": rows}

    def _read(self, kept: dict[str, object]) -> None:
        self.at, self.cpus = str(kept["at"]), int(str(kept["cpus"]))
        rows = kept["rows"]
        assert isinstance(rows, list)
        for row in rows:
            shape, engine = Shape(**row["shape"]), str(row["engine"])
            taken = [Taken(**figures) for figures in row["taken"]]
            self._rows[shape.name, engine] = Row(shape, engine, taken)


def _grouped(parts: Mapping[str, float]) -> dict[str, float]:
    """The same with PostgreSQL's processes as one part: which of them ends when is chance."""
    found: dict[str, float] = defaultdict(float)
    for name, seconds in parts.items():
        found["PostgreSQL" if name.startswith("postgres") else name] += seconds
    return dict(found)


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    return round(value, 3)
