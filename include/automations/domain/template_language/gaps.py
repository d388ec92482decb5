"""Whether a rendering with gaps inserted anything from its data, or only gaps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jinja2 import nodes

from automations.domain.template_language.meter import Meter
from automations.domain.template_language.scopes import Scopes
from automations.domain.template_language.values import Undefined

_NAMED = (nodes.Name, nodes.Getattr, nodes.Getitem)


class Gaps:
    """Whether what is missing is written as nothing; and then, whether there was anything.

    Args:
        are_left: whether it is; else nothing is kept.
    """

    def __init__(self, scopes: Scopes, meter: Meter, *, are_left: bool) -> None:
        self.are_left = are_left
        self.inserted: set[bool] = set()
        """Whether there was something in what was written in place of expressions."""
        self.given: set[bool] = set()
        """Whether there was something in what names and choices came to."""
        self._scopes = scopes
        self._meter = meter
        self._deciding = 0

    def record_named(self, node: nodes.Node, value: Any) -> Any:
        """A value; what stands under a name of the data is given."""
        return self.record(value) if self.are_left and self._is_of_data(node) else value

    def record(self, value: Any) -> Any:
        """A value that is given, unless it only decides what is written."""
        if self.are_left and self._deciding == 0:
            self.given.add(not self._is_nothing(value))
        return value

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """What is looked at here is not written itself."""
        self._deciding += 1
        try:
            yield
        finally:
            self._deciding -= 1

    def _is_of_data(self, node: nodes.Node) -> bool:
        if not isinstance(node, _NAMED):
            return False
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            node = node.node
        return not (isinstance(node, nodes.Name) and self._scopes.is_made(node.name))

    def _is_nothing(self, value: Any) -> bool:
        self._meter.charge(1)
        if isinstance(value, dict):
            return all(map(self._is_nothing, value.values()))
        if isinstance(value, list):
            return all(map(self._is_nothing, value))
        return value is None or value == "" or isinstance(value, Undefined)
