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


def figures(found: Figures, names: Mapping[str, str]) -> dict[str, Any]:
    """The figures of a period.

    Args:
        names: of automations, by their ids; of those that are deleted there is none.
    """
    period, runs = found.period, found.runs
    most = sorted(runs.automations.items(), key=lambda one: (-one[1].runs, one[0]))
    return {
        "since": timestamp(period.since),
        "until": timestamp(period.until),
        "countedSince": timestamp(runs.oldest) if found.is_cut and runs.oldest else None,
        "runs": _outcomes(runs.whole),
        "parts": [
            {
                "since": timestamp(period.since + number * period.width),
                **_outcomes(runs.parts.get(number, NO_OUTCOMES)),
            }
            for number in range(period.parts)
        ],
        "automations": [
            {"workflowId": one, "name": names.get(one), **_outcomes(outcomes)}
            for one, outcomes in most
        ],
        "failing": [
            {
                "workflowId": one.workflow_id,
                "stepId": one.step_id,
                "stepType": one.step_type,
                "stepName": one.name,
                "runs": one.runs,
                "lastRunId": one.last_run_id,
            }
            for one in found.failing
        ],
        "waits": [
            {"kind": kind, "total": sum(counts), **_ages(counts)}
            for kind, counts in sorted(found.waits.items())
        ],
    }


def _outcomes(one: Outcomes) -> dict[str, Any]:
    seconds = one.seconds
    return {
        "total": one.runs,
        **{to_camel(status.lower()): one.counts.get(status, 0) for status in RunStatus},
        "success": success(one.counts),
        "seconds": None if seconds is None else dict(zip(_QUANTILES, seconds, strict=True)),
        "cost": float(one.cost),
        "tokens": one.tokens,
    }


def _ages(counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(_AGES, counts, strict=True))
