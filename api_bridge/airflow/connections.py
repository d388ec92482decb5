"""Reads connections from Airflow for step tests in the bridge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set

from api_bridge.airflow.http import AirflowHttp
from automations.errors import OrchestratorError, StepError
from automations.ports import HostConnection
from automations.services.integrations import vault
from automations.settings import get_settings

_READ = "/automations/connections/read"
"""Where our plugin in Airflow's server gives one."""


class AskedOfAirflow:
    """The role ``SecretSource``, by Airflow's server; secrets stay where tasks read them."""

    def read(self, names: Set[str]) -> Mapping[str, str]:
        return {}

    def connection(self, conn_id: str) -> HostConnection | None:
        try:
            answer = AirflowHttp(get_settings()).call_plugin("POST", _READ, {"id": conn_id}).json()
        except OrchestratorError as error:
            raise StepError(
                f"Connection {conn_id} cannot be read now. {error.message}",
                kind="connection",
                retryable=True,
            ) from error
        if answer["refused"] is not None:
            raise StepError(answer["refused"], kind="config")
        if answer["connection"] is None:
            return None
        opened = vault.decrypt(f"Connection {conn_id}", answer["connection"])
        return HostConnection(**json.loads(opened))


ASKED_OF_AIRFLOW = AskedOfAirflow()
