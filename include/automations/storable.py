"""What the database keeps of JSON that comes from outside."""

from __future__ import annotations

from automations.outcomes import JSON

MOST_DEEP = 100


def storable(value: JSON, depth: int = 0) -> JSON:
    """The value with every character that PostgreSQL refuses replaced.

    Raises:
        ValueError: it is nested too deep, or is not JSON.
    """
    if depth > MOST_DEEP:
        raise ValueError(f"is nested more than {MOST_DEEP} deep")
    match value:
        case str():
            return _text(value)
        case dict():
            return {_text(str(key)): storable(item, depth + 1) for key, item in value.items()}
        case list():
            return [storable(item, depth + 1) for item in value]
        case None | bool() | int() | float():
            return value
        case _:
            raise ValueError(f"holds {type(value).__name__}, which is not JSON")


def same(left: JSON, right: JSON) -> bool:
    """Whether two values are one to the database: Python takes true for 1, too."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _text(text: str) -> str:
    # Half a surrogate pair cannot be encoded.
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
