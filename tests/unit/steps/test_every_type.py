"""What is wrong with a step's config is told with its field when it is saved, for every type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from pydantic import ValidationError

from automations.definitions.checking import parse
from automations.domain.fields import RENDERED, AsWritten
from automations.domain.templating import render_config
from automations.kit.values import JSON
from automations.steps.base import EXAMPLE_INPUT
from automations.steps.registry import STEP_TYPES

LIGHT = {"name": "Light", "type": "condition", "order": 0, "config": {"expression": "true"}}

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("ai", {"temperature": 3}, "temperature"),
    ("airflow_operator", {"operator": ""}, "operator"),
    ("approval", {"expiresIn": "P8D"}, "expiresIn"),
    ("code", {"memoryMb": 1}, "memoryMb"),
    ("condition", {"then": [{**LIGHT, "order": -1}]}, "then.0.order"),
    ("create_matter", {"priority": "SOON"}, "priority"),
    ("delay", {"duration": "an hour"}, "duration"),
    ("email", {"to": "nobody"}, "to.0"),
    ("evidence_snapshot", {"source": "WEATHER"}, "source"),
    ("generate_document", {"format": "odt"}, "format"),
    ("http_request", {"method": "BREW"}, "method"),
    ("loop", {"steps": [{**LIGHT, "type": "moon"}]}, "steps.0.type"),
    ("notification", {"link": "javascript:alert(1)"}, "link"),
    ("run_workflow", {"onChildFailure": "cry"}, "onChildFailure"),
    ("send_document", {"recipients": "nobody"}, "recipients.0"),
    ("send_form", {"waitFor": "most"}, "waitFor"),
    ("slack", {"threadTs": "yesterday"}, "threadTs"),
    ("table_operations", {"operation": "drop"}, "operation"),
]


def errors(kind: str, config: Any) -> dict[str, list[str]]:
    step = {"name": "Step", "type": kind, "order": 0, "config": config}
    return parse({"name": "x", "steps": [LIGHT | {"order": 1}, step]})[1]


def example(kind: str, **change: Any) -> dict[str, Any]:
    return {**STEP_TYPES[kind].example, **change}


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_the_documented_example_is_taken_as_it_is_and_with_its_templates_rendered(
    kind: str,
) -> None:
    assert errors(kind, example(kind)) == {}
    config = STEP_TYPES[kind].Config
    names = {"input": EXAMPLE_INPUT}
    rendered = render_config(config.model_validate(example(kind)), names, where="config")
    config.model_validate(rendered, context=RENDERED)


@pytest.mark.parametrize(("kind", "change", "field"), WRONG)
def test_a_wrong_value_is_named_with_its_field(
    kind: str, change: dict[str, Any], field: str
) -> None:
    field_errors = errors(kind, example(kind, **change))
    assert [path for path in field_errors if path.startswith(f"steps.1.config.{field}")], (
        field_errors
    )
    assert all(message for messages in field_errors.values() for message in messages)


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_an_unknown_field_is_named(kind: str) -> None:
    assert errors(kind, example(kind, zzz=1)) == {"steps.1.config.zzz": ["unknown field"]}


@pytest.mark.parametrize("kind", STEP_TYPES)
@pytest.mark.parametrize("config", [{}, [], "text", None])
def test_an_empty_or_shapeless_config_is_refused(kind: str, config: Any) -> None:
    field_errors = errors(kind, config)
    assert field_errors
    assert all(path.startswith("steps.1.config") for path in field_errors)


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_name_that_no_run_knows_is_named_with_its_field(kind: str) -> None:
    fields = {
        field: json.loads(re.sub(r"\binput\.\w+", "nowhere.x", json.dumps(value)))
        for field, value in example(kind).items()
        if "input." in json.dumps(value)
    }
    assert fields, "an example shows a template that names EXAMPLE_INPUT"
    field_errors = errors(kind, example(kind, **fields))
    assert {path.split(".")[3] for path in field_errors} == set(fields)
    assert all("unknown name 'nowhere'" in message for (message,) in field_errors.values())


@pytest.mark.parametrize("kind", [kind for kind, one in STEP_TYPES.items() if one.keeps])
def test_what_is_kept_where_members_read_it_names_no_secret(kind: str) -> None:
    fields = {
        field: json.loads(re.sub(r"\binput\.\w+", "secret.KEY", json.dumps(value)))
        for field, value in example(kind).items()
        if "input." in json.dumps(value)
    }
    field_errors = errors(kind, example(kind, **fields))
    assert {path.split(".")[3] for path in field_errors} == set(fields)
    assert all("may name no secret" in message for (message,) in field_errors.values())


DESCRIBED = {kind: one.Config.model_json_schema() for kind, one in STEP_TYPES.items()}
OF_NO_FIELD: tuple[JSON, ...] = ({"zzz": [{}]}, [[[]]], True)


def of_another_shape() -> Iterator[tuple[str, str, Any]]:
    """For each field of each type that does not take just anything: what it does not take."""
    for kind, described in DESCRIBED.items():
        for field, shape in described.get("properties", {}).items():
            taken = Draft202012Validator({**shape, "$defs": described.get("$defs", {})})
            for value in OF_NO_FIELD:
                if not taken.is_valid(value):
                    yield kind, field, value
                    break


@pytest.mark.parametrize(("kind", "field", "value"), list(of_another_shape()))
def test_a_value_of_another_shape_is_named_with_its_field(
    kind: str, field: str, value: Any
) -> None:
    field_errors = errors(kind, example(kind, **{field: value}))
    assert [path for path in field_errors if path.startswith(f"steps.1.config.{field}")], (
        field_errors
    )


def wants_text(shape: Any) -> bool:
    return isinstance(shape, dict) and shape.get("type") == "string" and "enum" not in shape


def numbers_for_texts() -> Iterator[tuple[str, str, Any]]:
    """For each field of each type that holds texts, and no numbers: numbers there."""
    for kind, step_type in STEP_TYPES.items():
        described = DESCRIBED[kind].get("properties", {})
        for info in step_type.Config.model_fields.values():
            shapes = described.get(info.alias, {}).get("anyOf", [described.get(info.alias, {})])
            written = any(isinstance(mark, AsWritten) for mark in info.metadata)
            if written or any(shape.get("type") in ("number", "integer") for shape in shapes):
                continue
            for shape in shapes:
                if wants_text(shape):
                    yield kind, str(info.alias), 5
                elif wants_text(shape.get("items")):
                    yield kind, str(info.alias), [5]
                elif wants_text(shape.get("additionalProperties")):
                    yield kind, str(info.alias), {"x": 5}


@pytest.mark.parametrize(("kind", "field", "value"), list(numbers_for_texts()))
def test_nobody_may_write_a_number_for_a_text_but_a_template_may_give_one(
    kind: str, field: str, value: Any
) -> None:
    config = example(kind, **{field: value})
    assert [at for at in errors(kind, config) if at.startswith(f"steps.1.config.{field}")]
    text = json.loads(json.dumps(value).replace("5", '"5"'))
    assert is_taken_rendered(kind, config) is is_taken_rendered(kind, {**config, field: text})


def is_taken_rendered(kind: str, config: Any) -> bool:
    try:
        STEP_TYPES[kind].Config.model_validate(config, context=RENDERED)
    except ValidationError:
        return False
    return True


def test_a_number_for_a_text_is_answered_by_what_to_write() -> None:
    field_errors = errors("email", example("email", subject=2024))
    assert field_errors == {"steps.1.config.subject": ["must be a text: write the value in quotes"]}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"timeout": "P367D"}, "timeout"),
        ({"timeout": "P999999999D"}, "timeout"),
        ({"retry": {"delay": "P900000000D"}}, "retry.delay"),
        ({"retry": {"maxDelay": "PT0S"}}, "retry.maxDelay"),
    ],
)
def test_no_step_takes_or_waits_longer_than_a_year(more: dict[str, Any], field: str) -> None:
    found = parse({"name": "x", "steps": [LIGHT | more]})[1]
    assert found == {f"steps.0.{field}": ["must be longer than zero and P366D at most"]}
    assert parse({"name": "x", "steps": [LIGHT | {"timeout": "P366D"}]})[1] == {}
