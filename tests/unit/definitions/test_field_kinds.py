"""Numbers and booleans of what clients write: nothing else is taken for them in silence."""

from __future__ import annotations

import types
from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError, create_model

import automations.definitions.model  # completes the configs that nest steps
import automations.definitions.pipelines  # noqa: F401
from automations.domain.fields import Lenient


def _models(base: type[Lenient] = Lenient) -> Iterator[type[Lenient]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field's value may be of, without those inside of lists and objects."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return {kind for part in get_args(annotation) for kind in _kinds(part)}
    return {annotation}


def _fields(*wanted: type) -> dict[str, tuple[type[Lenient], str]]:
    """Every field of one of these types, by its model's name and its own."""
    # The bodies of all routes, too: only here, since all processes of a run collect all tests.
    import_module("api_bridge.app")
    found = {
        f"{model.__name__}.{name}": (model, name)
        for model in _models()
        if model.__module__.startswith(("automations.", "api_bridge."))
        for name, info in model.model_fields.items()
        if _kinds(info.annotation) & set(wanted)
    }
    assert found
    return found


def _takes(model: type[Lenient], name: str, value: object) -> bool:
    info = model.model_fields[name]
    annotation: Any = info.annotation
    alone: Any = create_model("Alone", value=(annotation, info))
    try:
        alone.model_validate({info.alias or "value": value})
    except ValidationError:
        return False
    return True


def _taking(fields: dict[str, tuple[type[Lenient], str]], *values: object) -> list[str]:
    """The fields that take one of these values."""
    return sorted(
        key for key, field in fields.items() if any(_takes(*field, value) for value in values)
    )


def test_a_number_is_neither_a_boolean_nor_written_as_python_does() -> None:
    assert _taking(_fields(int, float), True, "1_0") == []


def test_a_boolean_is_neither_a_number_nor_a_word() -> None:
    assert _taking(_fields(bool), 1, 0, "true", "yes", "on", "") == []
