"""What a file of many automations asks of the database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from automations.db.session import statement
from automations.services.workflows import files
from tests.db.counting import statements
from tests.db.dispatching import STEP
from tests.db.workspace import principal, workspace
from tests.doubles import ports


@pytest.fixture
def here(database: str) -> str:
    return workspace()


def many(number: int, word: str = "number") -> list[dict[str, Any]]:
    return [
        {"name": f"{word} {index}", "key": f"{word}-{index}", "status": "ACTIVE", "steps": [STEP]}
        for index in range(number)
    ]


def asked(here: str, file: list[dict[str, Any]]) -> tuple[list[str], int]:
    """What became of each of a file, and how many statements it took."""
    with statements() as seen:
        applied = files.apply(principal(here), file, ports())
    return [definition.action for definition in applied], len(seen)


def test_many_new_ones_take_no_more_statements_than_one(here: str) -> None:
    _, one = asked(here, many(1, "alone"))
    actions, all_of_them = asked(here, many(60))
    assert actions == ["create"] * 60
    assert all_of_them <= one


def test_many_that_are_there_are_found_and_compared_at_once(here: str) -> None:
    asked(here, many(60))
    actions, taken = asked(here, many(60))
    assert actions == ["unchanged"] * 60
    assert taken < 10


def test_they_are_numbered_and_published_in_the_order_of_their_file(here: str) -> None:
    asked(here, many(30))
    with statement() as connection:
        rows = connection.execute(
            text(
                "SELECT name, number, revision FROM workflow"
                " JOIN workflow_version ON workflow_id = workflow.id ORDER BY number"
            )
        ).all()
    assert [row.name for row in rows] == [definition["name"] for definition in many(30)]
    assert [row.revision for row in rows] == list(range(1, 31))
    assert rows[-1].number - rows[0].number == 29
