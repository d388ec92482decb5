"""An operator for hand-written DAGs that syncs what a task has read into rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow.sdk import Asset, AssetAlias, BaseOperator, XComArg

from automations.domain import assets
from automations.services.pipelines import loads

Records = Iterable[Any] | Callable[[Any], Iterable[Any]] | XComArg


class TableSyncOperator(BaseOperator):
    """Syncs records to the tables of a pipeline connection, each table being one event.

    Each table that has changed is also an asset event of ``automation://table/<id>``, so that
    Airflow shows the lineage and other DAGs can be scheduled on it.

    Args:
        connection: a push connection's id, or its name in the default workspace.
        records: objects; or what gives them, called with the task's context: a generator is
            written as it is read, in little memory. The output of another task will do.
    """

    # Airflow keeps what a template field was rendered to: all of the records, once more.
    template_fields = ()

    def __init__(self, *, connection: str, records: Records, **kwargs: Any) -> None:
        alias = AssetAlias(f"{assets.SCHEME}connection/{connection}")
        super().__init__(outlets=[*kwargs.pop("outlets", ()), alias], **kwargs)
        self.connection = connection
        self.alias = alias
        self.records = records
        XComArg.apply_upstream_relationship(self, records)

    def execute(self, context: Any) -> dict[str, Any]:
        """Sync, and give the counts."""
        ti = context["ti"]
        task = f"{ti.dag_id}.{ti.task_id}"
        key = f"{task}:{ti.run_id}:{ti.map_index}"
        sync = loads.load(self.connection, key, task, self._read(context))
        for error in sync.errors:
            self.log.warning("A record does not fit: %s", error)
        for counts in sync.tables:
            if counts["created"] or counts["updated"]:
                self._emit_change(context, sync.id, counts)
        return {"pipelineRunId": sync.id, "records": sync.records, **sync.totals}

    def _read(self, context: Any) -> Iterable[Any]:
        records = self.records
        if isinstance(records, XComArg):
            records = records.resolve(context)
        return records(context) if callable(records) else records

    def _emit_change(self, context: Any, run_id: str, counts: Mapping[str, Any]) -> None:
        asset = Asset(assets.table(counts["tableId"]))
        extra = {"pipelineRunId": run_id} | {part: counts[part] for part in ("created", "updated")}
        context["outlet_events"][self.alias].add(asset, extra=extra)
