"""The base of all table models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from automations.domain import statuses
from automations.kit.ids import new_id
from automations.kit.storable import identical


class Json(JSON):
    """JSON as it was written, with the fields of its objects in their order.

    What was changed is seen to be changed, also from 1 to true or 1.0.
    """

    cache_ok = True

    def compare_values(self, x: Any, y: Any) -> bool:
        return identical(x, y)


class QueriedJson(JSONB):
    """The same for JSON that queries look into, whose fields PostgreSQL orders itself."""

    cache_ok = True

    def compare_values(self, x: Any, y: Any) -> bool:
        return identical(x, y)


class EnumText(Text):
    """A text column of an enum's words, read as its members.

    SQLAlchemy's own ``Enum`` would make another type of column, and would call Python for every
    value that is read or written; here a value that is read costs one look-up in a dictionary.
    """

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        members: dict[str | None, StrEnum | None] = {None: None}
        members.update((word.value, word) for word in self.words)
        return members.__getitem__


_ENUMS = [
    found
    for found in vars(statuses).values()
    if isinstance(found, type) and issubclass(found, StrEnum) and found is not StrEnum
]


class Base(DeclarativeBase):
    """Names constraints the same way everywhere, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: Json,
        list[Any]: Json,
        **{words: EnumText(words) for words in _ENUMS},
    }


def id_column() -> Mapped[str]:
    """A primary key with an id like the specification's."""
    return mapped_column(primary_key=True, default=new_id)


def now_column(*, primary_key: bool = False) -> Mapped[datetime]:
    """An instant that is set when the row is made.

    Args:
        primary_key: whether it is a part of that, as where a table is in parts by it.
    """
    return mapped_column(server_default=func.clock_timestamp(), primary_key=primary_key)


def among(column: str, *values: str) -> str:
    """The condition that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def one_of(column: str, *values: str) -> CheckConstraint:
    """A column holds one of these words."""
    return CheckConstraint(among(column, *values), name=column)
