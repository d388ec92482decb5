"""The import rules of the layers; the table is in README.md, "Package map"."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include" / "automations"
CLIENT = ROOT / "include" / "automations_client"

VENDORS = {
    "httpx", "smtplib", "slack_sdk", "docx", "docxtpl", "pypandoc", "typst", "aiosmtplib",
    "_quickjs", "quickjs", "pydantic_ai", "openai", "anthropic", "genai_prices", "cryptography",
    "standardwebhooks", "argon2", "opentelemetry.sdk", "opentelemetry.exporter",
}  # fmt: skip
DATABASE = {"sqlalchemy", "psycopg2", "alembic"}
WEB = {"fastapi", "starlette", "uvicorn"}
AIRFLOW = {"airflow"}
PLUGINS = {"automations_airflow", "automations_plugin"}
BRIDGE = {"api_bridge"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} uses a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def violations(paths: list[Path], forbidden: set[str]) -> list[str]:
    return sorted(
        {
            f"{path.relative_to(ROOT)} imports {name}"
            for path in paths
            for name in imports(path)
            if any(name == banned or name.startswith(f"{banned}.") for banned in forbidden)
        }
    )


def outside(folder: Path, *exceptions: str) -> list[Path]:
    kept = [folder / exception for exception in exceptions]
    return [path for path in modules(folder) if not any(path.is_relative_to(part) for part in kept)]


@pytest.mark.parametrize(
    ("paths", "forbidden"),
    [
        pytest.param(modules(INCLUDE), AIRFLOW | WEB | PLUGINS | BRIDGE, id="the product"),
        pytest.param(outside(INCLUDE, "db", "launcher"), DATABASE, id="SQL only in db"),
        pytest.param(outside(INCLUDE, "adapters", "launcher"), VENDORS, id="vendors in adapters"),
        pytest.param(
            modules(INCLUDE / "steps"),
            {
                "automations.db",
                "automations.adapters",
                "automations.settings",
                "automations.wiring",
                "automations.execution",
                "automations.services",
            },
            id="steps know no infrastructure",
        ),
        pytest.param(modules(ROOT / "plugins"), WEB | BRIDGE, id="plugins never meet the bridge"),
        pytest.param(
            modules(ROOT / "api_bridge"), AIRFLOW | PLUGINS, id="the bridge never meets plugins"
        ),
        pytest.param(
            modules(CLIENT),
            {"automations"} | AIRFLOW | PLUGINS | BRIDGE | DATABASE | WEB,
            id="the client knows the API only",
        ),
        pytest.param(
            outside(INCLUDE, "launcher"), {"automations_client"}, id="the product needs no client"
        ),
    ],
)
def test_a_layer_imports_only_what_the_table_allows(paths: list[Path], forbidden: set[str]) -> None:
    assert paths, "the layer is empty, so the rule would hold for nothing"
    assert violations(paths, forbidden) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    nameless = {"utils.py", "helpers.py", "common.py", "misc.py"}
    found = [path for part in ("include", "plugins", "api_bridge") for path in modules(ROOT / part)]
    assert [path for path in found if path.name in nameless] == []


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    found = [path for part in ("include", "plugins", "api_bridge") for path in modules(ROOT / part)]
    long = {
        path.name: count for path in found if (count := len(path.read_text().splitlines())) > 450
    }
    assert long == {}
