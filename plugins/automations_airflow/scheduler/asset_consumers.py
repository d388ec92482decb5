"""Has Airflow name automations among the consumers of the assets that they listen to.

A DAG that is scheduled on an asset is started by Airflow itself, beside our own listener, and past
what an automation says of overlaps and debounces; a task's inlet starts nothing. A definition names
an asset by its name or by its address alone, and only Airflow's tables know the other: so what an
inlet in the DAG's file would leave there is put there, and again after the DAG is made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Engine, text

from automations.services.events import assets
from automations.services.events.assets import Listening
from automations_airflow.scheduler.scheduler_threads import SchedulerThread

_WANTED = """
WITH wanted AS (
    SELECT DISTINCT asset.id AS asset_id, dag.dag_id, w.task_id
    FROM jsonb_to_recordset(CAST(:listening AS jsonb)) AS w (dag_id text, task_id text, named text)
        JOIN dag ON dag.dag_id = w.dag_id AND NOT dag.is_stale
        JOIN asset ON asset.name = w.named OR asset.uri = w.named
)
"""
_ADD = text(f"""{_WANTED}
INSERT INTO task_inlet_asset_reference (asset_id, dag_id, task_id, created_at, updated_at)
SELECT asset_id, dag_id, task_id, now(), now() FROM wanted
ON CONFLICT DO NOTHING
""")  # noqa: S608 -- of the constant above
# No DAG of ours has an inlet by itself.
_DROP = text(f"""{_WANTED}
DELETE FROM task_inlet_asset_reference had
WHERE had.dag_id ~ '^automation_c[0-9a-z]{{24}}$' AND NOT EXISTS (
    SELECT FROM wanted
    WHERE wanted.asset_id = had.asset_id AND wanted.dag_id = had.dag_id
        AND wanted.task_id = had.task_id
)
""")  # noqa: S608 -- as well

Listeners = Callable[[], Sequence[Listening]]


class AssetConsumers(SchedulerThread):
    """Keeps what Airflow says of consumers as what automations listen to.

    Args:
        engine: of Airflow's database.
        listeners: tells which automations listen to what.
    """

    task = "name automations among the consumers of assets"
    interval = 15.0
    """Nothing waits for it: somebody may look at it."""

    def __init__(self, engine: Engine, listeners: Listeners = assets.listening) -> None:
        super().__init__(engine)
        self._listeners = listeners

    def look(self, connection: Connection) -> None:
        listening = json.dumps([asdict(listener) for listener in self._listeners()])
        connection.execute(_DROP, {"listening": listening})
        connection.execute(_ADD, {"listening": listening})
