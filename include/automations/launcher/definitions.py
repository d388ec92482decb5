"""``./automations apply, diff, export``: definitions in files, for people and for CI."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from automations.definitions.files import MAX_AUTOMATIONS, MAX_VALUES, read
from automations.errors import ValidationFailed
from automations.launcher import stack
from automations.launcher.setup import owner_key_file
from automations_client import ApiError, Client, ClientError, Unreachable
from automations_client.shapes import AppliedFile

SAME, DIFFERENT, FAILED = 0, 1, 2
"""Exit codes."""
_MAX_TIMEOUT = 600
"""Seconds: a large file is applied in one transaction."""
_NOTHING = ("", "[]")
"""What is exported of a workspace without automations."""
_DONE = {"create": "created", "update": "changed", "unchanged": "unchanged"}


def apply(options: argparse.Namespace) -> int:
    """Make automations what files say."""
    return _over_files(options, dry_run=options.dry_run, different=SAME)


def diff(options: argparse.Namespace) -> int:
    """Say what ``apply`` would change."""
    return _over_files(options, dry_run=True, different=DIFFERENT)


def export(options: argparse.Namespace) -> int:
    """Write automations as a file."""
    try:
        with client(options.url) as api:
            exported = api.workflows.export(options.ids, options.format)
    except (ClientError, OSError, LookupError) as error:
        return report_failure("export", error, options.url)
    print(exported.text, end="")
    if exported.left_out:
        left_out = ", ".join(exported.left_out)
        print(f"export: left out, since they cannot be read any more: {left_out}", file=sys.stderr)
        return DIFFERENT
    if exported.text.strip() not in _NOTHING:
        _warn(exported.text)
    return SAME


def _warn(text: str) -> None:
    """Say of an export that it cannot be applied whole."""
    try:
        read(text)
    except ValidationFailed:
        print(
            f"export: this is more than one file may hold ({MAX_AUTOMATIONS} automations, "
            f"{MAX_VALUES} keys and values of YAML): name some by their ids, or --format json",
            file=sys.stderr,
        )


def _over_files(options: argparse.Namespace, *, dry_run: bool, different: int) -> int:
    """Every file is tried, also after one that is refused; the worst outcome is the exit code."""
    outcomes = [SAME]
    try:
        with client(options.url) as api:
            for file in options.files:
                outcomes.append(_over_file(api, file, dry_run, different, options.url))
    except (OSError, LookupError) as error:
        return report_failure("the API key", error, options.url)
    return max(outcomes)


def _over_file(api: Client, file: str, dry_run: bool, different: int, url: str | None) -> int:
    text = ""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        result = api.workflows.apply(text, dry_run=dry_run)
    except (ClientError, OSError, UnicodeDecodeError) as error:
        return report_failure(file, error, url, text)
    _print(file, result)
    return different if result["changed"] else SAME


def _print(file: str, result: AppliedFile) -> None:
    for automation in result["automations"]:
        done = _DONE[automation["action"]]
        would = "would be " if result["dryRun"] and automation["action"] != "unchanged" else ""
        named = " ".join(filter(None, (automation["key"], automation["id"])))
        print(f"{file}: {automation['name']} {f'({named}) ' if named else ''}{would}{done}")
        print("".join(f"  {line}" for line in automation["diff"].splitlines(keepends=True)), end="")


def client(url: str | None) -> Client:
    """A client of this home's API, or of the one at an address.

    Raises:
        LookupError: there is no key for it, or the key or the address can be none.
    """
    try:
        return _client(url)
    except ValueError as error:
        raise LookupError(str(error)) from error


def _client(url: str | None) -> Client:
    key = os.environ.get("AUTOMATIONS_API_KEY")
    if url is not None:
        if not key:
            raise LookupError("set AUTOMATIONS_API_KEY to a key of that API")
        return Client(url, key, timeout=_MAX_TIMEOUT)
    settings = stack.open_home()
    if not key and not owner_key_file(settings).exists():
        raise LookupError(f"there is none in {settings.home} yet: ./automations up makes it")
    key = key or owner_key_file(settings).read_text().strip()
    return Client(settings.bridge_base, key, timeout=_MAX_TIMEOUT)


def report_failure(action: str, error: Exception, url: str | None, text: str = "") -> int:
    """Say what went wrong; the exit code of that."""
    if isinstance(error, Unreachable) and url is None:
        reason = f"the API does not answer ({error}); is it up? ./automations up starts it"
    elif isinstance(error, ApiError) and error.field_errors:
        reason = f"refused ({error.status} {error.code})"
    else:
        reason = str(error)
    print(f"{action}: {reason}", file=sys.stderr)
    if isinstance(error, ApiError):
        for path, texts in error.field_errors.items():
            print(f"  {_place(path, text)}: {'; '.join(texts)}", file=sys.stderr)
    return FAILED


def _place(path: str, text: str) -> str:
    """Where in a file a refusal's path leads, as people count: with the names that are there."""
    node: Any = None
    with suppress(ValidationFailed):
        node = read(text)
    words: list[str] = []
    for part in f"automation.{path}".split(".") if isinstance(node, list) else [path]:
        if isinstance(node, list) and words and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
            name = node.get("name") if isinstance(node, dict) else None
            words[-1] += f" {int(part) + 1}{f' ({name})' if isinstance(name, str) else ''}"
        else:
            node = node.get(part) if isinstance(node, dict) else node if not words else None
            words.append(part)
    return ", ".join(words)
