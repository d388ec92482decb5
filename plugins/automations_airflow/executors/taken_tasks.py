"""Tasks that a worker runs itself, in Airflow's tables: taken, held and given back.

What the Execution API does when a task's process begins, and each few seconds later, for a process
that may reach Airflow's database. Each is one conditional statement: whoever has changed the task
meanwhile is right.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Engine, text

# A first try, in a run that nobody has cleared: which steps are to be done is known to the engine.
_TAKE = text("""
UPDATE task_instance t SET
    state = 'running', start_date = clock_timestamp(), end_date = NULL, hostname = :host,
    unixname = :user, pid = :pid, last_heartbeat_at = clock_timestamp(),
    updated_at = clock_timestamp()
FROM dag_run r
WHERE t.id = CAST(:id AS uuid) AND t.state = 'queued' AND t.try_number = 1
    AND t.next_method IS NULL AND r.dag_id = t.dag_id AND r.run_id = t.run_id
    AND r.state = 'running' AND r.clear_number = 0
""")

_MINE = "id = CAST(:id AS uuid) AND state = 'running' AND hostname = :host AND pid = :pid"

_HOLD = text(
    f"UPDATE task_instance SET last_heartbeat_at = clock_timestamp() WHERE {_MINE}"  # noqa: S608
)
_GIVE_BACK = text(
    f"UPDATE task_instance SET state = 'queued', updated_at = clock_timestamp() WHERE {_MINE}"  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class TaskClaim:
    """A try at a task, and the process that does it.

    Args:
        id: of the try, as Airflow has it.
    """

    id: str
    host: str
    user: str
    pid: int


def take(engine: Engine, task: TaskClaim) -> bool:
    """Begin a task that is queued; whether it was, and is this process's now."""
    return _changes(engine, _TAKE, task)


def hold(engine: Engine, task: TaskClaim) -> bool:
    """Say that a task is worked on; False when it is this process's no longer."""
    return _changes(engine, _HOLD, task)


def requeue(engine: Engine, task: TaskClaim) -> bool:
    """Have a task stand as if it had not been begun; False when it is this process's no longer."""
    return _changes(engine, _GIVE_BACK, task)


def _changes(engine: Engine, statement: object, task: TaskClaim) -> bool:
    with engine.begin() as connection:
        return bool(connection.execute(statement, asdict(task)).rowcount)  # type: ignore[call-overload]
