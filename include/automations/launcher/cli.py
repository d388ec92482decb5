"""The commands of ``./automations``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
from rich.console import Console

from automations.kit.ages import parse_age
from automations.launcher import definitions, stack
from automations.launcher.airflow_config import parts_environment
from automations.launcher.archive import BackupError
from automations.launcher.checks import run_checks
from automations.launcher.logs import follow, show
from automations.launcher.parts import Part, all_parts
from automations.launcher.postgres import PostgresError
from automations.launcher.probes import works
from automations.launcher.setup import create_key, migrate, set_up
from automations.launcher.status import report
from automations.launcher.supervisor import UMASK
from automations.settings import ROOT

ROLES = ("OWNER", "ADMIN", "MEMBER", "VIEWER")


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    arguments = list(argv)
    # Everything after these words belongs to another program.
    if arguments and arguments[0] in FORWARDED:
        return FORWARDED[arguments[0]](arguments[1:])
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="automations", description="Airflow Automations.")
    commands = parser.add_subparsers(metavar="command", required=True)

    def add(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    up = add("up", _up, "Start everything.")
    up.add_argument("--detach", action="store_true", help="Return when everything works.")
    add("down", _down, "Stop everything.")
    status = add("status", _status, "Say what works; exit 1 unless everything does.")
    status.add_argument("--json", action="store_true", help="Print JSON.")
    logs = add("logs", _logs, "Print the logs.")
    logs.add_argument("part", nargs="?", help="One part only.")
    logs.add_argument("-f", "--follow", action="store_true", help="Go on printing.")
    add("migrate", _migrate, "Bring both databases to the newest revision.")
    key = add("key", _key, "Print a new API key for the default workspace.")
    key.add_argument("--role", choices=ROLES, default="OWNER")
    key.add_argument("--name", default="command line")
    add("verify-evidence", _verify_evidence, "Recompute the chains of evidence; exit 1 on a break.")
    prune = add("prune", _prune, "Delete runs that ended long ago, with all that is only theirs.")
    prune.add_argument(
        "--older-than", type=_age, metavar="AGE", help="48h, 90d or 12w; AUTOMATIONS_RETENTION."
    )
    prune.add_argument("--dry-run", action="store_true", help="Only say what would be deleted.")
    prune.add_argument("--audit", action="store_true", help="The audit and security logs, too.")
    prune.add_argument("--keep-dag-runs", action="store_true", help="Leave Airflow's alone.")
    saved = add("backup", _backup, "Save both databases and the secrets to a file.")
    saved.add_argument("file", type=Path)
    restored = add("restore", _restore, "Restore a backup into this home.")
    restored.add_argument("file", type=Path)
    restored.add_argument("--force", action="store_true", help="Replace what is there.")
    definitions.add_commands(add)
    add("docs", _docs, "Write docs/steps.md, triggers.md and openapi.json anew.")
    for name, text in (
        ("demo", "Show the product at work."),
        ("test", "Run the checks and the tests; arguments go to pytest."),
        ("bench", "Measure; see ./automations bench --help."),
    ):
        commands.add_parser(name, help=text)
    return parser


def _up(options: argparse.Namespace) -> int:
    return stack.up(stack.open_home(), Console(), options.detach)


def _down(options: argparse.Namespace) -> int:
    return stack.down(stack.open_home(), Console())


def _supervise(arguments: list[str]) -> int:
    return stack.supervise(stack.open_home(), lambda state: None)


def _setup(arguments: list[str]) -> int:
    os.umask(UMASK)
    set_up(stack.open_home())
    return 0


def _part(arguments: list[str]) -> int:
    """Become one part, where something else supervises: a container."""
    part = _find_part(arguments[0])
    command = part.command()
    os.umask(UMASK)
    os.execvpe(command[0], command, part.environment)


def _probe(arguments: list[str]) -> int:
    """Ask one part, where something else supervises."""
    part = _find_part(arguments[0])
    return 0 if part.probe is not None and works(part.probe) else 1


def _find_part(name: str) -> Part:
    return next(part for part in all_parts(stack.open_home()) if part.name == name)


def _status(options: argparse.Namespace) -> int:
    answer = report(stack.open_home())
    parts = answer["parts"]
    assert isinstance(parts, dict)
    if options.json:
        print(json.dumps(answer, indent=2))
    else:
        console = Console()
        for name, state in parts.items():
            colour = {"healthy": "green", "starting": "yellow"}.get(state, "red")
            console.print(f"{name:<14} [{colour}]{state}[/]", highlight=False)
        for name in ("bridge", "airflow", "mail"):
            if answer[name] is not None:
                # Whole on one line, however narrow the window: it is copied.
                console.print(f"{name:<7} {answer[name]}", highlight=False, soft_wrap=True)
    return 0 if all(state == "healthy" for state in parts.values()) else 1


def _logs(options: argparse.Namespace) -> int:
    folder = stack.open_home().home / "logs"
    return follow(folder, options.part) if options.follow else show(folder, options.part)


def _migrate(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    with stack.database(settings):
        migrate(settings, force=True)
    return 0


def _key(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    with stack.database(settings):
        migrate(settings)
        print(create_key(options.role, options.name))
    return 0


def _verify_evidence(options: argparse.Namespace) -> int:
    from automations.launcher.evidence import verify_evidence

    settings = stack.open_home()
    with stack.database(settings):
        migrate(settings)
        return verify_evidence()


def _age(text: str) -> timedelta:
    try:
        return parse_age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _prune(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    age = options.older_than or settings.retention
    if age is None:
        print("Say how old: --older-than 90d, or set AUTOMATIONS_RETENTION.", file=sys.stderr)
        return 2
    chosen = [
        f"--{name}"
        for name in ("dry-run", "audit", "keep-dag-runs")
        if getattr(options, name.replace("-", "_"))
    ]
    before = (datetime.now(UTC) - age).isoformat()
    with stack.database(settings):
        migrate(settings)
        command = [sys.executable, "-m", "api_bridge.prune", "--before", before, *chosen]
        return subprocess.run(command, env=parts_environment(settings)).returncode


def _backup(options: argparse.Namespace) -> int:
    from automations.launcher.backup import backup

    settings = stack.open_home()
    try:
        with stack.database(settings):
            backup(settings, options.file)
    except (BackupError, PostgresError, psycopg2.OperationalError) as error:
        print(error, file=sys.stderr)
        return 1
    size = options.file.stat().st_size
    print(f"{options.file}: {size:,} bytes. It holds the secrets: keep it like a password.")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from automations.launcher.restore import restore

    try:
        manifest = restore(options.file, force=options.force)
    except (BackupError, PostgresError, psycopg2.OperationalError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Restored the backup of {manifest.made_at}. Now: ./automations up")
    return 0


def _demo(arguments: list[str]) -> int:
    from automations.launcher.demos import main as demo

    return demo(arguments)


def _docs(options: argparse.Namespace) -> int:
    """Write the reference pages anew, from the code that they describe."""
    from automations.definitions.reference_docs import steps_page, triggers_page

    folder = ROOT / "docs"
    (folder / "steps.md").write_text(steps_page())
    (folder / "triggers.md").write_text(triggers_page())
    command = [sys.executable, "-m", "api_bridge.write_openapi", str(folder / "openapi.json")]
    return subprocess.run(command, env=parts_environment(stack.open_home())).returncode


def _bench(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    os.execv(command[0], command)


FORWARDED: dict[str, Callable[[list[str]], int]] = {
    "demo": _demo,
    "test": run_checks,
    "bench": _bench,
    # For the launcher's own use.
    "_supervise": _supervise,
    "_setup": _setup,
    "_part": _part,
    "_probe": _probe,
}
