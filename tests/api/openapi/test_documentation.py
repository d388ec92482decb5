"""The generated reference is as new as the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_bridge.app import create_app
from api_bridge.openapi.description import description
from api_bridge.write_openapi import text
from automations.definitions.reference_docs import steps_page, triggers_page
from automations.launcher.settings_file import OF_THE_ENVIRONMENT
from automations.launcher.settings_page import settings_page
from automations.settings import GROUPS, Settings
from automations.steps.registry import STEP_TYPES

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize(
    ("name", "current"),
    [
        ("steps.md", steps_page),
        ("triggers.md", triggers_page),
        ("settings.md", settings_page),
        ("openapi.json", lambda: text(create_app())),
    ],
)
def test_a_committed_page_is_what_the_code_says(name: str, current: object) -> None:
    assert callable(current)
    assert (DOCS / name).read_text() == current(), "run ./automations docs and commit"


def test_every_setting_is_described_once() -> None:
    grouped = [name for group in GROUPS for name in group.model_fields]
    assert sorted(grouped) == sorted(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert field.description, name
    for name in OF_THE_ENVIRONMENT:
        assert f"`{name}`" in settings_page()


@pytest.mark.parametrize("name", STEP_TYPES)
def test_a_step_type_describes_itself_its_fields_and_its_output(name: str) -> None:
    step_type = STEP_TYPES[name]
    assert step_type.__doc__
    assert step_type.outputs
    for field, info in step_type.Config.model_fields.items():
        assert info.description, f"{name}.{field}"


def test_the_api_is_described_as_openapi_3_1_with_its_own_errors() -> None:
    document = description(create_app())
    assert document["openapi"] == "3.1.0"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            refusal = operation["responses"]["422"]["$ref"].rpartition("/")[2]
            described = document["components"]["responses"][refusal]["content"]
            schema = described["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}, f"{method} {path}"
            assert operation["summary"], f"{method} {path}"
