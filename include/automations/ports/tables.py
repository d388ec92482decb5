"""The port for rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from automations.kit.comparison import Operator
from automations.kit.values import JSON


@dataclass(frozen=True, slots=True)
class RowReceipt:
    """A row that was written; ``row`` has its values by columns, null where it has none."""

    row_id: str
    row: Mapping[str, Any]
    created: bool


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row as it is to be written: a new one, unless it is said which is changed.

    Args:
        data: values by columns; of a row that is there, null takes one away.
        row_id: the row that is changed.
        keys: the columns by whose values it is known; where no row has these it is a new one.
    """

    table_id: str
    data: Mapping[str, Any]
    row_id: str | None = None
    keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row that was found."""

    row_id: str
    row: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


class Tables(Protocol):
    """Writes rows of tables, once for each key; raises StepError when what is given fits not.

    A time without an offset is one of the given zone.
    """

    def write(
        self, change: RowChange, *, workspace_id: str, run_id: str, key: str, zone: str = "UTC"
    ) -> RowReceipt: ...

    def delete(self, table_id: str, row_id: str, *, workspace_id: str, key: str) -> bool:
        """Delete a row; False when it was not there."""
        ...

    def query(
        self,
        table_id: str,
        criteria: RowFilter | None,
        *,
        sort: str | None,
        limit: int,
        workspace_id: str,
        zone: str = "UTC",
    ) -> list[FoundRow]: ...


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _all_unless_said(value: object) -> object:
    return "all" if value is None else value


Match = Annotated[Literal["all", "any"], BeforeValidator(_all_unless_said)]


class RowRule(_Part):
    """One comparison of a column, or a nested group of them."""

    field: str | None = Field(None, description="The column's key.")
    operator: Operator | None = Field(None, description="How to compare.")
    value: JSON = Field(None, description="What to compare with; not for exists and empty.")
    match: Match = Field("all", description="How a nested group is joined.")
    rules: list[RowRule] | None = Field(
        None, min_length=1, max_length=50, description="A nested group."
    )

    @model_validator(mode="after")
    def _row_or_group(self) -> Self:
        if (self.operator is None) == (self.rules is None):
            raise ValueError("give field and operator, or a nested match and rules")
        if self.operator is not None and self.field is None:
            raise ValueError("field is required")
        if self.operator not in (None, "exists", "empty") and "value" not in self.model_fields_set:
            raise ValueError(f"operator {self.operator} needs a value")
        return self


class RowFilter(_Part):
    """Which rows are asked for."""

    match: Match = Field("all", description="Whether all rules or any must hold.")
    rules: list[RowRule] = Field(max_length=50, description="The comparisons.")
