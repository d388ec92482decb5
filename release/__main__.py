"""``./automations release``: make a version of what is committed, or tell what it is made of."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from release.advisories import ask
from release.licences import licences
from release.lock import locked
from release.releasing import make, publish, see_committed
from release.sbom import sbom
from release.version import ReleaseError, version

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.txt"
WHOLE_LOCK = ROOT / "requirements-distributed.txt"
"""With what the profile of that name has installed."""


def main(argv: Sequence[str]) -> int:
    """Do what is asked; 1 when it cannot be done, or a package may not be used."""
    options = _parser().parse_args(argv)
    try:
        if options.licences:
            return _licences()
        if options.advisories:
            return ask(WHOLE_LOCK)
        if options.sbom:
            options.sbom.write_text(sbom(LOCK, version(ROOT)))
            return 0
        return _release(options)
    except ReleaseError as error:
        print(f"automations release: {error}", file=sys.stderr)
        return 1


def _release(options: argparse.Namespace) -> int:
    into = options.into or ROOT / "dist" / options.version
    if not options.dry_run:
        see_committed(ROOT)
    paths = make(options.version, options.day, ROOT, into)
    for path in paths:
        print(path)
    if options.dry_run:
        print("Built twice, the same both times. Nothing was written elsewhere.")
        return 0
    publish(options.version, options.day, ROOT)
    print(f"Committed and marked as v{options.version}: git push --follow-tags")
    return 0


def _licences() -> int:
    packages = licences(locked(WHOLE_LOCK))
    for package in packages:
        mark = "" if package.is_allowed else "  NOT ALLOWED"
        print(f"{package.package}=={package.version}: {package.expression or 'unknown'}{mark}")
    return 0 if all(licence.is_allowed for licence in packages) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="automations release", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", metavar="X.Y.Z", help="The version to make.")
    what.add_argument("--sbom", type=Path, metavar="FILE", help="Write the bill of materials.")
    what.add_argument(
        "--licences",
        action="store_true",
        help="Print the locked packages' licences and judge them.",
    )
    what.add_argument(
        "--advisories", action="store_true", help="Ask what is known against the locked packages."
    )
    parser.add_argument("--dry-run", action="store_true", help="Build it; commit and mark nothing.")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="Where to; dist/X.Y.Z.")
    parser.add_argument(
        "--day", type=date.fromisoformat, default=datetime.now(UTC).date(), help="Its day; today."
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
