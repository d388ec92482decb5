"""The step types are those of the specification; each has its operator, documentation and tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest

from automations.definitions.model import STEP_MODELS
from automations.settings import ROOT
from automations.steps.registry import STEP_TYPES

OPERATORS = {
    "ai": "AiOperator",
    "approval": "ApprovalOperator",
    "code": "CodeOperator",
    "condition": "ConditionOperator",
    "create_matter": "CreateMatterOperator",
    "delay": "DelayOperator",
    "email": "EmailOperator",
    "evidence_snapshot": "EvidenceSnapshotOperator",
    "generate_document": "GenerateDocumentOperator",
    "http_request": "HttpRequestOperator",
    "loop": "LoopOperator",
    "notification": "NotificationOperator",
    "run_workflow": "RunWorkflowOperator",
    "send_document": "SendDocumentOperator",
    "send_form": "SendFormOperator",
    "slack": "SlackOperator",
    "table_operations": "TableOperationsOperator",
}
"""The specification's 17 step types, and what Airflow shows them as."""

_LIST_OPERATORS = """
import json
from automations_airflow import operators

found = {name: made.__qualname__ for name, made in operators.OPERATORS.items()}
assert all(getattr(operators, made) is operators.OPERATORS[name] for name, made in found.items())
print(json.dumps(found))
"""


def test_the_step_types_are_the_specifications_17() -> None:
    assert len(OPERATORS) == 17
    assert set(STEP_TYPES) == set(OPERATORS)


def test_each_has_an_operator_class_of_its_own_name(tmp_path: Path) -> None:
    # Airflow reads its configuration when it is imported: not in this process.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("include", "plugins"))
    listed = subprocess.run(
        [sys.executable, "-c", _LIST_OPERATORS],
        env={**ours, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout.splitlines()[-1]) == OPERATORS


@pytest.mark.parametrize("name", OPERATORS)
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
    assert step_type.outputs
    for output in step_type.outputs:
        assert f"* `{output}`: " in section


@pytest.mark.parametrize("name", OPERATORS)
def test_each_has_a_module_and_a_test_of_its_name(name: str) -> None:
    assert (ROOT / "include" / "automations" / "steps" / f"{name}.py").is_file()
    assert (ROOT / "tests" / "unit" / f"test_{name}.py").is_file()
