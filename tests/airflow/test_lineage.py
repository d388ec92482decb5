"""What OpenLineage is told of steps."""

from __future__ import annotations

from typing import Any

import pytest

from automations.settings import get_settings
from automations_airflow.dags.dag_builder import build
from automations_airflow.tasks.lineage import Lineage, of_step
from automations_airflow.tasks.operators import StepTask
from tests.airflow.definitions import published

ROWS = {"tableId": "t1", "operation": "query"}
TABLE, DOCUMENTS = "automation://table/t1", "automation://documents/d1"


@pytest.mark.parametrize(
    ("step_type", "config", "lineage"),
    [
        ("table_operations", ROWS, Lineage(reads=(TABLE,))),
        ("table_operations", {**ROWS, "operation": "upsert"}, Lineage(writes=(TABLE,))),
        ("evidence_snapshot", {"source": "TABLE_ROWS", "tableId": "t1"}, Lineage(reads=(TABLE,))),
        ("evidence_snapshot", {"source": "ORG_MEMBERS", "tableId": None}, Lineage()),
        ("generate_document", {"templateId": "d1"}, Lineage(writes=(DOCUMENTS,))),
        ("send_form", {"formId": "f1"}, Lineage()),
        ("email", {"to": "ada@b.example"}, Lineage()),
        ("table_operations", None, Lineage()),
    ],
)
def test_what_a_step_reads_and_writes_is_by_its_rendered_config(
    step_type: str, config: dict[str, Any] | None, lineage: Lineage
) -> None:
    assert of_step(step_type, config) == lineage


def test_the_provider_is_told_it_where_it_is_installed() -> None:
    manager = pytest.importorskip("airflow.providers.openlineage.extractors.manager")
    config = {"operation": "query", "tableId": "t1"}
    given = {"name": "Look", "type": "table_operations", "order": 0, "config": config}
    task = build(published({"id": "a", **given})).get_task("a")
    assert isinstance(task, StepTask)
    task.config = config
    extractor = manager.ExtractorManager()._get_extractor(task)
    found = extractor.extract_on_complete(None)
    host = get_settings().bridge_base.partition("://")[2]
    assert [(dataset.namespace, dataset.name) for dataset in found.inputs] == [
        (f"automation://{host}", "table/t1")
    ]
    assert found.outputs == []
