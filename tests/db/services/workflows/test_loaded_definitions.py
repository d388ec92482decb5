"""Definitions that a process keeps: those that it used last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from automations.db.session import unit_of_work
from automations.services.workflows import definitions
from automations.services.workflows.definitions import Loaded
from tests.db.dispatching import automation
from tests.db.workspace import workspace


def load(workflow: str) -> Loaded:
    with unit_of_work() as session:
        return definitions.load(session, workflow, 1)


def test_a_version_that_is_used_again_and_again_is_kept_while_others_come_and_go(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definitions, "_MAX_KEPT", 3)
    here = workspace()
    hot, *others = [automation(here) for _ in range(8)]
    first, second = load(hot), load(others[0])
    for other in others:
        load(other)
        assert load(hot) is first
    assert load(others[0]) is not second
    assert load(others[-1]) is load(others[-1])


def test_a_process_that_forgets_reads_anew(database: str) -> None:
    workflow = automation(workspace())
    first = load(workflow)
    definitions.forget()
    again = load(workflow)
    assert again is not first
    assert again.definition == first.definition


def test_threads_that_load_more_than_is_kept_do_not_disturb_each_other(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definitions, "_MAX_KEPT", 2)
    here = workspace()
    wanted = [automation(here) for _ in range(4)] * 50
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(load, wanted))
    assert [definition.workflow_id for definition in found] == wanted
