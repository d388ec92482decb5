"""Carrying out a template's tree, with each step charged to the meter before it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from jinja2 import nodes
from markupsafe import Markup

from automations.domain.template_language import values
from automations.domain.template_language.faults import MissingName, TemplateFault
from automations.domain.template_language.filters import FILTERS, OF_THE_MISSING
from automations.domain.template_language.functions import FUNCTIONS, Namespace
from automations.domain.template_language.gaps import Gaps
from automations.domain.template_language.loops import Loop
from automations.domain.template_language.meter import Meter
from automations.domain.template_language.names import path
from automations.domain.template_language.operations import OPERATIONS, comparisons, part
from automations.domain.template_language.predicates import PREDICATES, UNDEFINED_TOO
from automations.domain.template_language.run import Run
from automations.domain.template_language.scopes import Macro, Scope, Scopes
from automations.domain.template_language.values import Undefined

Write = Callable[[Any, Meter], str]
"""How an inserted value is written."""

_Left = Literal["break", "continue"] | None
"""How a loop's body was left."""

_BLOCK_COST = 5
"""Pieces of work that it takes to enter a block with names of its own."""
_MAX_EXACT = 2.0**53
"""Up to here a double tells each whole number from the next."""
_INNER = (Loop, Namespace, Macro)
"""What a template names but never holds: no list, no text, and no result has one in it."""


