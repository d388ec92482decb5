"""The port for runs that a run starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ChildResult:
    """What a run that was started has come to.

    Args:
        outputs: by the names of its steps.
    """

    run_id: str
    status: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class ChildRuns(Protocol):
    """Starts runs of other automations; raises StepError when one cannot be started."""

    def start(
        self,
        parent_run_id: str,
        workflow_id: str,
        input_data: Mapping[str, Any],
        key: str,
        *,
        awaited: bool,
    ) -> str:
        """Start a run, once for each idempotency key, and return its id.

        Args:
            awaited: whether the parent will wait for it; it is then cancelled when the parent ends.
        """
        ...

    def result(self, run_id: str) -> ChildResult:
        """Where such a run stands."""
        ...
