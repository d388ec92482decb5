"""Write, find or delete rows of a table."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from automations.domain.fields import Model, OptionalText, OrTemplate, Text, Texts, Whole
from automations.kit.clock import timestamp
from automations.ports import RowChange
from automations.ports.tables import RowFilter
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.outcomes import Done, Outcome

MAX_ROWS = 1_000
"""They are the step's output, which is recorded and rendered from."""
_NEEDED = {
    "create": ("data",),
    "update": ("row_id", "data"),
    "upsert": ("keys", "data"),
    "query": (),
    "delete": ("row_id",),
}
_OPTIONAL = {"query": ("filter", "sort", "limit")}
_NAMES = {"row_id": "rowId"}
_FIELDS = ("row_id", "data", "keys", "filter", "sort", "limit")


class TableOperationsConfig(Model):
    """The table, the operation and its rows."""

    operation: Literal["create", "update", "upsert", "query", "delete"] = Field(
        description="create, update, upsert, query or delete."
    )
    table_id: Text = Field(min_length=1, max_length=200, description="Id of the table.")
    row_id: OptionalText = Field(
        None, min_length=1, max_length=200, description="The row to update or delete."
    )
    data: OrTemplate[dict[str, Any]] | None = Field(
        None,
        description="Values by the columns' keys, to create, update or upsert. An update leaves "
        "other columns unchanged; null removes a value. A number for a text column is "
        "written as text, and a time without an offset is in the automation's time "
        "zone, as in a filter.",
    )
    keys: Texts = Field(
        default_factory=list,
        max_length=20,
        description="To upsert: the columns that identify the row. If a row has the same values "
        "in them, it is updated, otherwise a row is created.",
    )
    filter: OrTemplate[RowFilter] | None = Field(
        None,
        description="To query: match (all or any) and rules of field (a column), operator and "
        "value. The operators are those of the step condition.",
    )
    sort: OptionalText = Field(
        None,
        max_length=200,
        description="To query: a column, or createdAt; a leading - reverses the order.",
    )
    limit: OrTemplate[Annotated[Whole, Field(ge=1, le=MAX_ROWS)]] = Field(
        100, description="To query: maximum number of rows, up to 1000."
    )

    @model_validator(mode="after")
    def _fields_of_the_operation(self) -> Self:
        needed = _NEEDED[self.operation]
        usable = (*needed, *_OPTIONAL.get(self.operation, ()))
        for name in _FIELDS:
            is_set = name in self.model_fields_set and getattr(self, name) not in (None, [])
            label = _NAMES.get(name, name)
            if name in needed and not is_set:
                raise ValueError(f"operation {self.operation} needs {label}")
            if is_set and name not in usable:
                raise ValueError(f"operation {self.operation} takes no {label}")
        return self


class TableOperations(StepType[TableOperationsConfig]):
    """Create, update, upsert, query or delete rows of a table."""

    type = "table_operations"
    title = "Table rows"
    Config = TableOperationsConfig
    refers_to: ClassVar = {"table_id": Subject.TABLE, "row_id": Subject.ROW}
    example: ClassVar = {
        "operation": "create",
        "tableId": "<table id>",
        "data": {"name": "{{input.name}}"},
    }
    keeps = True
    outputs: ClassVar = {
        "rowId": "create, update, upsert, delete: the row",
        "row": "create, update, upsert: its values by column; null if there is none",
        "created": "create, update, upsert: whether it is new",
        "rows": "query: the rows, each with id, data (values by columns), createdAt, updatedAt",
        "count": "query: number of rows found, within the limit",
        "deleted": "delete: whether the row existed",
    }

    def is_idempotent(self, config: TableOperationsConfig) -> bool:
        return config.operation != "query"

    def run(self, config: TableOperationsConfig, ctx: StepContext) -> Outcome:
        match config.operation:
            case "create" | "update" | "upsert":
                return _write(config, ctx)
            case "delete":
                return _delete(config, ctx)
            case _:
                return _query(config, ctx)


def _write(config: TableOperationsConfig, ctx: StepContext) -> Done:
    data = cast("dict[str, Any]", config.data)
    # Of row and keys a config has only what its operation takes.
    receipt = ctx.ports.tables.write(
        RowChange(config.table_id, data, config.row_id, tuple(config.keys or ())),
        workspace_id=ctx.workspace_id,
        run_id=ctx.run_id,
        key=ctx.idempotency_key,
        zone=ctx.timezone,
    )
    return Done({"rowId": receipt.row_id, "row": dict(receipt.row), "created": receipt.created})


def _delete(config: TableOperationsConfig, ctx: StepContext) -> Done:
    row_id = str(config.row_id)
    deleted = ctx.ports.tables.delete(
        config.table_id, row_id, workspace_id=ctx.workspace_id, key=ctx.idempotency_key
    )
    return Done({"rowId": row_id, "deleted": deleted})


def _query(config: TableOperationsConfig, ctx: StepContext) -> Done:
    matches = ctx.ports.tables.query(
        config.table_id,
        cast("RowFilter | None", config.filter),
        sort=config.sort,
        limit=cast("int", config.limit),
        workspace_id=ctx.workspace_id,
        zone=ctx.timezone,
    )
    rows = [
        {
            "id": row.row_id,
            "data": dict(row.row),
            "createdAt": timestamp(row.created_at),
            "updatedAt": timestamp(row.updated_at),
        }
        for row in matches
    ]
    return Done({"rows": rows, "count": len(rows)})
