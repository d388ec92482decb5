"""A definition's steps as nested lists, with the result of each in a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from api_bridge.console import texts
from api_bridge.console.views import timestamps, words
from automations.domain.fields import is_template, parse_duration
from automations.domain.overviews import NamedResource
from automations.domain.runs import RunDetail
from automations.steps.registry import STEP_TYPES

MAX_DRAWN = 150
"""Steps of one page: more make it slow to load, and nobody reads them so."""
_MAX_SUMMARY = 140
_SAYS_MOST = (
    "to", "approvers", "url", "expression", "collection", "duration", "until", "channel", "formId",
    "templateId", "tableId", "workflowId", "dagId", "operator", "recipient", "title", "subject",
    "prompt", "message", "operation", "name", "source",
)  # fmt: skip
"""Fields of configs, those first by which people know a step."""


@dataclass(frozen=True, slots=True)
class StepList:
    """A list of steps inside of a step: a branch, a loop's body, what follows an error."""

    name: str
    label: str
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it is drawn.

    Args:
        status: what became of it in a run; None outside of one, or before it was begun.
        counts: attempts in its run's log by how they ended, for steps that are repeated.
    """

    id: str
    name: str
    type: str
    title: str
    icon: str
    summary: str
    disabled: bool
    marks: Sequence[str]
    arms: Sequence[StepList]
    status: str | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Ran:
    """What became of a step in a run.

    Args:
        told: what it was told, in a few words, with the run's own values.
    """

    status: str
    told: str


def build_steps(
    definition: Mapping[str, Any],
    detail: RunDetail | None = None,
    resources: Mapping[str, NamedResource] = MappingProxyType({}),
) -> list[Step]:
    """The steps of a definition, with where a run stands in them.

    Args:
        resources: the names of what the run's steps name by ids.
    """
    states = {
        state.node_id: _Ran(str(state.status), _told(state.input or {}, resources))
        for state in (detail.steps if detail else ())
    }
    counts: dict[str, Counter[str]] = {}
    for line in detail.logs if detail else ():
        if line.iteration is not None:
            counts.setdefault(line.step_id, Counter())[line.status] += 1
    return _steps(definition.get("steps"), states, counts, [MAX_DRAWN])


def _told(config: Mapping[str, Any], resources: Mapping[str, NamedResource]) -> str:
    keys = (*_SAYS_MOST, "rules", "match", "method")
    return summary(with_names({key: config[key] for key in keys if key in config}, resources))


def with_names(value: Any, names: Mapping[str, NamedResource]) -> Any:
    """A definition that is drawn: what it names by ids is called by its name."""
    match value:
        case Mapping():
            return {key: with_names(item, names) for key, item in value.items()}
        case list():
            return [with_names(item, names) for item in value]
        case str():
            named = names.get(value)
            if named is not None:
                return texts.text("flow.gone", name=named.name) if named.is_deleted else named.name
    return value


def is_cut(definition: Mapping[str, Any]) -> bool:
    """Whether there are more steps than are drawn."""
    return sum(1 for _ in _all(definition.get("steps"))) > MAX_DRAWN


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps, those inside of others too."""
    for step in steps:
        yield step
        for arm in step.arms:
            yield from walk(arm.steps)


def find(definition: Mapping[str, Any], step_id: str) -> Mapping[str, Any] | None:
    """A step as its author wrote it."""
    for step in _all(definition.get("steps")):
        if step.get("id") == step_id:
            return step
    return None


def _all(steps: Any) -> Iterator[Mapping[str, Any]]:
    for step in _sort(steps):
        yield step
        for _, nested in _nested_lists(step):
            yield from _all(nested)


def _sort(steps: Any) -> list[Mapping[str, Any]]:
    listed = (
        [step for step in steps if isinstance(step, Mapping)] if isinstance(steps, list) else []
    )
    return sorted(listed, key=lambda step: step.get("order") or 0)


def _nested_lists(step: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    config = step.get("config")
    step_type = STEP_TYPES.get(str(step.get("type")))
    if step_type is not None and isinstance(config, Mapping):
        for name in (*step_type.arms, *step_type.body):
            if config.get(name):
                yield name, config[name]
    if isinstance(step.get("onError"), list):
        yield "onError", step["onError"]


def _steps(
    steps: Any,
    states: Mapping[str, _Ran],
    counts: Mapping[str, Counter[str]],
    left: list[int],
) -> list[Step]:
    """Steps as they are drawn, as many as are left to be."""
    shown: list[Step] = []
    for step in _sort(steps):
        if left[0] == 0:
            break
        left[0] -= 1
        shown.append(_step(step, states, counts, left))
    return shown


def _step(
    step: Mapping[str, Any],
    states: Mapping[str, _Ran],
    counts: Mapping[str, Counter[str]],
    left: list[int],
) -> Step:
    kind, step_id = str(step.get("type")), str(step.get("id"))
    step_type, state = STEP_TYPES.get(kind), states.get(step_id)
    arms = [
        StepList(name, texts.text(f"flow.{name}"), nested)
        for name, of in _nested_lists(step)
        if (nested := _steps(of, states, counts, left))
    ]
    return Step(
        id=step_id,
        name=str(step.get("name")),
        type=kind,
        title=step_type.title if step_type else kind,
        icon=words.icon(kind),
        summary=(state.told if state else "") or summary(step.get("config")),
        disabled=step.get("disabled") is True,
        marks=list(marks_of(step)),
        arms=arms,
        status=state.status if state else None,
        counts=dict(counts.get(step_id, {})),
    )


def marks_of(step: Mapping[str, Any]) -> Iterator[str]:
    """What else is to be seen of a step at once."""
    if step.get("disabled") is True:
        yield texts.text("flow.disabled")
    retry = step.get("retry")
    if isinstance(retry, Mapping):
        yield texts.text("flow.retry", n=retry.get("maxAttempts", 3))
    if step.get("timeout"):
        yield texts.text("flow.timeout", duration=_duration(str(step["timeout"])))
    if step.get("onError") == "continue":
        yield texts.text("flow.continue")


def summary(config: Any) -> str:
    """What a step does, by that of its configuration which says most."""
    if not isinstance(config, Mapping):
        return ""
    if rules := config.get("rules"):
        return _cut(_rules(rules, str(config.get("match", "all"))))
    for name in _SAYS_MOST:
        value = config.get(name)
        if isinstance(value, str) and value.strip():
            if name == "duration":
                return _duration(value)
            if name == "tableId":
                return _cut(f"{value} · {words.option('operation', str(config.get('operation')))}")
            method = config.get("method") if name == "url" else None
            return _cut(f"{method} {value}" if isinstance(method, str) else value)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return _cut(", ".join(value))
    return ""


def _rules(rules: Any, match: str) -> str:
    if not isinstance(rules, list):
        return ""
    joined = texts.text("flow.match.any" if match == "any" else "flow.match.all")
    parts = []
    for rule in rules:
        if not isinstance(rule, Mapping):
            continue
        if rule.get("rules"):
            parts.append(f"({_rules(rule['rules'], str(rule.get('match', 'all')))})")
            continue
        value = rule.get("value")
        shown = "" if value is None else f" {value if isinstance(value, str) else _json(value)}"
        operator = words.operator(str(rule.get("operator")))
        parts.append(f"{rule.get('field')} {operator}{shown}")
    return joined.join(parts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _duration(written: str) -> str:
    """A duration in words; what is a template, or none yet, as it is written."""
    try:
        return written if is_template(written) else timestamps.duration(parse_duration(written))
    except ValueError:
        return written


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SUMMARY else f"{line[: _MAX_SUMMARY - 1]}…"
