"""Aggregates of a table's rows, such as a column's sum by the values of another one."""

from __future__ import annotations

from dataclasses import dataclass

from automations.db.rows import row_aggregates
from automations.db.session import unit_of_work
from automations.domain.tables import aggregates
from automations.domain.tables.aggregates import AggregateResult, Function
from automations.domain.tables.columns import columns_of
from automations.domain.tables.filters import validate
from automations.ports.tables import RowFilter
from automations.services.tables import tables


@dataclass(frozen=True, slots=True)
class Question:
    """Which aggregate of which rows is asked for, and of how many groups at most."""

    function: Function
    column: str | None = None
    group_by: str | None = None
    filter: RowFilter | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """The aggregate of all rows that were asked for, and of the groups with the most rows."""

    whole: AggregateResult
    groups: list[AggregateResult]
    truncated: bool


def answer(workspace_id: str, table_id: str, question: Question) -> Answer:
    """Compute an aggregate.

    Raises:
        NotFound: there is no such table.
        ValidationFailed: what is asked does not fit its columns; names the field.
    """
    with unit_of_work() as session:
        columns = columns_of(tables.find(session, workspace_id, table_id).columns)
        criteria = validate(question.filter, columns)
        aggregate = aggregates.validate(
            question.function, question.column, question.group_by, columns
        )
        whole, groups = row_aggregates.aggregates(
            session, table_id, criteria, aggregate, question.limit + 1
        )
    return Answer(whole, groups[: question.limit], len(groups) > question.limit)
