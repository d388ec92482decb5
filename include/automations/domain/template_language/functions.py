"""The few functions that a template may call; nothing in its data can be called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from automations.domain.template_language.faults import TemplateFault
from automations.domain.template_language.run import Run

MAX_RANGE = 100_000
"""Items: a loop of more would be over the meter's work anyway."""


class Namespace:
    """What a loop may write to so that it is there after it: ``namespace()``."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values


def _range(run: Run, *bounds: int) -> list[int]:
    numbers = range(*bounds)
    # Counted first: len() takes no range that is as long as one may write.
    if abs(numbers.stop - numbers.start) > MAX_RANGE * abs(numbers.step):
        raise TemplateFault(f"a range may have {MAX_RANGE} numbers")
    run.meter.items(len(numbers))
    return list(numbers)


def _dict(run: Run, **values: Any) -> dict[str, Any]:
    return values


def _namespace(run: Run, **values: Any) -> Namespace:
    return Namespace(values)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "range": _range,
    "dict": _dict,
    "namespace": _namespace,
}
