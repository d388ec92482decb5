"""Converts what tasks have returned to JSON that a step can use.

Airflow keeps what JSON has no kind for, such as the rows of a query, under the name of its class:
``{"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, 2]}``, and its API gives
just that. Its own readers need the classes, which only a worker has.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from automations.kit.values import JSON

_CLASS, _VERSION, _DATA = "__classname__", "__version__", "__data__"


def plain(value: Any) -> JSON:
    """A value without names of classes: tuples and sets are lists, moments ISO 8601.

    Of everything else it is what Airflow keeps of it: a duration's seconds, a decimal's number, the
    fields of a data class.
    """
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value  # of JSON nothing else is left
    if _CLASS not in value or _DATA not in value or _VERSION not in value:
        return {key: plain(item) for key, item in value.items()}
    data = plain(value[_DATA])
    if isinstance(data, dict) and data.keys() == {"timestamp", "tz"}:
        return _timestamp(data)
    return data


def _timestamp(stored: Mapping[str, Any]) -> JSON:
    """A date with a time as it was; one without a zone is of the zone that this process has."""
    try:
        zone = _zone(stored["tz"])
        return datetime.fromtimestamp(float(stored["timestamp"]), zone).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):  # none that Airflow makes
        return dict(stored)


def _zone(stored: Any) -> tzinfo | None:
    if stored is None:
        return None
    name = stored[0] if isinstance(stored, list) and stored else stored
    if isinstance(name, int):
        return timezone(timedelta(seconds=name))
    with suppress(KeyError, ValueError):
        return ZoneInfo(str(name))
    return UTC
