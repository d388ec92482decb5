"""Which DAGs of an Airflow are ours: automations, and the one that runs operators."""

from __future__ import annotations

from automations.definitions.published import workflow_id
from automations.ports import OPERATOR_DAG

PATTERN = f"^(automation_c[0-9a-z]{{24}}|{OPERATOR_DAG})$"
"""Of their ids, as PostgreSQL matches them."""


def is_own(dag_id: str) -> bool:
    """Whether a DAG is one of them."""
    return dag_id == OPERATOR_DAG or workflow_id(dag_id) is not None
