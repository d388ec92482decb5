"""Renders a template's tree, with each step charged to the meter before it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from jinja2 import nodes
from markupsafe import Markup

from automations.domain.template_language import values
from automations.domain.template_language.expressions import BLOCK_COST, Expressions
from automations.domain.template_language.faults import MissingName, TemplateFault
from automations.domain.template_language.functions import Namespace
from automations.domain.template_language.loops import Loop
from automations.domain.template_language.meter import Meter
from automations.domain.template_language.names import path
from automations.domain.template_language.run import Run
from automations.domain.template_language.scopes import Macro, Scope
from automations.domain.template_language.values import Undefined

Write = Callable[[Any, Meter], str]
"""How an inserted value is written."""

_Left = Literal["break", "continue"] | None
"""How a loop's body was left."""

_MAX_EXACT = 2.0**53
"""Up to here a double tells each whole number from the next."""


class Evaluation(Expressions):
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
        super().__init__(names, Run(meter, markup, mrkdwn, as_rules), gaps=gaps)
        self._write = write
        self._written: list[str] = []

    def text(self, tree: nodes.Template) -> str:
        """What the template comes to.

        Raises:
            TemplateFault: it cannot be rendered with this data, or costs too much.
        """
        try:
            with self._capture() as parts:
                self._execute(tree.body)
        except RecursionError as error:
            raise TemplateFault("the template calls itself too often") from error
        written = "".join(parts)
        self._meter.text(len(written))
        return written

    def value(self, node: nodes.Expr) -> Any:
        """What one expression comes to, of its own type.

        Raises:
            TemplateFault: it cannot be evaluated with this data, or costs too much.
        """
        try:
            value = self.gaps.record_named(node, self._raw(node))
            if isinstance(value, Undefined):
                raise value.fault()
            value = self._plain(value)
        except RecursionError as error:
            raise TemplateFault("the template calls itself too often") from error
        if path(node):
            return value
        # A list may be small here and endless where it is written.
        self._meter.tree(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_EXACT:
            return int(value)
        return str(value) if isinstance(value, str) else value

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

    def _text_of(self, body: Sequence[nodes.Node]) -> str:
        with self._capture() as parts:
            self._execute(body)
        return self._as_markup("".join(parts))

    def _capture_inside(self, body: Sequence[nodes.Node]) -> str:
        """The text of a body with names of its own; safe, for it was escaped when it was made."""
        with self._scopes.inside({}):
            return self._text_of(body)

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

    def _loop(self, node: nodes.For, iterated: Any, depth: int) -> None:
        self._meter.charge(BLOCK_COST)
        elements = values.items(iterated, self._meter)
        around, scope = self._scopes.now(), Scope()

        def recurse(items: Any) -> str:
            with self._scopes.inside({}, around), self._capture() as written:
                self._loop(node, items, depth + 1)
            return self._as_markup("".join(written))

        with self._scopes.inside(scope):
            if node.test is not None:
                elements = [item for item in elements if self._passes(node, item, scope)]
            loop = Loop(elements, depth, self._meter, recurse if node.recursive else None)
            for item in elements:
                scope.clear()
                self._scopes.assign(node.target, item)
                loop.advance()
                scope["loop"] = loop
                if self._execute(node.body) == "break":
                    break
            if not elements:
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
        evaluated = [self._value(value) for value in node.values]
        with self._scopes.inside({}):
            for target, value in zip(node.targets, evaluated, strict=True):
                self._scopes.assign(target, value)
            self._execute(node.body)

    def _block(self, node: nodes.Block) -> None:
        self._written.append(self._capture_inside(node.body))


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
