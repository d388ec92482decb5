"""Finds the step types: every module of this package that defines one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from automations import steps
from automations.steps.base import StepType

_INFRASTRUCTURE = {"base", "failures", "outcomes", "registry"}


def _discover() -> Mapping[str, StepType[Any]]:
    step_types: dict[str, StepType[Any]] = {}
    for info in pkgutil.iter_modules(steps.__path__):
        if info.name in _INFRASTRUCTURE:
            continue
        module = importlib.import_module(f"{steps.__name__}.{info.name}")
        types = [
            member
            for member in vars(module).values()
            if isinstance(member, type)
            and issubclass(member, StepType)
            and member.__module__ == module.__name__
        ]
        if len(types) != 1 or types[0].type != info.name:
            raise TypeError(f"{module.__name__} must define exactly the step type '{info.name}'")
        step_types[info.name] = types[0]()
    return MappingProxyType(dict(sorted(step_types.items())))


STEP_TYPES: Mapping[str, StepType[Any]] = _discover()
"""Every step type by name."""
