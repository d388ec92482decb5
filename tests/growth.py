"""How the work of something grows with what it is given, whatever else the machine does."""

from __future__ import annotations

import time
from collections.abc import Callable


def growth(act: Callable[[int], object], few: int, many: int) -> float:
    """How much more processor time the many take than the few; the best of three tries of each."""
    spent: dict[int, list[float]] = {few: [], many: []}
    for _ in range(3):
        for size, times in spent.items():
            began = time.process_time()
            act(size)
            times.append(time.process_time() - began)
    return min(spent[many]) / max(min(spent[few]), 0.001)
