"""What a process does before it is forked: nothing is left of it but what makes the next faster."""

from __future__ import annotations

import multiprocessing
from multiprocessing.queues import SimpleQueue

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from automations.db import session as sessions
from automations.db.session import unit_of_work
from automations.db.tables import Base, Workspace
from automations.errors import DatabaseRefused
from automations.execution.engine import Engine
from automations.execution.verdicts import Proceed
from automations.execution.warm_up import warm_up
from automations.kit.ids import new_id
from tests.db.workspace import workspace
from tests.doubles import ports

pytestmark = pytest.mark.usefixtures("database")


def rows() -> dict[str, int]:
    with unit_of_work() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def backend(session: Session) -> int:
    """The server's process at the other end."""
    return session.scalar(select(func.pg_backend_pid())) or 0


def test_a_warm_up_run_comes_to_its_end_and_leaves_nothing_behind() -> None:
    before = rows()
    assert isinstance(warm_up(Engine(ports()), ports()), Proceed)
    assert rows() == before


def test_units_of_work_that_are_undone_see_each_other_and_one_may_fail() -> None:
    name = new_id()
    with sessions.undone():
        workspace(name)
        with pytest.raises(DatabaseRefused):
            workspace(name)
        with unit_of_work() as session:
            assert session.scalars(select(Workspace.slug)).all() == [name]
    with unit_of_work() as session:
        assert session.scalars(select(Workspace.slug)).all() == []


def test_a_fork_has_connections_of_its_own_and_all_that_its_parent_has_compiled() -> None:
    warm_up(Engine(ports()), ports())
    context = multiprocessing.get_context("fork")
    answers: SimpleQueue[tuple[int, int]] = context.SimpleQueue()

    def look() -> None:
        known = len(sessions.engine()._compiled_cache or ())
        with unit_of_work() as session:
            answers.put((backend(session), known))

    with unit_of_work() as session:
        here = backend(session)
        compiled = len(sessions.engine()._compiled_cache or ())
        child = context.Process(target=look)
        child.start()
        there, known = answers.get()
        child.join(60)
        assert child.exitcode == 0
        assert backend(session) == here, "the parent's connection is as it was"
    assert there != here
    assert known == compiled > 10
