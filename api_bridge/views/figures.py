"""How figures look in answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.alias_generators import to_camel

from automations.domain.figures import NO_OUTCOMES, Figures, Outcomes, success
from automations.domain.statuses import RunStatus
from automations.kit.clock import timestamp

_QUANTILES = ("p50", "p90", "p99")
_AGES = ("underHour", "underDay", "underWeek", "longer")


def figures(computed: Figures, names: Mapping[str, str]) -> dict[str, Any]:
    """The figures of a period.

    Args:
        names: of automations, by their ids; of those that are deleted there is none.
    """
    period, runs = computed.period, computed.runs
    busiest = sorted(runs.automations.items(), key=lambda item: (-item[1].runs, item[0]))
    return {
        "since": timestamp(period.since),
        "until": timestamp(period.until),
        "countedSince": timestamp(runs.oldest) if computed.is_cut and runs.oldest else None,
        "runs": _outcomes(runs.whole),
        "parts": [
            {
                "since": timestamp(period.since + number * period.width),
                **_outcomes(runs.parts.get(number, NO_OUTCOMES)),
            }
            for number in range(period.parts)
        ],
        "automations": [
            {"workflowId": workflow_id, "name": names.get(workflow_id), **_outcomes(outcomes)}
            for workflow_id, outcomes in busiest
        ],
        "failing": [
            {
                "workflowId": step.workflow_id,
                "stepId": step.step_id,
                "stepType": step.step_type,
                "stepName": step.name,
                "runs": step.runs,
                "lastRunId": step.last_run_id,
            }
            for step in computed.failing
        ],
        "waits": [
            {"kind": kind, "total": sum(counts), **_ages(counts)}
            for kind, counts in sorted(computed.waits.items())
        ],
    }


def _outcomes(outcomes: Outcomes) -> dict[str, Any]:
    seconds = outcomes.seconds
    return {
        "total": outcomes.runs,
        **{to_camel(status.lower()): outcomes.counts.get(status, 0) for status in RunStatus},
        "success": success(outcomes.counts),
        "seconds": None if seconds is None else dict(zip(_QUANTILES, seconds, strict=True)),
        "cost": float(outcomes.cost),
        "tokens": outcomes.tokens,
    }


def _ages(counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(_AGES, counts, strict=True))
