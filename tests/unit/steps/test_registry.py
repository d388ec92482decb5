"""Each step type is found, and has its documentation and test."""

from __future__ import annotations

import json
from inspect import cleandoc

import pytest

from automations.definitions.model import STEP_MODELS
from automations.settings import ROOT
from automations.steps.registry import STEP_TYPES
from tests import specification


def test_those_of_the_specification_are_there() -> None:
    assert set(STEP_TYPES) >= specification.STEP_TYPES


@pytest.mark.parametrize("name", STEP_TYPES)
def test_each_is_documented_with_every_field_and_output(name: str) -> None:
    page = (ROOT / "docs" / "steps.md").read_text()
    _, _, rest = page.partition(f"\n## `{name}`\n")
    section = rest.partition("\n## ")[0]
    step_type = STEP_TYPES[name]
    assert step_type.title
    assert cleandoc(step_type.__doc__ or "") in section
    assert name in STEP_MODELS
    for field in step_type.Config.model_fields.values():
        assert f"| `{field.alias}` |" in section
    assert json.dumps(step_type.example, indent=2) in section
    assert step_type.outputs
    for output in step_type.outputs:
        assert f"* `{output}`: " in section


@pytest.mark.parametrize("name", STEP_TYPES)
def test_each_has_a_module_and_a_test_of_its_name(name: str) -> None:
    assert (ROOT / "include" / "automations" / "steps" / f"{name}.py").is_file()
    assert (ROOT / "tests" / "unit" / "steps" / f"test_{name}.py").is_file()
