"""Query strings and web forms as JSON: values by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote_plus, urlsplit

from automations.kit.values import JSON


def pairs_of(values: Mapping[str, JSON]) -> list[tuple[str, str]]:
    """Names and values to send: a list has its name once for each item, null is empty."""
    return [
        (name, _to_text(item))
        for name, value in values.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def names_in(url: str) -> set[str]:
    """The names that an address's query has."""
    return {_name(part) for part in _parts(url)}


def remove_parameter(url: str, name: str) -> str:
    """An address without a parameter, the others as they were written."""
    remaining = [part for part in _parts(url) if _name(part) != name]
    return urlsplit(url)._replace(query="&".join(remaining)).geturl()


def _parts(url: str) -> list[str]:
    query = urlsplit(url).query
    return query.split("&") if query else []


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0])


def _to_text(value: JSON) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
