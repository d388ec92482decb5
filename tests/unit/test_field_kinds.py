"""Numbers and booleans of what clients write: nothing else is taken for them in silence."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import ValidationError, create_model

import api_bridge.app  # noqa: F401  # completes the bodies of every route
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


def _fields(*wanted: type) -> list[Any]:
    found = {
        f"{model.__name__}.{name}": (model, name)
        for model in _models()
        if model.__module__.startswith(("automations.", "api_bridge."))
        for name, info in model.model_fields.items()
        if _kinds(info.annotation) & set(wanted)
    }
    return [pytest.param(*found[key], id=key) for key in sorted(found)]


def _takes(model: type[Lenient], name: str, value: object) -> bool:
    info = model.model_fields[name]
    annotation: Any = info.annotation
    alone: Any = create_model("Alone", value=(annotation, info))
    try:
        alone.model_validate({info.alias or "value": value})
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("model", "name"), _fields(int, float))
def test_a_number_is_neither_a_boolean_nor_written_as_python_does(
    model: type[Lenient], name: str
) -> None:
    assert not _takes(model, name, True)
    assert not _takes(model, name, "1_0")


@pytest.mark.parametrize(("model", "name"), _fields(bool))
def test_a_boolean_is_neither_a_number_nor_a_word(model: type[Lenient], name: str) -> None:
    assert not any(_takes(model, name, value) for value in (1, 0, "true", "yes", "on", ""))
