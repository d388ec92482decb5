"""Parses templates within bounds: what is too long or too deeply nested is refused unread."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.lexer import TOKEN_FLOAT, Lexer, Token, TokenStream
from jinja2.parser import Parser

from automations.domain.template_language import values
from automations.domain.template_language.faults import InvalidTemplate
from automations.domain.template_language.filters import FILTERS
from automations.domain.template_language.functions import FUNCTIONS
from automations.domain.template_language.names import path
from automations.domain.template_language.predicates import PREDICATES
from automations.kit.numbers import InexactText, parse_number
from automations.kit.storable import fault

_MAX_BRACKETS = 20
"""Within each other: the parser calls itself for each."""
_MAX_BLOCKS = 20
"""Within each other: so does evaluation."""
_MAX_PREFIXES = 100
"""Of one tag: each of these words makes the parser call itself."""
_MAX_TREE_DEPTH = 100
"""Evaluation calls itself for each level."""
_CACHED_LENGTH = 1_000
_SHORT = 60

_OPENING = frozenset({"lparen", "lbracket", "lbrace"})
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
_PREFIXES = frozenset({"add", "sub", "not", "else"})
_BLOCKS = frozenset({"if", "for", "macro", "call", "filter", "set", "with", "block"})
_OTHER_TEMPLATES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_KNOWN = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.NSRef,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair,
    nodes.Keyword, nodes.Filter, nodes.Test, nodes.Call, nodes.CondExpr, nodes.Concat,
    nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr, nodes.If, nodes.For,
    nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.With,
    nodes.Block, nodes.Break, nodes.Continue,
)  # fmt: skip
_CARRIAGE_RETURN = "\r"
# Whitespace to the lexer, which reads a carriage return as a line's end and forgets it.
_STAND_INS = "\x1f\x1e\x1d\x1c\x85\u2028\u2029\u1680\u2000\u2001\u2002\u2003\u2004\u2005"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a text may be.

    Args:
        length: in characters.
        tokens: names, signs and values in all its tags; 15 µs each.
    """

    length: int
    tokens: int


OF_FIELDS = Bounds(length=500_000, tokens=5_000)


class _Exact(Lexer):
    """Reads no decimal number that would be changed by being kept."""

    def wrap(
        self,
        stream: Iterable[tuple[int, str, str]],
        name: str | None = None,
        filename: str | None = None,
    ) -> Iterator[Token]:
        return super().wrap(map(_exact, stream), name, filename)


class _Environment(Environment):
    @cached_property
    def lexer(self) -> Lexer:
        return _Exact(self)


def _exact(token: tuple[int, str, str]) -> tuple[int, str, str]:
    line, kind, written = token
    number = written.replace("_", "")
    # What is too large is told so where all numbers are.
    if kind == TOKEN_FLOAT and math.isfinite(float(number)):
        try:
            parse_number(number)
        except InexactText as inexact:
            short = written if len(written) <= _SHORT else f"{written[:_SHORT]}…"
            raise TemplateSyntaxError(f"the number {short} {inexact}", line) from inexact
    return token


class _Bounded(Extension):
    """Ends the reading of a text that is too much before the parser is deep in it."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        limit: int = self.environment.max_tokens  # type: ignore[attr-defined]
        tokens = blocks = 0
        tag = _Tag()
        for token in stream:
            if token.type == "data":
                yield token
                continue
            tokens += 1
            if token.type in ("block_begin", "variable_begin"):
                tag = _Tag()
            blocks += tag.take(token)
            if tokens > limit:
                raise TemplateSyntaxError(f"it has more than {limit} parts", token.lineno)
            if tag.is_deep() or blocks > _MAX_BLOCKS:
                raise TemplateSyntaxError("it is nested too deeply", token.lineno)
            yield token


class _Tag:
    """What one tag has so far."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._brackets = self._prefixes = 0

    def take(self, token: Token) -> int:
        """Count a token; gives by how many blocks one is deeper behind it."""
        word = str(token.value) if token.type == "name" else token.type
        self._brackets += (word in _OPENING) - (word in _CLOSING)
        self._prefixes += word in _PREFIXES
        self._words = [*self._words[:2], word]
        if self._words == ["block_begin", word]:
            return (word in _BLOCKS) - word.startswith("end")
        # {% set x = 1 %} has no end.
        sets = self._words[:2] == ["block_begin", "set"] and not self._brackets
        return -1 if sets and word == "assign" else 0

    def is_deep(self) -> bool:
        return self._brackets > _MAX_BRACKETS or self._prefixes > _MAX_PREFIXES


