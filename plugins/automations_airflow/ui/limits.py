"""Limits of fields, which Airflow's forms would enforce by silently changing what is typed.

A number's input sets what is over its ``maximum`` to that as soon as it is left; a text's takes no
more than ``maxLength``, and cuts what is pasted. They look at the schema itself alone: under
``allOf`` limits are checked all the same, by Airflow and by us, and refused in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PAIRS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
)
_LIMITS = tuple(name for pair in _PAIRS for name in pair[:2])
_OPEN = (
    ("exclusiveMinimum", "More than"),
    ("exclusiveMaximum", "Less than"),
    ("multipleOf", "A multiple of"),
)


def split_limits(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of a field, its limits where no form looks for them."""
    limits = {name: rules[name] for name in _LIMITS if name in rules}
    others = {name: value for name, value in rules.items() if name not in limits}
    return {**others, "allOf": [limits]} if limits else others


def describe(rules: Mapping[str, Any]) -> str:
    """What the limits of a field are, for whoever fills it in; empty where it has none."""
    sentences = []
    for low_name, high_name, noun in _PAIRS:
        low, high = (_number(rules.get(name)) for name in (low_name, high_name))
        if low and high:
            sentences.append(f"{low} to {high}{noun}.")
        elif low:
            sentences.append(f"At least {low}{noun}.")
        elif high:
            sentences.append(f"At most {high}{noun}.")
    sentences += [
        f"{words} {bound}." for name, words in _OPEN if (bound := _number(rules.get(name)))
    ]
    if rules.get("uniqueItems") is True:
        sentences.append("None twice.")
    return " ".join(sentences)


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return f"{value:.15g}" if isinstance(value, float) else str(value)
