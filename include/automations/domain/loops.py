"""The items of a loop, and the names that templates have for each: ``loop.item`` and so on."""

from __future__ import annotations

from collections.abc import Sequence

from automations.kit.values import JSON


def items_of(collection: JSON) -> list[JSON]:
    """The items of a list, or of an object: each is a key and its value.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(collection, dict):
        return [{"key": key, "value": value} for key, value in collection.items()]
    if not isinstance(collection, list):
        raise TypeError(f"{type(collection).__name__} has no items")
    return list(collection)


def names_of_item(items: Sequence[JSON], index: int, around: JSON) -> dict[str, JSON]:
    """What ``loop`` is while one of its items is worked on.

    Args:
        around: what it is in the loop around this one; None without any.
    """
    return {
        "item": items[index],
        "index": index,
        "first": index == 0,
        "last": index == len(items) - 1,
        **({} if around is None else {"parent": around}),
    }
