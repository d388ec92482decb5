"""A value at its place while a schema is applied to it, and the validation it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from automations.kit.json_schema.schemas import Schema
from automations.kit.json_schema.violations import Path, Violation
from automations.kit.values import JSON

Formats = Mapping[str, Callable[[object], bool]]
Violations = list[Violation]


@dataclass(slots=True)
class Evaluated:
    """The parts of one value that some schema has evaluated: for the ``unevaluated…`` keywords."""

    names: set[str] = field(default_factory=set)
    places: set[int] = field(default_factory=set)

    def add(self, other: Evaluated) -> None:
        self.names |= other.names
        self.places |= other.places


class Validation(Protocol):
    """The validation of one value, which counts the work that it takes."""

    schema: Schema
    formats: Formats

    def charge(self, work: int = 1) -> None: ...

    def match(self, pattern: str, text: str) -> bool: ...

    def identity(self, value: JSON) -> Any: ...

    def apply(
        self, schema: JSON, value: JSON, path: Path, evaluated: Evaluated | None = None
    ) -> Violations: ...


@dataclass(frozen=True, slots=True)
class Instance:
    """A value at its place, with the schema that is being applied to it."""

    run: Validation
    schema: dict[str, JSON]
    value: Any
    path: Path
    evaluated: Evaluated

    def apply(self, schema: JSON) -> Violations:
        """Apply another schema to the same value."""
        return self.run.apply(schema, self.value, self.path, self.evaluated)

    def holds(self, schema: JSON) -> bool:
        """Whether another schema allows the value."""
        return not self.apply(schema)

    def apply_to(self, schema: JSON, name: Any) -> Violations:
        """Apply a schema to a part of the value."""
        (self.evaluated.places if isinstance(name, int) else self.evaluated.names).add(name)
        return self.run.apply(schema, self.value[name], (*self.path, name))

    def violation(self, keyword: str, expected: JSON, message: str, **more: Any) -> Violations:
        """The one violation of a keyword."""
        return [Violation(self.path, keyword, expected, message, **more)]
