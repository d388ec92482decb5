"""The gallery: ready automations, each with the tables, forms, boards and letters that it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from automations.db import locks
from automations.definitions import files
from automations.domain.forms.schema import FormSchema
from automations.domain.matters import Board
from automations.domain.principals import Principal
from automations.domain.tables.columns import TableShape
from automations.domain.workflows import WorkflowDetail
from automations.errors import NotFound
from automations.ports import DocumentRenderer, Ports
from automations.services.documents import templates as letters
from automations.services.forms import forms
from automations.services.matters import templates as boards
from automations.services.tables import tables
from automations.services.workflows import workflows

_FOLDER = Path(__file__).parent / "entries"
_REFERENCE = re.compile(r"@(tables|forms|boards|letters)\.([a-z]+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the gallery.

    Args:
        slug: what it is known by.
        needs: the names of what is made with it, where it is not there yet.
        source: the whole file.
    """

    slug: str
    category: str
    name: str
    about: str
    definition: Mapping[str, Any]
    needs: Sequence[str]
    source: Mapping[str, Any]


@lru_cache(maxsize=1)
def entries() -> Sequence[Entry]:
    """All of them, by category and name."""
    all_entries = [_read(path) for path in _FOLDER.glob("*.yaml")]
    return sorted(all_entries, key=lambda listed: (listed.category, listed.name))


def entry(slug: str) -> Entry:
    """One of them.

    Raises:
        NotFound: there is none of this name.
    """
    for candidate in entries():
        if candidate.slug == slug:
            return candidate
    raise NotFound(f"The gallery has no {slug[:100]}.")


def use(by: Principal, slug: str, ports: Ports, renderer: DocumentRenderer) -> WorkflowDetail:
    """Make a draft of one, with what it needs: of that, what is there by its name is taken.

    Raises:
        NotFound: there is none of this name.
    """
    chosen = entry(slug)
    resources: dict[str, str] = {}
    # One at a time: two would both find that something is not there yet.
    with locks.exclusive(f"gallery {by.workspace_id}"):
        for kind, make in _MAKERS.items():
            for name, shape in chosen.source.get(kind, {}).items():
                resources[f"@{kind}.{name}"] = make(by.workspace_id, shape, renderer)
    definition = {**_fill(chosen.definition, resources), "status": "DRAFT"}
    return workflows.create(by, definition, ports)


def _read(path: Path) -> Entry:
    (source,) = files.read(path.read_text())
    definition = source["automation"]
    kinds = ("tables", "forms", "boards", "letters")
    needs = [
        str(resource.get("name") or resource.get("title"))
        for kind in kinds
        for resource in source.get(kind, {}).values()
    ]
    return Entry(
        slug=path.stem,
        category=source["category"],
        name=definition["name"],
        about=definition["description"],
        definition=definition,
        needs=list(dict.fromkeys(needs)),
        source=source,
    )


def _fill(value: Any, resources: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return resources[value] if _REFERENCE.fullmatch(value) else value
    if isinstance(value, list):
        return [_fill(item, resources) for item in value]
    if isinstance(value, dict):
        return {key: _fill(item, resources) for key, item in value.items()}
    return value


def _table(workspace_id: str, source: Mapping[str, Any], renderer: DocumentRenderer) -> str:
    shape = TableShape.model_validate(source)
    for table in tables.list_all(workspace_id):
        if table.name == shape.name:
            return table.id
    return tables.create(workspace_id, shape).id


def _form(workspace_id: str, source: Mapping[str, Any], renderer: DocumentRenderer) -> str:
    for existing in forms.list_all(workspace_id):
        if existing.title == source["title"]:
            return existing.id
    form = FormSchema.model_validate(source["schema"])
    about = str(source.get("description", ""))
    return forms.create(workspace_id, title=source["title"], description=about, form=form).id


def _board(workspace_id: str, source: Mapping[str, Any], renderer: DocumentRenderer) -> str:
    board = Board.model_validate(source)
    for existing in boards.list_all(workspace_id):
        if existing.name == board.name:
            return existing.id
    return boards.create(workspace_id, board).id


def _letter(workspace_id: str, source: Mapping[str, Any], renderer: DocumentRenderer) -> str:
    name = str(source["name"])
    for letter in letters.list_all(workspace_id):
        if letter.name == name:
            return letter.id
    content = (_FOLDER / str(source["file"])).read_bytes()
    kind = str(source["file"]).rpartition(".")[2]
    return letters.create(
        renderer, workspace_id, name=name, template_format=kind, content=content
    ).id


_MAKERS: Mapping[str, Callable[[str, Mapping[str, Any], DocumentRenderer], str]] = {
    "tables": _table,
    "forms": _form,
    "boards": _board,
    "letters": _letter,
}
