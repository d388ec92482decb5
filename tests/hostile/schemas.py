"""JSON schemas, and values for them, that try to hold a process."""

from __future__ import annotations

from typing import Any

from automations.kit.values import JSON


def _doubling(links: int, keyword: str) -> dict[str, Any]:
    """Each of the definitions names the next one twice."""
    chain = {
        f"d{number}": {keyword: [{"$ref": f"#/$defs/d{number + 1}"}] * 2} for number in range(links)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**chain, f"d{links}": {"type": "string"}}}


def _deep(depth: int) -> JSON:
    value: JSON = 1
    for _ in range(depth):
        value = {"a": [value]}
    return value


_EVERYWHERE = {"additionalProperties": {"$ref": "#"}, "items": {"$ref": "#"}}

REFUSED: dict[str, Any] = {
    "a pattern that looks back": {"pattern": "(?<=x)y"},
    "a pattern with a backreference": {"pattern": r"(a)\1"},
    "a pattern of a property": {"patternProperties": {"(?=x)": {}}},
    "repetitions of repetitions": {"pattern": "(?:[^x]{1,99}y?){1,99}z"},
    "a repetition": {"pattern": "a{100000}"},
    "classes of Unicode": {"pattern": r"\w{1000}"},
    "many patterns": {"anyOf": [{"pattern": rf"\w{{100}}{number}"} for number in range(99)]},
    "a long pattern": {"pattern": "a" * 10_000},
    "a pattern in a part of its own draft": {
        "properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#",
                             "pattern": "(?=x)"}}
    },
    "a pattern that only a reference finds": {"$ref": "#/x/y", "x": {"y": {"pattern": "(?=x)"}}},
    "no schema behind a reference": {"$ref": "#/x", "x": {"required": 5}},
    "a reference to a text": {"$ref": "#/title", "title": "x"},
    "a reference to elsewhere": {"$ref": "http://127.0.0.1:1/x"},
    "a reference to a file": {"$ref": "file:///etc/passwd"},
    "a reference to nothing": {"$ref": "#/$defs/gone"},
    "a reference to what will be": {"$dynamicRef": "#a"},
    "depth": {"a": _deep(100)},
    "breadth": {"enum": list(range(10_000))},
    "names that are there twice": {"required": ["a"] * 4_000},
}  # fmt: skip
"""Refused when they are saved."""

COSTLY: dict[str, tuple[dict[str, Any], JSON]] = {
    "itself": ({"$ref": "#"}, {}),
    "itself by two": ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#"}}}, {}),
    "references that double": (_doubling(30, "allOf"), 5),
    "references that double in any": (_doubling(30, "anyOf"), 5),
    "references that double in one": (_doubling(30, "oneOf"), "x"),
    "two ways into each part": (
        {"allOf": [_EVERYWHERE, _EVERYWHERE], "unevaluatedProperties": True}, _deep(40)
    ),
    "one way in, twice": (
        {"allOf": [{"items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}}] * 2}, _deep(40)
    ),
    "a long text for a large pattern": ({"pattern": "[01]*1[01]{900}2"}, "01" * 50_000),
    "many texts for a pattern": ({"items": {"pattern": "[01]*1[01]{900}2"}}, ["01" * 2_000] * 200),
    "many names for many patterns": (
        {"patternProperties": {f"[ab]*{number}": {} for number in range(400)}},
        {f"{'ab' * 10}{number}": 1 for number in range(2_000)},
    ),
    "long lists in a list without repeats": (
        {"uniqueItems": True}, [[number, list(range(300))] for number in range(1_000)]
    ),
    "a large choice for each item": (
        {"items": {"enum": [[number] for number in range(2_000)]}}, [[1]] * 50_000
    ),
    "many items": ({"items": {"type": "integer"}}, list(range(200_000))),
    "many contained": ({"contains": {"type": "string"}}, list(range(200_000))),
    "the same list many times": (
        {"allOf": [{"uniqueItems": True}] * 1_000}, list(range(2_000))
    ),
    "a path for everything": ({"anyOf": [_EVERYWHERE] * 50}, _deep(40)),
}  # fmt: skip
"""May be saved, and are ended with the values beside them."""
