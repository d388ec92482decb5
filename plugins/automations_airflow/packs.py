"""Pack files, from which Airflow parses DAGs: up to twenty automations each.

A pack of the newest revision holds its definitions, so that parsing opens no database. A pack of a
pinned revision is a stub that reads the one definition that its task needs.
"""

from __future__ import annotations

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
from automations_airflow.dag_builder import build

log = logging.getLogger(__name__)

FOLDER = "packs"
_MAX_DEPTH = 200
"""More than any definition is taken with; what reads and writes JSON goes down a call for each."""

_PACK = """\
# The Airflow DAGs of these automations; written by the automations bundle.
from automations_airflow.packs import add_dags

DEFINITIONS = r'''
{definitions}
'''

add_dags(globals(), DEFINITIONS)
"""

STUB = """\
# The Airflow DAGs of one pack at the revision that this file's path names.
from automations_airflow.packs import add_dags_at

add_dags_at(globals(), __file__)
"""


def file_name(pack: int) -> str:
    """The name of a pack's file, the same in every version of the bundle."""
    return f"pack_{pack:05d}.py"


def render(published: Iterable[Published]) -> str:
    """The file of a pack; the same for the same definitions."""
    whole = [_fields(one) for one in published]
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    # A quote occurs in JSON strings only; written so, it cannot end the literal.
    return _PACK.format(definitions=text.replace("'", "\\u0027"))


def _fields(one: Published) -> dict[str, Any]:
    """What is written of an automation; a definition that cannot be read again costs only itself.

    Without it there is a DAG that says that it is broken.
    """
    if is_deeper(dict(one.definition), _MAX_DEPTH):
        log.error("The definition of automation %s is nested too deep", one.workflow_id)
        one = replace(one, definition={})
    return {field.name: getattr(one, field.name) for field in fields(one)}


def add_dags(namespace: dict[str, Any], definitions: str) -> None:
    """Define the DAGs of a pack, or the one that is asked for, in a module."""
    _add(namespace, (Published(**one) for one in json.loads(definitions)))


def add_dags_at(namespace: dict[str, Any], file: str) -> None:
    """Define the DAGs of a pinned pack, or the one that is asked for, in a module."""
    path = Path(file)
    revision, number = int(path.parent.parent.name), int(path.stem.removeprefix("pack_"))
    publications = wiring.publications()
    wanted = get_parsing_context().dag_id
    if wanted:
        ids = [workflow_id(wanted)]
    else:
        ids = [newest.workflow_id for newest in publications.pack(number)]
    versions = (publications.at(one, revision) for one in ids if one)
    _add(namespace, (version for version in versions if version))


def _add(namespace: dict[str, Any], published: Iterable[Published]) -> None:
    context = get_parsing_context()
    for one in published:
        name = dag_id(one.workflow_id)
        if context.dag_id in (None, name):
            namespace[name] = build(one, context.task_id)
