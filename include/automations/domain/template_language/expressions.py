"""Evaluates a template's expressions, with each step charged to the meter before it is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import nodes

from automations.domain.template_language import values
from automations.domain.template_language.faults import TemplateFault
from automations.domain.template_language.filters import FILTERS, OF_THE_MISSING
from automations.domain.template_language.functions import FUNCTIONS, Namespace
from automations.domain.template_language.gaps import Gaps
from automations.domain.template_language.loops import Loop
from automations.domain.template_language.names import path
from automations.domain.template_language.operations import OPERATIONS, comparisons, part
from automations.domain.template_language.predicates import PREDICATES, UNDEFINED_TOO
from automations.domain.template_language.run import Run
from automations.domain.template_language.scopes import Macro, Scope, Scopes
from automations.domain.template_language.values import Undefined

BLOCK_COST = 5
"""Pieces of work that it takes to enter a block with names of its own."""
_INNER = (Loop, Namespace, Macro)
"""What a template names but never holds: no list, no text, and no result has one in it."""


class Expressions(ABC):
    """The expressions of one rendering.

    Args:
        gaps: whether what is missing is written as nothing, and counts as false.
    """

    def __init__(self, names: Mapping[str, Any], run: Run, *, gaps: bool) -> None:
        self._run = run
        self._meter = run.meter
        self._comparisons = comparisons(run)
        self._scopes = Scopes(names, run.meter)
        self.gaps = Gaps(self._scopes, run.meter, are_left=gaps)

    @abstractmethod
    def _text_of(self, body: Sequence[nodes.Node]) -> str:
        """The text that a macro's body comes to, which is escaped already."""

    def _value(self, node: nodes.Node) -> Any:
        """A value that is there, and plain."""
        return self._plain(self.gaps.record_named(node, self._raw(node)))

    def _option(self, node: nodes.Node) -> Any:
        """What was chosen, or stands in for what is missing: words, too, are given then."""
        value = self._value(node)
        return self.gaps.record(value) if isinstance(node, nodes.Const) else value

    def _decisive(self, node: nodes.Node) -> Any:
        """A value that is not written itself, but decides what is."""
        with self.gaps.deciding():
            return self._value(node)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, Undefined):
            if self.gaps.are_left:
                return ""
            raise value.fault()
        if isinstance(value, _INNER):
            raise TemplateFault("a loop, a macro or a namespace is no value")
        return value

    def _raw(self, node: nodes.Node) -> Any:
        self._meter.charge(1)
        return _EXPRESSIONS[type(node)](self, node)

    def _name(self, node: nodes.Name) -> Any:
        return self._scopes.look_up(node.name)

    def _attribute(self, node: nodes.Getattr) -> Any:
        return self._member(node, self._raw(node.node), node.attr)

    def _item(self, node: nodes.Getitem) -> Any:
        of = self._raw(node.node)
        if isinstance(node.arg, nodes.Slice):
            ends = (node.arg.start, node.arg.stop, node.arg.step)
            start, stop, step = (None if end is None else self._value(end) for end in ends)
            return part(self._plain(of), start, stop, step, self._meter)
        return self._member(node, of, self._decisive(node.arg))

    def _member(self, node: nodes.Expr, of: Any, key: Any) -> Any:
        if isinstance(of, Undefined):
            return of
        try:
            if isinstance(of, Namespace):
                return of.values[key]
            return of.member(key) if isinstance(of, Loop) else values.member(of, key)
        except LookupError:
            return Undefined(lambda: ".".join(path(node)) or str(key))

    def _list(self, node: nodes.List | nodes.Tuple) -> list[Any]:
        return [self._value(item) for item in node.items]

    def _object(self, node: nodes.Dict) -> dict[str, Any]:
        return {
            values.key_of(self._value(pair.key)): self._value(pair.value) for pair in node.items
        }

    def _concatenate(self, node: nodes.Concat) -> str:
        parts = [self._value(inner) for inner in node.nodes]
        return values.join(parts, self._meter, markup=self._run.markup)

    def _compute(self, node: nodes.BinExpr) -> Any:
        left, right = self._value(node.left), self._value(node.right)
        return self._apply(f"'{node.operator}'", OPERATIONS[node.operator], left, right)

    def _compare(self, node: nodes.Compare) -> bool:
        left = self._decisive(node.expr)
        for operand in node.ops:
            right = self._decisive(operand.expr)
            if not self._comparisons[operand.op](left, right, self._meter):
                return False
            left = right
        return True

    def _sign(self, node: nodes.Neg | nodes.Pos) -> Any:
        value = self._value(node.node)
        if not values.is_number(value):
            raise TemplateFault(f"{values.kind(value)} has no sign")
        return -value if isinstance(node, nodes.Neg) else value

    def _conditional(self, node: nodes.CondExpr) -> Any:
        if self._decisive(node.test):
            return self._option(node.expr1)
        return None if node.expr2 is None else self._option(node.expr2)

    def _either(self, node: nodes.Or | nodes.And) -> Any:
        left = self._decisive(node.left)
        decided = bool(left) is isinstance(node, nodes.Or)
        return self.gaps.record(left) if decided else self._option(node.right)

    def _filter(self, node: nodes.Filter) -> Any:
        assert node.node is not None
        of = self._raw(node.node)
        if node.name not in OF_THE_MISSING:
            self.gaps.record_named(node.node, of)
            if isinstance(of, Undefined) and self.gaps.are_left:
                return of
        if not (isinstance(of, Undefined) and node.name in OF_THE_MISSING):
            of = self._plain(of)
        return self._apply_filter(node, of)

    def _apply_filters(self, node: nodes.Filter, text: str) -> Any:
        """What filters make of a block."""
        of = self._apply_filters(node.node, text) if isinstance(node.node, nodes.Filter) else text
        return self._apply_filter(node, of)

    def _apply_filter(self, node: nodes.Filter, of: Any) -> Any:
        arguments, named = self._arguments(node)
        label = f"the filter '{node.name}'"
        result = self._apply(label, FILTERS[node.name], of, *arguments, named=named)
        return self.gaps.record(result) if node.name in OF_THE_MISSING else result

    def _test(self, node: nodes.Test) -> bool:
        of = self._raw(node.node) if node.name in UNDEFINED_TOO else self._decisive(node.node)
        arguments, named = self._arguments(node)
        label = f"the test '{node.name}'"
        return bool(self._apply(label, PREDICATES[node.name], of, *arguments, named=named))

    def _call(self, node: nodes.Call) -> Any:
        return self._invoke(node, None)

    def _invoke(self, node: nodes.Call, caller: Macro | None) -> Any:
        arguments, named = self._arguments(node)
        if isinstance(node.node, nodes.Getattr):
            loop = self._raw(node.node.node)
            if not isinstance(loop, Loop):
                raise TemplateFault("there is no loop around this")
            does = loop.cycle if node.node.attr == "cycle" else loop.changed
            return self._apply(f"'{node.node.attr}'", lambda _, *args: does(*args), *arguments)
        assert isinstance(node.node, nodes.Name)
        name = node.node.name
        called = self._scopes.look_up(name)
        if isinstance(called, Macro):
            return self._of_macro(name, called, arguments, named, caller)
        if isinstance(called, Loop) and called.recurse is not None and len(arguments) == 1:
            return called.recurse(*arguments)
        if name not in FUNCTIONS or not isinstance(called, Undefined):
            raise TemplateFault(f"'{name}' cannot be called")
        return self._apply(f"'{name}'", FUNCTIONS[name], *arguments, named=named)

    def _of_macro(
        self,
        name: str,
        macro: Macro,
        arguments: list[Any],
        named: dict[str, Any],
        caller: Macro | None,
    ) -> str:
        self._meter.charge(BLOCK_COST)
        names = [parameter.name for parameter in macro.node.args]
        if len(arguments) > len(names) or named.keys() - set(names[len(arguments) :]):
            raise TemplateFault(f"'{name}' does not take these arguments")
        scope = Scope(zip(names, arguments, strict=False)) | named
        if caller is not None:
            scope["caller"] = caller
        with self._scopes.inside(scope, macro.scopes):
            first = len(names) - len(macro.node.defaults)
            for place, parameter in enumerate(names):
                if parameter not in scope:
                    if place < first:
                        raise TemplateFault(f"'{name}' needs '{parameter}'")
                    scope[parameter] = self._value(macro.node.defaults[place - first])
            return self._text_of(macro.node.body)

    def _arguments(
        self, node: nodes.Call | nodes.Filter | nodes.Test
    ) -> tuple[list[Any], dict[str, Any]]:
        arguments = [self._value(argument) for argument in node.args]
        return arguments, {str(pair.key): self._value(pair.value) for pair in node.kwargs}

    def _apply(
        self,
        label: str,
        function: Callable[..., Any],
        *arguments: Any,
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return function(self._run, *arguments, **(named or {}))
        except TemplateFault:
            raise
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise TemplateFault(f"{label} cannot take what it is given") from error


_EXPRESSIONS: Mapping[type[nodes.Node], Callable[[Expressions, Any], Any]] = {
    nodes.Call: Expressions._call,
    nodes.Compare: Expressions._compare,
    nodes.Concat: Expressions._concatenate,
    nodes.CondExpr: Expressions._conditional,
    nodes.Const: lambda expressions, node: node.value,
    nodes.Dict: Expressions._object,
    nodes.Filter: Expressions._filter,
    nodes.Getattr: Expressions._attribute,
    nodes.Getitem: Expressions._item,
    nodes.List: Expressions._list,
    nodes.Tuple: Expressions._list,
    nodes.Name: Expressions._name,
    nodes.Neg: Expressions._sign,
    nodes.Pos: Expressions._sign,
    nodes.Not: lambda expressions, node: not expressions._decisive(node.node),
    nodes.Test: Expressions._test,
    nodes.And: Expressions._either,
    nodes.Or: Expressions._either,
    **dict.fromkeys(
        (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
        Expressions._compute,
    ),
}
