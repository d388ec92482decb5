"""What is measured: a graph of light steps, and how many runs of it at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Kind = Literal["chain", "burst", "branch", "loop", "approval", "child", "webhook"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Measure = Callable[[], float]
"""Does it once; seconds that it took."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing to measure.

    Args:
        size: steps of a chain, or items of a loop.
        runs: at once.
    """

    kind: Kind
    size: int = 0
    runs: int = 1

    @property
    def name(self) -> str:
        return {
            "chain": f"{self.size} steps",
            "burst": f"{self.runs} runs of {self.size} steps",
            "branch": "branch",
            "loop": f"loop of {self.size}",
            "approval": "approval answered",
            "child": "child",
            "webhook": "webhook that answers with the result",
        }[self.kind]

    @property
    def steps(self) -> int:
        """What it comes to, of all runs."""
        return {
            "chain": self.size,
            "burst": self.size * self.runs,
            "branch": 3,
            "loop": self.size,
            "approval": 1,
            "child": 2,
            "webhook": self.size,
        }[self.kind]


class Engine(Protocol):
    """Something that runs graphs, between ``up`` and ``down``."""

    name: str

    def up(self, shapes: Sequence[Shape]) -> None:
        """Start it, with all that the shapes need."""
        ...

    def down(self) -> None: ...

    def pids(self) -> list[int]:
        """The processes that have started all its others, a database included."""
        ...

    def measure(self, shape: Shape) -> Measure | None:
        """How a shape is measured on it; None for what it has no word for."""
        ...


def shapes(
    kinds: Sequence[Kind], steps: Sequence[int], runs: Sequence[int], items: int
) -> list[Shape]:
    """What is asked for, the quick ones first.

    Args:
        steps: of each chain; a burst is of runs of the first.
    """
    found: list[Shape] = []
    for kind in kinds:
        if kind == "chain":
            found += [Shape(kind, size) for size in steps]
        elif kind == "burst":
            found += [Shape(kind, steps[0], number) for number in runs]
        else:
            found.append(Shape(kind, {"loop": items, "webhook": steps[0]}.get(kind, 0)))
    return sorted(found, key=lambda shape: (shape.steps, shape.name))
