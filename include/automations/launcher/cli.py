"""The commands of ``./automations``, and of ``automations`` where it is installed."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NoReturn

import psycopg2
from rich.console import Console
from sqlalchemy.exc import OperationalError

from automations.errors import SettingsFault
from automations.launcher import definitions, runs, stack
from automations.launcher.airflow_config import parts_environment
from automations.launcher.archive import BackupError
from automations.launcher.checks import run_checks
from automations.launcher.child import UMASK
from automations.launcher.commands import installed_parser, parser
from automations.launcher.logs import follow, show
from automations.launcher.part import Part
from automations.launcher.parts import all_parts
from automations.launcher.postgres import PostgresError
from automations.launcher.probes import works
from automations.launcher.run_state import NAME_WIDTH
from automations.launcher.setup import (
    SetupError,
    create_key,
    ensure_owner_key,
    invite,
    migrate,
    owner_key_file,
    set_up,
)
from automations.launcher.status import report
from automations.settings import IS_CHECKOUT, ROOT


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = _run(list(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough, such as head. What is left would be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except _FAULTS as error:
        # For people, who have no use for a traceback; what is no fault of theirs still has one.
        cause = error.orig if isinstance(error, OperationalError) else error
        print(f"automations: {str(cause).strip()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _run(arguments: list[str]) -> int:
    if not IS_CHECKOUT:
        options = installed_parser().parse_args(arguments)
        return (_RUN | _INSTALLED)[options.command](options)
    if arguments and arguments[0] in _FORWARDED:
        return _FORWARDED[arguments[0]](arguments[1:])
    options = parser().parse_args(arguments)
    return _RUN[options.command](options)


def command() -> int:
    """The installed program."""
    return main(sys.argv[1:])


def _up(options: argparse.Namespace) -> int:
    if options.profile:
        # Through the environment, so that it holds in the processes that this starts, too.
        os.environ["AUTOMATIONS_PROFILE"] = options.profile
    settings = stack.open_home()
    if options.profile not in (None, settings.profile):
        raise SettingsFault(
            [f"this home is up with the profile {settings.profile}: first take it down"]
        )
    return stack.up(settings, Console(), options.detach)


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
    parts = {part.name: part for part in all_parts(stack.open_home())}
    if name not in parts:
        raise SetupError(f"There is no part {name} here; there are {', '.join(parts)}.")
    return parts[name]


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
            console.print(f"{name:<{NAME_WIDTH}} [{colour}]{state}[/]", highlight=False)
        for name in ("bridge", "airflow", "mail"):
            if answer[name] is not None:
                # Whole on one line, however narrow the window: it is copied.
                console.print(f"{name:<7} {answer[name]}", highlight=False, soft_wrap=True)
        if answer["database"] is not None:
            console.print(f"[red]{answer['database']}[/]", highlight=False, soft_wrap=True)
        held_up = answer["heldUp"]
        for kind, number in held_up.items() if isinstance(held_up, dict) else ():
            if number:
                text = f"{number} of the automations stand still: their DAGs are {kind} in Airflow"
                console.print(f"[yellow]{text}[/]", highlight=False, soft_wrap=True)
    is_healthy = answer["database"] is None and all(state == "healthy" for state in parts.values())
    return 0 if is_healthy else 1


def _logs(options: argparse.Namespace) -> int:
    folder = stack.open_home().home / "logs"
    return follow(folder, options.part) if options.follow else show(folder, options.part)


def _migrate(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    with stack.database(settings):
        migrate(settings, force=True)
    return 0


def _migrate_installed(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    os.umask(UMASK)
    migrate(settings, force=True)
    print("Our database has the newest revision.")
    if not options.without_key:
        ensure_owner_key(settings)
        print(f"An API key of the role OWNER: {owner_key_file(settings)}")
    print(f"Keys that Airflow's parts and the bridge share: {settings.home / 'secrets.json'}")
    return 0


def _leave(options: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "automations_airflow.removal"]
    return subprocess.run(command).returncode


def _invite(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    with stack.database(settings):
        migrate(settings)
        token = invite(options.email, options.role, options.workspace)
        print(f"{settings.bridge_base}/console/invitation/{token}")
    return 0


def _key(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    with stack.database(settings):
        migrate(settings)
        print(create_key(options.role, options.name, options.workspace))
    return 0


def _verify_evidence(options: argparse.Namespace) -> int:
    from automations.launcher.evidence import verify_evidence

    settings = stack.open_home()
    with stack.database(settings):
        migrate(settings)
        return verify_evidence()


def _prune(options: argparse.Namespace) -> int:
    settings = stack.open_home()
    age = options.older_than or settings.retention
    if age is None:
        print("Say how old: --older-than 90d, or set AUTOMATIONS_RETENTION.", file=sys.stderr)
        return 2
    chosen = [
        f"--{name}"
        for name in ("dry-run", "audit", "submissions", "documents", "keep-dag-runs")
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
    with stack.database(settings):
        backup(settings, options.file)
    size = options.file.stat().st_size
    print(f"{options.file}: {size:,} bytes. It holds the secrets: keep it like a password.")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from automations.launcher.restore import restore

    manifest = restore(options.file, force=options.force)
    print(f"Restored the backup of {manifest.made_at}. Now: ./automations up")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from automations.launcher.demos import show

    return show(options.name)


def _docs(options: argparse.Namespace) -> int:
    """Write the reference pages again, from the code that they describe."""
    from automations.definitions.reference_docs import steps_page, triggers_page
    from automations.launcher.settings_page import settings_page

    folder = ROOT / "docs"
    (folder / "steps.md").write_text(steps_page())
    (folder / "triggers.md").write_text(triggers_page())
    (folder / "settings.md").write_text(settings_page())
    command = [sys.executable, "-m", "api_bridge.write_openapi", str(folder / "openapi.json")]
    return subprocess.run(command, env=parts_environment(stack.open_home())).returncode


def _bench(arguments: list[str]) -> int:
    _become("tests.bench", arguments)


def _release(arguments: list[str]) -> int:
    _become("release", arguments)


def _become(module: str, arguments: list[str]) -> NoReturn:
    command = [sys.executable, "-m", module, *arguments]
    os.execv(command[0], command)


_FORWARDED: dict[str, Callable[[list[str]], int]] = {
    "test": run_checks,
    "bench": _bench,
    "release": _release,
    # For the launcher's own use.
    "_supervise": _supervise,
    "_setup": _setup,
    "_part": _part,
    "_probe": _probe,
}
_RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "migrate": _migrate,
    "key": _key,
    "invite": _invite,
    "verify-evidence": _verify_evidence,
    "prune": _prune,
    "backup": _backup,
    "restore": _restore,
    "apply": definitions.apply,
    "diff": definitions.diff,
    "export": definitions.export,
    "run": runs.run,
    "demo": _demo,
    "docs": _docs,
}
_INSTALLED: dict[str, Callable[[argparse.Namespace], int]] = {
    "migrate": _migrate_installed,
    "leave": _leave,
}
_FAULTS = (
    SettingsFault,
    SetupError,
    BackupError,
    PostgresError,
    psycopg2.OperationalError,
    OperationalError,
)
