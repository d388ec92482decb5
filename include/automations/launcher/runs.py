"""``./automations run``: start an automation by hand, and show what its steps do."""

from __future__ import annotations

import argparse
import sys
import time

from automations.kit.json_text import parse_json
from automations.launcher import definitions, stack
from automations_client import ENDED, Client, ClientError, NotFound
from automations_client.shapes import RunDetail, Workflow

COMPLETED, FAILED, REFUSED = 0, 1, 2
"""Exit codes; a run that waits for somebody has done what it can."""
_POLL_INTERVAL = 0.3


def run(options: argparse.Namespace) -> int:
    """Start an automation, and print its steps until it has ended, or waits."""
    try:
        input_data = parse_json(options.input)
        if not isinstance(input_data, dict):
            raise ValueError("must be an object")
    except ValueError as error:
        print(f"--input {error}", file=sys.stderr)
        return REFUSED
    try:
        with definitions.client(options.url) as api:
            workflow = _find_workflow(api, options.automation)
            run_id = api.workflows.execute(workflow["id"], input_data)["runId"]
            seen_at = _airflow_link(options.url, workflow["id"], run_id)
            print(f"{workflow['name']}: run {run_id}{seen_at}", flush=True)
            return _follow(api, workflow["id"], run_id, options.timeout)
    except (ClientError, OSError, LookupError) as error:
        return definitions.report_failure("run", error, options.url)


def _find_workflow(api: Client, name_or_id: str) -> Workflow:
    """The automation of an id, else of a key, else the only one of a name.

    Raises:
        LookupError: there is none, or more than one.
    """
    try:
        return api.workflows.get(name_or_id)
    except NotFound:
        everyone = list(api.workflows.iterate(500))
    for field in ("key", "name"):
        matches = [workflow for workflow in everyone if workflow[field] == name_or_id]
        if len(matches) > 1:
            ids = ", ".join(workflow["id"] for workflow in matches)
            raise LookupError(
                f"several automations are called '{name_or_id}': give one's id ({ids})"
            )
        if matches:
            return matches[0]
    raise LookupError(f"there is no automation with the id, key or name '{name_or_id}'")


def _airflow_link(url: str | None, workflow_id: str, run_id: str) -> str:
    if url is not None:
        return ""
    base = stack.open_home().airflow_base
    return f"\n  in Airflow: {base}/dags/automation_{workflow_id}/runs/{run_id}"


def _follow(api: Client, workflow_id: str, run_id: str, seconds: float) -> int:
    shown, deadline = 0, time.monotonic() + seconds
    while True:
        detail = api.runs.get(workflow_id, run_id)
        for line in detail["logs"][shown:]:
            why = f" {line['output']}" if line["status"] == "failed" else ""
            print(f"  {line['stepName']} ({line['stepType']}): {line['status']}{why}")
        shown = len(detail["logs"])
        status = detail["status"]
        if status in ENDED or status == "PAUSED":
            print(f"{status}{_because(detail)}")
            return FAILED if status in ("FAILED", "CANCELLED") else COMPLETED
        if time.monotonic() >= deadline:
            print(f"{status} after {seconds:g} s: it goes on by itself", file=sys.stderr)
            return FAILED
        time.sleep(_POLL_INTERVAL)


def _because(detail: RunDetail) -> str:
    if detail["error"]:
        return f": {detail['error']}"
    pause = detail["pause"] if detail["status"] == "PAUSED" else None
    if pause is None:
        return ""
    due = f", until {pause['dueAt']}" if pause["dueAt"] else ""
    return f": waits for {pause['kind']}{due}"
