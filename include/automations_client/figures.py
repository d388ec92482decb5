"""What the API answers of the figures of runs."""

from __future__ import annotations

from typing_extensions import TypedDict

from automations_client.shapes import RunCounts


class Quantiles(TypedDict):
    """The median, the 90th and the 99th percentile of durations, in seconds."""

    p50: float
    p90: float
    p99: float


class Outcomes(RunCounts):
    """The outcomes of some runs; ``success`` is a percentage of the completed and failed ones."""

    success: int | None
    seconds: Quantiles | None
    cost: float
    tokens: int


class OutcomesOfPart(Outcomes):
    """The outcomes of the runs of one part of the time."""

    since: str


class OutcomesOfWorkflow(Outcomes):
    """The outcomes of one automation's runs; ``name`` is null if it was deleted."""

    workflowId: str
    name: str | None


class FailingStep(TypedDict):
    """A step at which runs failed; its fields are null for failures outside of any step."""

    workflowId: str
    stepId: str | None
    stepType: str | None
    stepName: str | None
    runs: int
    lastRunId: str


class Waits(TypedDict):
    """How many runs wait for one kind of thing, by how long they have waited."""

    kind: str
    total: int
    underHour: int
    underDay: int
    underWeek: int
    longer: int


class Figures(TypedDict):
    """Runs, costs and waits in numbers; ``countedSince`` is null if all runs of the time count."""

    since: str
    until: str
    countedSince: str | None
    runs: Outcomes
    parts: list[OutcomesOfPart]
    automations: list[OutcomesOfWorkflow]
    failing: list[FailingStep]
    waits: list[Waits]
