"""Compares an answer with an example of the specification: keys, nesting, types, formats."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from automations.kit.ids import PATTERN

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
DATA = ("variables", "stepOutputs", "retryCount")
"""Objects whose keys are data, not a shape."""
ENUMS = {
    "workflow status": {"DRAFT", "ACTIVE", "PAUSED", "ARCHIVED"},
    "run status": {
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "PAUSED",
        "CANCELLED",
        "WAITING_FOR_CHILD",
    },
    "log status": {"success", "failed", "retrying"},
}

_CASES = Path(__file__).parent / "contract"
_INSTANTS = ("At", "timestamp")


def example(name: str) -> dict[str, Any]:
    """An example of the specification, word for word, with what we add to its answer by path."""
    found: dict[str, Any] = json.loads((_CASES / f"{name}.json").read_text())
    return found


def differences(
    wanted: Any,
    found: Any,
    added: Mapping[str, list[str]] | None = None,
    path: str = "",
) -> list[str]:
    """What is different, by path; nothing when the shapes are the same."""
    return list(_differences(wanted, found, added or {}, path))


def _differences(
    wanted: Any, found: Any, added: Mapping[str, list[str]], path: str
) -> Iterator[str]:
    here = path or "answer"
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            yield f"{here} is no object: {found!r}"
        elif path.rpartition(".")[2] not in DATA:
            yield from _of_object(wanted, found, added, path)
    elif isinstance(wanted, list):
        yield from _of_list(wanted, found, added, path)
    elif wanted is None:
        if not (found is None or isinstance(found, str)):
            yield f"{here} is neither null nor text: {found!r}"
    elif type(found) is not type(wanted):
        yield f"{here} is of another type than {wanted!r}: {found!r}"
    elif isinstance(wanted, str):
        yield from _of_text(wanted, found, path)
    elif isinstance(wanted, int) and found < 0:
        yield f"{here} is negative: {found!r}"


def _of_object(
    wanted: dict[str, Any], found: dict[str, Any], added: Mapping[str, list[str]], path: str
) -> Iterator[str]:
    known = {*wanted, *added.get(path, ())}
    if found.keys() != known:
        yield f"{path or 'answer'}: missing {known - found.keys()}, more {found.keys() - known}"
    for key in wanted.keys() & found.keys():
        yield from _differences(wanted[key], found[key], added, f"{path}.{key}".lstrip("."))


def _of_list(
    wanted: list[Any], found: Any, added: Mapping[str, list[str]], path: str
) -> Iterator[str]:
    if not isinstance(found, list):
        yield f"{path} is no list: {found!r}"
    elif wanted and not found:
        yield f"{path} is empty, so it shows nothing"
    else:
        for item in found if wanted else ():
            yield from _differences(wanted[0], item, added, f"{path}[]")


def _of_text(wanted: str, found: str, path: str) -> Iterator[str]:
    last = path.rpartition(".")[2]
    if wanted == "cm...":
        fits = bool(re.fullmatch(PATTERN, found))
    elif last.endswith(_INSTANTS):
        fits = bool(re.fullmatch(INSTANT, found))
    elif last == "status":
        fits = any(wanted in enum and found in enum for enum in ENUMS.values())
    else:
        fits = bool(found)
    if not fits:
        yield f"{path} is not like {wanted!r}: {found!r}"
