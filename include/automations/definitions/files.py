"""Definitions as files in YAML or JSON, one automation or several, to keep in git."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import yaml
from yaml.nodes import MappingNode, ScalarNode

from automations.definitions import step_ids
from automations.errors import ValidationFailed
from automations.kit.json_text import parse_json, parse_lenient
from automations.kit.numbers import MAX_DIGITS, parse_float
from automations.kit.storable import fault
from automations.kit.values import JSON
from automations.steps.registry import STEP_TYPES

Format = Literal["yaml", "json"]

MAX_AUTOMATIONS = 5_000
"""Automations in one file."""
MAX_VALUES = 200_000
"""Keys and values in one file of YAML, each of which is an object of Python's for a while."""
_MAX_DEPTH = 64
"""As of any JSON that is sent to us."""
_OTHER_BREAKS = frozenset("\r\x85\u2028\u2029")
"""Line breaks that YAML would read as others."""
_TOO_DEEP = "it is nested too deeply"
_FIRST = ("id", "key", "name", "description", "status", "type", "order", "trigger", "config")


class _Loader(yaml.CSafeLoader):
    """YAML's JSON schema: `on` and `yes` are texts, so are dates, and 010 is ten.

    A key that comes twice is an error.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # how PyYAML has it

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                key = key_node.value if isinstance(key_node, ScalarNode) else None
            if key is None or key in mapping:
                problem = f"'{key}' comes twice"
                if key is None:
                    problem = "a key must be a text; a value that begins with {{ stands in quotes"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


_PLAIN = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*|0[0-9]+)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
)
"""What a text means that is written without quotes, by YAML 1.2; PyYAML itself goes by 1.1."""

_NO_TEXT = re.compile("|".join(pattern for _, pattern, _ in _PLAIN))

for _tag, _pattern, _starts in _PLAIN:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _starts
    )


_NUMBERS = {tag: re.compile(pattern) for tag, pattern, _ in _PLAIN if tag in ("int", "float")}


def _decimal(loader: yaml.CSafeLoader, node: ScalarNode) -> int:
    if len(node.value) > MAX_DIGITS:
        problem = f"a number is too large: it has more than {MAX_DIGITS} digits"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return int(_check_number(node, "int"))


def _real(loader: yaml.CSafeLoader, node: ScalarNode) -> float:
    try:
        return parse_float(_check_number(node, "float"))
    except ValueError as error:
        raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error


def _check_number(node: ScalarNode, tag: str) -> str:
    """A number as it may be written, also by whoever says with a tag that it is one."""
    if not _NUMBERS[tag].fullmatch(node.value):
        problem = f"'{node.value[:100]}' is not written as !!{tag} is here"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return str(node.value)


def _no_json(loader: yaml.CSafeLoader, node: yaml.Node) -> Any:
    problem = f"!!{node.tag.rpartition(':')[2]} is not JSON"
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:float", _real)
for _tag in ("binary", "timestamp", "set", "omap", "pairs"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _no_json)


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _SlowDumper(yaml.SafeDumper):
    """The same five times as slow, for what libyaml would write as the number of a character."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.representer.SafeRepresenter, value: str) -> ScalarNode:
    style = "|" if "\n" in value else None
    if value and _NO_TEXT.fullmatch(value):
        style = "'"
    if _OTHER_BREAKS & set(value):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


for _writer in (_Dumper, _SlowDumper):
    _writer.add_representer(str, _text)
    _writer.add_multi_representer(StrEnum, lambda dumper, word: _text(dumper, word.value))


def read(text: str) -> list[Any]:
    """The automations of a file: its documents, or the items of its one list.

    Raises:
        ValidationFailed: it is neither YAML nor JSON; says where.
    """
    try:
        documents = _documents(text)
        if (problem := fault(documents, _MAX_DEPTH + 1)) is not None:
            raise ValueError(problem)
    except yaml.MarkedYAMLError as error:
        raise ValidationFailed({"body": [_where(error)]}) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ValidationFailed({"body": [str(error)]}) from error
    return automations_in(documents)


def automations_in(documents: Sequence[Any]) -> list[Any]:
    """The automations that a file's documents are, or that are the items of its one list.

    Raises:
        ValidationFailed: they are none, or too many.
    """
    entries = documents[0] if len(documents) == 1 and isinstance(documents[0], list) else documents
    if not entries or len(entries) > MAX_AUTOMATIONS:
        raise ValidationFailed({"body": [f"must hold 1 to {MAX_AUTOMATIONS} automations"]})
    return list(entries)


def write(
    definitions: Sequence[Mapping[str, JSON]], form: Format, remarks: Sequence[str] = ()
) -> str:
    """A file that ``read`` gives the same automations of.

    Args:
        remarks: stand above them in YAML; JSON has no place for any.
    """
    arranged = [_arrange(definition) for definition in definitions]
    if form == "json":
        shown = arranged[0] if len(arranged) == 1 else arranged
        return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
    # Escaped: a line break would end the comment, and some characters are none of YAML's.
    above = [f"# {json.dumps(remark)[1:-1]}\n" for remark in remarks]
    return "".join(above) + _yaml(arranged)


def _yaml(documents: Sequence[Any]) -> str:
    options: dict[str, Any] = {
        "sort_keys": False,
        "allow_unicode": True,
        "width": 100,
        "explicit_start": len(documents) > 1,
    }
    text = str(yaml.dump_all(documents, Dumper=_Dumper, **options))
    if "\\U" in text:  # of an emoji, as a rule
        text = str(yaml.dump_all(documents, Dumper=_SlowDumper, **options))
    return text


def _documents(text: str) -> list[Any]:
    if text.lstrip()[:1] in ("{", "["):
        # JSON is almost YAML; what is neither gets the message of the other.
        try:
            return [parse_json(text)]
        except ValueError as error:
            # To YAML, NaN would be a text, which nobody has written.
            if (problem := _fault_of_json(text)) is not None:
                raise ValueError(problem) from error
    _check_events(text)
    documents = yaml.load_all(text, _Loader)  # a SafeLoader
    return [document for document in documents if document is not None]


def _fault_of_json(text: str) -> str | None:
    """What in a text in JSON cannot be kept; None where it is no JSON at all."""
    try:
        return fault(parse_lenient(text))
    except ValueError:
        return None


def _check_events(text: str) -> None:
    """Refuse what makes much of little: aliases, nesting without end, and too many values."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        problem = None
        nodes += isinstance(event, yaml.NodeEvent)
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            problem = "aliases (*name) are not taken"
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            problem = _TOO_DEEP if depth > _MAX_DEPTH else None
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if nodes > MAX_VALUES:
            problem = f"it has more than {MAX_VALUES} keys and values"
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{at}{error.problem or 'is no YAML'}"


def _arrange(value: Mapping[str, Any]) -> dict[str, Any]:
    """A definition or a step: what a reader looks for comes first; data stays in its order."""
    first = [name for name in _FIRST if name in value]
    arranged = {name: value[name] for name in (*first, *(n for n in value if n not in first))}
    kind = arranged.get("type")
    inside: list[tuple[str | None, str]] = [(None, "steps")]
    if isinstance(kind, str):
        inside = list(step_ids.places_inside(kind)) if kind in STEP_TYPES else []
    for place, name in inside:
        holder = arranged if place is None else arranged.get(place)
        if isinstance(holder, Mapping) and isinstance(holder.get(name), list):
            steps = [_arrange(step) if isinstance(step, Mapping) else step for step in holder[name]]
            if place is None:
                arranged[name] = steps
            else:
                arranged[place] = {**holder, name: steps}
    return arranged
