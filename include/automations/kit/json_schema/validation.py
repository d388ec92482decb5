"""Validates a value against a schema, within a limit of work."""

from __future__ import annotations

from typing import Any

from automations.kit.json_schema.equality import identity
from automations.kit.json_schema.instances import Evaluated, Formats, Instance, Violations
from automations.kit.json_schema.keywords import BOUNDING, KEYWORDS
from automations.kit.json_schema.schemas import Schema, SchemaFault
from automations.kit.json_schema.violations import Path, Violation, format_value
from automations.kit.values import JSON

MAX_WORK = 300_000
"""Pieces of work that one value's check may take, about 1 µs each."""
MAX_VIOLATIONS = 100
"""More of them say nothing new."""

_MAX_DEPTH = 200
"""Schemas inside of schemas, references included, that one part of a value comes to."""
_APPLY_COST = 4
"""What it takes to apply one schema to one value, without its keywords."""
_TEXT_UNIT = 100
"""Characters that are compared for one check's price."""
_PATTERN_UNIT = 50
"""Pattern's places times characters for one check's price."""


def schema_fault(document: JSON) -> str | None:
    """Why a schema cannot be used; None when it can."""
    try:
        Schema.read(document)
    except SchemaFault as fault:
        return str(fault)
    return None


def first_violation(document: JSON, value: JSON) -> str | None:
    """The first thing in a value that its schema does not allow, with its path."""
    try:
        for violation in violations(Schema.read(document), value):
            return str(violation)[:500]
    except SchemaFault as fault:
        return f"the schema cannot be used: {fault}"
    return None


def violations(
    schema: Schema, value: JSON, formats: Formats | None = None, work: int = MAX_WORK
) -> list[Violation]:
    """What a value is not, up to a hundred things.

    Args:
        formats: the formats that are checked, others say nothing.
        work: how many checks there may be.

    Raises:
        SchemaFault: the schema refers to itself without end, or needs too many checks.
    """
    try:
        all_violations = _Validation(schema, formats or {}, work).apply(schema.document, value, ())
    except RecursionError as error:
        raise SchemaFault("it is nested too deep for this value") from error
    return all_violations[:MAX_VIOLATIONS]


class _Validation:
    """One value's check."""

    def __init__(self, schema: Schema, formats: Formats, work: int) -> None:
        self.schema = schema
        self.formats = formats
        self._left = work
        self._active: set[tuple[int, Path]] = set()

    def charge(self, work: int = 1) -> None:
        self._left -= work
        if self._left < 0:
            raise SchemaFault("it needs too many checks for this value")

    def match(self, written: str, text: str) -> bool:
        pattern = self.schema.pattern(written)
        self.charge(1 + pattern.work(text) // _PATTERN_UNIT)
        try:
            return pattern.matches(text)
        except ValueError as error:
            raise SchemaFault(str(error)) from error

    def identity(self, value: JSON) -> Any:
        left = [value]
        while left:
            self.charge()
            inner = left.pop()
            if isinstance(inner, str):
                self.charge(len(inner) // _TEXT_UNIT)
            elif isinstance(inner, dict | list):
                left.extend(inner.values() if isinstance(inner, dict) else inner)
        return identity(value)

    def apply(
        self, schema: JSON, value: JSON, path: Path, evaluated: Evaluated | None = None
    ) -> Violations:
        """What a value is not; notes in ``evaluated`` the parts that the schema had a say in."""
        self.charge(_APPLY_COST)
        if schema is True:
            return []
        if schema is False:
            return [Violation(path, "false", False, f"{format_value(value)} is not allowed here")]
        mark = (id(schema), path)
        if mark in self._active:
            raise SchemaFault("the schema refers to itself without end")
        if len(self._active) >= _MAX_DEPTH:
            raise SchemaFault("it is nested too deep for this value")
        self._active.add(mark)
        try:
            return self._apply_keywords(schema, value, path, evaluated)
        finally:
            self._active.discard(mark)

    def _apply_keywords(
        self, schema: dict[str, JSON], value: JSON, path: Path, evaluated: Evaluated | None
    ) -> Violations:
        at = Instance(self, schema, value, path, Evaluated())
        collected: Violations = []
        for keyword, check in KEYWORDS.items():
            if keyword in schema:
                self.charge()
                collected += check(at, schema[keyword])
                if collected and keyword in BOUNDING:
                    break
        if evaluated is not None and not collected:
            evaluated.add(at.evaluated)
        return collected
