"""The connections of Airflow's that steps may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automations.errors import StepError
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
    requested += [name for name in ("verify", "verify_ssl") if extra.get(name) is False]
    if extra.get("ssl_context") not in (None, "", "default"):
        requested.append("ssl_context")
    if requested:
        raise StepError(
            f"Connection {connection.id} has {', '.join(requested)} in its extra, which steps do "
            "not follow: they ask servers themselves, and check their certificates.",
            kind="config",
        )
