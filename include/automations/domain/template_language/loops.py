"""The state of a loop: ``loop.index`` and so on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from automations.domain.template_language import values
from automations.domain.template_language.meter import Meter


class Loop:
    """One loop over items, at one of them.

    Args:
        recurse: goes over other items with the same body, where the loop is recursive.
    """

    __slots__ = ("_depth", "_found", "_meter", "_place", "_watched", "recurse")

    def __init__(
        self,
        items: Sequence[Any],
        depth: int,
        meter: Meter,
        recurse: Callable[[Any], str] | None,
    ) -> None:
        self._found = items
        self._depth = depth
        self._place = -1
        self._meter = meter
        self._watched: list[Any] | None = None
        self.recurse = recurse

    def advance(self) -> None:
        """Go to the next item."""
        self._place += 1

    def member(self, name: str) -> Any:
        """What it says of where it is.

        Raises:
            LookupError: it says nothing of that name, or there is no such item.
        """
        left = len(self._found) - self._place
        if name in ("previtem", "nextitem"):
            place = self._place + (1 if name == "nextitem" else -1)
            if place < 0:
                raise LookupError(name)
            return self._found[place]
        return {
            "index": self._place + 1,
            "index0": self._place,
            "revindex": left,
            "revindex0": left - 1,
            "first": self._place == 0,
            "last": left == 1,
            "length": len(self._found),
            "depth": self._depth + 1,
            "depth0": self._depth,
        }[name]

    def cycle(self, *choices: Any) -> Any:
        """One of the choices after the other."""
        return choices[self._place % len(choices)]

    def changed(self, *watched: Any) -> bool:
        """Whether the values are others than they were for the item before."""
        before, self._watched = self._watched, list(watched)
        return before is None or not values.equal(before, self._watched, self._meter)
