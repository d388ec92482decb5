"""The parser of ``./automations``, which needs nothing that is installed."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from automations.kit.ages import parse_age

ROLES = ("OWNER", "ADMIN", "MEMBER", "VIEWER")
DEMOS = ("dependabot",)
PROFILES = ("single", "distributed")
FORWARDED = {
    "test": "Run the checks and the tests; arguments go to pytest; chaos: all that may go wrong.",
    "bench": "Measure; see ./automations bench --help.",
    "release": "For developers: a release's parts, licences and files; see its --help.",
}
"""Everything after these words belongs to another program."""
Add = Callable[[str, str], argparse.ArgumentParser]


def parser() -> argparse.ArgumentParser:
    """The parser of a checkout's commands; what it finds has the command's name as ``command``."""
    whole, add = _empty()
    up = add("up", "Start everything.")
    up.add_argument("--detach", action="store_true", help="Return when everything works.")
    up.add_argument(
        "--profile",
        choices=PROFILES,
        help="distributed: what several machines would have, with Celery's workers; "
        "AUTOMATIONS_PROFILE.",
    )
    add("down", "Stop everything.")
    status = add("status", "Say what works; exit 1 unless everything does.")
    status.add_argument("--json", action="store_true", help="Print JSON.")
    logs = add("logs", "Print the logs.")
    logs.add_argument("part", nargs="?", help="One part only.")
    logs.add_argument("-f", "--follow", action="store_true", help="Go on printing.")
    add("migrate", "Bring both databases to the newest revision.")
    _add_everywhere(add)
    saved = add("backup", "Save both databases and the secrets to a file.")
    saved.add_argument("file", type=Path)
    restored = add("restore", "Restore a backup into this home.")
    restored.add_argument("file", type=Path)
    restored.add_argument("--force", action="store_true", help="Replace what is there.")
    shown = add("demo", "Show the product at work, brought up if it is down.")
    shown.add_argument(
        "name", nargs="?", choices=DEMOS, help="dependabot: rows of tables, synced from elsewhere."
    )
    add("docs", "For developers: write the generated pages of docs anew.")
    for name, text in FORWARDED.items():
        add(name, text)
    return whole


def installed_parser() -> argparse.ArgumentParser:
    """The parser of what is installed in an Airflow that others bring up."""
    whole, add = _empty()
    migrated = add(
        "migrate", "Bring our database to the newest revision, and make the first API key."
    )
    migrated.add_argument(
        "--without-key", action="store_true", help="No key: for a home that is not kept."
    )
    _add_everywhere(add)
    add("leave", "Take from Airflow's database, while Airflow is down, what is of automations.")
    return whole


def _empty() -> tuple[argparse.ArgumentParser, Add]:
    root = argparse.ArgumentParser(prog="automations", description="Airflow Automations.")
    commands = root.add_subparsers(metavar="command", required=True, dest="command")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    return root, add


def _add_everywhere(add: Add) -> None:
    """Add what is done in a checkout and in an Airflow alike."""
    key = add("key", "Print a new API key, for the default workspace or another one.")
    key.add_argument(
        "--workspace",
        type=_slug,
        metavar="SLUG",
        help="A workspace of its own, such as sales; made when there is none of that name.",
    )
    key.add_argument("--role", choices=ROLES, default="OWNER")
    key.add_argument("--name", type=_name, default="command line")
    invited = add(
        "invite", "Print a link by which somebody sets a password for the console, once, in 3 days."
    )
    invited.add_argument("email", help="Whom: made a member when there is none of that address.")
    invited.add_argument("--role", choices=ROLES, default="OWNER", help="Of a new member.")
    invited.add_argument("--workspace", type=_slug, metavar="SLUG", help="Instead of the default.")
    add("verify-evidence", "Recompute the chains of evidence; exit 1 on a break.")
    prune = add("prune", "Delete runs that ended long ago, with all that is only theirs.")
    prune.add_argument(
        "--older-than", type=_age, metavar="AGE", help="48h, 90d or 12w; AUTOMATIONS_RETENTION."
    )
    prune.add_argument("--dry-run", action="store_true", help="Only say what would be deleted.")
    prune.add_argument("--audit", action="store_true", help="The audit and security logs, too.")
    prune.add_argument(
        "--submissions", action="store_true", help="Submissions of forms with their files, too."
    )
    prune.add_argument(
        "--documents", action="store_true", help="Documents of runs that are gone, too."
    )
    prune.add_argument("--keep-dag-runs", action="store_true", help="Leave Airflow's alone.")
    applied = add(
        "apply",
        "Make automations what files say, all of a file or nothing; exit 2 when one is refused.",
    )
    applied.add_argument("--dry-run", action="store_true", help="Only say what would change.")
    compared = add("diff", "Compare files with what is there: exit 0 when the same, 1 when not.")
    for command in (applied, compared):
        command.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON; - for stdin.")
    written = add("export", "Write automations as a file of definitions, all or some.")
    written.add_argument("ids", nargs="*", metavar="ID")
    written.add_argument("--format", choices=("yaml", "json"), default="yaml")
    started = add("run", "Start an automation by hand, and show what its steps do.")
    started.add_argument("automation", help="Its id, its key, or its name if no other has it.")
    started.add_argument("--input", metavar="JSON", default="{}", help="An object: its input.")
    started.add_argument(
        "--timeout", type=_seconds, default=60, metavar="SECONDS", help="How long to look on; 60."
    )
    for command in (applied, compared, written, started):
        command.add_argument(
            "--url", help="Another API than this home's; AUTOMATIONS_API_KEY is its key."
        )


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        raise argparse.ArgumentTypeError("must be lower-case letters, digits and hyphens")
    return text


def _name(text: str) -> str:
    """As ``kit.titles`` has it, which needs what is not installed yet."""
    if not 1 <= len(text.strip()) <= 200:
        raise argparse.ArgumentTypeError("must have 1 to 200 characters")
    return text.strip()


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise argparse.ArgumentTypeError("must be a number of seconds, such as 5 or 0.5")
    return float(text)


def _age(text: str) -> timedelta:
    try:
        return parse_age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    parser().parse_args(sys.argv[1:])
