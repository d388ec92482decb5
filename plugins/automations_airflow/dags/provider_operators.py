"""Operators of Airflow's providers: found by path, made from JSON arguments, and listed."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from airflow.providers_manager import ProvidersManager
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowException

from automations.domain.fields import parse_duration
from automations.kit.clock import is_local
from automations.kit.values import JSON
from automations.ports import OPERATOR_TASK, OperatorParameter, ProviderOperator

log = logging.getLogger(__name__)

_KINDS = ("operators", "sensors")
"""Of what a provider says that it has, as lists of modules."""
_OWN = __name__.partition(".")[0]


class Refused(Exception):
    """An operator cannot be made so; the message says why."""


def make(path: str, arguments: Mapping[str, JSON], dag_id: str) -> BaseOperator:
    """An operator with its arguments, as the task of a DAG.

    Raises:
        Refused: there is no such operator, or it does not take these arguments.
    """
    operator = _load(path)
    by_name = {parameter.name: parameter for parameter in _parameters(operator)}
    unknown = sorted(set(arguments) - set(by_name))
    if unknown:
        raise Refused(
            f"{operator.__name__} has no parameter {', '.join(unknown)}; it has "
            f"{', '.join(by_name) or 'none'}."
        )
    missing = [
        parameter.name
        for parameter in by_name.values()
        if parameter.required and parameter.name not in arguments
    ]
    if missing:
        raise Refused(f"{operator.__name__} needs the arguments {', '.join(missing)}.")
    values = {name: _value(by_name[name], value) for name, value in arguments.items()}
    try:
        # In a DAG object of its own, as some ask their DAG for its id.
        return operator(task_id=OPERATOR_TASK, dag=DAG(dag_id, schedule=None), **values)
    except (AirflowException, TypeError, ValueError) as error:
        raise Refused(f"{operator.__name__} does not take these arguments: {error}") from error


def list_operators(allowed: Sequence[str]) -> list[ProviderOperator]:
    """The operators that are installed and that patterns allow, by their paths."""
    classes = {
        path: operator for path, operator in _installed_operators(allowed) if _allows(allowed, path)
    }
    return [_describe(path, classes[path]) for path in sorted(classes)]


def _load(path: str) -> type[BaseOperator]:
    module, _, name = path.rpartition(".")
    try:
        operator = getattr(import_module(module), name)
    except Exception as error:  # a path may be none, and a module fail at what it begins with
        raise Refused(f"There is no operator {path} in this Airflow: {error}") from error
    if not _is_operator(operator):
        raise Refused(f"{path} is no operator.")
    # Modules hold what they import, too; what is allowed is what is defined where it is named.
    own = f"{operator.__module__}.{operator.__qualname__}"
    if own != path:
        raise Refused(f"{path} is another name: the operator is {own}.")
    return operator  # type: ignore[no-any-return]  # just looked at


def _is_operator(value: Any) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, BaseOperator)
        and not inspect.isabstract(value)
        and value.__module__.partition(".")[0] not in (_OWN, "automations")
    )


def _parameters(operator: type[BaseOperator]) -> list[OperatorParameter]:
    """What an operator is made with, without what every task of Airflow's has.

    What a base requires is not required: its subclass may pass it.
    """
    collected: dict[str, OperatorParameter] = {}
    has_own = False
    for cls in operator.__mro__:
        if cls is BaseOperator:
            break
        init = vars(cls).get("__init__")
        if init is None:
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        is_own, has_own = not has_own, True
        for parameter in parameters:
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                collected.setdefault(parameter.name, _parameter(parameter, is_own=is_own))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return [known for name, known in collected.items() if name not in _OF_EVERY_TASK]


_OF_EVERY_TASK = frozenset(inspect.signature(BaseOperator.__init__).parameters)


def _parameter(parameter: inspect.Parameter, *, is_own: bool) -> OperatorParameter:
    has_default = parameter.default is not parameter.empty
    annotation = parameter.annotation
    if annotation is parameter.empty:
        annotation = ""
    elif not isinstance(annotation, str):
        annotation = inspect.formatannotation(annotation)
    default = parameter.default if has_default else None
    is_json = default is None or isinstance(default, str | bool | int | float)
    return OperatorParameter(
        parameter.name,
        is_own and not has_default,
        default if is_json else repr(default),
        annotation,
    )


def _value(parameter: OperatorParameter, value: JSON) -> Any:
    """An argument as the parameter takes it: JSON has neither durations nor moments."""
    words = _classes(parameter.annotation)
    try:
        if isinstance(value, str) and "str" not in words:
            return _read(value, words)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and "timedelta" in words and not words & {"int", "float"}:
            return timedelta(seconds=value)
    except (ValueError, OverflowError) as error:
        raise Refused(f"The argument {parameter.name}: {error}") from error
    return value


def _classes(annotation: str) -> set[str]:
    """The names in an annotation, without those of the modules that they are in."""
    return set(re.findall(r"\w+\b(?!\.)", re.sub(r"Literal\[[^]]*]", "str", annotation)))


def _parse_time(value: str) -> datetime:
    if is_local(value):
        raise ValueError(f"must have an offset from UTC, as in {value}Z")
    return datetime.fromisoformat(value)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "timedelta": parse_duration,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "datetime": _parse_time,
}


def _read(value: str, classes: Collection[str]) -> Any:
    """A text as that of some classes which can be read from it; as it is where none is known."""
    readers = [read for name, read in _READERS.items() if name in classes]
    for read in readers[:-1]:
        with suppress(ValueError):
            return read(value)
    return readers[-1](value) if readers else value


def _installed_operators(allowed: Sequence[str]) -> Iterator[tuple[str, type[BaseOperator]]]:
    for module in _modules():
        if not any(_may_be_in(pattern, module) for pattern in allowed):
            continue
        try:
            held = vars(import_module(module))
        except Exception as error:  # noqa: BLE001 -- a provider may lack what it needs; others do not
            log.warning("Operators of %s are not listed: %s", module, error)
            continue
        for value in held.values():
            if _is_operator(value) and value.__module__ == module:
                yield f"{module}.{value.__qualname__}", value
    for pattern in allowed:
        path = _of_any_workspace(pattern)
        try:
            yield path, _load(path)
        except Refused:  # Most are patterns.
            continue


def _modules() -> Iterator[str]:
    for provider in ProvidersManager().providers.values():
        for kind in _KINDS:
            for entry in provider.data.get(kind, ()):
                yield from entry.get("python-modules", ())
        yield from (transfer["python-module"] for transfer in provider.data.get("transfers", ()))


def _allows(allowed: Sequence[str], path: str) -> bool:
    return any(fnmatchcase(path, _of_any_workspace(pattern)) for pattern in allowed)


def _may_be_in(pattern: str, module: str) -> bool:
    """Whether a pattern may allow something of a module: importing all of them takes long."""
    fixed, within = re.split(r"[*?]", _of_any_workspace(pattern))[0], f"{module}."
    return within.startswith(fixed) or fixed.startswith(within)


def _of_any_workspace(pattern: str) -> str:
    return pattern.rpartition("/")[2]


def _describe(path: str, operator: type[BaseOperator]) -> ProviderOperator:
    summary = inspect.cleandoc(operator.__doc__ or "").partition("\n\n")[0]
    parameters = tuple(_parameters(operator))
    return ProviderOperator(path, " ".join(summary.split()), parameters)
