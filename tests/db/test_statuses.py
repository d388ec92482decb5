"""Statuses are an enum's words in code and plain text in the database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Column, Text, literal_column, select, text

from automations.db.session import unit_of_work
from automations.db.tables import Base, Workflow
from automations.db.tables.base import EnumText, among
from automations.domain.statuses import WorkflowStatus
from automations.errors import DatabaseRefused
from tests.db.workspace import automation, workspace

COLUMNS = [
    column
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, EnumText)
]


def test_a_status_is_read_as_a_member_of_its_enum(database: str) -> None:
    automation(workspace())
    with unit_of_work() as session:
        assert session.scalars(select(Workflow)).one().status is WorkflowStatus.ACTIVE


def test_a_status_is_plain_text_to_whoever_reads_the_table(database: str) -> None:
    automation(workspace())
    with unit_of_work() as session:
        stored = select(literal_column("status", Text), text("pg_typeof(status)::text"))
        assert session.execute(stored.select_from(Workflow)).one() == ("ACTIVE", "text")


def test_a_word_that_the_enum_does_not_have_is_refused_by_the_database(database: str) -> None:
    workflow_id = automation(workspace())
    with pytest.raises(DatabaseRefused) as refused, unit_of_work() as session:
        session.execute(
            text("UPDATE workflow SET status = 'LOST' WHERE id = :id"), {"id": workflow_id}
        )
    assert "ck_workflow_status" in str(refused.value.__cause__)


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_a_column_of_statuses_may_hold_its_enums_words_and_no_others(column: Column[Any]) -> None:
    assert isinstance(column.type, EnumText)
    checks = {
        str(check.sqltext)
        for check in column.table.constraints
        if isinstance(check, CheckConstraint)
    }
    assert among(column.name, *column.type.words) in checks
