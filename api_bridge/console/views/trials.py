"""A trial as the builder shows it: what each step would do, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData

from api_bridge.console import texts
from api_bridge.console.views import words
from api_bridge.console.views.draft_texts import ANSWERS
from api_bridge.public_pages import shown_values
from automations.domain.statuses import Decision, WaitKind
from automations.execution.pauses import Pause, pause_of
from automations.execution.trial_steps import SampleAnswer, TriedStep
from automations.execution.trials import Trial
from automations.kit import common_clock
from automations.kit.excerpts import excerpt
from automations.kit.values import JSON
from automations.steps.registry import STEP_TYPES

ANSWER = "answer:"
"""Begins the names of the inputs by which pauses are passed; a step's id follows."""
_DECISIONS = (Decision.APPROVED, Decision.REJECTED, Decision.EXPIRED)
_AT_MOST = (Decision.RESUMED, Decision.EXPIRED)
_MAX_PAGE_CHARACTERS = 60_000
"""Of what was tried: a page is as long as it is read."""
_MAX_CHARACTERS, _MIN_CHARACTERS = 2_000, 150


@dataclass(frozen=True, slots=True)
class TriedEffect:
    """What a step would do."""

    what: str
    details: str


@dataclass(frozen=True, slots=True)
class TriedStepView:
    """A step as it is told.

    Args:
        items: of the loops that it is in: which item, from 1.
        pause: what it would wait for.
        decisions: how that may be passed, and
        decision: how it was.
    """

    id: str
    name: str
    title: str
    icon: str
    status: str
    items: Sequence[int]
    effects: Sequence[TriedEffect]
    pause: Pause | None
    asked: Mapping[str, JSON]
    decisions: Sequence[str]
    decision: str
    arm: str | None
    output: str
    assumed: bool
    error: str | None


def build_steps(trial: Trial) -> list[TriedStepView]:
    """The steps of a trial."""
    share = _MAX_PAGE_CHARACTERS // max(len(trial.steps), 1)
    max_length = min(max(share, _MIN_CHARACTERS), _MAX_CHARACTERS)
    return [_step(step, max_length) for step in trial.steps]


def answers(
    sample: Mapping[str, JSON], form: FormData, names: Mapping[str, str]
) -> dict[str, SampleAnswer]:
    """How pauses are to be passed: as the sample says, decided as it was chosen on the page.

    Args:
        names: of the steps, by their ids.
    """
    stored = sample.get(ANSWERS)
    replies = {
        name: SampleAnswer(_decision(reply.get("decision")), reply.get("data"))
        for name, reply in (stored.items() if isinstance(stored, dict) else ())
        if isinstance(reply, dict)
    }
    for name, value in form.multi_items():
        step_id = name.removeprefix(ANSWER)
        if name.startswith(ANSWER) and step_id in names and (chosen := _decision(value)):
            current = replies.get(step_id) or replies.get(names[step_id]) or SampleAnswer()
            replies[step_id] = replace(current, decision=chosen)
    return replies


def _decision(value: object) -> Decision | None:
    return Decision(str(value)) if value in _DECISIONS else None


def _step(tried: TriedStep, max_length: int) -> TriedStepView:
    pause = pause_of(tried.waits, common_clock.now()) if tried.waits is not None else None
    decisions: Sequence[str] = ()
    if pause is not None and pause.kind != WaitKind.DELAY:
        decisions = _DECISIONS if pause.kind == WaitKind.DECISION else _AT_MOST
    kind = STEP_TYPES[tried.step.type]
    return TriedStepView(
        id=tried.step.id,
        name=tried.step.name,
        title=kind.title,
        icon=words.icon(tried.step.type),
        status=tried.status,
        items=[index + 1 for index in tried.iteration],
        effects=[_effect(effect.what, effect.details, max_length) for effect in tried.effects],
        pause=pause,
        asked=_question(pause),
        decisions=decisions,
        decision=str(tried.answer.decision) if tried.answer is not None else "",
        arm=texts.text(f"flow.{tried.arm}") if tried.arm is not None else None,
        output=excerpt(shown_values.pretty(tried.output), max_length) if tried.output else "",
        assumed=tried.assumed,
        error=None if tried.fail is None else excerpt(tried.fail.error, max_length),
    )


def _effect(what: str, details: Mapping[str, JSON], max_length: int) -> TriedEffect:
    return TriedEffect(
        excerpt(what, max_length),
        excerpt(shown_values.pretty(details), max_length) if details else "",
    )


def _question(pause: Pause | None) -> dict[str, Any]:
    """What people would be asked."""
    if pause is None or pause.kind != WaitKind.DECISION or pause.question is None:
        return {}
    names = ("body", "data", "approvers")
    return {name: pause.question[name] for name in names if pause.question.get(name)}
