"""Forms: their sections and fields, and how clients write them."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from automations.domain.fields import Lenient, Number, Whole, zone_name
from automations.kit.titles import Name

DISPLAY = frozenset({"heading", "paragraph", "divider"})
MAX_ITEMS = 1_000
"""Of a section that repeats: each is a row of inputs on a page."""
MAX_FIELDS = 2_000
MAX_OPTIONS = 20_000
"""Of a whole form: with more, each page that shows it takes seconds to make."""
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
    help: str = Field("", max_length=2_000, description="Help text below its label.")
    validation: Validation = Validation()
    options: list[Option] = Field(default_factory=list)
    timezone: Annotated[str, AfterValidator(zone_name)] = Field(
        "UTC", description="Time zone of values that are typed into a page, for a datetime."
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


def check_whole(form: FormSchema) -> dict[str, list[str]]:
    """What is wrong with a form whose parts are right, by the path of the part.

    It has more than a page can show, or keys that two values of the data would share, or values
    that two options would.
    """
    fields = [field for section in form.sections for field in section.fields]
    if len(fields) > MAX_FIELDS:
        return {"sections": [f"may have {MAX_FIELDS:,} fields in all at most"]}
    if sum(len(field.options) for field in fields) > MAX_OPTIONS:
        return {"sections": [f"may have {MAX_OPTIONS:,} options in all at most"]}
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
