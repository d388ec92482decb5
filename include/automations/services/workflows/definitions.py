"""Loads stored definitions; versions never change, so each process caches those it has used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from automations.db.session import Session
from automations.db.workflows import versions
from automations.definitions.field_errors import field_errors
from automations.definitions.model import DEFINITION, Definition
from automations.definitions.plan import Plan
from automations.errors import NotFound, Unreadable

_MAX_KEPT = 256
"""Versions; a large one takes some megabytes of memory."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One version of an automation, with its plan."""

    workflow_id: str
    version: int
    definition: Definition
    plan: Plan


class _VersionCache:
    """A cache of the versions that were used last; thread-safe."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[tuple[str, int], Loaded] = OrderedDict()
        # Otherwise one thread could evict what another one has just found.
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int]) -> Loaded | None:
        with self._lock:
            cached = self._loaded.get(key)
            if cached is not None:
                self._loaded.move_to_end(key)
            return cached

    def put(self, key: tuple[str, int], loaded: Loaded) -> None:
        with self._lock:
            self._loaded[key] = loaded
            self._loaded.move_to_end(key)
            while len(self._loaded) > _MAX_KEPT:
                self._loaded.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._loaded.clear()


_kept = _VersionCache()


def read(session: Session, workflow_id: str, version: int) -> Definition:
    """A version's definition, not cached, since the version may never be committed.

    Raises:
        Unreadable: this release does not accept it any more.
    """
    stored = versions.definition(session, workflow_id, version)
    if stored is None:
        raise NotFound(f"Automation {workflow_id} has no version {version}.")
    return parse(stored, f"automation {workflow_id}, version {version},")


def parse(stored: Mapping[str, Any], resource: str) -> Definition:
    """Parse a stored definition.

    Args:
        resource: whose it is, for the error.

    Raises:
        Unreadable: this release does not accept it any more.
    """
    try:
        return DEFINITION.validate_python(stored)
    except ValidationError as error:
        place, problems = next(iter(field_errors(error, stored).items()))
        raise Unreadable(resource, f"{place}: {problems[0]}") from error


def load(session: Session, workflow_id: str, version: int) -> Loaded:
    """A committed version's definition and plan."""
    key = (workflow_id, version)
    cached = _kept.get(key)
    if cached is not None:
        return cached
    definition = read(session, workflow_id, version)
    loaded = Loaded(workflow_id, version, definition, Plan(definition.steps))
    _kept.put(key, loaded)
    return loaded


def forget() -> None:
    """Clear the cache, as in a new process."""
    _kept.clear()