@lru_cache
def _environment(max_tokens: int) -> Environment:
    # It parses only: what is written out is escaped by whoever evaluates it.
    environment = _Environment(
        extensions=["jinja2.ext.loopcontrols", _Bounded], keep_trailing_newline=True
    )
    environment.extend(max_tokens=max_tokens)
    return environment


_UNSIGNED = re.compile(r"\{\{-(\.?[0-9]+)")


def parse(source: str, bounds: Bounds = OF_FIELDS) -> nodes.Template:
    """The tree of a template, all of whose parts this language knows.

    Raises:
        InvalidTemplate: says what is wrong with it.
    """
    if len(source) > bounds.length:
        raise InvalidTemplate(f"it is longer than {bounds.length} characters")
    return (_parse_cached if len(source) <= _CACHED_LENGTH else _parse)(source, bounds)


@lru_cache(maxsize=512)
def _parse_cached(source: str, bounds: Bounds) -> nodes.Template:
    return _parse(source, bounds)


def _parse(source: str, bounds: Bounds) -> nodes.Template:
    unsigned = _UNSIGNED.search(source)
    if unsigned is not None:
        # The language takes the sign for the one that strips blanks, and the number without it.
        raise InvalidTemplate(f"write {{{{ -{unsigned[1]} with a blank before the minus")
    stand_in = ""
    if _CARRIAGE_RETURN in source:
        stand_in = next((mark for mark in _STAND_INS if mark not in source), "\n")
        source = source.replace(_CARRIAGE_RETURN, stand_in)
    try:
        tree = Parser(_environment(bounds.tokens), source).parse()
    except TemplateSyntaxError as error:
        raise InvalidTemplate(f"syntax: {error.message}", error.lineno) from error
    except (ValueError, RecursionError) as error:  # of numbers with thousands of digits
        raise InvalidTemplate(f"syntax: {error}") from error
    _check(tree, stand_in)
    return tree


def _check(tree: nodes.Template, stand_in: str) -> None:
    """Refuse what the evaluation does not know, and put back what stood for carriage returns."""
    callable_names = {macro.name for macro in tree.find_all(nodes.Macro)}
    callable_names |= {*FUNCTIONS, "loop", "caller"}
    level: list[nodes.Node] = [tree]
    for _ in range(_MAX_TREE_DEPTH):
        for node in level:
            _check_node(node, callable_names)
            if stand_in and isinstance(node, nodes.TemplateData):
                node.data = node.data.replace(stand_in, _CARRIAGE_RETURN)
            elif stand_in and isinstance(node, nodes.Const) and isinstance(node.value, str):
                node.value = node.value.replace(stand_in, _CARRIAGE_RETURN)
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return
    raise InvalidTemplate("it is nested too deeply")


def _check_node(node: nodes.Node, callable_names: Set[str]) -> None:
    problem = _unknown(node, callable_names) or _unkept(node) or _unpacking(node)
    if problem is not None:
        raise InvalidTemplate(problem, node.lineno)


def _unknown(node: nodes.Node, callable_names: Set[str]) -> str | None:
    """What of a node the evaluation does not know."""
    if isinstance(node, _OTHER_TEMPLATES):
        return "a template cannot take in another one"
    if not isinstance(node, _KNOWN):
        return "it has a tag that is not known here"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"there is no filter '{node.name}'{_nearest(node.name, FILTERS)}"
    if isinstance(node, nodes.Test) and node.name not in PREDICATES:
        return f"there is no test '{node.name}'{_nearest(node.name, PREDICATES)}"
    if isinstance(node, nodes.Call) and not _may_be_called(node.node, callable_names):
        return f"'{'.'.join(path(node.node) or ['this'])}' cannot be called"
    return None


def _unkept(node: nodes.Node) -> str | None:
    """Why a value that is written in the template cannot be kept."""
    if not isinstance(node, nodes.Const):
        return None
    if not values.is_bounded(node.value):
        return "a number is too large"
    problem = fault(node.value)
    return None if problem is None else f"a text in it {problem}"


def _unpacking(node: nodes.Node) -> str | None:
    """Arguments of which nobody knows how many there are before they are made."""
    if isinstance(node, nodes.Call | nodes.Filter | nodes.Test) and (
        node.dyn_args or node.dyn_kwargs
    ):
        return "* and ** are not known here"
    return None


def _nearest(name: str, names: Iterable[str]) -> str:
    """What is there instead: the nearest of the names, or else all of them."""
    near = get_close_matches(name, names, n=1)
    return f"; is '{near[0]}' meant?" if near else f"; there are {', '.join(sorted(names))}"


def _may_be_called(node: nodes.Node, names: Set[str]) -> bool:
    if isinstance(node, nodes.Name):
        return node.name in names
    return path(node) in (["loop", "cycle"], ["loop", "changed"])
