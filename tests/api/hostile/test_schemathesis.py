"""schemathesis with all checks: the committed description against the running bridge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Api, Live
from tests.api.roles import World

HERE = Path(__file__).parent
PARAMETERS = (
    "workflow_id", "run_id", "form_id", "submission_id", "event_id", "member_id", "key_id",
    "snapshot_id", "matter_id", "step_id", "document_id", "table_id", "row_id", "integration_id",
    "connection_id", "sync_id",
)  # fmt: skip
DESCRIPTION = HERE.parents[2] / "docs" / "openapi.json"


def without_nested_steps(value: Any) -> Any:
    """The description without steps inside of steps, which schemathesis cannot generate."""
    if isinstance(value, list):
        return [without_nested_steps(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "array" and "discriminator" in value.get("items", {}):
        return {"type": "array", "maxItems": 0}
    return {key: without_nested_steps(item) for key, item in value.items()}


def description() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    schemas = document["components"]["schemas"]
    outermost = {name: schemas[name] for name in ("Definition", "DefinitionChange")}
    document["components"]["schemas"] = {**without_nested_steps(schemas), **outermost}
    return document


def config(world: World) -> str:
    """The configuration, with real ids for half of the addresses."""
    ids = {name: [value] for name, value in world.ids.items() if name in PARAMETERS}
    ids["step_id"].append(world.ids["workflow_step_id"])
    ids["template_id"] = [world.ids["board_id"], world.ids["document_template_id"]]
    written = (HERE / "schemathesis.toml").read_text()
    dictionaries = "".join(f"[dictionaries.{name}]\nvalues = {ids[name]}\n" for name in ids)
    bound = "".join(
        f'"path.{name}" = {{ dictionary = "{name}", probability = 0.5 }}\n' for name in ids
    )
    return written.replace("[parameters]\n", f"{dictionaries}\n[parameters]\n{bound}")


# Half of all cases are definitions: the two halves run side by side.
@pytest.mark.parametrize("part", ["--include-path=/api/workflows", "--exclude-path=/api/workflows"])
def test_the_bridge_does_what_its_description_says(
    api: Api, live: Live, tmp_path: Path, part: str
) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(description()))
    (tmp_path / "schemathesis.toml").write_text(config(World(api)))
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(tmp_path / "openapi.json"),
        f"--url={live.url}",
        part,
        f"--header=Authorization: Bearer {live.key}",
    ]
    answer = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
