"""What is told of a config whose templates have given something else than they should."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from automations.definitions.checking import parse
from automations.definitions.field_errors import format_errors
from automations.domain.fields import RENDERED
from automations.steps.registry import STEP_TYPES

MAIL = {"to": "ada@b.example", "subject": "Hi", "body": "Hello"}
BODY = [{"name": "Light", "type": "condition", "order": 0, "config": {"expression": "true"}}]


@pytest.mark.parametrize(
    ("name", "config", "told"),
    [
        (
            "loop",
            {"collection": 5, "steps": BODY},
            "config.collection: must be a list or an object",
        ),
        (
            "loop",
            {"collection": "abc", "steps": BODY},
            "config.collection: must be a list or an object",
        ),
        ("email", {**MAIL, "body": ["x"]}, "config.body: must be a text"),
        ("email", {**MAIL, "body": True}, "config.body: must be a text"),
        ("email", {**MAIL, "to": []}, "config.to: must not be empty"),
        ("email", {**MAIL, "to": [None, "b@b.example"]}, "config.to.0: must be a text"),
        ("ai", {"prompt": "Hi", "maxTokens": "many"}, "config.maxTokens: must be a whole number"),
        ("ai", {"prompt": "Hi", "temperature": 9}, "config.temperature: must be between 0 and 2"),
        ("delay", {"until": "tomorrow"}, "config.until: must be an ISO 8601 date or time"),
        ("delay", {"amount": -1, "unit": "days"}, "config: a delay cannot be negative"),
        (
            "approval",
            {"message": "?", "quorum": 0},
            "config.quorum: must be greater than or equal to 1",
        ),
        (
            "table_operations",
            {"operation": "query", "tableId": "t", "limit": "all"},
            "config.limit: must be a whole number",
        ),
        ("slack", {"blocks": "none"}, "config.blocks: must be a list"),
        (
            "send_form",
            {"formId": "f", "recipients": "a@b.example", "prefill": [1]},
            "config.prefill: must be an object",
        ),
        (
            "email",
            {**MAIL, "subject": 5, "replyTo": "x", "body": {}},
            "config.body: must be a text; config.replyTo: must be an e-mail address: An email "
            "address must have an @-sign.",
        ),
    ],
)
def test_it_is_told_in_the_words_of_a_definition(
    name: str, config: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        STEP_TYPES[name].Config.model_validate(config, context=RENDERED)
    assert format_errors(caught.value, config) == told


NUMBERS = [0, 5, 1.5, -1, True, None, "x", "", [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("name", sorted(STEP_TYPES))
def test_no_field_of_any_type_is_told_in_the_words_of_the_validator(name: str) -> None:
    step_type = STEP_TYPES[name]
    for field, info in step_type.Config.model_fields.items():
        for value in NUMBERS:
            config = {**step_type.example, info.alias or field: value}
            try:
                step_type.Config.model_validate(config, context=RENDERED)
            except ValidationError as error:
                told = format_errors(error, config)
                assert "[" not in told, told
                assert "Input" not in told, told
                assert "function-" not in told, told
                assert "valid" not in told.partition("e-mail address")[0], told


@pytest.mark.parametrize(
    ("name", "config", "told"),
    [
        (
            "table_operations",
            {"operation": "query", "tableId": "t", "limit": 0},
            {"steps.0.config.limit": ["must be greater than or equal to 1"]},
        ),
        (
            "table_operations",
            {"operation": "query", "tableId": "t", "filter": {}},
            {"steps.0.config.filter.rules": ["is required"]},
        ),
        (
            "create_matter",
            {"templateId": "t", "title": "x", "priority": "high"},
            {"steps.0.config.priority": ["must be 'LOW', 'MEDIUM', 'HIGH' or 'URGENT'"]},
        ),
        (
            "delay",
            {"amount": "1,5", "unit": "days"},
            {"steps.0.config.amount": ["must be a number"]},
        ),
        (
            "slack",
            {"text": "x", "blocks": {"type": "divider"}},
            {"steps.0.config.blocks": ["must be a list"]},
        ),
        (
            "slack",
            {"text": "x", "blocks": ["x"]},
            {"steps.0.config.blocks.0": ["must be an object"]},
        ),
        (
            "loop",
            {"collection": 5, "steps": BODY},
            {"steps.0.config.collection": ["must be a list or an object"]},
        ),
        (
            "http_request",
            {"url": "https://a.example", "expectedStatus": ["ok", 201]},
            {"steps.0.config.expectedStatus.0": ["must be a whole number"]},
        ),
        (
            "approval",
            {"message": "?", "approvers": ["ada@b.example"], "onReject": "stop"},
            {"steps.0.config.onReject": ["must be 'fail' or 'continue'"]},
        ),
        (
            "approval",
            {"message": "?", "approvers": ["ada@b.example"], "onReject": [{"name": "s"}]},
            {"steps.0.config.onReject.0.type": ["type is required"]},
        ),
    ],
)
def test_what_is_no_template_is_told_of_as_a_value_once(
    name: str, config: dict[str, Any], told: dict[str, list[str]]
) -> None:
    assert parse({"name": "x", "steps": [{"name": "s", "type": name, "config": config}]})[1] == told


def test_a_pattern_is_told() -> None:
    assert parse({"name": "x", "key": "A", "steps": []})[1]["key"] == [
        "must match the pattern ^[a-z0-9][a-z0-9._-]{0,99}$"
    ]
