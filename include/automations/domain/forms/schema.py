"""Forms: what their fields are, and whether data fits them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from automations.domain.email_addresses import is_address
from automations.domain.fields import Lenient, Number, Whole, zone_name
from automations.kit.clock import is_local
from automations.kit.json_schema.schemas import Schema
from automations.kit.json_schema.validation import violations
from automations.kit.json_schema.violations import Violation
from automations.kit.storable import faults
from automations.kit.titles import Name
from automations.kit.values import JSON

DISPLAY = frozenset({"heading", "paragraph", "divider"})
MAX_ITEMS = 1_000
"""Of a section that repeats: each is a row of inputs on a page."""
UNTYPED = ("file", "document", "signature", "table_fill")
"""The types whose values have the form that the client gives them."""
FILES = frozenset({"file", "document"})
FieldType = Literal[
    "text", "email", "phone", "tel", "url", "number", "currency", "textarea", "select",
    "multiselect", "radio", "checkbox", "yesno", "rating", "country", "date", "time", "datetime",
    "file", "document", "signature", "table_fill", "heading", "paragraph", "divider",
]  # fmt: skip


class _Part(Lenient):
    # The platform's forms carry more (layout, logic) than concerns us: it is kept, not checked.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True
    )


class Option(_Part):
    """One choice."""

    label: str
    value: str


class Validation(_Part):
    """What a field's value must satisfy."""

    required: bool = Field(False, strict=True)
    min: Number | None = Field(None, allow_inf_nan=False)
    max: Number | None = Field(None, allow_inf_nan=False)
    min_length: Whole | None = Field(None, ge=0)
    max_length: Whole | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _some_value_fits(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is over max")
        if (self.min_length or 0) > (math.inf if self.max_length is None else self.max_length):
            raise ValueError("minLength is over maxLength")
        return self


class FormField(_Part):
    """One field of a form."""

    id: str = Field(min_length=1)
    key: str = Field(min_length=1, max_length=200)
    type: FieldType
    label: str = ""
    help: str = Field("", max_length=2_000, description="What is said below its label.")
    validation: Validation = Validation()
    options: list[Option] = Field(default_factory=list)
    timezone: Annotated[str, AfterValidator(zone_name)] = Field(
        "UTC", description="Of what is typed into a page, for a datetime."
    )


class Repeatable(_Part):
    """How often a repeatable section may be filled in."""

    min_items: Whole | None = Field(None, ge=0, le=MAX_ITEMS)
    max_items: Whole | None = Field(None, ge=1, le=MAX_ITEMS)

    @property
    def least(self) -> int:
        """The fewest items."""
        return self.min_items or 0

    @property
    def most(self) -> int:
        """The most items."""
        return self.max_items or MAX_ITEMS

    @model_validator(mode="after")
    def _some_number_fits(self) -> Self:
        if self.least > self.most:
            raise ValueError("minItems is over maxItems")
        return self


class Section(_Part):
    """A group of fields; a repeatable one is filled in several times."""

    id: str = Field(min_length=1)
    title: str = ""
    repeatable: bool = Field(False, strict=True)
    repeatable_config: Repeatable | None = None
    fields: list[FormField] = Field(default_factory=list, max_length=500)

    @property
    def bounds(self) -> Repeatable:
        """How many items a repeatable section may have."""
        return self.repeatable_config or Repeatable()

    @property
    def items_key(self) -> str:
        """Where a repeatable section's items lie in the data."""
        return f"section_{self.id}_items"


class FormSchema(_Part):
    """A form's sections."""

    sections: list[Section] = Field(max_length=100)


class WrittenForm(Lenient):
    """What a client writes of a form."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    title: Name
    description: str = Field("", max_length=5_000)
    form_schema: FormSchema = Field(alias="schema", description="Sections with fields.")


_MAX_CHECKS = 2_000_000
"""More than a body may hold fields, each of which has a few checks."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?", re.ASCII
)
_TEXT: Mapping[str, Any] = {"type": "string", "maxLength": 100_000}


def _is_date(value: object) -> bool:
    text = str(value)
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_datetime(value: object) -> bool:
    try:
        is_local(str(value))
    except ValueError:
        return False
    return True


def _is_time(value: object) -> bool:
    return _TIME.fullmatch(str(value)) is not None


