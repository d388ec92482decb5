"""What import-linter's contracts in pyproject.toml do not say of the house."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AT_THE_TOP = {"__init__", "errors", "settings", "tokens", "wiring"}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_only_what_all_layers_share_lies_beside_their_folders() -> None:
    found = {path.stem for path in (ROOT / "include" / "automations").glob("*.py")}
    assert found == AT_THE_TOP


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
