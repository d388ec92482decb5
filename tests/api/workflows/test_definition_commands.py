"""``./automations apply, diff, export`` against the running bridge, with their exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import WorkflowVersion
from automations.launcher.cli import main
from automations.launcher.setup import create_key
from tests.api.conftest import Live
from tests.api.workflows.definition_files import FILE
from tests.environment import Environment


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "welcome.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture(autouse=True)
def key(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATIONS_API_KEY", live.key)


def test_a_file_differs_is_applied_and_is_the_same(
    live: Live, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", str(file), "--url", live.url]) == 1
    output = capsys.readouterr().out
    assert f"{file}: Welcome (welcome) would be created\n" in output
    assert "  +name: Welcome\n" in output
    assert main(["apply", "--dry-run", str(file), "--url", live.url]) == 0
    assert main(["diff", str(file), "--url", live.url]) == 1
    assert main(["apply", str(file), "--url", live.url]) == 0
    capsys.readouterr()
    assert main(["diff", str(file), "--url", live.url]) == 0
    assert capsys.readouterr().out.rstrip().endswith("unchanged")
    file.write_text(FILE.replace("PT1H", "PT2H"))
    assert main(["diff", str(file), "--url", live.url]) == 1
    output = capsys.readouterr().out
    assert "would be changed" in output
    assert "-    duration: PT1H" in output
    assert "+    duration: PT2H" in output


def test_what_is_exported_is_the_same_when_it_is_applied(
    live: Live, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["apply", str(file), "--url", live.url]) == 0
    for form in ("yaml", "json"):
        capsys.readouterr()
        assert main(["export", "--format", form, "--url", live.url]) == 0
        written = tmp_path / f"all.{form}"
        written.write_text(capsys.readouterr().out)
        assert main(["diff", str(written), "--url", live.url]) == 0


def test_a_large_workspace_is_exported_and_is_the_same(
    live: Live,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wait = {"name": "Wait", "type": "delay", "config": {"duration": "PT1H"}}
    many = [
        # A half of them have a key, the others are told apart by their ids alone.
        {"name": f"A{number % 7}" if number % 2 else f"B{number}", "steps": [wait]}
        | ({"key": f"k{number}"} if number % 2 else {})
        for number in range(502)
    ]
    made = tmp_path / "many.json"
    made.write_text(json.dumps(many))
    assert main(["apply", str(made), "--url", live.url]) == 0
    capsys.readouterr()
    assert main(["export", "--url", live.url]) == 0
    exported = capsys.readouterr()
    assert exported.err == ""
    monkeypatch.setattr("sys.stdin", io.StringIO(exported.out))
    assert main(["diff", "-", "--url", live.url]) == 0
    assert capsys.readouterr().out.count(" unchanged\n") == 502


def test_an_export_that_no_file_may_hold_says_so(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wait = {"name": "Wait", "type": "delay", "config": {"duration": "PT1H"}}
    steps = [{**wait, "name": f"Wait {number}"} for number in range(500)]
    # Within what JSON may have, and beyond the keys and values of YAML.
    made = tmp_path / "many.json"
    made.write_text(json.dumps([{"name": f"A{number}", "steps": steps} for number in range(45)]))
    assert main(["apply", str(made), "--url", live.url]) == 0
    capsys.readouterr()
    assert main(["export", "--url", live.url]) == 0
    assert "more than one file may hold (5000 automations" in capsys.readouterr().err
    assert main(["export", "--format", "json", "--url", live.url]) == 0
    assert capsys.readouterr().err == ""


def test_what_cannot_be_read_any_more_is_named_beside_the_file(
    live: Live, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["apply", str(file), "--url", live.url]) == 0
    with unit_of_work() as session:
        first = session.scalars(select(WorkflowVersion)).first()
        assert first is not None
        first.definition = {**first.definition, "trigger": {"type": "gone"}}
    capsys.readouterr()
    assert main(["export", "--format", "json", "--url", live.url]) == 1
    said = capsys.readouterr()
    assert (
        said.err == f"export: left out, since they cannot be read any more: {first.workflow_id}\n"
    )
    json.loads(said.out)


def test_some_are_exported_by_their_ids(
    live: Live, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("name: A\n---\nname: B\n---\nname: C\n")
    assert main(["apply", str(file), "--url", live.url]) == 0
    ids = [
        line.split("(")[1].split(")")[0]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(str(file))
    ]
    assert main(["export", ids[2], ids[0], "--format", "json", "--url", live.url]) == 0
    assert [definition["name"] for definition in json.loads(capsys.readouterr().out)] == ["C", "A"]
    assert main(["export", "cnothing", "--url", live.url]) == 2


def test_a_file_comes_by_standard_input_too(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(FILE))
    assert main(["apply", "-", "--url", live.url]) == 0


def test_a_file_that_is_refused_is_named_and_the_others_are_applied(
    live: Live, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    step = "steps: [{name: Tell, type: email, order: 0, config: {to: a@b.example}}]"
    wrong.write_text(f"name: y\n---\nname: x\ncolor: red\n{step}\n")
    missing = tmp_path / "missing.yaml"
    assert main(["apply", str(wrong), str(missing), str(file), "--url", live.url]) == 2
    told = capsys.readouterr()
    refusals = [line for line in told.err.splitlines() if str(missing) not in line]
    assert refusals == [
        f"{wrong}: refused (400 VALIDATION_ERROR)",
        "  automation 2 (x), steps 1 (Tell), config, subject: is required",
        "  automation 2 (x), color: unknown field",
    ]
    assert f"{missing}: " in told.err
    assert "Welcome" in told.out
    assert main(["diff", str(file), "--url", live.url]) == 0


def test_an_api_that_is_away_or_another_key_is_a_failure(
    live: Live, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOMATIONS_API_KEY", "sk_nope")
    assert main(["diff", str(file), "--url", live.url]) == 2
    assert main(["export", "--url", live.url]) == 2
    assert "401 UNAUTHORIZED" in capsys.readouterr().err
    assert main(["diff", str(file), "--url", "http://127.0.0.1:9"]) == 2
    capsys.readouterr()
    monkeypatch.delenv("AUTOMATIONS_API_KEY")
    assert main(["diff", str(file), "--url", live.url]) == 2
    assert "AUTOMATIONS_API_KEY" in capsys.readouterr().err


def test_without_an_address_it_is_this_homes_api(
    live: Live,
    file: Path,
    tmp_path: Path,
    environment: Environment,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.set(
        AUTOMATIONS_API_KEY=None,
        AUTOMATIONS_HOME=str(tmp_path / "home"),
        AUTOMATIONS_BRIDGE_PORT=live.url.rpartition(":")[2],
    )
    assert main(["diff", str(file)]) == 2
    assert "./automations up makes it" in capsys.readouterr().err
    (tmp_path / "home" / "owner.key").write_text(live.key + "\n")
    environment.forget()
    assert main(["diff", str(file)]) == 1
    environment.set(AUTOMATIONS_BRIDGE_PORT="9")
    assert main(["export"]) == 2
    assert "./automations up starts it" in capsys.readouterr().err


def test_the_example_of_the_documentation_can_be_applied(live: Live, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "definition-files.md").read_text()
    file = tmp_path / "example.yaml"
    file.write_text(page.split("```yaml\n")[1].split("```")[0])
    assert main(["apply", str(file), "--url", live.url]) == 0
    assert main(["diff", str(file), "--url", live.url]) == 0


def test_a_workspace_is_made_with_its_first_key_and_is_one_of_its_own(
    live: Live,
    file: Path,
    tmp_path: Path,
    environment: Environment,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.set(AUTOMATIONS_HOME=str(tmp_path / "home"))
    assert main(["apply", str(file), "--url", live.url]) == 0
    keys = []
    for _ in range(2):
        capsys.readouterr()
        key = create_key("ADMIN", "theirs", "sales")
        keys.append(key)
        environment.set(AUTOMATIONS_API_KEY=key)
        assert main(["export", "--url", live.url]) == 0
        exported = capsys.readouterr()
        assert (exported.out == "") is (len(keys) == 1)
        assert exported.err == ""
        assert main(["apply", str(file), "--url", live.url]) == 0
    assert keys[0] != keys[1]