class Evaluation:
    """One rendering of a tree.

    Args:
        names: the data, of JSON values only; it is read and never changed.
        write: how what is inserted becomes text.
        markup: whether ``write`` escapes all but what was marked as safe.
        mrkdwn: whether it escapes for Slack.
        gaps: whether what is missing is written as nothing, and counts as false.
        as_rules: whether values are compared as the rules of conditions do.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        meter: Meter,
        write: Write = values.text,
        *,
        markup: bool = False,
        mrkdwn: bool = False,
        gaps: bool = False,
        as_rules: bool = False,
    ) -> None:
        self._meter = meter
        self._run = Run(meter, markup, mrkdwn, as_rules)
        self._comparisons = comparisons(self._run)
        self._write = write
        self._scopes = Scopes(names, meter)
        self.gaps = Gaps(self._scopes, meter, are_left=gaps)
        self._written: list[str] = []

    def text(self, tree: nodes.Template) -> str:
        """What the template comes to.

        Raises:
            TemplateFault: it cannot be rendered with this data, or costs too much.
        """
        try:
            written = self._capture_text(tree.body)
        except RecursionError as error:
            raise TemplateFault("the template calls itself too often") from error
        self._meter.text(len(written))
        return written

    def value(self, node: nodes.Expr) -> Any:
        """What one expression comes to, of its own type.

        Raises:
            TemplateFault: it cannot be evaluated with this data, or costs too much.
        """
        try:
            found = self.gaps.record_named(node, self._raw(node))
            if isinstance(found, Undefined):
                raise found.fault()
            found = self._plain(found)
        except RecursionError as error:
            raise TemplateFault("the template calls itself too often") from error
        if path(node):
            return found
        # A list may be small here and endless where it is written.
        self._meter.tree(found)
        if isinstance(found, float) and found.is_integer() and abs(found) < _MAX_EXACT:
            return int(found)
        return str(found) if isinstance(found, str) else found

    def _execute(self, body: Sequence[nodes.Node]) -> _Left:
        for node in body:
            self._meter.charge(1)
            left = _STATEMENTS[type(node)](self, node)
            if left is not None:
                return left
        return None

    @contextmanager
    def _capture(self) -> Iterator[list[str]]:
        outside, self._written = self._written, []
        try:
            yield self._written
        finally:
            self._written = outside

    def _capture_text(self, body: Sequence[nodes.Node]) -> str:
        with self._capture() as written:
            self._execute(body)
        return "".join(written)

    def _capture_inside(self, body: Sequence[nodes.Node]) -> str:
        """The text of a body with names of its own; safe, for it was escaped when it was made."""
        with self._scopes.inside({}):
            return self._as_markup(self._capture_text(body))

    def _as_markup(self, text: str) -> str:
        return Markup(text) if self._run.markup else text

    def _output(self, node: nodes.Output) -> None:
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                self._meter.text(len(child.data))
                self._written.append(child.data)
            else:
                inserted = self._write(self._or_gap(child), self._meter)
                self.gaps.inserted.add(bool(inserted))
                self._written.append(inserted)

    def _if(self, node: nodes.If) -> _Left:
        for branch in (node, *node.elif_):
            if self._or_gap(branch.test, self._decisive):
                return self._execute(branch.body)
        return self._execute(node.else_)

    def _or_gap(self, node: nodes.Node, value: Callable[[nodes.Node], Any] | None = None) -> Any:
        """A value, or None for one that is missing where that is no fault."""
        try:
            return (value or self._value)(node)
        except MissingName:
            if self.gaps.are_left:
                return None
            raise

    def _for(self, node: nodes.For) -> None:
        self._loop(node, self._value(node.iter), 0)

    def _loop(self, node: nodes.For, over: Any, depth: int) -> None:
        self._meter.charge(_BLOCK_COST)
        found = values.items(over, self._meter)
        around, scope = self._scopes.now(), Scope()

        def recurse(items: Any) -> str:
            with self._scopes.inside({}, around), self._capture() as written:
                self._loop(node, items, depth + 1)
            return self._as_markup("".join(written))

        with self._scopes.inside(scope):
            if node.test is not None:
                found = [item for item in found if self._passes(node, item, scope)]
            loop = Loop(found, depth, self._meter, recurse if node.recursive else None)
            for item in found:
                scope.clear()
                self._scopes.assign(node.target, item)
                loop.advance()
                scope["loop"] = loop
                if self._execute(node.body) == "break":
                    break
            if not found:
                self._execute(node.else_)

    def _passes(self, node: nodes.For, item: Any, scope: Scope) -> bool:
        assert node.test is not None
        scope.clear()
        self._scopes.assign(node.target, item)
        return bool(self._value(node.test))

    def _set(self, node: nodes.Assign) -> None:
        value = self._raw(node.node)
        # A namespace may be given a name, and nothing else may be done with it.
        self._scopes.assign(
            node.target, value if isinstance(value, Namespace) else self._plain(value)
        )

    def _set_block(self, node: nodes.AssignBlock) -> None:
        text: Any = self._capture_inside(node.body)
        self._scopes.assign(
            node.target, self._apply_filters(node.filter, text) if node.filter else text
        )

    def _macro(self, node: nodes.Macro) -> None:
        self._scopes.now()[-1][node.name] = Macro(node, self._scopes.now())

    def _call_block(self, node: nodes.CallBlock) -> None:
        self._written.append(self._invoke(node.call, Macro(node, self._scopes.now())))

    def _filter_block(self, node: nodes.FilterBlock) -> None:
        filtered = self._apply_filters(node.filter, self._capture_inside(node.body))
        self._written.append(self._write(filtered, self._meter))

    def _with(self, node: nodes.With) -> None:
        given = [self._value(value) for value in node.values]
        with self._scopes.inside({}):
            for target, value in zip(node.targets, given, strict=True):
                self._scopes.assign(target, value)
            self._execute(node.body)

    def _block(self, node: nodes.Block) -> None:
        self._written.append(self._capture_inside(node.body))

    def _value(self, node: nodes.Node) -> Any:
        """A value that is there, and plain."""
        return self._plain(self.gaps.record_named(node, self._raw(node)))

    def _option(self, node: nodes.Node) -> Any:
        """What was chosen, or stands in for what is missing: words, too, are given then."""
        found = self._value(node)
        return self.gaps.record(found) if isinstance(node, nodes.Const) else found

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
        if not isinstance(value, int | float):
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
        what = f"the filter '{node.name}'"
        found = self._apply(what, FILTERS[node.name], of, *arguments, given=named)
        return self.gaps.record(found) if node.name in OF_THE_MISSING else found

    def _test(self, node: nodes.Test) -> bool:
        of = self._raw(node.node) if node.name in UNDEFINED_TOO else self._decisive(node.node)
        arguments, named = self._arguments(node)
        what = f"the test '{node.name}'"
        return bool(self._apply(what, PREDICATES[node.name], of, *arguments, given=named))

    def _call(self, node: nodes.Call) -> Any:
        return self._invoke(node, None)

    def _invoke(self, node: nodes.Call, caller: Macro | None) -> Any:
        arguments, named = self._arguments(node)
        if isinstance(node.node, nodes.Getattr):
            loop = self._raw(node.node.node)
            if not isinstance(loop, Loop):
                raise TemplateFault("there is no loop around this")
            does = loop.cycle if node.node.attr == "cycle" else loop.changed
            return self._apply(f"'{node.node.attr}'", lambda _, *given: does(*given), *arguments)
        assert isinstance(node.node, nodes.Name)
        name = node.node.name
        called = self._scopes.look_up(name)
        if isinstance(called, Macro):
            return self._of_macro(name, called, arguments, named, caller)
        if isinstance(called, Loop) and called.recurse is not None and len(arguments) == 1:
            return called.recurse(*arguments)
        if name not in FUNCTIONS or not isinstance(called, Undefined):
            raise TemplateFault(f"'{name}' cannot be called")
        return self._apply(f"'{name}'", FUNCTIONS[name], *arguments, given=named)

    def _of_macro(
        self,
        name: str,
        macro: Macro,
        arguments: list[Any],
        named: dict[str, Any],
        caller: Macro | None,
    ) -> str:
        self._meter.charge(_BLOCK_COST)
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
            return self._as_markup(self._capture_text(macro.node.body))

    def _arguments(
        self, node: nodes.Call | nodes.Filter | nodes.Test
    ) -> tuple[list[Any], dict[str, Any]]:
        given = [self._value(argument) for argument in node.args]
        return given, {str(pair.key): self._value(pair.value) for pair in node.kwargs}

    def _apply(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return function(self._run, *arguments, **(given or {}))
        except TemplateFault:
            raise
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise TemplateFault(f"{what} cannot take what it is given") from error


_STATEMENTS: Mapping[type[nodes.Node], Callable[[Evaluation, Any], _Left]] = {
    nodes.Assign: Evaluation._set,
    nodes.AssignBlock: Evaluation._set_block,
    nodes.Block: Evaluation._block,
    nodes.Break: lambda evaluation, node: "break",
    nodes.CallBlock: Evaluation._call_block,
    nodes.Continue: lambda evaluation, node: "continue",
    nodes.FilterBlock: Evaluation._filter_block,
    nodes.For: Evaluation._for,
    nodes.If: Evaluation._if,
    nodes.Macro: Evaluation._macro,
    nodes.Output: Evaluation._output,
    nodes.With: Evaluation._with,
}
_EXPRESSIONS: Mapping[type[nodes.Node], Callable[[Evaluation, Any], Any]] = {
    nodes.Call: Evaluation._call,
    nodes.Compare: Evaluation._compare,
    nodes.Concat: Evaluation._concatenate,
    nodes.CondExpr: Evaluation._conditional,
    nodes.Const: lambda evaluation, node: node.value,
    nodes.Dict: Evaluation._object,
    nodes.Filter: Evaluation._filter,
    nodes.Getattr: Evaluation._attribute,
    nodes.Getitem: Evaluation._item,
    nodes.List: Evaluation._list,
    nodes.Tuple: Evaluation._list,
    nodes.Name: Evaluation._name,
    nodes.Neg: Evaluation._sign,
    nodes.Pos: Evaluation._sign,
    nodes.Not: lambda evaluation, node: not evaluation._decisive(node.node),
    nodes.Test: Evaluation._test,
    nodes.And: Evaluation._either,
    nodes.Or: Evaluation._either,
    **dict.fromkeys(
        (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
        Evaluation._compute,
    ),
}
