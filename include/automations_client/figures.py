"""What the API answers of the figures of runs."""

from __future__ import annotations

from typing_extensions import TypedDict

from automations_client.shapes import RunCounts


class Quantiles(TypedDict):
    """How many seconds half of the runs took at most, nine of ten, and 99 of 100."""

    p50: float
    p90: float
    p99: float


class Outcomes(RunCounts):
    """What became of some runs; ``success`` is in per cent of those that ended by themselves."""

    success: int | None
    seconds: Quantiles | None
    cost: float
    tokens: int


class OutcomesOfPart(Outcomes):
    since: str


class OutcomesOfWorkflow(Outcomes):
    """``name`` is null of one that is deleted."""

    workflowId: str
    name: str | None


class FailingStep(TypedDict):
    """A step at which runs have failed; its fields are null where that was outside of a step."""

    workflowId: str
    stepId: str | None
    stepType: str | None
    stepName: str | None
    runs: int
    lastRunId: str


class Waits(TypedDict):
    """How many runs wait for something, by how long they do."""

    kind: str
    total: int
    underHour: int
    underDay: int
    underWeek: int
    longer: int


class Figures(TypedDict):
    """``countedSince`` is null where all runs of the time are counted."""

    since: str
    until: str
    countedSince: str | None
    runs: Outcomes
    parts: list[OutcomesOfPart]
    automations: list[OutcomesOfWorkflow]
    failing: list[FailingStep]
    waits: list[Waits]
