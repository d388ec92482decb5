"""A node that a process has entered and may run now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from automations.definitions.model import Step
from automations.execution.verdicts import TaskRef
from automations.kit.values import JSON
from automations.services.workflows.definitions import Loaded
from automations.steps.outcomes import Answer


@dataclass(frozen=True, slots=True)
class Entered:
    """A node that may run: what its step needs, read in one transaction.

    Args:
        kept: the step's output when it began to wait.
        outputs: of the nodes that are done, by node; ``names`` holds them, too.
        answer: how that wait ended; None for a node that begins.
    """

    ref: TaskRef
    loaded: Loaded
    step: Step
    workspace_id: str
    traceparent: str | None
    attempt: int
    started_at: datetime
    names: dict[str, JSON]
    kept: dict[str, JSON]
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    answer: Answer | None = None

    @property
    def key(self) -> str:
        """Idempotency key: the same for every attempt, another one after the step was cleared."""
        return f"{self.ref.run_id}:{self.ref.node_id}:{self.ref.generation}"

    @property
    def timezone(self) -> str:
        """The time zone of wall times that name none."""
        return self.loaded.definition.timezone or "UTC"

    @property
    def where(self) -> str:
        return f"step '{self.step.name}'"
