"""Airflow connections for steps: those that a setting allows and whose secrets can be masked."""

from __future__ import annotations

from fnmatch import fnmatchcase

from automations.db.session import Session, unit_of_work
from automations.errors import StepError
from automations.kit.excerpts import excerpt
from automations.kit.masking import MIN_SECRET_LENGTH
from automations.ports import HostConnection, SecretSource
from automations.services.integrations.allowances import is_named
from automations.settings import get_settings


class AllowedConnections:
    """The role ``Connections``: as far as the setting ``connection_allow`` goes."""

    def forbidden(self, workspace_id: str, conn_id: str) -> str | None:
        with unit_of_work() as session:
            return _forbidden(session, workspace_id, conn_id)


def read(workspace_id: str, conn_id: str, host: SecretSource | None) -> HostConnection:
    """A connection, with its password.

    Args:
        host: keeps them; None where this process can ask nobody.

    Raises:
        StepError: the workspace may not use it, there is none, or it could not be masked.
    """
    with unit_of_work() as session:
        reason = _forbidden(session, workspace_id, conn_id)
    if reason is not None:
        raise StepError(reason, kind="config")
    if host is None:
        raise StepError("Connections of Airflow cannot be read in this process.", kind="config")
    host_connection = host.connection(conn_id)
    if host_connection is None:
        raise StepError(f"Airflow has no connection {conn_id}.", kind="config")
    if host_connection.password is not None and len(host_connection.password) < MIN_SECRET_LENGTH:
        raise StepError(
            f"The password of connection {conn_id} has less than {MIN_SECRET_LENGTH} characters, "
            "so that it could not be masked.",
            kind="config",
        )
    return host_connection


def allowed_to_some(conn_id: str) -> bool:
    """Whether any workspace may use a connection."""
    patterns = (entry.rpartition("/")[2] for entry in get_settings().connection_allow)
    return any(fnmatchcase(conn_id, pattern) for pattern in patterns)


def _forbidden(session: Session, workspace_id: str, conn_id: str) -> str | None:
    if is_named(session, workspace_id, conn_id, get_settings().connection_allow):
        return None
    return (
        f"Connection {excerpt(conn_id, 100)} may not be used from here: the setting "
        "AUTOMATIONS_CONNECTION_ALLOW names it not."
    )
