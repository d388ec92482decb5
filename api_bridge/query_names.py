"""Refuses query parameters that a route does not know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from starlette.datastructures import QueryParams

from automations.errors import ValidationFailed

_WHOLE = re.compile(r"[+-]?[0-9]+")


class QueryNames:
    """What a route knows of parameters: any other one, and a second one, is refused.

    Args:
        declared: FastAPI's fields for the route's parameters.
    """

    def __init__(self, declared: Iterable[Any]) -> None:
        self._once: set[str] = set()
        self._often: set[str] = set()
        self._numbers: set[str] = set()
        for field in declared:
            annotation = field.field_info.annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                for name, info in annotation.model_fields.items():
                    self._add(info.alias or name, info.annotation)
            else:
                self._add(field.alias, annotation)

    def _add(self, name: str, annotation: Any) -> None:
        kinds = (annotation, *get_args(annotation))
        several = any(get_origin(kind) is list for kind in kinds)
        (self._often if several else self._once).add(name)
        if int in kinds:
            self._numbers.add(name)

    def check(self, parameters: QueryParams) -> None:
        """Raise ValidationFailed for parameters that would be passed over in silence."""
        if not parameters:
            return
        counts = Counter(name for name, _ in parameters.multi_items())
        names = sorted(self._once | self._often)
        there_are = f"there are {', '.join(names)}" if names else "there are none"
        problems = {
            name: [f"unknown parameter; {there_are}"] for name in counts if name not in names
        }
        problems |= {
            name: ["comes twice: send it once"]
            for name, count in counts.items()
            if count > 1 and name in self._once
        }
        # Python's own way of writing them, 1_000, is nobody's who writes an address.
        problems |= {
            name: ["must be a whole number"]
            for name, value in parameters.multi_items()
            if name in self._numbers
            and name not in problems
            and not _WHOLE.fullmatch(value.strip())
        }
        if problems:
            raise ValidationFailed(problems)
