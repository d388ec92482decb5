"""What a task's process does behind its own step, and what it hands over."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.sdk.exceptions import AirflowTaskTimeout
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Handover, Run, WorkflowVersion
from automations.definitions.published import Published
from automations.domain.statuses import WorkflowStatus
from automations.execution.attempt import KeepConfig
from automations.execution.engine import Engine
from automations.execution.entered import Entered
from automations.execution.journal import Journal
from automations.execution.verdicts import Proceed
from automations.steps.outcomes import Outcome
from automations_airflow import airflow_versions
from automations_airflow.dags.dag_builder import build
from automations_airflow.scheduler.marking import Marks
from automations_airflow.tasks import ahead
from automations_airflow.tasks.ahead import run_following_tasks
from automations_airflow.tasks.ahead_logs import logging_as
from tests.db.roles import Outbox
from tests.db.runs import MAIL, begin, reload, row, step, task
from tests.doubles import ports
from tests.environment import Environment


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def engine(database: str, outbox: Outbox) -> Engine:
    return Engine(ports(mailer=outbox))


@pytest.fixture(autouse=True)
def runs_ahead(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.set(AUTOMATIONS_RUN_AHEAD_SECONDS="60")
    # There is no scheduler here.
    monkeypatch.setattr(ahead, "MARK_TIMEOUT", ahead.MARK_TIMEOUT * 0)


def mail(name: str, order: int = 0, **more: Any) -> dict[str, Any]:
    return step(name, "email", order, {**MAIL, "subject": name}, **more)


def context(run: Run) -> dict[str, Any]:
    """What Airflow gives the task of the run's first step."""
    with unit_of_work() as session:
        query = select(WorkflowVersion).where(WorkflowVersion.workflow_id == run.workflow_id)
        definition = session.scalars(query).one().definition
    published = Published(run.workflow_id, 1, 1, 1, WorkflowStatus.ACTIVE, definition)
    first = build(published).get_task("a")
    ti = SimpleNamespace(
        id="0199", task=first, dag_id=first.dag_id, run_id=run.id, hostname="worker-1"
    )
    return {"ti": ti}


class Watched(Engine):
    """Does something before or after each attempt."""

    def __init__(self, around: Callable[[str], AbstractContextManager[None]]) -> None:
        super().__init__(ports(mailer=Outbox()))
        self._around = around

    def attempt(
        self, entered: Entered, journal: Journal | None = None, keep: KeepConfig | None = None
    ) -> Outcome:
        with self._around(entered.ref.node_id):
            return super().attempt(entered, journal, keep)


def lead(engine: Engine, run: Run, **how: Any) -> None:
    """What the process of the run's first task does."""
    ref = task(run, "a", **how)
    done = engine.run(ref)
    assert isinstance(done, Proceed)
    run_following_tasks(engine, done, context(run), ref, Journal)


def handed_over() -> list[Marks]:
    with unit_of_work() as session:
        rows = session.scalars(select(Handover).order_by(Handover.id))
        return [Marks.of(row.marks) for row in rows]


def test_what_was_done_ahead_is_handed_over_as_airflow_would_know_it(engine: Engine) -> None:
    arms = {"then": [mail("x")], "else": [mail("y")]}
    branch = step("b", "condition", 1, {"expression": "true", **arms})
    run = begin(mail("a"), branch, mail("c", 2))
    lead(engine, run)
    (marks,) = handed_over()
    assert (marks.run, marks.leader, marks.host) == (run.id, ("a", "0199"), "worker-1")
    assert (marks.generation, marks.pid) == (0, os.getpid())
    states = {one.task: one.state for one in marks.tasks}
    assert states == {"b": "success", "x": "success", "c": "success", "y": "skipped"}
    choice, x = marks.tasks[0], marks.tasks[1]
    assert choice.started <= choice.ended <= x.started <= x.ended
    assert choice.xcoms["return_value"]["result"] is True
    assert choice.xcoms["skipmixin_key"] == {"skipped": ["y"]}
    assert choice.xcoms["_link_RunLink"].endswith(f"&run={run.id}")
    assert "skipmixin_key" not in x.xcoms
    assert x.rendered is not None
    assert x.rendered["config"]["subject"] == "x"
    assert reload(run).status == "COMPLETED"


