"""The port for connections of the host: how to reach a service, and how to sign in to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

_SENSITIVE = re.compile(r"auth|token|key|secret|passw|passphrase|credential|cookie|private", re.I)
_SCHEME = re.compile(r"\S+ +")


@dataclass(frozen=True, slots=True)
class HostConnection:
    """One connection, as Airflow describes it.

    Args:
        kind: its type, such as ``http`` or ``smtp``.
        extra: what else is known of it, by the names that Airflow's hooks of this type give.
    """

    id: str
    kind: str
    host: str | None = None
    port: int | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """What of it must be hidden wherever it is written."""
        return frozenset(filter(None, (self.password, *_sensitive(self.extra, hidden=False))))


def _sensitive(value: Any, *, hidden: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _sensitive(item, hidden=hidden or bool(_SENSITIVE.search(str(name))))
    elif isinstance(value, list):
        for item in value:
            yield from _sensitive(item, hidden=hidden)
    elif hidden and isinstance(value, str):
        yield value
        # Behind the scheme, as in "Bearer …".
        if scheme := _SCHEME.match(value):
            yield value[scheme.end() :]


class Connections(Protocol):
    """Knows which connections of the host a workspace may use."""

    def forbidden(self, workspace_id: str, conn_id: str) -> str | None:
        """Why steps of a workspace may not use a connection; None if they may."""
        ...
