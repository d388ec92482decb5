"""Escapes texts and data of people for the Markdown of Airflow's pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from automations.kit.values import JSON

_MAX_ROWS, _MAX_COLUMNS, _MAX_CHARACTERS = 60, 8, 2_000


def plain(text: str | None) -> str:
    """A text in a line of its own and without marks of Markdown's."""
    words = " ".join((text or "").split())
    return "".join(f"\\{mark}" if mark in "\\`*_[]<>#|" else mark for mark in words)


def data(value: JSON) -> str:
    """Data as tables, where it is not too much or too deep for that; else as JSON."""
    if isinstance(value, Mapping) and 0 < len(value) <= _MAX_ROWS:
        lists = {key: item for key, item in value.items() if _columns(item)}
        rest = {key: item for key, item in value.items() if key not in lists}
        parts = [f"**{plain(key)}**\n\n{_records(rows)}" for key, rows in lists.items()]
        if rest:
            facts = [(f"**{plain(key)}**", cell(item)) for key, item in rest.items()]
            parts.insert(0, _table(("", ""), facts))
        return "\n\n".join(parts)
    return _records(value) if _columns(value) else code_block(value)


def cell(value: JSON) -> str:
    """A value in a table."""
    match value:
        case None:
            return "–"
        case bool():
            return "Yes" if value else "No"
        case str():
            return plain(value[:_MAX_CHARACTERS])
        case int() | float():
            return str(value)
        case list() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(cell(item) for item in value[:_MAX_ROWS])
    return plain(json.dumps(value, ensure_ascii=False)[:_MAX_CHARACTERS])


def code_block(value: JSON) -> str:
    """A value as JSON, which cannot leave its fence."""
    text, fence = json.dumps(value, indent=2, ensure_ascii=False), "```"
    while fence in text:
        fence += "`"
    return f"{fence}json\n{text}\n{fence}"


def _columns(value: JSON) -> list[str]:
    """The keys of records that are alike; none of anything else."""
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_ROWS:
        return []
    names: dict[str, None] = {}
    for item in value:
        if not isinstance(item, Mapping):
            return []
        names |= dict.fromkeys(item)
        if len(names) > _MAX_COLUMNS:
            return []
    return list(names)


def _records(rows: JSON) -> str:
    columns = _columns(rows)
    records = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return _table(
        [plain(key) for key in columns],
        [[cell(record[key]) if key in record else "" for key in columns] for record in records],
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
