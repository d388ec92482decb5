"""Sessions: what is told of a database that is away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import reading, statement, unit_of_work
from automations.errors import DatabaseUnavailable
from tests.conftest import free_port


@pytest.mark.parametrize("way", [unit_of_work, reading, statement])
def test_a_database_that_is_away_is_one_error_by_every_way_to_it(
    way: Callable[[str], AbstractContextManager[Any]],
) -> None:
    nowhere = f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/nothing"
    with pytest.raises(DatabaseUnavailable) as away, way(nowhere) as database:
        database.execute(select(1))
    assert "refused" in str(away.value.__cause__)
