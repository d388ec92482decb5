"""The port for evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """Evidence to capture.

    Args:
        key: idempotency key; a repeat captures nothing again.
        since: the first instant whose rows are captured.
        until: the first instant whose rows no longer are.
        columns: fields of the rows to keep; all when empty.
        zone: of times without an offset in the filter.
    """

    workspace_id: str
    run_id: str | None
    key: str
    source: str
    title: str
    table_id: str | None = None
    filter: Mapping[str, Any] | None = None
    since: datetime | None = None
    until: datetime | None = None
    columns: tuple[str, ...] = ()
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class EvidenceReceipt:
    """The snapshot that was taken."""

    snapshot_id: str
    row_count: int
    sha256: str


class Evidence(Protocol):
    """Keeps what is so at this moment, in a chain of hashes; raises StepError."""

    def capture(self, request: EvidenceRequest) -> EvidenceReceipt: ...
