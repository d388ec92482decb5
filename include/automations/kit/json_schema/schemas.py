"""Checks that a schema can be used: its keywords are well-formed, its references lead inside."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from automations.kit.patterns import Pattern
from automations.kit.values import JSON

MAX_NODES = 5_000
"""Values in a schema, all in all."""
MAX_DEPTH = 64
"""Checking calls itself for each level."""
MAX_BUILD = 20_000
"""What all its patterns together may take to be prepared, 10 µs each."""

TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
_OF_OTHER_DRAFTS: Mapping[str, str] = {
    **dict.fromkeys(("$dynamicRef", "$recursiveRef"), "$ref"),
    "dependencies": "dependentRequired or dependentSchemas",
    "additionalItems": "items, behind prefixItems",
    "divisibleBy": "multipleOf",
    "disallow": "not",
    "extends": "allOf",
}
"""What would be passed over in silence, with what says the same here."""
_MIN_SIMILARITY = 0.85
"""Of two keywords' letters, from which on one may be meant for the other."""
_UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})


class SchemaFault(ValueError):
    """A schema cannot be used: says why, and where in it."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The values of an `enum`.

    Args:
        sizes: of the lists and objects among them.
    """

    identities: frozenset[Hashable]
    sizes: frozenset[int]


class Schema:
    """A schema that can be used.

    Args:
        document: the whole of it.
        targets: what its references lead to.
        patterns: its patterns, prepared.
        tracks: whether it asks which parts of a value no schema had a say in.
    """

    def __init__(
        self,
        document: JSON,
        targets: Mapping[str, JSON] | None = None,
        patterns: Mapping[str, Pattern] | None = None,
        *,
        tracks: bool = False,
    ) -> None:
        self.document = document
        self.targets = targets or {}
        self._patterns = dict(patterns or {})
        self.tracks = tracks
        self._choices: dict[int, Choices] = {}

    @classmethod
    def read(cls, document: JSON) -> Schema:
        """A schema that somebody has written.

        Raises:
            SchemaFault: says what is wrong with it.
        """
        _check_size(document)
        checking = _Checking(document)
        checking.check_all()
        return cls(document, checking.targets, checking.patterns, tracks=checking.tracks)

    def pattern(self, written: str) -> Pattern:
        """One of its patterns."""
        if written not in self._patterns:
            self._patterns[written] = Pattern(written)
        return self._patterns[written]

    def choices(self, values: list[JSON], identity: Callable[[JSON], Hashable]) -> Choices:
        """The values of an `enum`, to be looked up in."""
        cached = self._choices.get(id(values))
        if cached is None:
            sizes = {len(item) for item in values if isinstance(item, list | dict)}
            cached = Choices(frozenset(map(identity, values)), frozenset(sizes))
            self._choices[id(values)] = cached
        return cached


def _check_size(document: JSON) -> None:
    nodes, level = 0, [document]
    for _ in range(MAX_DEPTH):
        nodes += len(level)
        if nodes > MAX_NODES:
            raise SchemaFault(f"it has more than {MAX_NODES} values")
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise SchemaFault("is nested too deep")


class _Checking:
    """One check of a document; follows references to parts that are no keyword's."""

    def __init__(self, document: JSON) -> None:
        self._document = document
        self._left: list[tuple[JSON, str]] = [(document, "")]
        self._done: set[int] = set()
        self._anchors: dict[str, JSON] | None = None
        self.targets: dict[str, JSON] = {}
        self.patterns: dict[str, Pattern] = {}
        self._build = 0
        self.tracks = False

    def check_all(self) -> None:
        """Check every schema in the document, and whatever references take for one."""
        while self._left:
            schema, path = self._left.pop()
            if isinstance(schema, bool) or id(schema) in self._done:
                continue
            if not isinstance(schema, dict):
                raise SchemaFault(f"{_place(path)}must be an object, true or false")
            self._done.add(id(schema))
            self._check(schema, path)

    def _check(self, schema: dict[str, JSON], path: str) -> None:
        for keyword, value in schema.items():
            keyword_path = f"{path}.{keyword}" if path else str(keyword)
            self.tracks = self.tracks or keyword in _UNEVALUATED
            instead = _OF_OTHER_DRAFTS.get(keyword) or _suggest(str(keyword))
            if instead is not None:
                raise SchemaFault(f"{keyword_path}: is not known here; use {instead}")
            if keyword == "$ref":
                self._follow(value, keyword_path)
                continue
            for written in _patterns(keyword, value):
                self._prepare(written, keyword_path)
            if keyword in _INNER:
                inside = _INNER[keyword](value, keyword_path)
                self._left += [
                    (inner, f"{keyword_path}.{name}" if name else keyword_path)
                    for name, inner in inside
                ]
            elif keyword in _FORMS:
                _FORMS[keyword](value, keyword_path)

    def _prepare(self, written: JSON, path: str) -> None:
        _text(written, path)
        if written in self.patterns:
            return
        try:
            pattern = self.patterns[written] = Pattern(written)
        except ValueError as error:
            raise SchemaFault(f"{path}: {error}") from error
        self._build += pattern.build
        if self._build > MAX_BUILD:
            raise SchemaFault(f"{path}: its patterns are too large together")

    def _follow(self, reference: JSON, path: str) -> None:
        if not isinstance(reference, str):
            raise SchemaFault(f"{path}: must be a text")
        if reference in self.targets:
            return
        target = self.targets[reference] = self._target(reference, path)
        self._left.append((target, reference))

    def _target(self, reference: str, path: str) -> JSON:
        begin, _, fragment = reference.partition("#")
        own = self._document.get("$id") if isinstance(self._document, dict) else None
        if begin and begin != str(own).partition("#")[0]:
            raise SchemaFault(f"{path}: '{reference[:200]}' is not in this schema")
        if fragment and not fragment.startswith("/"):
            if fragment in self._find_anchors():
                return self._find_anchors()[fragment]
            raise SchemaFault(f"{path}: '{reference[:200]}' is not in this schema")
        target = self._document
        for part in unquote(fragment).split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                target = target[int(key)] if isinstance(target, list) else target[key]
            except (LookupError, TypeError, ValueError) as error:
                raise SchemaFault(f"{path}: '{reference[:200]}' is not in this schema") from error
        return target

    def _find_anchors(self) -> dict[str, JSON]:
        if self._anchors is None:
            self._anchors, left = {}, [self._document]
            while left:
                value = left.pop()
                if isinstance(value, dict) and isinstance(value.get("$anchor"), str):
                    self._anchors[value["$anchor"]] = value
                if isinstance(value, dict | list):
                    left.extend(value.values() if isinstance(value, dict) else value)
        return self._anchors


