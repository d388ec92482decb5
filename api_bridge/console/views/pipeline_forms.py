"""A pipeline as a form, and back: its source, and the mapping of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from starlette.datastructures import FormData

from api_bridge.console.form_data import text, texts
from api_bridge.console.views import schema_fields, step_inputs
from api_bridge.console.views.schema_fields import Spec
from api_bridge.console.views.step_inputs import Input
from api_bridge.console.views.typed_values import parse_value
from automations.definitions.pipelines import CONNECTORS, HTTP
from automations.domain.tables.columns import KEYLESS
from automations.kit.values import JSON, Errors
from automations.services.tables.tables import Table

INTERVALS = ("PT5M", "PT15M", "PT1H", "PT6H", "P1D", "P7D")
"""What is offered; one that a program has chosen stays beside them."""
PAGING: Mapping[str, Sequence[str]] = {
    "none": (),
    "link": (),
    "page": ("parameter", "first"),
    "cursor": ("parameter", "path"),
}
"""The ways from page to page, and what each is configured by."""
_EXAMPLE = {"url": "https://erp.example/api/suppliers", "recordsPath": "$"}
_FIRST = ("config.url", "config.recordsPath", "config.auth")
_PAGING = "paging"


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column of a table that is filled: whether rows are known by it, and where its value is."""

    key: str
    name: str
    may_be_key: bool
    is_key: bool
    path: str


@dataclass(frozen=True, slots=True)
class TargetTable:
    """A table that records go to.

    Args:
        name: None when it is not there any more.
        problems: what is wrong with its columns, by the API's words for them.
    """

    place: int
    table_id: str
    name: str | None
    lines: Sequence[ColumnLine]
    problems: Errors


@dataclass(frozen=True, slots=True)
class PipelineForm:
    """The form as it is shown.

    Args:
        others: the tables that can be filled, too.
        elsewhere: what is wrong at no field.
    """

    kind: str
    name: str
    interval: str
    source: Sequence[Input]
    paging: Mapping[str, str]
    paging_problems: Sequence[str]
    tables: Sequence[TargetTable]
    others: Sequence[tuple[str, str]]
    elsewhere: Errors


def build_form(
    definition: Mapping[str, Any], tables: Sequence[Table], secrets: Sequence[str], errors: Errors
) -> PipelineForm:
    """The form of a pipeline.

    Args:
        definition: it as clients write it.
        secrets: names that its requests can be signed by.
        errors: what is wrong with it, by its fields.
    """
    kind = str(definition["connectorType"])
    config = definition.get("config")
    source = step_inputs.inputs(_specs(kind, tuple(secrets)), {"config": config}, errors)
    paging = config.get(_PAGING) if isinstance(config, Mapping) else None
    by_id = {table.id: table for table in tables}
    filled = [
        _build_table(place, mapping, by_id.get(str(mapping["tableId"])), errors)
        for place, mapping in enumerate(definition.get("tables") or ())
    ]
    taken = {target.table_id for target in filled}
    at_paging = f"config.{_PAGING}"
    elsewhere = {
        path: messages
        for path, messages in step_inputs.problems_elsewhere(source, errors).items()
        if path not in ("name", "interval", "tables")
        and not path.startswith(at_paging)
        and not any(f"{path}.".startswith(f"tables.{target.place}.") for target in filled)
    }
    return PipelineForm(
        kind=kind,
        name=str(definition.get("name") or ""),
        interval=str(definition.get("interval") or ""),
        source=source,
        paging=_paging_shown(paging if isinstance(paging, Mapping) else {}),
        paging_problems=[
            message
            for path, messages in errors.items()
            if path.startswith(at_paging)
            for message in messages
        ],
        tables=filled,
        others=[
            (table.id, table.name)
            for table in tables
            if table.id not in taken and not table.form_id
        ],
        elsewhere=elsewhere,
    )


