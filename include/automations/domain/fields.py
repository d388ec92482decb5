"""The types of fields that configs and definitions consist of."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema

from automations.kit import numbers


def without_nulls(model: type[BaseModel], value: Any) -> Any:
    """What a client has written, where null says that a field is absent that has a default."""
    if not isinstance(value, dict) or None not in value.values():
        return value
    return {key: item for key, item in value.items() if item is not None or key not in _of(model)}


@lru_cache(maxsize=1024)
def _of(model: type[BaseModel]) -> frozenset[str]:
    """The fields of a model that may be absent, but have no null of their own."""
    return frozenset(
        info.alias or name
        for name, info in model.model_fields.items()
        if not info.is_required() and info.default is not None
    )


def describe_nulls(schema: dict[str, Any]) -> None:
    """Say in the schema of a lenient model that null is taken where a field may be absent."""
    for name, field in schema.get("properties", {}).items():
        if name not in schema.get("required", ()) and isinstance(field.get("type"), str):
            field["type"] = [field["type"], "null"]
            if "enum" in field:
                field["enum"] = [*field["enum"], None]


class Lenient(BaseModel):
    """What clients write: null says that a field is absent, wherever it may be."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        return without_nulls(cls, value)


class Model(Lenient):
    """A frozen, camelCase model that refuses unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )


_inside_as_written: ContextVar[bool] = ContextVar("inside_as_written", default=False)


class AsWritten:
    """Marks a field that is not rendered before ``run``: nested steps, own templates."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    @staticmethod
    def _validate(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
        # What lies in here still has its templates, also when the config around it is rendered.
        token = _inside_as_written.set(True)
        try:
            return validate(value)
        finally:
            _inside_as_written.reset(token)


class Verbatim(AsWritten):
    """Marks a field that is no template at all, whatever braces are in it: code."""


class Html:
    """Marks a field whose templates escape what they insert for HTML."""


class Mrkdwn:
    """Marks a field whose templates escape what they insert for Slack's mrkdwn."""


class Blocks:
    """Marks a field of Slack's blocks: what is inserted into their texts is escaped for mrkdwn."""


SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""What a secret may be named, in ``secret.NAME``."""


_TEMPLATE = re.compile(r"\{\{|\{%")


def is_template(value: object) -> bool:
    """Whether a value is a text with template marks in it."""
    return isinstance(value, str) and _TEMPLATE.search(value) is not None


def _only_a_template(value: str, info: ValidationInfo) -> str:
    if is_rendered(info) or not is_template(value):
        raise ValueError("must be of the documented type, or a template such as {{input.value}}")
    return value


def is_rendered(info: ValidationInfo) -> bool:
    """Whether templates were rendered before this validation (at run, not at save)."""
    rendered = bool(info.context and info.context.get("rendered"))
    return rendered and not _inside_as_written.get()


TemplateText = Annotated[str, AfterValidator(_only_a_template)]
"""A text with a template in it, where another type is documented; never after rendering."""


def _discriminate(value: Any) -> str:
    return "Template()" if is_template(value) else "Value()"


class _AnyOf:
    """A word of an enum is a text as well: a schema's `oneOf` would take neither."""

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        written = handler(schema)
        branches = [
            variant
            for branch in written.pop("oneOf")
            for variant in (branch["anyOf"] if branch.keys() == {"anyOf"} else [branch])
        ]
        return {"anyOf": branches, **written}


T = TypeVar("T")
OrTemplate = Annotated[
    Annotated[T, Tag("Value()")] | Annotated[TemplateText, Tag("Template()")],
    Discriminator(_discriminate),
    _AnyOf(),
]
"""A value, or one template that gives it: what is wrong is told of the one that is written."""


LITERAL: Mapping[str, Any] = {"rendered": True}
"""The validation context of what is no template, though steps hold the same as one."""


RENDERED: Mapping[str, Any] = {**LITERAL, "numbers": True}
"""The validation context of a config whose templates have been rendered."""


def _of_a_template(value: object, info: ValidationInfo) -> object:
    may_count = is_rendered(info) and info.context is not None and "numbers" in info.context
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if may_count and is_number else value


FROM_TEMPLATE = BeforeValidator(_of_a_template)
"""Marks a text in which nobody may write a number, but a template may give one."""


Text = Annotated[str, FROM_TEMPLATE]


OptionalText = Annotated[str | None, FROM_TEMPLATE]


def _number(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise ValueError("must be a number")
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise ValueError("is too large a number")
    if isinstance(value, str):
        written = numbers.parse_number(value)
        return value if written is None else written
    return value


Whole = Annotated[int, BeforeValidator(_number)]
"""A whole number, also one that a template gave as a text, but no ``true`` and no ``1_000``.

What would be changed by being kept is refused.
"""


Real = Annotated[float, BeforeValidator(_number)]
"""A number, as ``Whole``."""


Number = Annotated[int | float, BeforeValidator(_number)]
"""The same, of which a whole one is kept as such, however long."""


MAX_DURATION = timedelta(days=366)
"""What any step may take or wait for: longer ones are mistakes, and end beyond the calendar."""


MAX_PAUSE = timedelta(days=7)
"""What people have to answer by; longer waits are steps of their own."""


_OF_THE_CALENDAR = re.compile(r"P[^T]*[MY]", re.IGNORECASE)
_EACH_ONCE = re.compile(r"P([^WDT]+W)?([^DT]+D)?(T([^HMS]+H)?([^MS]+M)?([^S]+S)?)?", re.ASCII)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def _duration(value: str, info: ValidationInfo) -> str:
    if is_template(value) and not is_rendered(info):
        return value
    if not timedelta(0) < parse_duration(value) <= MAX_DURATION:
        raise ValueError(f"must be longer than zero and P{MAX_DURATION.days}D at most")
    return value


def parse_duration(value: str) -> timedelta:
    """An ISO 8601 duration as a timedelta; ValueError says what is expected."""
    if _OF_THE_CALENDAR.match(value):
        raise ValueError(
            "must not have months or years, which are not equally long: write days, as in P30D, or "
            "have a schedule by cron"
        )
    try:
        if not _EACH_ONCE.fullmatch(value):
            raise ValueError(value)
        return _DURATION.validate_python(value)
    except (ValueError, OverflowError) as error:
        raise ValueError("must be an ISO 8601 duration such as PT30S, PT2H or P1D") from error


Duration = Annotated[Text, AfterValidator(_duration)]
"""An ISO 8601 duration."""


_MIN_REMINDER = timedelta(minutes=1)


def _seldom(value: str, info: ValidationInfo) -> str:
    may_be_read = is_rendered(info) or not is_template(value)
    if may_be_read and parse_duration(value) < _MIN_REMINDER:
        raise ValueError("must be PT1M at least: each time is a mail to everybody")
    return value


Reminder = Annotated[Duration, AfterValidator(_seldom)]
"""How often people are reminded."""


def within_a_week(value: str, info: ValidationInfo) -> str:
    """A duration of seven days at most: how long people or services have to answer."""
    if (is_rendered(info) or not is_template(value)) and parse_duration(value) > MAX_PAUSE:
        raise ValueError("must be P7D at most")
    return value


def check_before_end(span: str | None, end: str, name: str) -> None:
    """ValueError when something would come only after the time to answer in, so that it never does.

    Args:
        name: of the field that says when it comes; templates say so later.
    """
    if span is None or is_template(span) or is_template(end):
        return
    if parse_duration(span) >= parse_duration(end):
        raise ValueError(f"{name} must be shorter than expiresIn, which is {end}")


_NO_ZONES = ("localtime", "Factory", "posixrules")
"""Files beside the zones' own, which mean another time on each machine, or none."""


def zone_name(value: str) -> str:
    """The name of an IANA time zone; ValueError says what is expected."""
    try:
        if value in _NO_ZONES or value.startswith(("posix/", "right/")):
            raise ValueError(value)
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be an IANA time zone such as Europe/Warsaw") from error
    return value


def _zone(value: str, info: ValidationInfo) -> str:
    if is_template(value) and not is_rendered(info):
        return value
    return zone_name(value)


Zone = Annotated[Text, AfterValidator(_zone)]
"""An IANA time zone's name."""


ONE_OR_MORE = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)
"""How a field that ``as_list`` reads is described."""


def as_list(value: object, info: ValidationInfo) -> object:
    """One text, several with commas between, a list, or a list that a template gave."""
    value = _of_a_template(value, info)
    if not isinstance(value, str | list):
        return value
    items: list[object] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):
            items.extend(item)
        elif isinstance(item, str) and not is_template(item):
            items.extend(part.strip() for part in item.split(",") if part.strip())
        else:
            items.append(item)
    return items


def as_items(value: object, info: ValidationInfo) -> object:
    """As ``as_list``, but what is a text of its own in a list stays one, whatever commas it has."""
    value = _of_a_template(value, info)
    if not isinstance(value, list):
        return as_list(value, info)
    items: list[object] = []
    for item in value:
        if isinstance(item, list):
            items.extend(item)
        elif not isinstance(item, str) or item.strip():
            items.append(item)
    return items


Texts = Annotated[list[Text], BeforeValidator(as_list), ONE_OR_MORE]
"""Several texts: a list, or texts with commas between them."""


Words = Annotated[list[Text], BeforeValidator(as_items), ONE_OR_MORE]
"""The same of texts in which there may be commas, where they are a list."""
