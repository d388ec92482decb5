"""The table_operations step: what it hands to the tables, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.errors import StepError
from automations.ports import FoundRow, RowChange, RowReceipt
from automations.ports.tables import RowFilter, RowRule
from automations.steps.outcomes import Done, Outcome
from automations.steps.table_operations import TableOperations, TableOperationsConfig
from tests.doubles import NOW, context

WRITER = {"workspace_id": "workspace1", "run_id": "run1", "key": "run1:node1:0", "zone": "UTC"}


class Tables:
    """Tables that note what they are asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def write(self, change: RowChange, **by: Any) -> RowReceipt:
        self.asked.append((change, by))
        return RowReceipt("row", {"size": None, **change.data}, change.row_id is None)

    def delete(self, *given: Any, **by: Any) -> bool:
        self.asked.append(("delete", *given, by))
        return False

    def query(self, *given: Any, **by: Any) -> list[FoundRow]:
        self.asked.append(("query", *given, by))
        return [FoundRow("row", {"name": "Acme"}, NOW, NOW)]


class Refusing(Tables):
    """Tables that know no table."""

    def write(self, change: RowChange, **by: Any) -> RowReceipt:
        raise StepError("There is no table t.", kind="config")


def run(**config: Any) -> tuple[Outcome, tuple[Any, ...]]:
    tables = Tables()
    parsed = TableOperationsConfig.model_validate({"tableId": "t", **config}, context=RENDERED)
    outcome = TableOperations().run(parsed, context(tables=tables))
    (asked,) = tables.asked
    return outcome, asked


def test_create_gives_the_new_row() -> None:
    outcome, asked = run(operation="create", data={"name": "Acme"})
    assert asked == (RowChange("t", {"name": "Acme"}), WRITER)
    assert outcome == Done({"rowId": "row", "row": {"name": "Acme", "size": None}, "created": True})


def test_update_changes_the_row_that_is_named() -> None:
    outcome, asked = run(operation="update", rowId="row", data={"size": 5})
    assert asked == (RowChange("t", {"size": 5}, row_id="row"), WRITER)
    assert outcome == Done({"rowId": "row", "row": {"size": 5}, "created": False})


def test_upsert_hands_on_the_key_columns_also_from_one_text() -> None:
    outcome, asked = run(operation="upsert", keys="name, size", data={"name": "Acme", "size": 1})
    assert asked == (RowChange("t", {"name": "Acme", "size": 1}, keys=("name", "size")), WRITER)
    row = {"name": "Acme", "size": 1}
    assert outcome == Done({"rowId": "row", "row": row, "created": True})


def test_delete_says_whether_the_row_was_there() -> None:
    outcome, asked = run(operation="delete", rowId="row")
    assert asked == ("delete", "t", "row", {"workspace_id": "workspace1", "key": "run1:node1:0"})
    assert outcome == Done({"rowId": "row", "deleted": False})


def test_query_gives_the_rows_and_their_count() -> None:
    rule = {"field": "size", "operator": "gt", "value": 3}
    outcome, asked = run(
        operation="query", filter={"match": "any", "rules": [rule]}, sort="-size", limit=5
    )
    wanted = RowFilter(match="any", rules=[RowRule(field="size", operator="gt", value=3)])
    by = {"sort": "-size", "limit": 5, "workspace_id": "workspace1", "zone": "UTC"}
    assert asked == ("query", "t", wanted, by)
    at = "2026-03-01T12:00:00.000Z"
    row = {"id": "row", "data": {"name": "Acme"}, "createdAt": at, "updatedAt": at}
    assert outcome == Done({"rows": [row], "count": 1})


def test_query_without_a_filter_asks_for_the_first_hundred_rows() -> None:
    _, asked = run(operation="query")
    by = {"sort": None, "limit": 100, "workspace_id": "workspace1", "zone": "UTC"}
    assert asked == ("query", "t", None, by)


def test_what_the_tables_refuse_is_not_swallowed() -> None:
    config = TableOperationsConfig.model_validate(
        {"operation": "create", "tableId": "t", "data": {}}, context=RENDERED
    )
    with pytest.raises(StepError, match="no table"):
        TableOperations().run(config, context(tables=Refusing()))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"operation": "drop"}, "create"),
        ({"operation": "query", "tableId": ""}, "at least 1 character"),
        ({"operation": "create"}, "operation create needs data"),
        ({"operation": "create", "data": []}, "valid dictionary"),
        ({"operation": "create", "data": {}, "rowId": "r"}, "operation create takes no rowId"),
        ({"operation": "update", "data": {}}, "operation update needs rowId"),
        ({"operation": "update", "data": {}, "rowId": None}, "operation update needs rowId"),
        ({"operation": "update", "rowId": "r"}, "operation update needs data"),
        ({"operation": "upsert", "data": {}}, "operation upsert needs keys"),
        ({"operation": "upsert", "data": {}, "keys": " , "}, "operation upsert needs keys"),
        ({"operation": "delete"}, "operation delete needs rowId"),
        ({"operation": "delete", "rowId": "r", "filter": {"rules": []}}, "takes no filter"),
        ({"operation": "query", "data": {}}, "operation query takes no data"),
        ({"operation": "query", "limit": 0}, "greater than or equal to 1"),
        ({"operation": "query", "limit": 1_001}, "less than or equal to 1000"),
        ({"operation": "query", "filter": {"rules": [{"operator": "empty"}]}}, "field is required"),
        ({"operation": "query", "color": "red"}, "Extra inputs"),
    ],
)
def test_a_config_that_does_not_fit_its_operation_is_refused(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        TableOperationsConfig.model_validate({"tableId": "t", **config}, context=RENDERED)


def test_templates_are_accepted_when_saved_and_checked_when_rendered() -> None:
    config = {
        "operation": "query",
        "tableId": "{{input.table}}",
        "filter": "{{input.filter}}",
        "limit": "{{input.limit}}",
    }
    TableOperationsConfig.model_validate(config)
    with pytest.raises(ValidationError) as refused:
        TableOperationsConfig.model_validate(config, context=RENDERED)
    assert {str(error["loc"][0]) for error in refused.value.errors()} == {"filter", "limit"}
