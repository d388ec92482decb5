"""What the Code tab shows: an automation's own definition, and nothing of another one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagcode import DagCode
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from sqlalchemy import Engine, event, select

from automations.definitions import files
from automations.definitions.published import dag_id
from automations_airflow.dags import dag_code
from automations_airflow.dags.bundle import AutomationBundle
from tests.airflow.definitions import Shelf, email, published, workflow_id

SEALED = "v1:sealed-secret-of-a-webhook"


class Processor:
    """Airflow's dag-processor, as it writes what it has parsed."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.name = f"bundle_{secrets.token_hex(4)}"

    def parse(self) -> None:
        made = AutomationBundle(name=self.name, refresh_interval=0, publications=lambda: self.shelf)
        made.initialize()
        with create_session() as session:
            session.merge(DagBundleModel(name=self.name))
        for pack in sorted((made.path / "packs").glob("*.py")):
            bag = BundleDagBag(
                dag_folder=os.fspath(pack), bundle_path=made.path, bundle_name=self.name,
                load_op_links=False,
            )  # fmt: skip
            assert not bag.import_errors
            for dag in bag.dags.values():
                with create_session() as session:
                    session.merge(DagModel(dag_id=dag.dag_id, bundle_name=self.name))
                    session.flush()
                    lazy = LazyDeserializedDAG.from_dag(dag)
                    SerializedDagModel.write_dag(
                        lazy, bundle_name=self.name, session=session, min_update_interval=0
                    )

    def code(self, number: int) -> str:
        with create_session() as session:
            return DagCode.code(dag_id(workflow_id(number)), session=session)


@pytest.fixture
def processor(airflow_database: Engine) -> Iterator[Processor]:
    with create_session() as session:
        session.query(DagVersion).delete()
    dag_code.watch()
    yield Processor()
    for name in ("before_insert", "before_update"):
        event.remove(DagCode, name, dag_code._show)


def test_it_is_a_file_of_the_definition_without_its_secrets(processor: Processor) -> None:
    trigger = {"type": "webhook", "verification": "github", "secret": SEALED}
    processor.shelf.put(published(email("a"), trigger=trigger))
    processor.parse()
    code = processor.code(0)
    assert code.startswith(f"# Version 1 of automation {workflow_id(0)}.\n")
    assert SEALED not in code
    (read,) = files.read(code)
    assert read["id"] == workflow_id(0)
    assert [step["name"] for step in read["steps"]] == ["The a"]
    assert read["trigger"]["type"] == "webhook"


def test_nothing_of_another_automation_is_in_it_nor_in_the_pack(processor: Processor) -> None:
    for number in range(3):
        processor.shelf.put(published(email(f"step_of_{number}"), number=number))
    processor.parse()
    for number in range(3):
        others = {f"step_of_{other}" for other in range(3)} - {f"step_of_{number}"}
        code = processor.code(number)
        assert f"step_of_{number}" in code
        assert not any(other in code for other in others)
    with create_session() as session:
        (fileloc,) = session.scalars(select(DagCode.fileloc).distinct())
    with open(fileloc) as pack:
        assert "step_of" not in pack.read()


def test_an_edit_shows_and_leaves_the_others_of_its_pack_as_they_are(
    processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        processor.shelf.put(published(email("before"), number=number))
    processor.parse()
    written: list[str] = []
    write = files.write

    def counted(*given: Any, **more: Any) -> str:
        written.append(given[0][0]["id"])
        return write(*given, **more)

    monkeypatch.setattr(files, "write", counted)
    processor.shelf.put(published(email("after"), number=1))
    processor.parse()
    assert "before" in processor.code(0)
    assert "after" in processor.code(1)
    assert "before" not in processor.code(1)
    assert set(written) == {workflow_id(1)}


def test_a_definition_that_cannot_be_shown_leaves_the_pack_which_says_nothing(
    processor: Processor,
) -> None:
    broken = published(email("broken"), trigger={"type": "nothing"})
    processor.shelf.put(broken)
    processor.parse()
    assert "broken" not in processor.code(0).partition("add_dags")[2]
    assert "The broken" not in processor.code(0)


def test_a_secret_is_not_told_by_what_is_wrong_with_its_definition(processor: Processor) -> None:
    trigger = {"type": "webhook", "verification": "none", "secret": SEALED}
    processor.shelf.put(published(email("a"), trigger=trigger))
    processor.parse()
    with create_session() as session:
        (row,) = session.scalars(select(SerializedDagModel))
        stored = str(row.data)
    assert "verification" in stored
    assert SEALED[-10:] not in stored


def test_the_code_of_other_dags_is_their_own(processor: Processor) -> None:
    class Code:
        dag_id = "sales"
        fileloc = "/dags/sales.py"
        source_code = "theirs"

    dag_code._show(None, None, Code)
    assert Code.source_code == "theirs"
