"""The filters of lists, and the table of all filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from automations.domain.template_language import values
from automations.domain.template_language.faults import TemplateFault
from automations.domain.template_language.predicates import PREDICATES, UNDEFINED_TOO
from automations.domain.template_language.run import Run
from automations.domain.template_language.text_filters import TEXT_FILTERS
from automations.domain.template_language.values import Group, Undefined

_MAX_COLUMNS = 10_000
"""Lists that ``batch`` and ``slice`` may make of one, and items that they may fill up with."""


def _attribute(run: Run, value: Any, path: Any, default: Any = None) -> Any:
    """What a value holds under a path as ``address.city``."""
    parts = path.split(".") if isinstance(path, str) else [path]
    run.meter.charge(len(parts))
    for part in parts:
        try:
            value = values.member(value, int(part) if str(part).isdecimal() else part)
        except LookupError:
            if default is None:
                return Undefined(lambda: str(path))
            return default
    return value


def _require_present(value: Any) -> Any:
    if isinstance(value, Undefined):
        raise value.fault()
    return value


def _items(run: Run, value: Any) -> list[Any]:
    items = values.items(value, run.meter)
    run.meter.items(len(items))
    return items


def _pick(run: Run, value: Any, path: Any, folded: bool = False) -> list[Any]:
    """Each item, or what each holds under a path; texts without their capitals where wanted."""
    items = _items(run, value)
    if path is not None:
        items = [_require_present(_attribute(run, item, path)) for item in items]
    return [_fold_case(run, item) for item in items] if folded else items


def _fold_case(run: Run, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # Each is a copy: of one text a list may hold thousands.
    run.meter.characters(len(value))
    return value.lower()


def _keys(run: Run, picked: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Where values stand among each other; those of two kinds do not where rules are compared."""
    kinds = sorted({values.kind(key) for key in picked if key is not None}) if run.as_rules else ()
    if len(kinds) > 1:
        raise TemplateFault(f"{kinds[0]} and {kinds[1]} cannot be compared; convert one")
    return [values.order(key, run.meter) for key in picked]


