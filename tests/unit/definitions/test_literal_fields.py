"""What holds before there is a run takes no template, which nothing would ever fill."""

from __future__ import annotations

from typing import Any

import pytest

from automations.definitions.checking import parse

STEP: dict[str, Any] = {
    "id": "a",
    "name": "A",
    "type": "delay",
    "config": {"duration": "{{input.for}}"},
}
INSIDE = {
    "name": "If",
    "type": "condition",
    "config": {"expression": "true", "then": [{**STEP, "timeout": "{{input.t}}"}]},
}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"steps": [{**STEP, "timeout": "{{input.t}}"}]}, "steps.0.timeout"),
        ({"steps": [{**STEP, "retry": {"delay": "{{input.t}}"}}]}, "steps.0.retry.delay"),
        ({"steps": [{**STEP, "retry": {"maxDelay": "{% x %}"}}]}, "steps.0.retry.maxDelay"),
        ({"steps": [INSIDE]}, "steps.0.config.then.0.timeout"),
        ({"trigger": {"type": "event", "triggerType": "{{x}}"}}, "trigger.triggerType"),
        ({"trigger": {"type": "event", "triggerType": "{{x}}.y"}}, "trigger.triggerType"),
        ({"timezone": "{{input.zone}}"}, "timezone"),
    ],
)
def test_a_template_there_is_refused(change: dict[str, Any], path: str) -> None:
    _, errors = parse({"name": "x", "steps": [STEP], **change})
    ((found, messages),) = errors.items()
    assert found == path
    assert messages[0].startswith("must not be a template")


def test_what_is_filled_when_the_step_runs_may_be_one() -> None:
    assert parse({"name": "x", "steps": [STEP]})[1] == {}
