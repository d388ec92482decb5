"""What import-linter's contracts in pyproject.toml do not say of the house."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from automations.db.tables.base import Base

ROOT = Path(__file__).resolve().parents[2]
AT_THE_TOP = {"__init__", "errors", "tokens", "wiring"}


def rows_in(hint: Any) -> set[str]:
    """The names of the tables' classes in a type, and in the values that it is made of."""
    found = {name for part in get_args(hint) for name in rows_in(part)}
    if isinstance(hint, type) and issubclass(hint, Base):
        found.add(hint.__name__)
    elif is_dataclass(hint):
        hints = get_type_hints(hint)
        found |= {name for field in fields(hint) for name in rows_in(hints[field.name])}
    return found


def services() -> Iterator[tuple[str, Any]]:
    """What other layers may call of services, by name."""
    package = importlib.import_module("automations.services")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for name, member in vars(importlib.import_module(module.name)).items():
            own = getattr(member, "__module__", None) == module.name
            if own and not name.startswith("_"):
                yield f"{module.name}.{name}", member


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def modules_of(suite: str) -> list[Path]:
    return sorted((ROOT / "tests" / suite).rglob("test_*.py"))


def test_only_what_all_layers_share_lies_beside_their_folders() -> None:
    found = {path.stem for path in (ROOT / "include" / "automations").glob("*.py")}
    assert found == AT_THE_TOP


def test_no_module_has_a_name_that_says_nothing() -> None:
    nameless = {"utils.py", "helpers.py", "common.py", "misc.py"}
    found = [path for part in ("include", "plugins", "api_bridge") for path in modules(ROOT / part)]
    assert [path for path in found if path.name in nameless] == []


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    found = [path for part in ("include", "plugins", "api_bridge") for path in modules(ROOT / part)]
    # A migration is a record of the schema, which nobody reads from its top to its end.
    found = [path for path in found if path.parent.name != "versions"]
    long = {
        path.name: count for path in found if (count := len(path.read_text().splitlines())) > 450
    }
    assert long == {}


def test_what_time_it_is_is_asked_of_the_clock_that_all_share() -> None:
    ours = ROOT / "include" / "automations"
    found = [*modules(ours), *modules(ROOT / "api_bridge")]
    found += modules(ROOT / "plugins" / "automations_airflow" / "waits")
    # What starts processes goes by their machine's, and an id has only to begin with about now.
    own = [*modules(ours / "launcher"), *modules(ours / "kit")]
    asks = ("datetime.now(", "time.time()")
    others = [path for path in found if any(call in path.read_text() for call in asks)]
    assert [path for path in others if path not in own] == []


@pytest.mark.slow
def test_nothing_is_imported_from_a_module_of_tests() -> None:
    """What several of them need is in a module of its own, or a fixture in a conftest."""
    found = {path: ast.walk(ast.parse(path.read_text())) for path in modules(ROOT / "tests")}
    imported = {
        str(path.relative_to(ROOT)): node.module
        for path, nodes in found.items()
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests.")
        if ".test_" in f"{node.module}.{'.'.join(alias.name for alias in node.names)}"
    }
    assert imported == {}


@pytest.mark.parametrize(
    ("suite", "packages"),
    [
        ("unit", ("include/automations", "", "tests")),
        ("api", ("include/automations/services", "api_bridge", "tests")),
    ],
)
def test_tests_lie_in_folders_named_like_what_they_test(
    suite: str, packages: tuple[str, ...]
) -> None:
    folders = {path.parent.relative_to(ROOT / "tests" / suite) for path in modules_of(suite)}
    nowhere = [
        str(folder)
        for folder in folders
        if not any((ROOT / package / folder).is_dir() for package in packages)
    ]
    assert nowhere == []
    flat = [path.name for path in modules_of(suite) if path.parent.name == suite]
    assert len(flat) <= 12, "what is not about the whole belongs into a folder"


def test_no_row_leaves_a_service() -> None:
    leaving = {}
    for name, member in services():
        hints = get_type_hints(member)
        # Who hands over a session is within the transaction that the row belongs to.
        if inspect.isfunction(member) and "session" not in hints:
            leaving[name] = rows_in(hints.get("return"))
    assert {name: rows for name, rows in leaving.items() if rows} == {}
