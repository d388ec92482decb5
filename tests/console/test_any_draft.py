"""Whatever an automation is to become, its page shows it: what is written need not be valid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from automations.steps.registry import STEP_TYPES
from tests.console.conftest import Browser
from tests.console.sample import Sample

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [
        *("{{input.a}}", "{{ 1", "{% for %}", "P1D", "PT1e9S", "loop", "email", "steps", "onError"),
        *("webhook", "schedule", "new:x", "••••••••", "0 9 * * *", "Mars/Olympus", "-1", "x" * 300),
    ]
)
PLAIN = st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats(-1, 1e300) | TEXTS
KEYS = TEXTS | st.sampled_from(["type", "name", "id", "config", "steps", "rules", "value", "order"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TRIGGERS: list[dict[str, Any]] = [
    {"type": "schedule", "cron": "0 9 * * 1-5", "timezone": "UTC"},
    {"type": "schedule", "interval": "PT1H"},
    {"type": "webhook", "verification": "github", "secret": "a secret", "respond": "result"},
    {"type": "event", "triggerType": "x.y", "filter": {"rules": []}},
    {"type": "form_submission", "formId": "c" * 25},
    {
        "type": "manual",
        "inputSchema": {
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "string", "title": "A"}},
        },
    },
]
INNER = [{"id": "inner", "name": "Inner", "type": "delay", "config": {"duration": "PT1H"}}]
NESTED: list[dict[str, Any]] = [
    {
        "id": "loop",
        "name": "Each",
        "type": "loop",
        "onError": INNER,
        "config": {"collection": "{{input.a}}", "steps": INNER},
    },
    {
        "id": "condition",
        "name": "If",
        "type": "condition",
        "retry": {"maxAttempts": 3, "on": ["timeout"]},
        "timeout": "PT5S",
        "config": {
            "match": "any",
            "rules": [{"field": "{{input.a}}", "operator": "gt", "value": 1}],
            "then": INNER,
            "else": [],
        },
    },
]
STEPS: list[dict[str, Any]] = NESTED + [
    {"id": name, "name": name, "type": name, "config": dict(kind.example)}
    for name, kind in STEP_TYPES.items()
    if name not in ("loop", "condition")
]
PLACES = (
    "trigger",
    "settings",
    "yaml",
    "sample",
    "trial",
    "step.loop",
    "step.inner",
    "add./steps/0",
)
once = settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts: Any = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    return [path, *(place for key, item in parts for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A value with another one at a place of it."""
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = replaced(copied[path[0]], path[1:], new)
    return copied


class Writing:
    """Somebody who writes an automation as a text, whatever that says."""

    def __init__(self, browser: Browser, workflow: str) -> None:
        self._browser = browser
        self.page = f"/console/workflows/{workflow}/edit"

    def write(self, draft: Any, at: str = "yaml", **typed: str) -> int:
        """Write it, and see what the page says."""
        self._browser.open(f"{self.page}?at={at}")
        (state,) = self._browser.root.xpath("//div[@id='part-state']")
        kept = {field.get("name"): field.get("value") for field in state.iter("input")}
        text = draft if isinstance(draft, str) else json.dumps(draft)
        answer = self._browser.http.post(
            self.page, data={**kept, "at": at, "do": "keep:", "yaml": text, **typed}
        )
        return int(answer.status_code)

    def looks(self, at: str) -> int:
        return int(self._browser.http.get(self.page, params={"at": at}).status_code)


@pytest.fixture
def writing(owner: Browser, there: Sample) -> Writing:
    return Writing(owner, there.workflow)


@given(data=st.data())
@once
def test_a_draft_of_any_form_is_shown(writing: Writing, data: st.DataObject) -> None:
    step = data.draw(st.sampled_from(STEPS))
    draft: Any = {
        "name": "Odd",
        "trigger": data.draw(st.sampled_from(TRIGGERS)),
        "variables": {"a": 1},
        "timezone": "UTC",
        "concurrency": {"limit": 1, "key": "{{input.a}}"},
        "steps": [step],
    }
    for _ in range(data.draw(st.integers(1, 2))):
        draft = replaced(draft, data.draw(st.sampled_from(places(draft))), data.draw(VALUES))
    assert writing.write(draft) < 500, draft
    for at in (*PLACES, f"step.{step['id']}"):
        assert writing.looks(at) < 500, (at, draft)


@pytest.mark.parametrize("steps", [5, True, 1.5, "x", {"a": 1}, [5], [[]], [{"id": 5}], None])
def test_steps_that_are_no_list_of_steps_are_shown(writing: Writing, steps: Any) -> None:
    assert writing.write({"name": "Odd", "steps": steps}) < 500
    for at in PLACES:
        assert writing.looks(at) < 500, at


def test_a_draft_has_so_many_steps_wherever_they_stand(writing: Writing) -> None:
    inner = [{"type": "delay"}] * 20_000
    draft = {"steps": [{"id": "if", "type": "condition", "config": {"then": inner}}]}
    assert writing.write(draft) == 400
    assert writing.write("", at="step.if") < 500
    assert writing.looks("yaml") == 200


@given(data=st.data())
@once
@example(data=None)
def test_what_is_typed_into_the_fields_of_any_draft_is_taken_or_refused(
    writing: Writing, data: st.DataObject | None
) -> None:
    schemas: list[Any] = [{"properties": []}, {"properties": {"a": "x"}}, "x", [], 5, True]
    rows = {"f:trigger.inputSchema:0": "a", "f:trigger.inputSchema:0:operator": "text"}
    if data is None:
        for schema in schemas:
            writing.write({"trigger": {"type": "manual", "inputSchema": schema}})
            assert writing.write("", at="trigger", **rows) < 500, schema
        return
    step = data.draw(st.sampled_from(STEPS))
    draft: Any = {"name": "Odd", "steps": [step], "trigger": data.draw(st.sampled_from(TRIGGERS))}
    draft = replaced(draft, data.draw(st.sampled_from(places(draft))), data.draw(VALUES))
    writing.write(draft)
    own = [f"config.{name}" for name in (*step["config"], "url", "headers")]
    of_trigger = [f"trigger.{name}" for name in ("type", "inputSchema", "cron", "secret", "filter")]
    fields = st.sampled_from(["name", "timeout", "retry.maxAttempts", "onError", *own, *of_trigger])
    rows_of = st.sampled_from(["", ":0", ":0:value", ":1"])
    typed = {f"f:{data.draw(fields)}{data.draw(rows_of)}": data.draw(TEXTS) for _ in range(3)}
    at = data.draw(st.sampled_from([f"step.{step['id']}", "trigger", "settings"]))
    assert writing.write("", at=at, **typed) < 500, (draft, at, typed)
