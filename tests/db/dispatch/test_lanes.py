"""Whose turn it is: a burst of one automation delays no other one's start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from automations.db.queue import jobs, lanes
from automations.db.queue.lanes import Room, Turns
from automations.db.session import statement, unit_of_work
from automations.db.tables import Job, JobKind, Run, Wait
from automations.dispatch import dispatcher
from automations.dispatch.capacity import _share
from automations.domain.statuses import WaitKind
from automations.services.workflows import workflows
from tests.db.dispatching import STEP, Airflow, automation, count, dispatching, executed
from tests.db.workspace import principal, workspace
from tests.doubles import NOW, ports
from tests.environment import Environment
from tests.waiting import until

STARTS = ("start_run",)
BATCH = 8


@pytest.fixture
def here(database: str) -> str:
    return workspace("here")


def queue(workspace_id: str, workflow: str, number: int, trigger: str = "webhook") -> list[str]:
    """Runs of an automation that are to be started, as an event leaves them."""
    with unit_of_work() as session:
        ids = session.execute(
            text("""
                INSERT INTO run (id, workspace_id, workflow_id, version, trigger_type,
                    trigger_data, input, variables, starters)
                SELECT :workflow || '-' || lpad(number::text, 6, '0'), :workspace, :workflow, 1,
                    :trigger, '{}', '{}', '{}', '[]' FROM generate_series(1, :number) number
                RETURNING id
            """),
            {
                "workflow": workflow,
                "workspace": workspace_id,
                "trigger": trigger,
                "number": number,
            },
        ).scalars()
        found = sorted(ids)
        session.execute(
            text("INSERT INTO job (kind, subject_id) SELECT 'start_run', unnest(:ids)"),
            {"ids": found},
        )
    return found


def taken(turns: Turns, limit: int = BATCH, **how: Any) -> list[str]:
    with unit_of_work() as session:
        claimed = jobs.claim(session, limit, STARTS, turns=turns, **how)
        for job in claimed:
            jobs.complete(session, job)
        return [job.subject_id for job in claimed]


def owners(subjects: Iterable[str]) -> Counter[str]:
    return Counter(subject.partition("-")[0] for subject in subjects)


def test_the_single_run_of_one_automation_is_next_behind_a_burst_of_another(here: str) -> None:
    burst, other = automation(here), automation(here)
    queue(here, burst, 5000)
    turns = Turns()
    assert owners(taken(turns)) == {burst: BATCH}
    (single,) = queue(here, other, 1)
    assert single in taken(turns)
    assert owners(taken(turns)) == {burst: BATCH}, "and the burst goes on"


def test_workspaces_take_turns_however_many_automations_they_have(here: str) -> None:
    there = workspace("there")
    many = [automation(here) for _ in range(5)]
    for one in many:
        queue(here, one, 100)
    lone = automation(there)
    queue(there, lone, 100)
    turns = Turns()
    found: Counter[str] = Counter()
    for _ in range(20):
        found += owners(taken(turns))
    assert found[lone] == 20 * BATCH / 2
    assert {found[owner] for owner in many} == {20 * BATCH / 2 / 5}


def test_of_more_automations_than_are_taken_at_once_each_has_its_turn(here: str) -> None:
    many = [automation(here) for _ in range(3 * BATCH)]
    for one in many:
        queue(here, one, 2)
    turns = Turns()
    turns_by_owner = owners(subject for _ in range(3) for subject in taken(turns))
    assert turns_by_owner == dict.fromkeys(many, 1)


def test_the_oldest_of_an_automation_comes_first(here: str) -> None:
    one, other = automation(here), automation(here)
    runs, others = queue(here, one, 20), queue(here, other, 3)
    turns = Turns()
    found = [subject for _ in range(4) for subject in taken(turns)]
    assert [subject for subject in found if subject in runs] == runs
    assert [subject for subject in found if subject in others] == others


def test_what_somebody_waits_for_comes_first_and_the_rest_not_never(here: str) -> None:
    watched, unwatched = automation(here), automation(here)
    queue(here, unwatched, 400)
    by_hand = executed(here, watched, 1)
    turns = Turns()
    assert taken(turns, 1) == by_hand
    queue(here, watched, 400, "manual")
    turns_by_owner = owners(subject for _ in range(40) for subject in taken(turns, 1))
    assert turns_by_owner == {watched: 30, unwatched: 10}


def test_a_sender_who_waits_for_the_result_is_somebody_who_waits(here: str) -> None:
    payload = {"name": "Test", "status": "ACTIVE", "steps": [STEP]}
    trigger = {"type": "webhook", "respond": "result"}
    answering = workflows.create(principal(here), {**payload, "trigger": trigger}, ports()).id
    taking = automation(here)
    queue(here, taking, 20)
    (awaited,) = queue(here, answering, 1)
    assert taken(Turns(), 1) == [awaited]


def test_two_dispatchers_take_each_once_and_let_the_single_run_pass(here: str) -> None:
    burst, other = automation(here), automation(here)
    expected = [*queue(here, burst, 300), *queue(here, other, 1)]

    def handle(_: int) -> list[list[str]]:
        turns, found = Turns(), []
        while count(Job.lane.is_not(None)) or count(Job.id > 0):
            found.append(taken(turns))
        return found

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(handle, range(2)))
    assert sorted(one for found in both for batch in found for one in batch) == expected
    assert any(expected[-1] in batch for found in both for batch in found[:2])


def test_jobs_of_every_subject_stand_in_the_line_of_their_automation(here: str) -> None:
    one = automation(here)
    (run,) = queue(here, one, 1)
    with unit_of_work() as session:
        session.add(
            Wait(id="wait", run_id=run, node_id="x", generation=0, kind=WaitKind.DELAY, due_at=NOW)
        )
        for kind, subject in (
            (JobKind.ANSWER_WAIT, "wait"),
            (JobKind.NEXT_RUN, run),
            (JobKind.END_RUNS, one),
            (JobKind.FAIL_RUN, "nothing there"),
        ):
            jobs.enqueue(session, kind, subject)
    with unit_of_work() as session:
        session.execute(lanes._line_up(frozenset(JobKind)), {"kinds": list(JobKind)})
        found = {job.kind: (job.workspace_id, job.lane) for job in session.query(Job)}
    assert found == {
        "start_run": (here, one),
        "answer_wait": (here, one),
        "next_run": (here, one),
        "end_runs": (here, one),
        "fail_run": ("", ""),
    }


def test_the_owner_of_every_kind_of_job_is_known(database: str) -> None:
    assert set(JobKind) == lanes.OWNED
    with unit_of_work() as session:
        session.execute(
            text("INSERT INTO job (kind, subject_id) SELECT unnest(:kinds), 'x'"),
            {"kinds": list(JobKind)},
        )
        assert len(jobs.claim(session, 100, JobKind)) == len(JobKind)


@pytest.mark.parametrize(
    ("free", "there", "more"),
    [
        (64, 0, 48),
        (24, 40, 8),
        (16, 48, 0),
        (16, 47, 1),
        (3, 0, 3),
        (1, 2, 1),
        (1, 3, 0),
        (0, 0, 0),
    ],
)
def test_an_automation_may_have_three_times_of_what_it_leaves(
    free: int, there: int, more: int
) -> None:
    assert _share(free, there) == more


def test_who_has_its_share_in_airflow_leaves_the_room_to_others(here: str) -> None:
    full, other = automation(here), automation(here)
    queue(here, full, 100)
    turns = Turns()
    room = Room({full: 0}, 3)
    assert taken(turns, room=room) == []
    queue(here, other, 10)
    assert owners(taken(turns, room=room)) == {other: 3}
    assert owners(taken(turns, room=Room({full: 2, other: 1}, 0))) == {full: 2, other: 1}


def test_a_workspace_that_has_its_share_in_airflow_keeps_no_other_from_the_last_room(
    here: str,
) -> None:
    there = workspace("there")
    full, other = automation(here), automation(there)
    queue(here, full, 100)
    queue(there, other, 3)
    turns, room = Turns(), Room({full: 0}, 1)
    found = [taken(turns, 1, room=room) for _ in range(4)]
    assert [len(some) for some in found] == [1, 1, 1, 0]
    assert owners(subject for some in found for subject in some) == {other: 3}


def test_airflow_has_room_for_a_single_run_at_any_time_in_a_burst(
    here: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.set(AUTOMATIONS_MAX_RUNS_IN_AIRFLOW="16")
    monkeypatch.setattr(dispatcher, "_IDLE_TIMEOUT", 600.0)
    burst, other = automation(here), automation(here)
    queue(here, burst, 200)
    airflow = Airflow()
    with dispatching(airflow):
        until("the burst's share", lambda: len(airflow.made) == 12)
        executed(here, other, 1)
        # None of the burst's runs has ended, nor does one before this is there.
        until("the single run", lambda: len(airflow.made) == 13)
        with unit_of_work() as session:
            assert session.get_one(Run, airflow.made[-1]).workflow_id == other
        executed(here, other, 20)
        until("the other's share", lambda: len(airflow.made) == 15)
        # A job goes after Airflow has been asked.
        until("the end of their jobs", lambda: count(Job.kind == "start_run") == 188 + 18)
        assert len(airflow.made) == 15


def touched(query: Any, values: dict[str, object]) -> int:
    """How many pages a statement looks at."""
    with unit_of_work() as session:
        explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query.text}")
        (planned,) = session.execute(explain, values).scalar_one()
    plan = planned["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.slow
@pytest.mark.parametrize("number_of_lanes", [1, 10_000])
def test_a_claim_costs_the_same_however_many_wait_and_in_however_many_lines(
    database: str, number_of_lanes: int
) -> None:
    with statement() as connection:
        connection.execute(text("TRUNCATE job"))  # without what other tests have left in its files
        connection.execute(
            text("""
                INSERT INTO job (kind, subject_id, workspace_id, lane)
                SELECT 'start_run', number::text, 'w' || number % :lanes % 100,
                    'l' || number % :lanes FROM generate_series(1, 100000) number
            """),
            {"lanes": number_of_lanes},
        )
        connection.execute(text("ANALYZE job"))
    own: dict[str, object] = {"kinds": [kind for kind in JobKind if kind != "start_run"]}
    starts: dict[str, object] = {"kinds": list(STARTS)}
    cursors = {"after_urgent": "", "after": "w5", "most": BATCH, "full": []}
    pick = {
        **starts,
        "urgent": False,
        "limit": BATCH,
        "workspaces": ["w0"] if number_of_lanes == 1 else [f"w{n}" for n in range(10, 18)],
        "after": [""] if number_of_lanes == 1 else ["l"] * 8,
        "share": BATCH if number_of_lanes == 1 else 1,
        "lanes": 2,
        "allowed": "{}",
        "allowance": BATCH,
    }
    assert touched(lanes._line_up(frozenset(STARTS)), starts) < 200
    assert touched(lanes._WORKSPACES, {**starts, **cursors}) < 200
    assert touched(lanes._PICK, pick) < 400
    assert touched(lanes._line_up(frozenset(JobKind) - frozenset(STARTS)), own) < 200
    assert touched(lanes._QUEUED, {"kinds": list(JobKind)}) < 200
    assert touched(lanes._WORKSPACES, {**own, **cursors}) < 300, "of these none is there"