def read(definition: Mapping[str, Any], form: FormData) -> dict[str, Any]:
    """A pipeline with what was typed into its form.

    Args:
        definition: it as it was; what is in no field stays.
    """
    kind = str(definition["connectorType"])
    config = definition.get("config")
    holder = {"config": dict(config) if isinstance(config, Mapping) else {}}
    new_config = step_inputs.read(_specs(kind, ()), holder, form)["config"]
    if kind == HTTP:
        new_config = _with_paging(new_config, form)
    return {
        **definition,
        "name": text(form, "name").strip(),
        "config": new_config,
        "interval": text(form, "interval") or None,
        "tables": list(_mappings(form, definition.get("tables") or ())),
    }


@lru_cache(maxsize=32)
def _specs(kind: str, secrets: tuple[str, ...]) -> Sequence[Spec]:
    def fit(spec: Spec) -> Spec:
        if spec.path == "config.auth.secret":
            return replace(spec, control="suggested", options=secrets)
        return replace(spec, first=spec.path in _FIRST, inside=[*map(fit, spec.inside)])

    specs = schema_fields.model_specs(CONNECTORS[kind], "config.", _EXAMPLE)
    return [fit(spec) for spec in specs if spec.key != _PAGING]


def _paging_shown(paging: Mapping[str, Any]) -> dict[str, str]:
    kind = str(paging.get("type") or "none")
    return {
        "type": kind if kind in PAGING else "none",
        **{key: str(paging.get(key, "")) for key in ("parameter", "first", "path")},
    }


def _with_paging(config: dict[str, Any], form: FormData) -> dict[str, Any]:
    kind = text(form, "paging.type")
    stored = config.get(_PAGING)
    before = _paging_shown(stored if isinstance(stored, Mapping) else {})
    if kind not in PAGING or all(
        text(form, f"paging.{key}") == value for key, value in before.items()
    ):
        return config
    way: dict[str, JSON] = {"type": kind}
    for key in PAGING[kind]:
        typed = text(form, f"paging.{key}").strip()
        if typed:
            way[key] = parse_value(typed, f"paging.{key}") if key == "first" else typed
    rest = {key: value for key, value in config.items() if key != _PAGING}
    return rest if kind == "none" else {**rest, _PAGING: way}


def _build_table(
    place: int, mapping: Mapping[str, Any], table: Table | None, errors: Errors
) -> TargetTable:
    keys = list(mapping.get("keyColumns") or ())
    paths: Mapping[str, Any] = mapping.get("fieldMapping") or {}
    columns = {
        str(column["key"]): column for column in (table.columns if table is not None else ())
    }
    lines = [
        ColumnLine(
            key=key,
            name=str(column.get("name") or key),
            may_be_key=column["type"] not in KEYLESS,
            is_key=key in keys,
            path=str(paths.get(key, "")),
        )
        for key, column in columns.items()
    ]
    # What a table has lost stands there until somebody takes it out.
    lost = [key for key in dict.fromkeys((*keys, *paths)) if key not in columns]
    lines += [
        ColumnLine(key, key, key in keys, key in keys, str(paths.get(key, ""))) for key in lost
    ]
    at = f"tables.{place}"
    return TargetTable(
        place=place,
        table_id=str(mapping["tableId"]),
        name=table.name if table is not None else None,
        lines=lines,
        problems={
            path.removeprefix(at).removeprefix("."): messages
            for path, messages in errors.items()
            if f"{path}.".startswith(f"{at}.")
        },
    )


def _mappings(form: FormData, stored: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    before = {str(mapping["tableId"]): list(mapping["keyColumns"]) for mapping in stored}
    place = 0
    while table_id := text(form, f"t{place}"):
        begin = f"t{place}.path."
        paths = {
            name.removeprefix(begin): value.strip()
            for name, value in form.multi_items()
            if name.startswith(begin) and isinstance(value, str) and value.strip()
        }
        keys = texts(form, f"t{place}.key")
        before_keys = before.get(table_id, [])
        yield {
            "tableId": table_id,
            # In the order that a program has given them, which a form does not show.
            "keyColumns": before_keys if set(before_keys) == set(keys) else keys,
            "fieldMapping": paths,
        }
        place += 1
