"""What Airflow stores of a finished task (XComs, rendered fields), for tasks done ahead."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.bases.skipmixin import XCOM_SKIPMIXIN_KEY, XCOM_SKIPMIXIN_SKIPPED
from airflow.sdk.execution_time.task_runner import _serialize_template_field
from airflow.sdk.execution_time.xcom import XCom
from pydantic import JsonValue, TypeAdapter

from automations_airflow.ui.links import links_of

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


def skipped_ids(task: Any, targets: tuple[str, ...] | None) -> list[str]:
    """The ids of a task's successors that are skipped: no path from the targets leads to them."""
    if targets is None:
        return []
    if not targets:
        # The run ends here, so that joins further down are skipped, too, despite other branches.
        return sorted(task.get_flat_relative_ids(upstream=False))
    reached = set(targets)
    for target in targets:
        reached |= task.dag.get_task(target).get_flat_relative_ids(upstream=False)
    return sorted(task.downstream_task_ids - reached)


def xcoms_of(
    task: Any,
    run_id: str,
    step_type: str,
    summary: Mapping[str, Any],
    targets: tuple[str, ...] | None,
) -> dict[str, Any]:
    """A task's XComs by their keys, in stored form: its value, whom it skips, and its links.

    Args:
        task: may be one of a serialized DAG.
    """
    values: dict[str, Any] = {"return_value": dict(summary)}
    if skipped := skipped_ids(task, targets):
        values[XCOM_SKIPMIXIN_KEY] = {XCOM_SKIPMIXIN_SKIPPED: skipped}
    names = {"dag_id": task.dag_id, "task_id": task.task_id, "run_id": run_id}
    xcoms = {
        key: XCom.serialize_value(value, key=key, map_index=-1, **names)
        for key, value in values.items()
    }
    key: Any = SimpleNamespace(**names)
    finished: Any = SimpleNamespace(summary=summary)
    links = {link.xcom_key: link.get_link(finished, ti_key=key) for link in links_of(step_type)}
    return xcoms | links


def rendered_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """A task's rendered fields, in the form that Airflow stores."""
    # Does what Airflow does, except that Airflow makes a new validator for each field.
    masked = redact(_serialize_template_field(dict(config), "config"), "config")
    return {"config": _JSON.validate_python(masked)}
