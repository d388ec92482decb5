"""An example of a DAG of one's own: what a task reads becomes rows of a table of automations.

It needs the connection that it names. Make a table with the columns ``sku``, ``place`` (texts) and
``level`` (number), and a connection that records are sent to, by the API::

    POST /api/pipelines/connections
    {"name": "Stock levels", "connectorType": "push",
     "tables": [{"tableId": "<the table>", "keyColumns": ["sku", "place"]}]}

Then every automation whose trigger is ROW_ADDED, RECORD_UPDATED or TABLE_SYNCED of that table is
started once by each run of this DAG that changes any of its rows.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from automations_airflow.table_sync import TableSyncOperator


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__)
def stock_levels() -> None:
    """Read the stock of all warehouses, and sync it."""

    @task
    def read() -> list[dict[str, Any]]:
        """Ask the warehouses; here, some numbers."""
        places = {"Warsaw": 12, "Lyon": 0, "Porto": 7}
        return [{"sku": "bolt-m8", "place": place, "level": n} for place, n in places.items()]

    TableSyncOperator(task_id="sync", connection="Stock levels", records=read())


example = stock_levels()