def _patterns(keyword: str, value: JSON) -> Iterable[JSON]:
    """The patterns that a keyword has."""
    if keyword == "pattern":
        return (value,)
    return value if keyword == "patternProperties" and isinstance(value, dict) else ()


@lru_cache(maxsize=1_024)
def _suggest(keyword: str) -> str | None:
    """The keyword that is misspelt; None for one that is right, or asks for nothing."""
    names = {name.casefold(): name for name in {*_INNER, *_FORMS, "$ref", "pattern"}}
    is_own = keyword.lower().startswith("x-")
    if is_own or keyword in _ASKS_FOR_NOTHING or keyword in names.values():
        return None
    letters = re.sub(r"[\W_]", "", keyword).casefold()
    for similar in difflib.get_close_matches(letters, names, 1, _MIN_SIMILARITY):
        if abs(len(similar) - len(letters)) <= 1 and names[similar] not in _ASKS_FOR_NOTHING:
            return names[similar]
    return None


def _place(path: str) -> str:
    return f"{path}: " if path else ""


Inner = Iterator[tuple[str, JSON]]


def _schema(value: JSON, path: str) -> Inner:
    yield "", value


def _schemas(value: JSON, path: str) -> Inner:
    if not isinstance(value, list) or not value:
        raise SchemaFault(f"{path}: must be a list of schemas, and not empty")
    for place, inner in enumerate(value):
        yield str(place), inner


def _named_schemas(value: JSON, path: str) -> Inner:
    if not isinstance(value, dict):
        raise SchemaFault(f"{path}: must be an object of schemas")
    yield from value.items()


def _one_schema(value: JSON, path: str) -> Inner:
    if isinstance(value, list):
        raise SchemaFault(f"{path}: must be one schema; a list belongs into prefixItems")
    yield "", value


def _text(value: JSON, path: str) -> None:
    if not isinstance(value, str):
        raise SchemaFault(f"{path}: must be a text")


def _flag(value: JSON, path: str) -> None:
    if not isinstance(value, bool):
        raise SchemaFault(f"{path}: must be true or false")


def _number(value: JSON, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise SchemaFault(f"{path}: must be a number")


def _positive(value: JSON, path: str) -> None:
    _number(value, path)
    if value <= 0:
        raise SchemaFault(f"{path}: must be greater than zero")


def _count(value: JSON, path: str) -> None:
    _number(value, path)
    if value < 0 or value != value // 1:
        raise SchemaFault(f"{path}: must be a whole number, zero or more")


def _names(value: JSON, path: str) -> None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise SchemaFault(f"{path}: must be a list of names")
    if len(set(value)) != len(value):
        raise SchemaFault(f"{path}: has a name twice")


def _named_names(value: JSON, path: str) -> None:
    if not isinstance(value, dict):
        raise SchemaFault(f"{path}: must be an object of lists of names")
    for name, names in value.items():
        _names(names, f"{path}.{name}")


def _type(value: JSON, path: str) -> None:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name in TYPES for name in names):
        raise SchemaFault(f"{path}: must be of {', '.join(sorted(TYPES))}")


def _list(value: JSON, path: str) -> None:
    if not isinstance(value, list):
        raise SchemaFault(f"{path}: must be a list")


_INNER: Mapping[str, Callable[[JSON, str], Inner]] = {
    **dict.fromkeys(
        ("additionalProperties", "contains", "else", "if", "not", "propertyNames", "then",
         "unevaluatedItems", "unevaluatedProperties"),
        _schema,
    ),
    "items": _one_schema,
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _schemas),
    **dict.fromkeys(("$defs", "definitions", "dependentSchemas", "patternProperties", "properties"),
        _named_schemas,
    ),
}  # fmt: skip
_ASKS_FOR_NOTHING = frozenset(
    {"$anchor", "$defs", "$id", "$schema", "definitions", "description", "format", "title"}
)
_FORMS: Mapping[str, Callable[[JSON, str], Any]] = {
    "type": _type,
    "enum": _list,
    "required": _names,
    "dependentRequired": _named_names,
    "uniqueItems": _flag,
    "multipleOf": _positive,
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum"), _number),
    **dict.fromkeys(
        ("maxContains", "maxItems", "maxLength", "maxProperties", "minContains", "minItems",
         "minLength", "minProperties"),
        _count,
    ),
    **dict.fromkeys(("$anchor", "$id", "$schema", "format", "title", "description"), _text),
}  # fmt: skip
