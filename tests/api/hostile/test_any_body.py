"""Whatever JSON a route is sent, it is taken or refused: never a failure of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automations.steps.registry import STEP_TYPES
from tests.api.conftest import Api
from tests.api.hostile.fitting import FITTING, Writes, places, replaced, steps

NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**400, -(10**3_900), 2**63, 10**18, 5e-324, 1.7e308, -0.0])
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        *("{{input.a}}", "{{ 1", "{% for %}", "a@b.example", "P1D", "PT1H", "UTC", "0", "-1"),
        *("manual", "delay", "email", "code", "loop", "push", "http", "equals", "count", "id"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01"),
        *("\u202e", "x" * 300),
    ]
)  # fmt: skip
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS
KEYS = TEXTS | st.sampled_from(["type", "name", "key", "config", "rules", "fields", "value", "id"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def writes(api: Api, app: FastAPI) -> Writes:
    return Writes(api, app)


@pytest.fixture
def everything(api: Api) -> str:
    """An automation with a step of every type, of which each goes on when one fails."""
    all_of_them = [
        {"id": step["name"], "onError": "continue", "disabled": step["type"] == "code", **step}
        for step in steps()
    ]
    return str(api.workflow(steps=all_of_them, status="DRAFT")["id"])


once = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(data=st.data())
@once
def test_no_part_of_a_body_that_fits_is_a_failure_of_ours(
    writes: Writes, data: st.DataObject
) -> None:
    method, path, fits = data.draw(st.sampled_from(FITTING))
    fits = json.loads(writes.address(json.dumps(fits)))
    place = data.draw(st.sampled_from(list(places(fits))))
    body = replaced(fits, place, data.draw(VALUES))
    answer = writes.api.call(method, writes.address(path), body)
    assert answer.status_code not in (500, 502), (method, path, body, answer.text)
    if answer.status_code == 201 and method == "POST" and "id" in answer.json():
        made = writes.api.call("GET", f"{writes.address(path)}/{answer.json()['id']}")
        assert made.status_code in (200, 404, 405), (path, body, made.text)


@given(data=st.data())
@once
def test_no_body_is_a_failure_of_ours(writes: Writes, data: st.DataObject) -> None:
    method, path, names = data.draw(st.sampled_from(writes.all))
    body = data.draw(
        st.dictionaries(st.sampled_from(names), VALUES, max_size=6) if names else VALUES
    )
    headers = {"Accept": "application/json"}
    answer = writes.api.call(method, writes.address(path), body, headers=headers)
    assert answer.status_code not in (500, 502), (method, path, body, answer.text)
    if answer.status_code == 400:
        assert answer.json()["details"]["fieldErrors"], (method, path, body)


@given(data=st.data())
@once
def test_no_data_of_a_trial_is_a_failure_of_ours(
    everything: str, api: Api, data: st.DataObject
) -> None:
    kinds = st.sampled_from(list(STEP_TYPES))
    outputs = st.dictionaries(kinds, st.dictionaries(KEYS, VALUES, max_size=3), max_size=4)
    decided = st.sampled_from(["approved", "rejected", "expired", None])
    answer = st.fixed_dictionaries({"decision": decided, "data": VALUES})
    body = {
        "input": data.draw(st.dictionaries(KEYS, VALUES, max_size=3)),
        "steps": data.draw(outputs),
        "trigger": data.draw(st.dictionaries(KEYS, VALUES, max_size=2)),
        "submission": data.draw(st.dictionaries(KEYS, VALUES, max_size=2)),
        "variables": data.draw(st.dictionaries(KEYS, VALUES, max_size=2)),
        "answers": data.draw(st.dictionaries(kinds, answer, max_size=4)),
    }
    tried = api.call("POST", f"/api/workflows/{everything}/test", body)
    assert tried.status_code in (200, 400), (body, tried.text)
    internal = [
        step
        for step in tried.json().get("steps", ())
        if (step["error"] or {}).get("kind") == "internal"
    ]
    assert internal == [], (body, internal)


def errors_of(answer: Any) -> dict[str, list[str]]:
    told = answer.json() if answer.content and answer.status_code >= 400 else {}
    found: dict[str, list[str]] = told.get("details", {}).get("fieldErrors", {})
    return found


def test_the_bodies_that_are_changed_fit(writes: Writes) -> None:
    for method, path, fits in FITTING:
        body = json.loads(writes.address(json.dumps(fits)))
        answer = writes.api.call(method, writes.address(path), body)
        assert answer.status_code in (200, 201, 409), (path, answer.text)


def test_null_says_that_a_field_is_absent_wherever_one_may_be(writes: Writes) -> None:
    for method, path, name, _ in writes.optional():
        as_null, absent = (
            errors_of(writes.api.call(method, writes.address(path), body)).get(name)
            for body in ({name: None}, {})
        )
        # What is changed keeps its name: null takes away what may be absent.
        if (method, name) != ("PATCH", "name"):
            assert as_null == absent, (method, path, name)
