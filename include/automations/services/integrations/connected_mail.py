"""The mail server of an Airflow connection, as Airflow's SmtpHook reads it."""

from __future__ import annotations

from typing import Any

from automations.domain.host_connections import check_extra, check_kind
from automations.errors import StepError
from automations.kit import mailboxes
from automations.ports import HostConnection, MailServer

KINDS = ("smtp", "email")
"""Types of connections that mail may be sent by."""
_PORTS = {"tls": 465, "starttls": 25, "none": 25}


def from_connection(connection: HostConnection) -> MailServer:
    """The server.

    Raises:
        StepError: the connection is of another type, names no host or sender, or asks for what
            steps do not do.
    """
    check_kind(connection, KINDS)
    check_extra(connection, ())
    extra = connection.extra
    if extra.get("auth_type") not in (None, "", "basic"):
        raise _unusable(connection, "signs in otherwise than by login and password (auth_type)")
    if not connection.host:
        raise _unusable(connection, "has no host")
    from_email = str(extra.get("from_email") or "")
    if not from_email:
        raise _unusable(connection, "names no sender: set from_email in its extra")
    try:
        name, sender = mailboxes.parse(from_email)
    except ValueError as error:
        raise _unusable(connection, f"has a from_email in its extra that {error}") from error
    security = _security(connection)
    return MailServer(
        host=connection.host,
        port=connection.port or _PORTS[security],
        security=security,
        sender=sender,
        sender_name=name,
        provider=connection.id,
        username=connection.login or None,
        password=connection.password,
    )


def _security(connection: HostConnection) -> str:
    if not _is_set(connection, "disable_ssl"):
        return "tls"
    return "none" if _is_set(connection, "disable_tls") else "starttls"


def _is_set(connection: HostConnection, name: str) -> bool:
    value: Any = connection.extra.get(name, False)
    flags = {"": False, "false": False, "0": False, "true": True, "1": True}
    flag = value if isinstance(value, bool) else flags.get(str(value).strip().lower())
    if flag is None:
        raise _unusable(connection, f"has a {name} in its extra that is neither true nor false")
    return flag


def _unusable(connection: HostConnection, why: str) -> StepError:
    return StepError(f"Connection {connection.id} {why}.", kind="config")
