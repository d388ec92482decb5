"""A route in Airflow's api-server that lists the operators which steps may run.

Only there, and in workers, the packages of Airflow's providers are installed.
"""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import GetUserDep

from automations.ports import ProviderOperator
from automations.settings import get_settings
from automations_airflow.dags import provider_operators
from automations_airflow.server.app_factory import new_app

app = new_app()


@app.get("/all")
def list_operators(user: GetUserDep) -> list[ProviderOperator]:
    """Those that the setting ``operator_allow`` names, for whichever workspace."""
    return provider_operators.list_operators(get_settings().operator_allow)
