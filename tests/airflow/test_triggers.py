"""Waking sleeping tasks, with a real database that listens and notifies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from airflow.triggers.base import TriggerEvent
from sqlalchemy import Engine, create_engine, make_url, text

from automations_airflow.waits import triggers
from automations_airflow.waits.triggers import Waits, WaitTrigger

FAR = timedelta(hours=1)


@pytest.fixture
def ours(database: str) -> Iterator[Engine]:
    """Our database."""
    engine = create_engine(database, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def waits(engine: Engine) -> Waits:
    url = make_url(engine.url).set(drivername="postgresql")
    return Waits(url.render_as_string(hide_password=False))


def open_waits(engine: Engine, *ids: str) -> None:
    """Waits without the runs that they would be of."""
    with engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(
            text(
                "INSERT INTO wait (id, run_id, node_id, generation, kind, due_at)"
                " VALUES (:id, :id, 'n', 0, 'delay', now())"
            ),
            [{"id": run_id} for run_id in ids],
        )
        connection.execute(text("RESET session_replication_role"))


def end(engine: Engine, wait_id: str, notify: bool = True) -> None:
    with engine.connect() as connection:
        connection.execute(
            text("UPDATE wait SET status = 'ANSWERED' WHERE id = :id"), {"id": wait_id}
        )
        if notify:
            connection.execute(text("SELECT pg_notify('automations_wait', :id)"), {"id": wait_id})


async def all_looked_for(hub: Waits, count: int) -> None:
    """Wait until so many are waited for, and the database was asked for each."""
    async with asyncio.timeout(60):
        while len(hub._waiting) < count or hub._unchecked:
            await asyncio.sleep(0.02)


def connections(engine: Engine) -> int:
    """How many clients the database has."""
    of_clients = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    with engine.connect() as connection:
        return int(connection.execute(of_clients).scalar_one())


def soon(after: timedelta) -> datetime:
    return datetime.now(UTC) + after


def test_a_wait_elapses_at_its_moment(ours: Engine) -> None:
    open_waits(ours, "w")

    async def scenario() -> tuple[str, float]:
        began = time.monotonic()
        how = await waits(ours).end_of("w", soon(timedelta(seconds=1)))
        return how, time.monotonic() - began

    how, seconds = asyncio.run(scenario())
    assert how == "elapsed"
    assert seconds > 0.9


def test_a_notified_wait_ends_at_once(ours: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody looks without a reason.
    monkeypatch.setattr(triggers, "RECHECK_SECONDS", FAR.total_seconds())
    open_waits(ours, "w", "other")

    async def scenario() -> str:
        hub = waits(ours)
        other = asyncio.create_task(hub.end_of("other", soon(FAR)))
        task = asyncio.create_task(hub.end_of("w", soon(FAR)))
        await all_looked_for(hub, 2)
        await asyncio.to_thread(end, ours, "w")
        how = await asyncio.wait_for(task, 60)
        assert not other.done()
        other.cancel()
        return how

    assert asyncio.run(scenario()) == "notified"


def test_a_wait_that_ended_before_anybody_listened_is_noticed(ours: Engine) -> None:
    open_waits(ours, "w")
    end(ours, "w")

    async def scenario() -> str:
        return await asyncio.wait_for(waits(ours).end_of("w", soon(FAR)), 60)

    assert asyncio.run(scenario()) == "notified"


def test_what_was_missed_while_the_connection_was_lost_is_noticed(ours: Engine) -> None:
    open_waits(ours, "w")

    async def scenario() -> str:
        hub = waits(ours)
        task = asyncio.create_task(hub.end_of("w", soon(FAR)))
        await all_looked_for(hub, 1)
        await asyncio.to_thread(_cut_and_end)
        return await asyncio.wait_for(task, 60)

    def _cut_and_end() -> None:
        end(ours, "w", notify=False)
        with ours.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND query LIKE '%LISTEN%' OR query LIKE"
                    " 'SELECT id FROM wait%' AND pid <> pg_backend_pid()"
                )
            )

    assert asyncio.run(scenario()) == "notified"


def test_without_the_database_the_clock_still_runs(ours: Engine) -> None:
    async def scenario() -> str:
        hub = Waits("postgresql://nobody@127.0.0.1:1/none")
        return await asyncio.wait_for(hub.end_of("w", soon(timedelta(seconds=0.5))), 60)

    assert asyncio.run(scenario()) == "elapsed"


def test_thousands_of_waits_share_one_connection(ours: Engine) -> None:
    ids = [f"w{number}" for number in range(5000)]
    open_waits(ours, *ids)

    async def scenario() -> float:
        """What two seconds of nothing cost, as a share of what it cost to begin to wait."""
        hub = waits(ours)
        before = connections(ours)
        began = time.process_time()
        tasks = [asyncio.create_task(hub.end_of(run_id, soon(FAR))) for run_id in ids]
        await all_looked_for(hub, len(ids))
        opened = time.process_time() - began
        assert connections(ours) - before == 1
        began = time.process_time()
        await asyncio.sleep(2)
        idle = time.process_time() - began
        await asyncio.to_thread(end, ours, "w4321")
        assert await asyncio.wait_for(tasks[4321], 60) == "notified"
        for task in tasks:
            task.cancel()
        return idle / opened

    assert asyncio.run(scenario()) < 1


def test_waits_that_end_early_leave_nothing_behind(ours: Engine) -> None:
    staying = [f"s{number}" for number in range(10)]
    open_waits(ours, *staying)

    async def scenario() -> tuple[int, int, list[str]]:
        hub = waits(ours)
        tasks = [asyncio.create_task(hub.end_of(run_id, soon(FAR))) for run_id in staying]
        for _ in range(5):
            # Open for nobody: the first look at the database ends them.
            ended = [hub.end_of(f"w{number}", soon(FAR)) for number in range(200)]
            assert set(await asyncio.gather(*ended)) == {"notified"}
        lost = [asyncio.create_task(hub.end_of(f"l{number}", soon(FAR))) for number in range(200)]
        await asyncio.sleep(0)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        left = len(hub._due), len(hub._waiting)
        short = asyncio.create_task(hub.end_of(staying[0], soon(timedelta(seconds=0.1))))
        assert await short == "elapsed"
        for one in staying:
            await asyncio.to_thread(end, ours, one)
        ends = await asyncio.gather(*tasks)
        assert hub._due == []
        return *left, ends

    heap, waiting, ends = asyncio.run(scenario())
    assert waiting == len(staying)
    assert len(staying) <= heap <= 2 * len(staying)
    assert set(ends) == {"notified"}


def test_the_trigger_fires_with_how_the_wait_ended(ours: Engine) -> None:
    open_waits(ours, "w")

    async def scenario() -> TriggerEvent:
        return await anext(WaitTrigger("w", soon(timedelta(0))).run())

    assert asyncio.run(scenario()).payload == {"woken": "elapsed"}
