"""The files that Airflow parses, made from what is published."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.definitions.context import (
    _AIRFLOW_PARSING_CONTEXT_DAG_ID,
    _AIRFLOW_PARSING_CONTEXT_TASK_ID,
)

from automations import wiring
from automations.definitions.published import PACK_SIZE, dag_id
from automations.ports import OPERATOR_DAG
from automations_airflow.dags.bundle import AutomationBundle
from tests.airflow.definitions import Shelf, email, published, workflow_id
from tests.environment import Environment


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    # The stubs of pinned versions have no other way to their database.
    monkeypatch.setattr(wiring, "publications", lambda: shelf)
    return shelf


@pytest.fixture
def name() -> str:
    return f"bundle_{secrets.token_hex(4)}"


def bundle(name: str, shelf: Shelf, version: str | None = None) -> AutomationBundle:
    made = AutomationBundle(
        name=name, version=version, refresh_interval=0, publications=lambda: shelf
    )
    made.initialize()
    return made


@pytest.fixture
def in_task(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], None]:
    """Makes this process look like that of a task of an automation."""

    def enter(number: int, task_id: str) -> None:
        monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, dag_id(workflow_id(number)))
        monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_TASK_ID, task_id)

    return enter


def parse(made: AutomationBundle, file: str = "pack_00000.py") -> Any:
    bag = BundleDagBag(
        dag_folder=os.fspath(made.path / "packs" / file),
        bundle_path=made.path,
        bundle_name=made.name,
        load_op_links=False,
    )
    assert not bag.import_errors
    return bag.dags


def times(made: AutomationBundle) -> dict[str, float]:
    return {file.name: file.stat().st_mtime_ns for file in (made.path / "packs").glob("*.py")}


def test_the_dag_of_operators_is_there_where_any_may_be_run(
    name: str, shelf: Shelf, environment: Environment
) -> None:
    shelf.put(published(email("a")))
    assert "operators.py" not in times(bundle(name, shelf))
    environment.set(AUTOMATIONS_OPERATOR_ALLOW="airflow.providers.standard.*")
    made = bundle(name, shelf)
    assert set(parse(made, "operators.py")) == {OPERATOR_DAG}
    assert set(parse(made)) == {dag_id(workflow_id(0))}
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=None)
    assert "operators.py" not in times(bundle(name, shelf))


def test_a_pinned_version_has_the_dag_of_operators_also_when_it_was_pinned_before(
    name: str, shelf: Shelf
) -> None:
    shelf.put(published(email("a")))
    pinned = bundle(name, shelf, version="1")
    (pinned.path / "packs" / "operators.py").unlink()  # as an earlier release has pinned it
    again = bundle(name, shelf, version="1")
    assert set(parse(again, "operators.py")) == {OPERATOR_DAG}


def test_an_automation_is_in_the_file_of_its_number(name: str, shelf: Shelf) -> None:
    for number in (0, PACK_SIZE - 1, PACK_SIZE):
        shelf.put(published(email("a"), number=number))
    made = bundle(name, shelf)
    assert sorted(times(made)) == ["pack_00000.py", "pack_00001.py"]
    assert set(parse(made)) == {dag_id(workflow_id(0)), dag_id(workflow_id(PACK_SIZE - 1))}
    assert made.get_current_version().version == "3"


def test_airflow_takes_a_pack_for_a_dag_file(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a")))
    text = (bundle(name, shelf).path / "packs" / "pack_00000.py").read_text().lower()
    assert "dag" in text
    assert "airflow" in text


def test_only_the_packs_that_changed_are_written(name: str, shelf: Shelf) -> None:
    for number in range(3 * PACK_SIZE):
        shelf.put(published(email("a"), number=number))
    made = bundle(name, shelf)
    before = times(made)
    shelf.put(published(email("b"), number=PACK_SIZE))
    made.refresh()
    after = times(made)
    assert [file for file in before if before[file] != after[file]] == ["pack_00001.py"]


def test_nothing_is_read_while_nothing_changes(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a")))
    made = bundle(name, shelf)
    reads = shelf.reads
    made.refresh()
    bundle(name, shelf)
    assert shelf.reads == reads


def test_a_changed_pack_is_newer_than_a_parse_that_is_under_way(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a")))
    before = time.time()
    made = bundle(name, shelf)
    assert (made.path / "packs" / "pack_00000.py").stat().st_mtime > before + 0.5


def test_without_the_database_the_last_files_stay(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a")))
    made = bundle(name, shelf)
    shelf.broken = True
    made.refresh()
    assert made.get_current_version().version == "1"
    assert len(parse(made)) == 1


def test_another_database_replaces_all_files(name: str, shelf: Shelf) -> None:
    for number in (0, PACK_SIZE):
        shelf.put(published(email("a"), number=number))
    bundle(name, shelf)
    shelf.versions.clear()
    shelf.put(published(email("b"), number=1))
    made = bundle(name, shelf)
    assert sorted(times(made)) == ["pack_00000.py"]
    assert set(parse(made)) == {dag_id(workflow_id(1))}


def test_removed_files_are_written_again(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a")))
    shutil.rmtree(bundle(name, shelf).path)
    assert len(parse(bundle(name, shelf))) == 1


def test_a_pinned_version_builds_the_definition_of_then(
    name: str, shelf: Shelf, in_task: Callable[[int, str], None]
) -> None:
    shelf.put(published(email("old"), email("gone", 1)))
    shelf.put(published(email("new")))
    bundle(name, shelf)
    in_task(0, "gone")
    (dag,) = parse(bundle(name, shelf, "1")).values()
    assert dag.task_ids == ["old", "gone"]
    assert dag.relative_fileloc == "packs/pack_00000.py"


def test_a_task_reads_its_own_automation_only(
    name: str, shelf: Shelf, in_task: Callable[[int, str], None]
) -> None:
    for number in range(PACK_SIZE):
        shelf.put(published(email("a"), number=number))
    made = bundle(name, shelf, "20")
    reads = shelf.reads
    in_task(4, "a")
    assert set(parse(made)) == {dag_id(workflow_id(4))}
    assert shelf.reads == reads + 1


def test_a_pinned_pack_is_whole_when_no_dag_is_asked_for(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a"), number=0))
    shelf.put(published(email("a"), number=1))
    shelf.put(published(email("a"), number=2))
    assert len(parse(bundle(name, shelf, "2"))) == 2


def test_airflows_clean_up_of_a_version_leaves_the_others(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a")))
    first = bundle(name, shelf, "1")
    shelf.put(published(email("b"), number=1))
    second = bundle(name, shelf, "2")
    shutil.rmtree(first.path)
    assert len(parse(second)) == 2
    assert len(parse(bundle(name, shelf, "1"))) == 1


def test_one_broken_definition_hides_no_other(name: str, shelf: Shelf) -> None:
    shelf.put(published({"type": "nope"}, number=0))
    shelf.put(published(email("a"), number=1))
    dags = parse(bundle(name, shelf))
    assert dags[dag_id(workflow_id(0))].task_ids == ["broken_definition"]
    assert dags[dag_id(workflow_id(1))].task_ids == ["a"]


@pytest.mark.parametrize("depth", [201, 400, 900])
def test_a_definition_that_is_nested_without_end_costs_only_itself(
    name: str, shelf: Shelf, depth: int
) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    shelf.put(published(email("a"), number=0, variables={"deep": value}))
    shelf.put(published(email("b"), number=1))
    made = bundle(name, shelf)
    dags = parse(made)
    assert made.get_current_version().version == "2"
    assert dags[dag_id(workflow_id(0))].task_ids == ["broken_definition"]
    assert dags[dag_id(workflow_id(1))].task_ids == ["b"]


@pytest.mark.parametrize("text", ["'''", "\\", "\\'''\\n\"\"\"", "{definitions}", "\u2028\r\x00é"])
def test_no_text_breaks_out_of_its_pack(name: str, shelf: Shelf, text: str) -> None:
    shelf.put(published(email("a"), description=text))
    (dag,) = parse(bundle(name, shelf)).values()
    assert dag.doc_md.startswith(text)


def test_pinning_a_version_adds_a_link_and_a_pinned_one_asks_for_nothing(
    name: str, shelf: Shelf
) -> None:
    for number in range(1000):
        shelf.put(published(email("a"), number=number))
    bundle(name, shelf)
    pinned = bundle(name, shelf, "999")
    stubs = {stub: stub.stat().st_mtime_ns for stub in (pinned.path / "packs").glob("*.py")}
    stubs.pop(pinned.path / "packs" / "operators.py")
    assert len(stubs) == 1000 / PACK_SIZE
    before = shelf.reads
    other = bundle(name, shelf, "1000")
    assert shelf.reads == before + 1
    assert [path.is_symlink() for path in other.path.iterdir()] == [True]
    assert {stub: stub.stat().st_mtime_ns for stub in stubs} == stubs
    assert bundle(name, shelf, "1000").path == other.path
    assert shelf.reads == before + 1


def test_a_version_is_pinned_without_the_newest_files(name: str, shelf: Shelf) -> None:
    shelf.put(published(email("a")))
    made = bundle(name, shelf, "1")
    assert Path(made.path, "packs", "pack_00000.py").exists()
    assert len(parse(made)) == 1


def test_what_is_published_anew_is_parsed_anew_at_a_later_revision(name: str, shelf: Shelf) -> None:
    one = shelf.put(published(email("a"), number=0))
    shelf.put(published(email("a"), number=PACK_SIZE))
    made = bundle(name, shelf)
    before = times(made)
    shelf.put_again(one, revision=3)
    made.refresh()
    after = times(made)
    assert after["pack_00000.py"] > before["pack_00000.py"]
    assert after["pack_00001.py"] == before["pack_00001.py"]
    assert made.get_current_version().version == "3"
    assert set(parse(made)) == {dag_id(workflow_id(0))}
    # Once is enough.
    made.refresh()
    assert times(made) == after


class Slow(Shelf):
    """A database that takes a while to say that it is not there."""

    asked = 0

    def revision(self) -> int:
        self.asked += 1
        time.sleep(0.02)
        raise ConnectionError("nobody there")


def test_what_takes_long_in_vain_is_not_asked_again_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Slow()
    made = bundle(name, away)
    made.refresh()
    assert away.asked == 1
    # The other bundles of the same Airflow have had their turns.
    past = time.monotonic() + 600
    monkeypatch.setattr(time, "monotonic", lambda: past)
    made.refresh()
    assert away.asked == 2
