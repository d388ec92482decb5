"""How many statements the requests take that are made most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from automations.domain.runs import RunFilter
from automations.services.runs import by_hand, reading
from automations.services.workflows import workflows
from tests.db.counting import commits, statements
from tests.db.dispatching import automation
from tests.db.workspace import principal, workspace


@pytest.fixture
def here(database: str) -> str:
    return workspace()


def asked(ask: Callable[[], Any]) -> int:
    """How many statements something takes when it is asked for again."""
    ask()
    with statements() as seen:
        ask()
    return len(seen)


def test_a_run_is_started_by_four_statements_in_one_transaction(here: str) -> None:
    workflow = automation(here)
    # The automation with its definition, the run, its job, and the audit.
    assert asked(lambda: by_hand.execute(principal(here), workflow, {})) == 4
    with commits() as seen:
        by_hand.execute(principal(here), workflow, {})
    assert len(seen) == 1


def test_what_is_read_takes_few_statements(here: str) -> None:
    workflow = automation(here)
    run = by_hand.execute(principal(here), workflow, {}).id
    assert asked(lambda: workflows.get(here, workflow)) == 2
    assert asked(lambda: workflows.page_after(here, None, 20)) == 1
    assert asked(lambda: workflows.stats(here)) == 2
    assert asked(lambda: reading.page_after(here, workflow, RunFilter(), None, 20)) <= 2
    # With its steps, its log, its children, and what is yet to come, while it runs.
    assert asked(lambda: reading.detail(here, workflow, run)) == 1
