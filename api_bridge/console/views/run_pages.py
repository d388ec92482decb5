"""What the page of a run shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api_bridge.console import texts
from api_bridge.console.views import charts, flow, inputs, words
from api_bridge.public_pages import shown_values
from automations.domain.overviews import NamedResource
from automations.domain.principals import Principal
from automations.domain.runs import PastPause, RunStory, StepLog, Vote
from automations.domain.statuses import (
    DECISIONS,
    UNFINISHED,
    Decision,
    RunStatus,
    StepStatus,
    WaitKind,
)
from automations.kit.values import JSON

_MAX_LINES = 60
"""Lines of a step's log that a page shows, the newest; the API has them all."""
_MAX_LINE = 400
_ENDED_BY_ITSELF = (WaitKind.CHILD, WaitKind.RETRY, WaitKind.SLOT)
_TEST = "test"


@dataclass(frozen=True, slots=True)
class StepPage:
    """A step of a run, with all that is known of it."""

    id: str
    name: str
    type: str
    icon: str
    status: str | None
    retries: int
    config: str
    given: JSON
    output: JSON
    lines: Sequence[StepLog]
    more_lines: int
    pauses: Sequence[PastPause]
    decided: Sequence[Vote]


def build_context(
    story: RunStory, caller: Principal, resources: Mapping[str, NamedResource]
) -> dict[str, Any]:
    """What a run's page shows, and what its reader may do there.

    Args:
        resources: the names of what its definition names by ids.
    """
    detail, run = story.detail, story.detail.run
    steps = flow.build_steps(flow.with_names(story.definition, resources), detail, resources)
    names = {step.id: step.name for step in flow.walk(steps)}
    writes = caller.may("MEMBER")
    pause = detail.pause
    return {
        "run": run,
        "detail": detail,
        "story": story,
        "steps": steps,
        "failed": _failed(steps) if run.status == RunStatus.FAILED else None,
        "decided": collect_votes(story),
        "labels": inputs.labels(story.definition),
        "is_cut": flow.is_cut(story.definition),
        "names": names,
        "timeline": charts.timeline(story, names)[-flow.MAX_DRAWN :],
        "may_cancel": writes and run.status in UNFINISHED,
        "may_retry": writes and run.status == RunStatus.FAILED and detail.trigger_type != _TEST,
        "may_replay": writes and detail.trigger_type != _TEST,
        "may_resume": writes
        and pause is not None
        and pause.kind not in (*_ENDED_BY_ITSELF, WaitKind.DECISION),
        "origin": texts.text(f"origin.{detail.trigger_type}"),
    }


def _failed(steps: Sequence[flow.Step]) -> flow.Step | None:
    """The step at which a run has failed: the innermost of those that have."""
    failed = [
        failed_step for failed_step in flow.walk(steps) if failed_step.status == StepStatus.FAILED
    ]
    return failed[-1] if failed else None


def collect_votes(story: RunStory) -> list[Vote]:
    """What people have decided in a run, and why: those who were asked, or others for them."""
    votes = list(story.votes)
    voted = {vote.node_id for vote in votes}
    for pause in story.pauses:
        by_one = pause.override or pause.node_id not in voted
        if pause.kind == WaitKind.DECISION and pause.decision in DECISIONS and by_one:
            by, at = pause.decided_by or "–", pause.decided_at or pause.created_at
            votes.append(Vote(pause.node_id, Decision(pause.decision), by, at, pause.reason))
    return sorted(votes, key=lambda vote: vote.at)[-_MAX_LINES:]


def step(story: RunStory, node_id: str) -> StepPage | None:
    """One step of a run; None when its definition has none of that id."""
    written = flow.find(story.definition, node_id)
    if written is None:
        return None
    state = next((run_step for run_step in story.detail.steps if run_step.node_id == node_id), None)
    lines = [line for line in story.detail.logs if line.step_id == node_id]
    return StepPage(
        id=node_id,
        name=str(written.get("name")),
        type=str(written.get("type")),
        icon=words.icon(str(written.get("type"))),
        status=str(state.status) if state else None,
        retries=state.retries if state else 0,
        config=shown_values.pretty(written.get("config") or {}),
        given=state.input if state else None,
        output=state.output if state else None,
        lines=[_cut(line) for line in lines[-_MAX_LINES:]],
        more_lines=max(len(lines) - _MAX_LINES, 0),
        pauses=[pause for pause in story.pauses if pause.node_id == node_id][-_MAX_LINES:],
        decided=[vote for vote in collect_votes(story) if vote.node_id == node_id],
    )


def _cut(line: StepLog) -> StepLog:
    if len(line.output) <= _MAX_LINE:
        return line
    return replace(line, output=f"{line.output[:_MAX_LINE]}…")
