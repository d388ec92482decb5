"""Serializes runs for the plugin's route in Airflow's server, and reads its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from automations.errors import NotVisibleYet, OrchestratorError, VersionGone
from automations.ports import DoneBefore, NewDagRun, SourceEvent

PATH = "/automations/batches/runs"
"""Where it is."""
_NOTE_LENGTH = 1_000
"""The most that Airflow takes."""
_BY_LENGTH = 500
_BEFORE, _SOURCE = TypeAdapter(DoneBefore), TypeAdapter(SourceEvent)


def serialize_run(run: NewDagRun) -> dict[str, Any]:
    """What it is sent of one."""
    fields: dict[str, Any] = {"dag_id": run.dag_id, "run_id": run.run_id, "conf": dict(run.conf)}
    if run.by:
        fields["by"] = run.by[:_BY_LENGTH]
    if run.before is not None:
        fields["before"] = _BEFORE.dump_python(run.before, mode="json")
    if run.source is not None:
        fields["source"] = _SOURCE.dump_python(run.source, mode="json")
    return fields | note(run)


def note(run: NewDagRun) -> dict[str, str]:
    """What people read of it there."""
    return {"note": run.note[:_NOTE_LENGTH]} if run.note else {}


def failure(run: NewDagRun, result: Mapping[str, Any]) -> OrchestratorError | None:
    """Why it is not there; None when it is."""
    match result["outcome"]:
        case "there":
            return None
        case "unknown":
            return unknown(run)
        case "gone":
            return VersionGone(f"Airflow does not know the version of {run.run_id} any more.")
        case _:
            return OrchestratorError(f"Airflow refused {run.run_id}: {result['reason']}")


def unknown(run: NewDagRun) -> NotVisibleYet:
    """Airflow has not parsed its DAG."""
    return NotVisibleYet(f"Airflow does not know {run.dag_id} yet.")
