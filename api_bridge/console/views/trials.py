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
    each = _MAX_PAGE_CHARACTERS // max(len(trial.steps), 1)
    most = min(max(each, _MIN_CHARACTERS), _MAX_CHARACTERS)
    return [_step(one, most) for one in trial.steps]


def answers(
    sample: Mapping[str, JSON], form: FormData, names: Mapping[str, str]
) -> dict[str, SampleAnswer]:
    """How pauses are to be passed: as the sample says, decided as it was chosen on the page.

    Args:
        names: of the steps, by their ids.
    """
    kept = sample.get(ANSWERS)
    found = {
        name: SampleAnswer(_decision(one.get("decision")), one.get("data"))
        for name, one in (kept.items() if isinstance(kept, dict) else ())
        if isinstance(one, dict)
    }
    for name, value in form.multi_items():
        step_id = name.removeprefix(ANSWER)
        if name.startswith(ANSWER) and step_id in names and (chosen := _decision(value)):
            known = found.get(step_id) or found.get(names[step_id]) or SampleAnswer()
            found[step_id] = replace(known, decision=chosen)
    return found


def _decision(value: object) -> Decision | None:
    return Decision(str(value)) if value in _DECISIONS else None


def _step(one: TriedStep, most: int) -> TriedStepView:
    pause = pause_of(one.waits, common_clock.now()) if one.waits is not None else None
    decisions: Sequence[str] = ()
    if pause is not None and pause.kind != WaitKind.DELAY:
        decisions = _DECISIONS if pause.kind == WaitKind.DECISION else _AT_MOST
    kind = STEP_TYPES[one.step.type]
    return TriedStepView(
        id=one.step.id,
        name=one.step.name,
        title=kind.title,
        icon=words.icon(one.step.type),
        status=one.status,
        items=[index + 1 for index in one.iteration],
        effects=[_effect(effect.what, effect.details, most) for effect in one.effects],
        pause=pause,
        asked=_question(pause),
        decisions=decisions,
        decision=str(one.answer.decision) if one.answer is not None else "",
        arm=texts.text(f"flow.{one.arm}") if one.arm is not None else None,
        output=excerpt(shown_values.pretty(one.output), most) if one.output else "",
        assumed=one.assumed,
        error=None if one.fail is None else excerpt(one.fail.error, most),
    )


def _effect(what: str, details: Mapping[str, JSON], most: int) -> TriedEffect:
    return TriedEffect(
        excerpt(what, most), excerpt(shown_values.pretty(details), most) if details else ""
    )


def _question(pause: Pause | None) -> dict[str, Any]:
    """What people would be asked."""
    if pause is None or pause.kind != WaitKind.DECISION or pause.question is None:
        return {}
    wanted = ("body", "data", "approvers")
    return {name: pause.question[name] for name in wanted if pause.question.get(name)}
