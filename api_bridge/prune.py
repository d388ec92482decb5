"""Deletes old runs, here and in Airflow: what ``./automations prune`` does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

from api_bridge.airflow.client import AirflowClient
from automations.errors import OrchestratorError
from automations.services.runs import retention
from automations.settings import get_settings


def main(arguments: Sequence[str]) -> int:
    """Prune, and say what was deleted."""
    parser = argparse.ArgumentParser(prog="prune")
    parser.add_argument("--before", type=datetime.fromisoformat, required=True)
    parser.add_argument("--dry-run", action="store_true")
    for extra in retention.EXTRAS:
        parser.add_argument(f"--{extra}", action="store_true")
    parser.add_argument("--keep-dag-runs", action="store_true")
    options = parser.parse_args(arguments)
    extras = [extra for extra in retention.EXTRAS if getattr(options, extra)]
    if options.dry_run:
        counts = retention.would_prune(options.before, extras)
        _print(counts, "Would be deleted", options.before)
        return 0
    airflow = None if options.keep_dag_runs else AirflowClient(get_settings())
    try:
        deleted = retention.prune(options.before, airflow, extras=extras)
    except OrchestratorError as error:
        print(
            f"{error.message}\nThe runs' DagRuns are deleted in Airflow, too, which must be up; "
            "--keep-dag-runs leaves them to it. What was deleted so far stays so.",
            file=sys.stderr,
        )
        return 1
    _print(deleted, "Deleted", options.before)
    return 0


def _print(counts: Mapping[str, int], what: str, before: datetime) -> None:
    age = f"older than {before.isoformat(timespec='seconds')}"
    if not any(counts.values()):
        print(f"Nothing is {age}.")
        return
    print(f"{what}, as {age}:")
    for table, number in sorted(counts.items()):
        if number or table == "run":
            print(f"{number:>12,}  {table}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
