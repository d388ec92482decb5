"""What holds of a stack that has come to rest, whatever was done to it before.

Each invariant is a sentence and a look at three records: our database, Airflow's, and those of
the world outside. A look yields what it finds wrong, in words.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extras import NamedTupleCursor

from tests.chaos.records import Effect, Kind, Records

MARK = re.compile(r"mark-[0-9a-z-]+")

_RUNS = """
SELECT r.id, r.workflow_id, r.status, r.parent_run_id, r.slot, r.dispatched_at, r.completed_at,
    r.error, coalesce(r.dag_run_id, r.id) AS in_airflow,
    r.input::text || r.trigger_data::text AS given
FROM run r ORDER BY r.started_at, r.id
"""
_FINAL = ("COMPLETED", "FAILED", "CANCELLED")
_IN_AIRFLOW = {
    "COMPLETED": ("success",),
    "FAILED": ("failed",),
    "CANCELLED": ("failed",),
    "RUNNING": ("queued", "running"),
    "PAUSED": ("queued", "running"),
    "WAITING_FOR_CHILD": ("queued", "running"),
}


class World:
    """The three records, each database as of one moment.

    Args:
        ours: a connection to our database.
        airflow: one to Airflow's.
    """

    def __init__(self, ours: Any, airflow: Any, records: Records) -> None:
        self._ours = ours
        self._airflow = airflow
        self.records = records
        self.kinds: dict[str, Kind] = {kind.workflow: kind for kind in records.kinds}

    def ours(self, query: str) -> list[Any]:
        return _rows(self._ours, query)

    def airflow(self, query: str) -> list[Any]:
        return _rows(self._airflow, query)

    @cached_property
    def runs(self) -> list[Any]:
        """The runs of the automations that there are records of."""
        return [run for run in self.ours(_RUNS) if run.workflow_id in self.kinds]

    @cached_property
    def by_id(self) -> dict[str, Any]:
        return {run.id: run for run in self.runs}

    @cached_property
    def effects(self) -> dict[str, list[Effect]]:
        """What has reached counterparts, by name."""
        found: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.records.effects:
            found[effect.name].append(effect)
        return found

    @cached_property
    def completed(self) -> list[tuple[Any, Kind]]:
        """The runs that are COMPLETED, each with its kind."""
        return [(r, self.kinds[r.workflow_id]) for r in self.runs if r.status == "COMPLETED"]


def _rows(connection: Any, query: str) -> list[Any]:
    with connection.cursor(cursor_factory=NamedTupleCursor) as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


Look = Callable[[World], Iterator[str]]


@dataclass(frozen=True)
class Invariant:
    """A sentence that holds, and the look that shows it."""

    sentence: str
    look: Look


INVARIANTS: list[Invariant] = []


def invariant(sentence: str) -> Callable[[Look], Look]:
    """Put a look on the list."""

    def put(look: Look) -> Look:
        INVARIANTS.append(Invariant(sentence, look))
        return look

    return put


def violations(ours: str, airflow: str, records: Records) -> list[str]:
    """What does not hold, a line for each find; the databases are named by their DSNs."""
    with closing(_snapshot(ours)) as first, closing(_snapshot(airflow)) as second:
        world = World(first, second, records)
        return [f"{one.sentence}: {found}" for one in INVARIANTS for found in one.look(world)]


def _snapshot(dsn: str) -> Any:
    connection = psycopg2.connect(dsn.replace("+psycopg2", ""))
    connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    return connection


@invariant("Every accepted trigger has started one run of each automation that it matches")
def _triggers(world: World) -> Iterator[str]:
    started = Counter(
        (mark, run.workflow_id)
        for run in world.runs
        if run.parent_run_id is None
        for mark in set(MARK.findall(run.given))
    )
    for trigger in world.records.triggers:
        for workflow in trigger.workflows:
            if (count := started[trigger.mark, workflow]) != 1:
                yield f"{trigger.mark} has {count} runs of {world.kinds[workflow].name}"


@invariant("Every row of a table has started one run of each automation that follows the table")
def _rows_followed(world: World) -> Iterator[str]:
    for kind in world.records.kinds:
        if kind.follows is None:
            continue
        given = [run.given for run in world.runs if run.workflow_id == kind.workflow]
        for row in world.ours("SELECT id, table_id FROM data_row"):
            if row.table_id == kind.follows:
                count = sum(row.id in text for text in given)
                if count != 1:
                    yield f"row {row.id} has {count} runs of {kind.name}"


@invariant("There is no run that nobody has asked for")
def _unasked(world: World) -> Iterator[str]:
    asked = {(t.mark, workflow) for t in world.records.triggers for workflow in t.workflows}
    for run in world.runs:
        kind = world.kinds[run.workflow_id]
        if run.parent_run_id is not None:
            if run.parent_run_id not in world.by_id:
                yield f"{kind.name} {run.id} has no parent"
        elif kind.follows is None and not any(
            (mark, run.workflow_id) in asked for mark in MARK.findall(run.given)
        ):
            yield f"{kind.name} {run.id}"


@invariant("A run has started as many others as its steps say")
def _children(world: World) -> Iterator[str]:
    children = Counter(run.parent_run_id for run in world.runs)
    for run, kind in world.completed:
        if children[run.id] != kind.children:
            yield f"{kind.name} {run.id} has {children[run.id]} instead of {kind.children}"


@invariant("One Idempotency-Key is one run")
def _keys_of_requests(world: World) -> Iterator[str]:
    for trigger in world.records.triggers:
        if trigger.key is not None and trigger.told:
            started = {
                run.id
                for run in world.runs
                if run.parent_run_id is None and trigger.mark in MARK.findall(run.given)
            }
            if started | set(trigger.told) != {trigger.told[0]}:
                yield f"{trigger.key} was answered with {trigger.told}, and started {started}"


@invariant("Every run has ended well, or waits for somebody who has not answered")
def _ends(world: World) -> Iterator[str]:
    for run in world.runs:
        kind = world.kinds[run.workflow_id]
        if run.status != ("PAUSED" if kind.waits else "COMPLETED"):
            yield f"{kind.name} {run.id} is {run.status} ({run.error})"


@invariant("A run and its pause say the same")
def _pauses(world: World) -> Iterator[str]:
    waits = defaultdict(list)
    for wait in world.ours("SELECT run_id, node_id, kind FROM wait WHERE status = 'OPEN'"):
        waits[wait.run_id].append(wait)
    steps = {
        (step.run_id, step.node_id): step.status
        for step in world.ours("SELECT run_id, node_id, status FROM run_step")
    }
    for run in world.runs:
        open_waits = waits[run.id]
        parked = [wait for wait in open_waits if wait.kind not in ("retry", "slot")]
        if run.status in _FINAL and open_waits:
            yield f"{run.id} is {run.status} and waits at {open_waits[0].node_id}"
        elif run.status in ("PAUSED", "WAITING_FOR_CHILD") and len(parked) != 1:
            yield f"{run.id} is {run.status} with {len(parked)} open pauses"
        elif run.status == "RUNNING" and parked:
            yield f"{run.id} is RUNNING and waits at {parked[0].node_id}"
        for wait in open_waits:
            if steps.get((run.id, wait.node_id)) != "WAITING":
                yield f"{run.id} waits at {wait.node_id}, which does not"


@invariant("No completed step is done again")
def _again(world: World) -> Iterator[str]:
    lines = world.ours(
        "SELECT run_id, step_name, iteration::text AS iteration, count(*) AS n FROM step_log"
        " WHERE status = 'success' GROUP BY run_id, step_id, step_name, iteration::text"
    )
    for line in lines:
        if line.n > 1 and line.run_id in world.by_id:
            yield f"{line.run_id}: {line.step_name} {line.iteration or ''} has ended {line.n} times"
    ended = {
        (step.run_id, step.node_id): step.at
        for step in world.ours(
            "SELECT run_id, node_id, extract(epoch FROM ended_at) AS at FROM run_step"
            " WHERE status = 'DONE'"
        )
    }
    for effect in world.records.effects:
        run = world.by_id.get(effect.run)
        node = run and world.kinds[run.workflow_id].steps.get(effect.step)
        at = ended.get((effect.run, node))
        if at is not None and effect.at > float(at):
            yield f"{effect.name} came {effect.at - float(at):.3f} s after its step had ended"


@invariant("Every effect of a completed run has reached its counterpart")
def _arrived(world: World) -> Iterator[str]:
    for run, kind in world.completed:
        for effect in kind.effects:
            if f"{run.id}/{effect}" not in world.effects:
                yield f"{kind.name} {run.id}/{effect}"


@invariant("There is no effect that no run has")
def _unknown_effects(world: World) -> Iterator[str]:
    for name, found in world.effects.items():
        run = world.by_id.get(found[0].run)
        if run is None or found[0].of_run not in world.kinds[run.workflow_id].effects:
            yield name


@invariant("An effect has one key, however often it came, and no other has it")
def _keys_of_effects(world: World) -> Iterator[str]:
    users: dict[str, set[str]] = defaultdict(set)
    for name, found in world.effects.items():
        keys = {effect.key for effect in found}
        if len(keys) != 1 or None in keys:
            yield f"{name} came {len(found)} times with {sorted(map(str, keys))}"
        for key in keys - {None}:
            users[str(key)].add(name)
    for key, names in users.items():
        if len(names) > 1:
            yield f"{key} is of {sorted(names)}"


@invariant("What a step makes here it makes once")
def _own_effects(world: World) -> Iterator[str]:
    rows = Counter(
        run_id
        for row in world.ours("SELECT data::text AS data FROM data_row")
        for run_id in re.findall(r"\"run\": \"([0-9a-z]+)\"", row.data)
    )
    documents = Counter(d.run_id for d in world.ours("SELECT run_id FROM document"))
    for run, kind in world.completed:
        if rows[run.id] != kind.rows:
            yield f"{kind.name} {run.id} has {rows[run.id]} rows"
        if documents[run.id] != kind.documents:
            yield f"{kind.name} {run.id} has {documents[run.id]} documents"


@invariant("A question is answered once, and as whoever was told that it counts has said")
def _answers(world: World) -> Iterator[str]:
    accepted: dict[str, list[str]] = defaultdict(list)
    for answer in world.records.answers:
        if answer.accepted:
            accepted[answer.run].append(answer.decision)
    settled: dict[str, list[str]] = defaultdict(list)
    for wait in world.ours(
        "SELECT run_id, decision FROM wait WHERE kind = 'decision' AND status = 'ANSWERED'"
    ):
        settled[wait.run_id].append(wait.decision)
    for run in {*accepted, *settled} & world.by_id.keys():
        if accepted[run] != settled[run] or len(accepted[run]) != 1:
            yield f"{run}: told {accepted[run]}, on record {settled[run]}"


@invariant("A run's state and its log say the same")
def _state_and_log(world: World) -> Iterator[str]:
    logged = {
        (line.run_id, line.step_id): line.step_name
        for line in world.ours(
            "SELECT run_id, step_id, step_name FROM step_log"
            " WHERE status = 'success' AND coalesce(iteration::text, 'null') = 'null'"
        )
    }
    steps = world.ours("SELECT run_id, node_id, status, ended_at FROM run_step")
    done = {(step.run_id, step.node_id) for step in steps if step.status == "DONE"}
    for run_id, node in sorted(done - logged.keys()):
        if run_id in world.by_id:
            yield f"{run_id}: {node} is DONE, and the log has no line of it"
    for run_id, node in sorted(logged.keys() - done):
        if run_id in world.by_id:
            name = logged[run_id, node]
            yield f"{run_id}: the log says that {name} has ended, its state does not"
    for step in steps:
        run = world.by_id.get(step.run_id)
        if run is None:
            continue
        if run.status == "COMPLETED" and step.status not in ("DONE", "SKIPPED"):
            yield f"{run.id} is COMPLETED, and its step {step.node_id} is {step.status}"
        if (step.ended_at is None) == (step.status in ("DONE", "FAILED")):
            yield f"{run.id}: {step.node_id} is {step.status}, and ended at {step.ended_at}"
    for run in world.runs:
        if (run.status in _FINAL) == (run.completed_at is None):
            yield f"{run.id} is {run.status}, and completed at {run.completed_at}"


@invariant("Airflow agrees with each run")
def _airflow(world: World) -> Iterator[str]:
    dag_runs = {
        (dag_run.dag_id.removeprefix("automation_"), dag_run.run_id): dag_run.state
        for dag_run in world.airflow("SELECT dag_id, run_id, state FROM dag_run")
    }
    tasks: dict[str, list[Any]] = defaultdict(list)
    for task in world.airflow("SELECT run_id, task_id, state FROM task_instance"):
        tasks[task.run_id].append(task)
    for run in world.runs:
        state = dag_runs.pop((run.workflow_id, run.in_airflow), None)
        if state is None and run.dispatched_at is not None:
            yield f"{run.id} is {run.status}, and has no DagRun"
        elif state is not None and state not in _IN_AIRFLOW[run.status]:
            yield f"{run.id} is {run.status}, its DagRun {state}"
        for task in tasks[run.in_airflow]:
            if run.status == "COMPLETED" and task.state not in ("success", "skipped"):
                yield f"{run.id} is COMPLETED, and the task {task.task_id} is {task.state}"
            elif run.status == "PAUSED" and task.state in ("queued", "running", "restarting"):
                yield f"{run.id} is PAUSED, and the task {task.task_id} is {task.state}"
    for workflow, run_id in dag_runs:
        if workflow in world.kinds:
            yield f"the DagRun {run_id} of {world.kinds[workflow].name} has no run"


_LEFT_HERE = {
    "job": "SELECT kind || ' ' || subject_id || coalesce(': ' || error, '') FROM job"
    " WHERE dead_at IS NOT NULL OR available_at < clock_timestamp() - interval '5 seconds'",
    "event": "SELECT id FROM event WHERE status = 'PENDING'",
    "handover": "SELECT run_id FROM handover",
    "idempotency key": "SELECT key FROM idempotency_key WHERE status IS NULL",
    "revival": "SELECT id FROM run WHERE reviving",
    "slot that is waited for": "SELECT id FROM run WHERE slot = 'WAITING' AND status = 'RUNNING'",
}
_LEFT_IN_AIRFLOW = {
    "trigger": "SELECT t.id::text FROM trigger t WHERE NOT EXISTS"
    " (SELECT FROM task_instance i WHERE i.trigger_id = t.id)"
    " AND NOT EXISTS (SELECT FROM callback c WHERE c.trigger_id = t.id)"
    " AND NOT EXISTS (SELECT FROM asset_watcher w WHERE w.trigger_id = t.id)",
    "import error": "SELECT filename FROM import_error",
    "task of nobody": "SELECT i.task_id FROM task_instance i WHERE i.state = 'running'"
    " AND NOT EXISTS (SELECT FROM dag_run d WHERE d.dag_id = i.dag_id AND d.run_id = i.run_id"
    " AND d.state = 'running')",
    "job of a part": "SELECT job_type || ' ' || id FROM job WHERE state = 'running'"
    " AND latest_heartbeat < now() - interval '2 minutes'",
}


@invariant("Nothing is left over in the databases")
def _rows_left(world: World) -> Iterator[str]:
    for what, query in _LEFT_HERE.items():
        yield from (f"{what}: {row[0]}" for row in world.ours(query))
    for what, query in _LEFT_IN_AIRFLOW.items():
        yield from (f"Airflow's {what}: {row[0]}" for row in world.airflow(query))


@invariant("Nothing is left over on the machine")
def _left(world: World) -> Iterator[str]:
    yield from world.records.left


@invariant("What is counted is what is there")
def _counts(world: World) -> Iterator[str]:
    counted = world.ours(
        "SELECT workflow_id, status, sum(runs) AS n FROM run_count WHERE workflow_id <> ''"
        " GROUP BY workflow_id, status HAVING sum(runs) <> 0"
    )
    there = Counter((run.workflow_id, run.status) for run in world.runs)
    said = {
        (count.workflow_id, count.status): int(count.n)
        for count in counted
        if count.workflow_id in world.kinds
    }
    for key in sorted({*there, *said}):
        if there[key] != said.get(key, 0):
            yield f"{world.kinds[key[0]].name}: {there[key]} {key[1]}, counted {said.get(key, 0)}"
