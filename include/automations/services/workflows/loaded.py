"""Loads stored definitions; a version never changes, so a process keeps the ones it used."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from automations.db import versions
from automations.db.session import Session
from automations.definitions.model import DEFINITION, Definition
from automations.definitions.plan import Plan
from automations.errors import NotFound

_KEPT = 256
_cache: OrderedDict[tuple[str, int], Loaded] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Loaded:
    """One version of an automation, laid out."""

    workflow_id: str
    version: int
    definition: Definition
    plan: Plan


def read(session: Session, workflow_id: str, version: int) -> Definition:
    """A version's definition, also of one that may never be committed, so it is not kept."""
    stored = versions.definition(session, workflow_id, version)
    if stored is None:
        raise NotFound(f"Automation {workflow_id} has no version {version}.")
    return DEFINITION.validate_python(stored)


def load(session: Session, workflow_id: str, version: int) -> Loaded:
    """A committed version's definition and plan."""
    key = (workflow_id, version)
    if key in _cache:
        return _cache[key]
    definition = read(session, workflow_id, version)
    loaded = _cache[key] = Loaded(workflow_id, version, definition, Plan(definition.steps))
    while len(_cache) > _KEPT:
        _cache.popitem(last=False)
    return loaded
