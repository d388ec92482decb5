"""The request settings in an Airflow connection, as Airflow's HttpHook reads it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from automations.domain.host_connections import address_of, check_extra, check_kind
from automations.errors import StepError
from automations.ports import HostConnection

KINDS = ("http", "https", "generic")
"""Types of connections that requests may be made with."""
_OF_CLIENT = frozenset(
    {"stream", "timeout", "allow_redirects", "max_redirects", "trust_env", "check_response"}
)
"""Of an extra: how Airflow's own client behaves. Here the step says so itself."""
_UNSUPPORTED = ("cert", "proxies", "proxy", "srv")


@dataclass(frozen=True, slots=True)
class Base:
    """Where requests go, and what each of them carries; names of headers are in lower case."""

    url: str
    headers: Mapping[str, str] = field(repr=False)

    def at(self, path: str) -> str:
        """The address of a path that begins with a slash."""
        return self.url.rstrip("/") + path


def base_of(connection: HostConnection) -> Base:
    """What requests by a connection have in common.

    Raises:
        StepError: it is of another type, or asks for what steps do not do.
    """
    check_kind(connection, KINDS)
    check_extra(connection, _UNSUPPORTED)
    if not connection.host:
        raise StepError(f"Connection {connection.id} has no host.", kind="config")
    url = address_of(connection, "https" if connection.kind == "https" else "http")
    return Base(url, _headers(connection))


def _headers(connection: HostConnection) -> dict[str, str]:
    headers: dict[str, str] = {}
    if connection.login:
        if ":" in connection.login:
            # The service would take what is behind it for the beginning of the password.
            raise StepError(
                f"Connection {connection.id} has a colon in its login, which cannot be sent.",
                kind="config",
            )
        pair = f"{connection.login}:{connection.password or ''}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    for name, value in connection.extra.items():
        if name in _OF_CLIENT or name in ("verify", "verify_ssl"):
            continue
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise StepError(
                f"Connection {connection.id}: {name} of its extra is no header, which is a text.",
                kind="config",
            )
        if name.lower() in headers:
            raise StepError(
                f"Connection {connection.id}: {name} of its extra is a header that is there "
                "already, by its login or in other letters.",
                kind="config",
            )
        headers[name.lower()] = str(value)
    return headers