def test_nothing_is_handed_over_where_nothing_was_done_ahead(engine: Engine) -> None:
    run = begin(mail("a"), step("wait", "delay", 1, {"duration": "PT1H"}))
    lead(engine, run)
    assert handed_over() == []


def test_each_step_is_done_by_its_own_task_when_it_is_switched_off(
    engine: Engine, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_RUN_AHEAD_SECONDS="0")
    run = begin(mail("a"), mail("b", 1))
    lead(engine, run)
    assert row(run, "b") is None


def test_each_step_is_done_by_its_own_task_in_an_airflow_whose_tables_are_not_known(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow_versions, "airflow_version", "3.4.0")
    run = begin(mail("a"), mail("b", 1))
    lead(engine, run)
    assert row(run, "b") is None


def test_after_a_clear_airflow_alone_knows_what_is_done_anew(engine: Engine) -> None:
    run = begin(mail("a"), mail("b", 1))
    lead(engine, run, generation=1)
    assert row(run, "b") is None


def test_an_error_behind_the_step_is_not_its_own(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = begin(mail("a"), mail("b", 1), mail("c", 2))

    @contextmanager
    def fail(node_id: str) -> Iterator[None]:
        if node_id == "c":
            raise RuntimeError("a bug of ours")
        yield

    lead(Watched(fail), run)
    (marks,) = handed_over()
    assert [one.task for one in marks.tasks] == ["b"]
    assert "a bug of ours" in caplog.text


def test_a_database_that_is_away_when_it_hands_over_fails_nothing(
    database: str, environment: Environment
) -> None:
    run = begin(mail("a"), mail("b", 1))

    @contextmanager
    def lose(node_id: str) -> Iterator[None]:
        yield
        if node_id == "b":
            environment.set(AUTOMATIONS_DATABASE_DSN="postgresql+psycopg2://n@127.0.0.1:1/none")

    engine, ref = Watched(lose), task(run, "a")
    done, given = engine.run(ref), context(run)
    assert isinstance(done, Proceed)
    run_following_tasks(engine, done, given, ref, Journal)


def test_each_step_has_the_time_of_its_own_task(database: str) -> None:
    run = begin(mail("a"), mail("b", 1, timeout="PT90S"), mail("c", 2))
    left: dict[str, float] = {}

    @contextmanager
    def look(node_id: str) -> Iterator[None]:
        left[node_id] = signal.getitimer(signal.ITIMER_REAL)[0]
        yield

    with alarm_after(50):
        lead(Watched(look), run)
    assert 100 < left["b"] <= 120
    assert left["c"] == 0


def test_a_step_whose_time_is_over_is_left_to_its_own_task(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = begin(mail("a"), mail("b", 1, timeout="PT90S"), mail("c", 2))

    @contextmanager
    def hang(node_id: str) -> Iterator[None]:
        if node_id == "b":
            signal.raise_signal(signal.SIGALRM)
        yield

    with alarm_after(50):
        lead(Watched(hang), run)
    assert AirflowTaskTimeout.__name__ in caplog.text
    assert row(run, "c") is None


@contextmanager
def alarm_after(seconds: float) -> Iterator[None]:
    """As Airflow limits the time of a task."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_what_is_logged_is_in_the_file_that_airflow_shows_for_the_other_task() -> None:
    output = io.StringIO()
    handler, logger = logging.StreamHandler(output), logging.getLogger("automations.step")
    handler.setFormatter(logging.Formatter('{"event": "%(message)s"}'))
    logging.getLogger().addHandler(handler)
    ti = SimpleNamespace(dag_id="automation_x", run_id="run-of-this-test", task_id="a")
    try:
        logger.warning("of the one")
        with logging_as("b", ti):
            logger.warning("of the other")
        logger.warning("of the one again")
    finally:
        logging.getLogger().removeHandler(handler)
    lines = [json.loads(line)["event"] for line in output.getvalue().splitlines()]
    assert lines == ["of the one", "of the one again"]
    folder = Path(conf.get("logging", "base_log_folder"))
    path = folder / "dag_id=automation_x" / "run_id=run-of-this-test" / "task_id=b"
    written = (path / "attempt=1.log").read_text()
    assert written.splitlines()[-1] == '{"event": "of the other"}'
    assert "of the one" not in written
