"""Pack files, from which Airflow parses DAGs: up to twenty automations each.

A pack of the newest revision holds its definitions, so that parsing opens no database. A pack of a
pinned revision is a stub that reads the one definition that its task needs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow.sdk import get_parsing_context

from automations import wiring
from automations.definitions.published import Published, dag_id, workflow_id
from automations_airflow.dag_builder import build

log = logging.getLogger(__name__)

FOLDER = "packs"

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
    text = json.dumps([asdict(one) for one in published], indent=1, ensure_ascii=False)
    # A quote occurs in JSON strings only; written so, it cannot end the literal.
    return _PACK.format(definitions=text.replace("'", "\\u0027"))


def add_dags(namespace: dict[str, Any], definitions: str) -> None:
    """Define the DAGs of a pack, or the one that is asked for, in a module."""
    _add(namespace, (Published(**fields) for fields in json.loads(definitions)))


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
