"""The connections of Airflow's that steps may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from automations.errors import StepError
from automations.kit.default_ports import DEFAULT_PORTS
from automations.ports import HostConnection


def check_kind(connection: HostConnection, kinds: tuple[str, ...]) -> None:
    """StepError when a connection is not of a type that a step can use."""
    if connection.kind not in kinds:
        raise StepError(
            f"Connection {connection.id} is of the type {connection.kind or 'none'}; this step "
            f"takes {' or '.join(kinds)}.",
            kind="config",
        )


def check_extra(connection: HostConnection, unsupported: tuple[str, ...]) -> None:
    """StepError when a connection's extra asks for what steps do not do."""
    extra: Mapping[str, Any] = connection.extra
    requested = [name for name in unsupported if extra.get(name)]
    requested += [name for name in ("verify", "verify_ssl") if not _is_usual(extra.get(name))]
    if extra.get("ssl_context") not in (None, "", "default"):
        requested.append("ssl_context")
    if requested:
        raise StepError(
            f"Connection {connection.id} has {', '.join(requested)} in its extra, which steps do "
            "not follow: they ask servers themselves, and check their certificates.",
            kind="config",
        )


def _is_usual(verify: object) -> bool:
    """Whether certificates are checked as usual, which text may say, too."""
    return verify is None or str(verify).strip().lower() in ("", "true", "1")


def address_of(connection: HostConnection, scheme: str) -> str:
    """The address that a connection's host, which may be one itself, and its port make.

    Args:
        scheme: where the connection names none.

    Raises:
        StepError: its port is another one than that of the address.
    """
    host, port = connection.host or "", connection.port
    if "://" not in host:
        name, slash, path = host.partition("/")
        return f"{connection.schema or scheme}://{name}{f':{port}' if port else ''}{slash}{path}"
    if port and port != _port_of(host):
        raise StepError(
            f"Connection {connection.id} has the port {port} beside an address in its host: write "
            "it there, and have no other.",
            kind="config",
        )
    return host


def _port_of(address: str) -> int | None:
    try:
        url = urlsplit(address)
        return url.port or DEFAULT_PORTS.get(url.scheme)
    except ValueError:
        return None
