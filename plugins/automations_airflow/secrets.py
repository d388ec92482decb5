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
        found = {name: _of(PREFIX + name) for name in names}
        for value in found.values():
            mask_secret(value)
        return {name: value for name, value in found.items() if value}

    def connection(self, conn_id: str) -> HostConnection | None:
        try:
            found = _connection(conn_id)
        except AirflowSecretsBackendAccessDenied as error:
            why = f"Airflow's secrets backend refuses the connection {conn_id}."
            raise StepError(why, kind="config") from error
        if found is not None:
            for value in found.secrets:
                mask_secret(value)
        return found


def _connection(conn_id: str) -> HostConnection | None:
    try:
        found = Connection.get(conn_id)
    except AirflowNotFoundException:
        return None
    extra = found.extra_dejson
    return HostConnection(
        id=conn_id,
        kind=found.conn_type or "",
        host=found.host,
        port=found.port,
        schema=found.schema,
        login=found.login,
        password=found.password,
        extra=extra if isinstance(extra, dict) else {},
    )


def _of(key: str) -> str | None:
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