def _sort(
    run: Run, value: Any, reverse: bool = False, case_sensitive: bool = False,
    attribute: Any = None,
) -> list[Any]:  # fmt: skip
    items = _items(run, value)
    keys = _keys(run, _pick(run, items, attribute, not case_sensitive))
    places = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(reverse))
    return [items[place] for place in places]


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(run: Run, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
        items = _items(run, value)
        keys = _keys(run, _pick(run, items, attribute, not case_sensitive))
        if not items:
            return Undefined(lambda: "an item of an empty list")
        return items[choose(range(len(items)), key=keys.__getitem__)]

    return extreme


def _unique(run: Run, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:
    items = _items(run, value)
    seen: dict[Any, Any] = {}
    for key, item in zip(_pick(run, items, attribute, not case_sensitive), items, strict=True):
        seen.setdefault(values.identity(key, run.meter), item)
    return list(seen.values())


def _group_by(
    run: Run, value: Any, attribute: Any, default: Any = None, case_sensitive: bool = False
) -> list[Group]:
    groups: dict[Any, Group] = {}
    for item in _items(run, value):
        key = _require_present(_attribute(run, item, attribute, default))
        folded = key if case_sensitive else _fold_case(run, key)
        group = groups.setdefault(values.identity(folded, run.meter), Group([key, []]))
        group[1].append(item)
    return sorted(groups.values(), key=lambda group: values.order(group[0], run.meter))


def _sum(run: Run, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    picked = _pick(run, value, attribute)
    if isinstance(start, list):
        run.meter.items(len(start) + sum(len(item) for item in picked))
        return [*start, *(inner for item in picked for inner in item)]
    if not all(map(values.is_number, (start, *picked))):
        raise TemplateFault("sum takes numbers")
    return values.number(sum(values.alike(start, *picked)))


def _join(run: Run, value: Any, by: Any = "", attribute: Any = None) -> str:
    picked = _pick(run, value, attribute)
    return values.join(picked, run.meter, markup=run.markup, between=by)


def _end(place: int) -> Callable[..., Any]:
    def end(run: Run, value: Any) -> Any:
        if isinstance(value, str | list):
            items: Sequence[Any] = value[:1] if place == 0 else value[-1:]
        else:
            items = values.items(value, run.meter)
        return items[place] if items else Undefined(lambda: "an item of an empty list")

    return end


def _length(run: Run, value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise TemplateFault(f"{values.kind(value)} has no length")
    return len(value)


def _reverse(run: Run, value: Any) -> Any:
    if isinstance(value, str):
        run.meter.text(len(value))
        return str(value)[::-1]
    return _items(run, value)[::-1]


def _pairs(run: Run, value: Any) -> list[list[Any]]:
    if not isinstance(value, dict):
        raise TemplateFault(f"{values.kind(value)} is no object")
    run.meter.items(3 * len(value))
    return [[key, item] for key, item in value.items()]


def _sorted_pairs(
    run: Run, value: Any, case_sensitive: bool = False, by: str = "key", reverse: bool = False
) -> list[Any]:
    if by not in ("key", "value"):
        raise TemplateFault("dictsort sorts by key or value")
    return _sort(run, _pairs(run, value), reverse, case_sensitive, ("key", "value").index(by))


def _columns(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _MAX_COLUMNS:
        raise TemplateFault(f"the number must be from 1 to {_MAX_COLUMNS}")
    return number


def _batch(run: Run, value: Any, size: int, fill: Any = None) -> list[list[Any]]:
    items, size = _items(run, value), _columns(size)
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    if batches and fill is not None:
        run.meter.items(size)
        batches[-1] += [fill] * (size - len(batches[-1]))
    return batches


def _slice(run: Run, value: Any, number: int, fill: Any = None) -> list[list[Any]]:
    items, number = _items(run, value), _columns(number)
    run.meter.items(number)
    length, longer = divmod(len(items), number)
    slices, start = [], 0
    for place in range(number):
        end = start + length + (place < longer)
        slices.append(items[start:end] + ([fill] if fill is not None and place >= longer else []))
        start = end
    return slices


def _map(run: Run, value: Any, *arguments: Any, **named: Any) -> list[Any]:
    items = _items(run, value)
    if "attribute" in named and not arguments and named.keys() <= {"attribute", "default"}:
        path, default = named["attribute"], named.get("default")
        return [_require_present(_attribute(run, item, path, default)) for item in items]
    if not arguments or arguments[0] not in FILTERS:
        raise TemplateFault("map takes the name of a filter, or attribute")
    change = FILTERS[arguments[0]]
    return [_require_present(change(run, item, *arguments[1:], **named)) for item in items]


def _selection(expected: bool, by_attribute: bool) -> Callable[..., Any]:
    def select(run: Run, value: Any, *arguments: Any) -> list[Any]:
        return list(matching(run, _items(run, value), list(arguments)))

    def matching(run: Run, items: list[Any], arguments: list[Any]) -> Iterator[Any]:
        path = arguments.pop(0) if by_attribute else None
        name, *others = arguments or ["defined"]
        if name not in PREDICATES:
            raise TemplateFault(f"there is no test '{name}'")
        for item in items:
            tested = _attribute(run, item, path) if by_attribute else item
            if not arguments:
                holds = bool(_require_present(tested))
            elif name in UNDEFINED_TOO:
                holds = PREDICATES[name](run, tested)
            else:
                holds = PREDICATES[name](run, _require_present(tested), *others)
            if holds is expected:
                yield item

    return select


def _default(run: Run, value: Any, otherwise: Any = "", boolean: bool = False) -> Any:
    missing = isinstance(value, Undefined) or (boolean and not value)
    return otherwise if missing else value


def _zip(run: Run, value: Any, *others: Any) -> list[list[Any]]:
    lists = [_items(run, sequence) for sequence in (value, *others)]
    return [list(row) for row in zip(*lists, strict=False)]


def _chain(run: Run, value: Any, *others: Any) -> list[Any]:
    return [item for sequence in (value, *others) for item in _items(run, sequence)]


OF_THE_MISSING = frozenset({"default", "d"})
"""Filters that may be given what is not there."""

FILTERS: Mapping[str, Callable[..., Any]] = {
    **TEXT_FILTERS,
    "attr": _attribute,
    "batch": _batch,
    "chain": _chain,
    "count": _length,
    "d": _default,
    "default": _default,
    "dictsort": _sorted_pairs,
    "first": _end(0),
    "groupby": _group_by,
    "items": _pairs,
    "join": _join,
    "last": _end(-1),
    "length": _length,
    "list": _items,
    "map": _map,
    "max": _extreme(max),
    "min": _extreme(min),
    "reject": _selection(expected=False, by_attribute=False),
    "rejectattr": _selection(expected=False, by_attribute=True),
    "reverse": _reverse,
    "select": _selection(expected=True, by_attribute=False),
    "selectattr": _selection(expected=True, by_attribute=True),
    "slice": _slice,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
    "zip": _zip,
}
