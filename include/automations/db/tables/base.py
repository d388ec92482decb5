"""What all tables have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, DateTime, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from automations.kit.ids import new_id
from automations.kit.storable import same


class Json(JSONB):
    """JSON whose changes are seen as changes, also from 1 to true."""

    cache_ok = True

    def compare_values(self, x: Any, y: Any) -> bool:
        return same(x, y)


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
    type_annotation_map: ClassVar = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: Json,
        list[Any]: Json,
    }


def id_column() -> Mapped[str]:
    """A primary key with an id like the specification's."""
    return mapped_column(primary_key=True, default=new_id)


def now_column() -> Mapped[datetime]:
    """An instant that is set when the row is made."""
    return mapped_column(server_default=func.clock_timestamp())


def one_of(column: str, *values: str) -> CheckConstraint:
    """A column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
