"""The names that are in scope at a place of a template: innermost blocks first, then its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jinja2 import nodes

from automations.domain.template_language import values
from automations.domain.template_language.faults import TemplateFault
from automations.domain.template_language.functions import Namespace
from automations.domain.template_language.meter import Meter
from automations.domain.template_language.values import Undefined

Scope = dict[str, Any]


class Macro:
    """A piece of the template with parameters, and the names that it knows."""

    __slots__ = ("node", "scopes")

    def __init__(self, node: nodes.Macro | nodes.CallBlock, scopes: tuple[Scope, ...]) -> None:
        self.node = node
        self.scopes = scopes


class Scopes:
    """The names of the blocks that are being carried out."""

    def __init__(self, data: Mapping[str, Any], meter: Meter) -> None:
        self._data = data
        self._meter = meter
        self._scopes: tuple[Scope, ...] = ({},)

    def now(self) -> tuple[Scope, ...]:
        """Those that a macro made here goes on to know."""
        return self._scopes

    @contextmanager
    def inside(self, scope: Scope, around: tuple[Scope, ...] | None = None) -> Iterator[None]:
        """Make a block with names of its own the innermost."""
        outside = self._scopes
        self._scopes = (*(outside if around is None else around), scope)
        try:
            yield
        finally:
            self._scopes = outside

    def look_up(self, name: str) -> Any:
        """What a name stands for here, undefined where it stands for nothing."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self._data[name] if name in self._data else Undefined(lambda: name)

    def is_made(self, name: str) -> bool:
        """Whether a name is one of the template's own, and not its data's."""
        return any(name in scope for scope in self._scopes)

    def assign(self, target: nodes.Node, value: Any) -> None:
        """Give a value to a name, or each of its items to one of several."""
        match target:
            case nodes.Name(name=name):
                self._scopes[-1][name] = value
            case nodes.NSRef(name=name, attr=attribute):
                space = self.look_up(name)
                if not isinstance(space, Namespace):
                    raise TemplateFault(f"'{name}' is no namespace")
                space.values[attribute] = value
            case nodes.Tuple(items=targets):
                parts = values.items(value, self._meter)
                if len(parts) != len(targets):
                    raise TemplateFault(f"{len(targets)} names cannot take {len(parts)} values")
                for inner, item in zip(targets, parts, strict=True):
                    self.assign(inner, item)
