"""Operators of Airflow's providers that steps may run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from api_bridge.airflow.client import AirflowClient
from api_bridge.deps import Viewer
from api_bridge.endpoint_marks import slow
from api_bridge.routing import Router
from automations.errors import OrchestratorError, Unavailable
from automations.services.runs import dag_calls
from automations.settings import get_settings

router = Router(prefix="/api/operators", tags=["workflows"])


@router.get("")
@slow
def list_operators(caller: Viewer) -> list[dict[str, Any]]:
    """List the operators that steps of the type `airflow_operator` may run, with their parameters.

    Those that are installed in Airflow and that the setting `AUTOMATIONS_OPERATOR_ALLOW` names for
    this workspace. An `annotation` is the type as the operator's author has written it; a
    `default` that is no JSON is as Python writes it.
    """
    settings = get_settings()
    if not settings.operator_allow:
        return []
    try:
        operators = AirflowClient(settings).operators()
    except OrchestratorError as error:
        raise Unavailable(f"The operators cannot be listed now. {error.message}") from error
    return [
        asdict(operator) for operator in dag_calls.allowed_operators(caller.workspace_id, operators)
    ]
