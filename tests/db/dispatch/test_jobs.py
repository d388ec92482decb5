"""The dispatcher's queue: what a dispatcher that died had claimed comes back at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg2.extensions
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.session import raw_connection, statement, unit_of_work
from automations.db.tables import Job, JobKind
from automations.kit.ids import new_id

ALIVE, OTHER = 7, 8


@pytest.fixture
def registered(database: str) -> Iterator[psycopg2.extensions.connection]:
    """The connection of a dispatcher that is there."""
    connection = raw_connection()
    connection.autocommit = True
    jobs.register(connection, ALIVE)
    yield connection
    connection.close()


def leave(connection: psycopg2.extensions.connection) -> None:
    """As if its process had died; its lock goes with the server's side of the connection."""
    pid = connection.get_backend_pid()
    connection.close()
    deadline = time.monotonic() + 60
    with statement() as other:
        left = text("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = :pid)")
        while not other.execute(left, {"pid": pid}).scalar():
            assert time.monotonic() < deadline, "the connection's other side is still there"
            time.sleep(0.01)


def claimed(holder: int | None) -> list[str]:
    with unit_of_work() as session:
        return [job.subject_id for job in jobs.claim(session, 10, JobKind, holder=holder)]


def enqueue() -> str:
    subject = new_id()
    with unit_of_work() as session:
        jobs.enqueue(session, JobKind.START_RUN, subject)
    return subject


def released(me: int = OTHER) -> int:
    with unit_of_work() as session:
        return jobs.release_abandoned(session, me)


def locks_read(me: int) -> bool:
    """Whether looking for abandoned claims reads the server's table of locks."""
    with unit_of_work() as session:
        explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {jobs._RELEASE.text}")
        told = {"channel": jobs.WAKE, "slow": jobs.SLOW, "express": jobs.EXPRESS}
        values = {"holders": jobs._HOLDERS, "me": me, **told}
        (planned,) = session.execute(explain, values).scalar_one()
    return any(loops > 0 for loops in loops_of_lock_scans(planned["Plan"]))


def loops_of_lock_scans(plan: dict[str, Any]) -> Iterator[int]:
    """How often each scan of the locks in a plan was begun."""
    if plan.get("Function Name") == "pg_lock_status":
        yield plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from loops_of_lock_scans(part)


def test_what_the_dead_had_claimed_comes_back_and_what_the_living_hold_does_not(
    registered: psycopg2.extensions.connection,
) -> None:
    subject = enqueue()
    assert claimed(ALIVE) == [subject]
    assert (released(), claimed(OTHER)) == (0, [])
    leave(registered)
    assert (released(), claimed(OTHER)) == (1, [subject])


def test_who_alone_has_claims_need_not_look_who_is_there(
    registered: psycopg2.extensions.connection,
) -> None:
    subjects = [enqueue() for _ in range(3)]
    assert claimed(ALIVE) == subjects
    assert not locks_read(ALIVE)
    assert locks_read(OTHER)
    leave(registered)
    assert released(ALIVE) == 0
    assert released(OTHER) == 3


def test_a_job_that_was_put_back_is_nobodys_and_waits_for_its_time(
    registered: psycopg2.extensions.connection,
) -> None:
    enqueue()
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 1, JobKind, holder=ALIVE)
        jobs.reschedule(session, job, timedelta(hours=1), "later")
    leave(registered)
    assert (released(), claimed(OTHER)) == (0, [])


def test_a_claim_that_was_given_to_another_cannot_be_settled_by_the_first(
    registered: psycopg2.extensions.connection,
) -> None:
    enqueue()
    with unit_of_work() as session:
        (lost,) = jobs.claim(session, 1, JobKind, holder=ALIVE)
    leave(registered)
    assert released() == 1
    with unit_of_work() as session:
        (found,) = jobs.claim(session, 1, JobKind, holder=OTHER)
        assert not jobs.complete(session, lost)
        assert jobs.complete(session, found)


def test_kinds_that_are_not_wanted_are_left_and_the_oldest_of_the_others_come_first(
    registered: psycopg2.extensions.connection,
) -> None:
    subjects = [new_id() for _ in range(6)]
    with unit_of_work() as session:
        for subject, kind in zip(
            subjects, (JobKind.START_RUN, JobKind.FAIL_RUN, JobKind.MATCH_EVENT) * 2, strict=True
        ):
            jobs.enqueue(session, kind, subject)
    with unit_of_work() as session:
        taken = jobs.claim(session, 3, ("match_event", "fail_run"), holder=ALIVE)
    assert [job.subject_id for job in taken] == [subjects[1], subjects[2], subjects[4]]
    with unit_of_work() as session:
        assert jobs.seconds_to_next(session, ("send_form",)) is None
        wait = jobs.seconds_to_next(session, ("start_run", "send_form"))
        assert wait is not None
        assert wait <= 0


def test_a_job_that_is_given_back_is_ready_and_before_those_that_came_later(
    registered: psycopg2.extensions.connection,
) -> None:
    first = enqueue()
    with unit_of_work() as session:
        taken = jobs.claim(session, 1, JobKind, holder=ALIVE)
    second = enqueue()
    with unit_of_work() as session:
        jobs.release(session, taken)
    assert claimed(OTHER) == [first, second]
    with unit_of_work() as session:
        jobs.release(session, taken)
    assert claimed(ALIVE) == [], "it is another's now"


def test_only_failures_count_and_what_goes_on_is_forgiven(
    registered: psycopg2.extensions.connection,
) -> None:
    enqueue()
    found = []
    ways: tuple[Callable[[Session, Job], object], ...] = (
        lambda session, job: jobs.retry(session, job, timedelta(0), "it broke"),
        lambda session, job: jobs.reschedule(session, job, timedelta(0), "not yet"),
        lambda session, job: jobs.release(session, [job]),
        lambda session, job: jobs.retry(session, job, timedelta(0), "it broke again"),
        lambda session, job: jobs.requeue(session, job),
    )
    for put_back in ways:
        with unit_of_work() as session:
            (job,) = jobs.claim(session, 1, JobKind, holder=ALIVE)
            put_back(session, job)
        with unit_of_work() as session:
            now = session.get_one(Job, job.id)
            found.append((now.failures, now.error))
    assert found == [
        (1, "it broke"),
        (1, "not yet"),
        (1, "not yet"),
        (2, "it broke again"),
        (0, None),
    ]
