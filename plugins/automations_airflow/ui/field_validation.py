"""Has Airflow validate the fields of an input as the bridge validates them, whoever makes the run.

Airflow takes the validator that a field's schema names. Its own may never end with a stranger's
pattern, counts fractions otherwise, and answers people with a page of JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import ValidationError
from jsonschema.validators import create

from automations.kit.json_schema.formats import DATES
from automations.kit.json_schema.schemas import Schema, SchemaFault
from automations.kit.json_schema.validation import MAX_WORK, violations
from automations.kit.values import JSON

NAMED = "$schema"
"""The keyword by which a schema names its validator."""
OURS = "automation:field"


class Refusal(ValidationError):
    """A value is refused, in one sentence."""

    def __str__(self) -> str:
        return str(self.message)


def fault(rules: Mapping[str, Any], value: JSON) -> str | None:
    """What the rules of a field do not allow in a value.

    Raises:
        SchemaFault: the rules cannot be used, or the value is too much for them.
    """
    document = {name: rule for name, rule in rules.items() if name != NAMED}
    # Beside what the schema itself asks for, they ask once more for what the form shows.
    problems = violations(Schema.read(document), value, DATES, 2 * MAX_WORK)
    return str(problems[0]) if problems else None


def _validate(_validator: Any, _named: Any, value: Any, rules: Any) -> Iterator[Refusal]:
    try:
        reason = fault(rules, value)
    except SchemaFault:
        # Where the run is recorded, the whole input is validated, and whatever keeps it from that
        # is said.
        return
    if reason is not None:
        yield Refusal(reason)


# To name a version registers it.
create(
    {"$id": OURS, NAMED: "https://json-schema.org/draft/2020-12/schema"},
    validators={NAMED: _validate},
    version=OURS,
)
