"""Pack files, from which Airflow parses DAGs: up to twenty automations each.

A pack of the newest revision has its definitions in a separate file, so that parsing needs no
database. They are not in the pack itself, since Airflow shows a DAG's file to everybody who may see
the DAG, and a pack holds DAGs of different people. A pack of a pinned revision is a stub that reads
the one definition that its task needs.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from airflow.sdk import get_parsing_context

from automations import wiring
from automations.definitions.published import Published, dag_id, workflow_id
from automations.kit.storable import is_deeper
from automations_airflow.dags.dag_builder import build

log = logging.getLogger(__name__)

FOLDER = "packs"
DEFINITIONS = "definitions"
"""The folder next to it, with the definitions of the packs."""
_MAX_DEPTH = 200
"""More than any accepted definition has; JSON is read and written recursively."""

_PACK = """\
# The Airflow DAGs of some automations; written by the automations bundle.
# Made of {digest}
from automations_airflow.dags.packs import add_dags

add_dags(globals(), __file__)
"""

STUB = """\
# The Airflow DAGs of one pack at the revision that this file's path names.
from automations_airflow.dags.packs import add_dags_at

add_dags_at(globals(), __file__)
"""

OPERATORS_FILE = "operators.py"
"""In the folder of the packs: the DAG that runs operators of Airflow's providers for steps."""
OPERATORS = """\
# The Airflow DAG by which steps of automations run operators; written by the automations bundle.
from automations_airflow.dags.operator_dag import build

dag = build()
"""


def file_name(pack: int) -> str:
    """The name of a pack's file, the same in every version of the bundle."""
    return f"pack_{pack:05d}.py"


def definitions(published: Iterable[Published]) -> str:
    """The text of a pack's file of definitions."""
    return json.dumps([_fields(automation) for automation in published], ensure_ascii=False)


def render(made_of: str) -> str:
    """The text of a pack file, which differs for other definitions, so that Airflow notices."""
    return _PACK.format(digest=hashlib.sha256(made_of.encode()).hexdigest())


def definitions_file(pack: Path) -> Path:
    """The path of a pack's file of definitions."""
    return pack.parent.parent / DEFINITIONS / f"{pack.stem}.json"


def read(pack: Path) -> list[Published]:
    """The automations of a pack file."""
    return [Published(**stored) for stored in json.loads(definitions_file(pack).read_text())]


def _fields(automation: Published) -> dict[str, Any]:
    """An automation's fields for the file; a definition that could not be read back is left out.

    Its DAG then says that it is broken, and the rest of the pack is not affected.
    """
    if is_deeper(dict(automation.definition), _MAX_DEPTH):
        log.error("The definition of automation %s is nested too deep", automation.workflow_id)
        automation = replace(automation, definition={})
    return {field.name: getattr(automation, field.name) for field in fields(automation)}


def add_dags(namespace: dict[str, Any], file: str) -> None:
    """Define in a module the DAGs of a pack, or only the one that Airflow asks for."""
    _add(namespace, read(Path(file)))


def add_dags_at(namespace: dict[str, Any], file: str) -> None:
    """Define in a module the DAGs of a pinned pack, or only the one that Airflow asks for."""
    path = Path(file)
    revision, number = int(path.parent.parent.name), int(path.stem.removeprefix("pack_"))
    publications = wiring.publications()
    parsed_dag_id = get_parsing_context().dag_id
    if parsed_dag_id:
        ids = [workflow_id(parsed_dag_id)]
    else:
        ids = [newest.workflow_id for newest in publications.pack(number)]
    versions = (publications.at(automation_id, revision) for automation_id in ids if automation_id)
    _add(namespace, (version for version in versions if version))


def _add(namespace: dict[str, Any], published: Iterable[Published]) -> None:
    context = get_parsing_context()
    for automation in published:
        name = dag_id(automation.workflow_id)
        if context.dag_id in (None, name):
            namespace[name] = build(automation, context.task_id)
