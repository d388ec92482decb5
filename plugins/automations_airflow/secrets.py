"""Secrets and connections that are stored in Airflow, or in its secrets backend."""

from __future__ import annotations

from collections.abc import Mapping, Set

from airflow.sdk import Connection, Variable
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSecretsBackendAccessDenied
from airflow.sdk.log import mask_secret

from automations.errors import StepError
from automations.ports import HostConnection
from automations.services.integrations.secrets import PREFIX


class AirflowSecrets:
    """``secret.NAME`` as the variable ``AUTOMATIONS_SECRET_NAME``, or a connection's password.

    Other variables are out of reach, and other connections but those that a setting allows: whoever
    may write automations could read them.
    """

    def read(self, names: Set[str]) -> Mapping[str, str]:
        values = {name: _read_value(PREFIX + name) for name in names}
        for value in values.values():
            mask_secret(value)
        return {name: value for name, value in values.items() if value}

    def connection(self, conn_id: str) -> HostConnection | None:
        try:
            host_connection = _connection(conn_id)
        except AirflowSecretsBackendAccessDenied as error:
            why = f"Airflow's secrets backend refuses the connection {conn_id}."
            raise StepError(why, kind="config") from error
        if host_connection is not None:
            for value in host_connection.secrets:
                mask_secret(value)
        return host_connection


def _connection(conn_id: str) -> HostConnection | None:
    try:
        airflow_connection = Connection.get(conn_id)
    except AirflowNotFoundException:
        return None
    extra = airflow_connection.extra_dejson
    return HostConnection(
        id=conn_id,
        kind=airflow_connection.conn_type or "",
        host=airflow_connection.host,
        port=airflow_connection.port,
        schema=airflow_connection.schema,
        login=airflow_connection.login,
        password=airflow_connection.password,
        extra=extra if isinstance(extra, dict) else {},
    )


def _read_value(key: str) -> str | None:
    try:
        return _variable(key) or _password(key)
    except AirflowSecretsBackendAccessDenied as error:
        raise StepError(f"Airflow's secrets backend refuses {key}.", kind="secret") from error


def _variable(key: str) -> str | None:
    value = Variable.get(key, default=None)
    return None if value is None else str(value)


def _password(conn_id: str) -> str | None:
    try:
        password = Connection.get(conn_id).password
    except AirflowNotFoundException:
        return None
    return None if password is None else str(password)


AIRFLOW_SECRETS = AirflowSecrets()
