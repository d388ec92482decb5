"""The port for secrets and connections that are stored outside of our database."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

from automations.ports.connections import HostConnection


class SecretSource(Protocol):
    """Knows secrets of the whole installation; raises StepError when it may not be asked."""

    def read(self, names: Set[str]) -> Mapping[str, str]:
        """The values of those of the named secrets that there are."""
        ...

    def connection(self, conn_id: str) -> HostConnection | None:
        """A connection, with its password; None when there is none of this id."""
        ...
