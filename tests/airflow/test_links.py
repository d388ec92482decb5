"""Where Airflow's pages lead to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from automations.kit.ids import new_id
from automations.settings import get_settings
from automations.steps.registry import STEP_TYPES
from automations_airflow.dags.dag_builder import build
from automations_airflow.tasks.operators import OPERATORS
from automations_airflow.ui.links import links_of
from tests.airflow.definitions import approval, email, published, workflow_id

DOOR = f"/automations/console/open?dag=automation_{workflow_id(0)}"


def links(kind: str, run: str, operator: Any = None) -> dict[str, str]:
    key: Any = SimpleNamespace(dag_id=f"automation_{workflow_id(0)}", run_id=run, task_id="step")
    base = f"{get_settings().bridge_base}/console"
    return {
        link.name: link.get_link(operator, ti_key=key).removeprefix(base) for link in links_of(kind)
    }


def test_a_task_leads_to_its_run_and_step_and_an_approval_to_its_page() -> None:
    run = new_id()
    assert links("email", run) == {
        "Run in the console": f"{DOOR}&run={run}",
        "Step in the console": f"{DOOR}&run={run}&task=step",
    }
    assert links("approval", run)["Approval page"] == f"{DOOR}&run={run}&page=approval"


def test_a_run_that_was_started_by_a_step_is_led_to_once_it_is_known() -> None:
    assert links("run_workflow", new_id())["Child run"] == ""
    done = SimpleNamespace(summary={"runId": "c1"})
    assert links("run_workflow", new_id(), done)["Child run"] == "/automations/console/open?run=c1"
    of_dag = SimpleNamespace(summary={"runId": "r1", "dagId": "etl"})
    assert links("run_workflow", new_id(), of_dag)["Child run"] == "/dags/etl/runs/r1"


def test_the_run_of_a_backfill_is_named_as_it_can_stand_in_an_address() -> None:
    leads = links("approval", "backfill__2026-11-29T00:00:00+00:00")
    assert leads["Run in the console"].endswith("&run=backfill__2026-11-29T00%3A00%3A00%2B00%3A00")


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_every_link_of_a_type_is_known_to_airflow(kind: str) -> None:
    from automations_plugin import AutomationsPlugin

    known = {type(link) for link in AutomationsPlugin.operator_extra_links}
    assert {type(link) for link in OPERATORS[kind].operator_extra_links} <= known


def test_a_dag_keeps_its_links_when_airflow_reads_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # A scheduler, which other tests have in this process, switches them off for all of it.
    monkeypatch.setattr(DagSerialization, "_load_operator_extra_links", True)
    dag = build(published(email("a"), approval("b", 1)))
    again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert "Approval page" in again.get_task("b").extra_links
    assert "Approval page" not in again.get_task("a").extra_links
