"""A route in Airflow's api-server that gives the bridge a connection, encrypted with our key.

A test of a step is done by the bridge, which does not reach where Airflow keeps its connections.
What is given is of use to nobody who has not the installation's encryption key.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException, status
from pydantic import BaseModel

from automations.errors import StepError
from automations.services.integrations import connections, vault
from automations.settings import get_settings
from automations_airflow.secrets import AIRFLOW_SECRETS
from automations_airflow.server.app_factory import Name, new_app

app = new_app()


class ConnectionRequest(BaseModel):
    """The connection that is wanted."""

    id: Name


class SealedConnection(BaseModel):
    """A connection; None when there is none, or why it is not given."""

    connection: str | None = None
    refused: str | None = None


@app.post("/read")
def read(request: ConnectionRequest, user: GetUserDep) -> SealedConnection:
    """Read a connection that the setting ``connection_allow`` names for any workspace."""
    if user.get_name() != get_settings().airflow_username:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This is for the bridge.")
    if not connections.allowed_to_some(request.id):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "No workspace may use it.")
    try:
        connection = AIRFLOW_SECRETS.connection(request.id)
    except StepError as error:
        return SealedConnection(refused=error.message)
    if connection is None:
        return SealedConnection()
    return SealedConnection(connection=vault.cipher().encrypt(json.dumps(asdict(connection))))
