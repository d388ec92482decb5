"""The text of Airflow's Code tab for an automation: its definition, as in a file.

Airflow keeps the text of the file that a DAG is in. Ours holds no definition, and many DAGs: when
the row is written, in the dag-processor, the definition is put in its place.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from airflow.models.dagcode import DagCode
from sqlalchemy import event, inspect

from automations.definitions import files
from automations.definitions.model import DEFINITION
from automations.definitions.published import Published, workflow_id
from automations.services.workflows.exports import UNWRITTEN, serialize_trigger
from automations_airflow.dags import packs

log = logging.getLogger(__name__)


def watch() -> None:
    """Have this process write definitions for code, from now on."""
    event.listen(DagCode, "before_insert", _show)
    event.listen(DagCode, "before_update", _show)


def render(published: Published) -> str:
    """An automation's definition in YAML, under a line that says which version it is."""
    definition = published.definition
    rest = {
        name: value
        for name, value in definition.items()
        if name not in UNWRITTEN and value not in (None, "", {})
    }
    # Its secret is sealed, and still nobody's to see.
    trigger = serialize_trigger(DEFINITION.validate_python(definition).trigger, None)
    whole = {"id": published.workflow_id, **rest, "trigger": trigger}
    return files.write([whole], "yaml", remarks=[_remark(published)])


def _show(_mapper: Any, _connection: Any, code: Any) -> None:
    shown_id = workflow_id(code.dag_id)
    if shown_id is None:
        return
    try:
        text = _text_of(Path(code.fileloc), shown_id, code)
    except Exception as error:  # noqa: BLE001 -- the DAG is there anyway, and its pack tells nothing
        # Its text quotes the definition.
        error_name = type(error).__name__
        log.error("The code of %s cannot be shown: %s", code.dag_id, error_name)  # noqa: TRY400
        return
    if text is not None:
        code.source_code = text


def _text_of(pack: Path, shown_id: str, code: Any) -> str | None:
    if not packs.definitions_file(pack).exists():
        return None
    for published in packs.read(pack):
        if published.workflow_id == shown_id:
            # A change of one automation has Airflow write the code of all in its pack again.
            before = next(iter(inspect(code).attrs.source_code.history.deleted or ()), "")
            is_same = before.partition("\n")[0] == f"# {_remark(published)}"
            return str(before) if is_same else render(published)
    return None


def _remark(published: Published) -> str:
    return f"Version {published.version} of automation {published.workflow_id}."