_FORMATS: Mapping[str, Callable[[object], bool]] = {
    "address": is_address,
    "date": _is_date,
    "time": _is_time,
    "moment": _is_datetime,
}


def json_schema(form: FormSchema) -> dict[str, JSON]:
    """The JSON schema of a form's data."""
    properties: dict[str, JSON] = {}
    required: list[str] = []
    for section in form.sections:
        inside = _object(section.fields)
        if section.repeatable:
            bounds = section.bounds
            properties[section.items_key] = {
                "type": "array",
                "items": inside,
                "minItems": bounds.least,
                "maxItems": bounds.most,
            }
            required += [section.items_key] if bounds.least else []
        else:
            properties |= inside["properties"]
            required += inside["required"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def unknown_fields(form: Mapping[str, Any], values: Mapping[str, JSON]) -> list[str]:
    """Paths of the values that are of no field of the form."""
    return _unknown(json_schema(FormSchema.model_validate(form)), values, "")


def _unknown(schema: Mapping[str, Any], values: Mapping[str, JSON], path: str) -> list[str]:
    found: list[str] = []
    for key, value in values.items():
        known = schema["properties"].get(key)
        if known is None:
            found.append(f"{path}{key}")
        elif "properties" in known.get("items", {}) and isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    found += _unknown(known["items"], item, f"{path}{key}.{index}.")
    return found


def check(form: Mapping[str, Any] | FormSchema, data: Mapping[str, JSON]) -> dict[str, list[str]]:
    """What is wrong with data for a form: messages by the path of the value."""
    if wrong := faults(dict(data), ""):
        return wrong
    parsed = form if isinstance(form, FormSchema) else FormSchema.model_validate(form)
    errors: dict[str, list[str]] = {}
    counted = _normalise_breaks(parsed, data)
    for violation in violations(Schema(json_schema(parsed)), counted, _FORMATS, _MAX_CHECKS):
        for path, message in _explain(violation):
            errors.setdefault(path, []).append(message)
    return errors


def _normalise_breaks(form: FormSchema, data: Mapping[str, JSON]) -> dict[str, JSON]:
    """Data as its characters are counted: a line break is one of them, whoever has written it."""

    def inside(section: Section, part: Mapping[str, JSON]) -> dict[str, JSON]:
        free = {field.key for field in section.fields if not field.options}
        return {
            key: value.replace("\r\n", "\n") if key in free and isinstance(value, str) else value
            for key, value in part.items()
        }

    counted = dict(data)
    for section in form.sections:
        if not section.repeatable:
            counted = inside(section, counted)
        elif isinstance(items := counted.get(section.items_key), list):
            counted[section.items_key] = [
                inside(section, item) if isinstance(item, dict) else item for item in items
            ]
    return counted


def replace_files(
    form: FormSchema, data: Mapping[str, JSON], look_up: Callable[[JSON], JSON]
) -> tuple[dict[str, JSON], dict[str, list[str]]]:
    """Data with other values in the place of its files, and what is wrong with those.

    Args:
        look_up: gives the new value of one; raises ValueError when there can be none.
    """
    new, errors = dict(data), dict[str, list[str]]()
    for section in form.sections:
        names = [field.key for field in section.fields if field.type in FILES]
        items = new.get(section.items_key) if section.repeatable else None
        parts: list[tuple[str, dict[str, JSON]]] = [] if section.repeatable else [("", new)]
        if isinstance(items, list):
            copied = [dict(item) if isinstance(item, dict) else item for item in items]
            new[section.items_key] = copied
            parts = [
                (f"{section.items_key}.{index}.", item)
                for index, item in enumerate(copied)
                if isinstance(item, dict)
            ]
        for path, part in parts:
            for name in names:
                if part.get(name) in (None, ""):
                    continue
                try:
                    part[name] = look_up(part[name])
                except ValueError as error:
                    errors[path + name] = [str(error)]
    return new, errors


def twice(form: FormSchema) -> dict[str, list[str]]:
    """Keys that two values of the data would share, and values that two options would.

    By the path of the second.
    """
    errors: dict[str, list[str]] = {}
    seen: set[tuple[str, str]] = set()

    def note(path: str, part_of: str, key: str) -> None:
        if (part_of, key) in seen:
            errors[path] = [f"'{key}' is there twice"]
        seen.add((part_of, key))

    for place, section in enumerate(form.sections):
        if section.repeatable:
            note(f"sections.{place}.id", "", section.items_key)
        for index, field in enumerate(section.fields):
            if field.type not in DISPLAY:
                part_of = str(place) if section.repeatable else ""
                path = f"sections.{place}.fields.{index}"
                note(f"{path}.key", part_of, field.key)
                for number, option in enumerate(field.options):
                    note(f"{path}.options.{number}.value", path, option.value)
    return errors


def _object(fields: list[FormField]) -> dict[str, Any]:
    shown = [field for field in fields if field.type not in DISPLAY]
    return {
        "type": "object",
        "properties": {field.key: _value(field) for field in shown},
        "required": [field.key for field in shown if field.validation.required],
        "additionalProperties": False,
    }


def _value(field: FormField) -> dict[str, JSON]:
    wanted = _by_type(field)
    rules = field.validation
    limits = {
        "minimum": rules.min,
        "maximum": rules.max,
        "minLength": rules.min_length or (1 if rules.required else None),
        "maxLength": rules.max_length,
    }
    wanted |= {name: limit for name, limit in limits.items() if limit is not None}
    if rules.required and field.type in UNTYPED:
        return {"not": {"enum": [None, "", [], {}]}}
    if rules.required:
        return wanted | ({"minItems": 1} if wanted.get("type") == "array" else {})
    # An empty field of a web form arrives as an empty text or as null.
    return {"anyOf": [wanted, {"type": "null"}, {"const": ""}]}


def _by_type(field: FormField) -> dict[str, JSON]:
    values = [option.value for option in field.options]
    match field.type:
        case "number" | "currency" | "rating":
            return {"type": "number"}
        case "yesno":
            return {"type": "boolean"}
        case "select" | "radio" | "country":
            return {"type": "string", "enum": values} if values else dict(_TEXT)
        case "multiselect" | "checkbox":
            item = {"enum": values} if values else dict(_TEXT)
            most = len(values) or MAX_ITEMS
            return {"type": "array", "maxItems": most, "items": item, "uniqueItems": True}
        case "email":
            return {**_TEXT, "format": "address"}
        case "date" | "time":
            return {**_TEXT, "format": "date" if field.type == "date" else "time"}
        case "datetime":
            return {**_TEXT, "format": "moment"}
        case "url":
            return {**_TEXT, "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s]+$"}
        case _:
            return {} if field.type in UNTYPED else dict(_TEXT)


def _explain(violation: Violation) -> Iterator[tuple[str, str]]:
    path = ".".join(map(str, violation.path))
    if violation.names:
        says = {"required": "is required", "additionalProperties": "is not a field of this form"}
        for name in violation.names:
            yield f"{path}.{name}" if path else name, says[violation.keyword]
    else:
        yield path, _short(violation.causes[0] if violation.causes else violation)


_MESSAGES = {
    "address": "must be an e-mail address",
    "date": "must be a date such as 2026-03-01",
    "time": "must be a time such as 09:30",
    "moment": "must be a date and time such as 2026-03-01T09:30:00Z",
}


_KINDS = {
    "number": "must be a number such as 12 or 12.5",
    "string": "must be a text",
    "boolean": "must be yes or no (true or false)",
    "array": "must be a list",
    "object": "must be an object",
}


def _short(violation: Violation) -> str:
    """What is wrong, in words for whoever fills in the form."""
    expected = violation.expected
    match violation.keyword:
        case "format":
            return _MESSAGES[expected]
        case "type":
            return _KINDS[expected]
        case "enum":
            return f"must be one of {', '.join(map(str, expected))}"
        case "minimum":
            return f"must be {expected} or more"
        case "maximum":
            return f"must be {expected} or less"
        case "minLength":
            return "must not be empty" if expected == 1 else f"needs at least {expected} characters"
        case "maxLength":
            return f"may have {expected} characters at most"
        case "minItems" if expected > 1:
            return f"must have at least {expected} items"
        case "maxItems":
            return f"must have at most {expected} items"
        case "uniqueItems":
            return "must not have the same twice"
        case "pattern":
            return "must be an http or https address"
        case _:
            return "must not be empty"
