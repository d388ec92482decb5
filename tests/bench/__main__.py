"""``python -m tests.bench``, which ``./automations bench`` runs."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

import requests
from rich.console import Console

from tests.bench import (
    api,
    beside,
    busy,
    events,
    first_run,
    growth,
    idle,
    many,
    recovery,
    steady,
    steps,
    turns,
)
from tests.bench.compare import command as compare
from tests.bench.measuring import BenchError


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 at least")
    return number


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="automations bench", description="Measure the stack.")
    commands = parser.add_subparsers(metavar="benchmark", required=True)
    text = "How soon an automation can run and how long a run takes, parked runs or not."
    first = commands.add_parser("first-run", help=text, description=text)
    first.add_argument(
        "--repeat", type=_positive, default=5, help="Times each is measured; the median counts."
    )
    first.add_argument(
        "--parked", type=_natural, default=500, help="Runs that wait meanwhile; 0: leave it out."
    )
    first.add_argument("--skip-stock", action="store_true", help="Leave stock Airflow out.")
    first.set_defaults(
        measure=lambda console, options: first_run.main(
            console, options.repeat, options.parked, not options.skip_stock
        )
    )
    text = "How fast the API answers with very many runs and automations in the database."
    answers = commands.add_parser("api", help=text, description=text)
    answers.add_argument("--runs", type=_positive, default=1_000_000)
    answers.add_argument("--automations", type=_positive, default=10_000)
    answers.add_argument("--processes", type=_positive, default=1, help="Of the bridge.")
    answers.add_argument("--requests", type=_positive, default=1_000, help="Of each kind.")
    answers.set_defaults(
        measure=lambda console, options: api.main(
            console, options.runs, options.automations, options.requests, options.processes
        )
    )
    text = "How fast events are taken in and start runs, and whether a burst loses any."
    inbox = commands.add_parser("events", help=text, description=text)
    inbox.add_argument("--deliveries", type=_positive, default=3_000, help="Of each kind.")
    inbox.add_argument("--burst", type=_natural, default=5_000, help="0: leave it out.")
    inbox.add_argument("--records", type=_positive, default=50_000, help="Of a sync.")
    inbox.set_defaults(
        measure=lambda console, options: events.main(
            console, options.deliveries, options.burst, options.records
        )
    )
    text = "What each step type costs beside its counterpart, and a loop of many iterations."
    types = commands.add_parser("steps", help=text, description=text)
    types.add_argument("--repeat", type=_positive, default=50, help="Runs of each type.")
    types.add_argument("--iterations", type=_positive, default=10_000, help="Of the loop.")
    types.set_defaults(
        measure=lambda console, options: steps.main(console, options.repeat, options.iterations)
    )
    text = "What a burst of runs comes to beside busy processes, and on one core."
    crowded = commands.add_parser("busy", help=text, description=text)
    crowded.add_argument("--runs", type=_positive, default=200)
    crowded.add_argument("--processes", type=_positive, default=8, help="That are busy beside.")
    crowded.set_defaults(
        measure=lambda console, options: busy.main(console, options.runs, options.processes)
    )
    text = "The same graphs ahead of their tasks, on stock Airflow and on engines of others."
    compare.add_to(commands.add_parser("compare", help=text, description=text), _positive)
    text = "What automations cost the other DAGs of an Airflow that they are installed in."
    guest = commands.add_parser("beside", help=text, description=text)
    guest.add_argument("--dags", type=_positive, default=60, help="New ones, each time.")
    guest.add_argument("--runs", type=_positive, default=20, help="Started at once.")
    guest.add_argument("--repeat", type=_positive, default=3, help="The median counts.")
    guest.set_defaults(
        measure=lambda console, options: beside.main(
            console, options.dags, options.runs, options.repeat
        )
    )
    text = "How long very many automations take to be published, and an edit beside them."
    crowd = commands.add_parser("many", help=text, description=text)
    crowd.add_argument("--automations", type=_positive, default=1_000)
    crowd.add_argument("--edits", type=_positive, default=20)
    crowd.set_defaults(
        measure=lambda console, options: many.main(console, options.automations, options.edits)
    )
    text = "What each process uses while there is nothing to do, beside stock Airflow's."
    resting = commands.add_parser("idle", help=text, description=text)
    resting.add_argument("--seconds", type=_positive, default=120, help="To look at them.")
    resting.add_argument("--skip-stock", action="store_true", help="Leave stock Airflow out.")
    resting.set_defaults(
        measure=lambda console, options: idle.main(console, options.seconds, not options.skip_stock)
    )
    text = "How soon the next step begins after each part, a step or everything was killed."
    back = commands.add_parser("recovery", help=text, description=text)
    back.add_argument("--write", action="store_true", help="Put it into docs/reliability.md.")
    back.add_argument("--profile", choices=recovery.PROFILES, default="single")
    back.set_defaults(
        measure=lambda console, options: recovery.main(console, options.write, options.profile)
    )
    text = "A steady mixed load at half of what the stack takes: how long runs take, what grows."
    hour = commands.add_parser("steady", help=text, description=text)
    hour.add_argument("--minutes", type=_positive, default=10)
    hour.add_argument("--write", action="store_true", help="Put it into docs/reliability.md.")
    hour.set_defaults(
        measure=lambda console, options: steady.main(console, options.minutes, options.write)
    )
    text = "How soon runs of others begin beside a burst of one automation."
    queued = commands.add_parser("turns", help=text, description=text)
    queued.add_argument("--runs", type=_positive, default=5_000, help="Of the burst.")
    queued.add_argument("--write", action="store_true", help="Put it into docs/operations.md.")
    queued.set_defaults(
        measure=lambda console, options: turns.main(console, options.runs, options.write)
    )
    text = "What very many runs cost that are kept, and what deletes them again."
    kept = commands.add_parser("growth", help=text, description=text)
    kept.add_argument("--runs", type=_positive, default=300_000)
    kept.set_defaults(measure=lambda console, options: growth.main(console, options.runs))
    return parser


def _terminated(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> int:
    """Measure, print, and stop everything that was started."""
    options = _parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    console = Console(width=None if sys.stdout.isatty() else 110)
    try:
        met = options.measure(console, options)
    except (BenchError, requests.RequestException, OSError) as error:
        console.print(f"The benchmark failed: {error}", style="bold red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
