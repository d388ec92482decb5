"""Filters that return texts and numbers."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from jinja2.filters import do_filesizeformat, do_indent, do_title
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from automations.domain.template_language import values
from automations.domain.template_language.faults import TemplateFault
from automations.domain.template_language.run import Run
from automations.kit.numbers import InexactText, parse_number, truncate

_MAX_WIDTH = 1_000
"""Of what is padded: wider is no text for people."""
_CHARACTERS_PER_UNIT = 3
"""Of a word that is handled on its own for one piece of work."""
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)", re.DOTALL)
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"\w+")
_CONVERSION = re.compile(r"%[-+ #0]*+([0-9]*+)(?:\.([0-9]*+))?([a-zA-Z%])|%")
_CONVERSIONS = frozenset("sdiouxXeEfFgG%")
_DECIMAL = frozenset("eEfFgG")


def _of_text(change: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of what is written of a value."""

    def apply(run: Run, value: Any, *arguments: Any) -> Any:
        return change(values.text(value, run.meter), *arguments)

    return apply


def _of_words(change: Callable[[str], Any]) -> Callable[..., Any]:
    """A filter that handles each word of a text on its own, which costs more."""

    def apply(run: Run, value: Any) -> Any:
        text = values.text(value, run.meter)
        run.meter.charge(len(text) // _CHARACTERS_PER_UNIT)
        return change(text)

    return apply


def _width(width: Any) -> int:
    if isinstance(width, bool) or not isinstance(width, int) or not 0 <= width <= _MAX_WIDTH:
        raise TemplateFault(f"a width must be a whole number from 0 to {_MAX_WIDTH}")
    return width


def _escape(run: Run, value: Any) -> str:
    if isinstance(value, Markup):
        return value
    escaped = escape(values.text(value, run.meter))
    run.meter.text(len(escaped))
    return escaped if run.markup else str(escaped)


def _safe(run: Run, value: Any) -> str:
    written = values.text(value, run.meter)
    return Markup(written) if run.markup else written


def _mrkdwn(run: Run, value: Any) -> Any:
    """Every text in a value marked as Slack's own, in a field of Slack's."""
    run.meter.tree(value)
    return _as_markup(value) if run.mrkdwn else value


def _as_markup(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_markup(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_markup(item) for item in value]
    return Markup(value) if isinstance(value, str) else value


def _to_json(run: Run, value: Any, indent: int | None = None) -> str:
    run.meter.tree(value)
    width = _width(2 if indent is True else indent or 0) or None
    written = htmlsafe_json_dumps(value, indent=width, ensure_ascii=False)
    run.meter.text(len(written))
    return written if run.markup else str(written)


def _center(run: Run, value: Any, width: int = 80) -> str:
    return values.text(value, run.meter).center(_width(width))


def _indent(
    run: Run, value: Any, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    written = values.text(value, run.meter)
    margin = width if isinstance(width, str) else " " * _width(width)
    run.meter.text(len(written) + (len(written.splitlines()) + 1) * len(margin))
    return str(do_indent(written, margin, first, blank))


def _truncate(
    run: Run, value: Any, length: int = 255, killwords: bool = False, end: str = "...",
    leeway: int = 5,
) -> str:  # fmt: skip
    written = values.text(value, run.meter)
    if len(written) <= length + leeway:
        return written
    beginning = written[: max(length - len(end), 0)]
    return (beginning if killwords else beginning.rsplit(" ", 1)[0]) + end


def _replace(run: Run, value: Any, old: Any, new: Any, count: int = -1) -> str:
    written, old, new = (values.text(part, run.meter) for part in (value, old, new))
    occurrences = written.count(old)
    run.meter.text(len(written) + occurrences * max(len(new) - len(old), 0))
    return written.replace(old, new, count)


def _format(run: Run, value: str, *arguments: Any, **named: Any) -> str:
    if not isinstance(value, str) or named:
        raise TemplateFault("format takes a text with marks such as %s and their values")
    kinds: list[str] = []
    for mark in _CONVERSION.finditer(value):
        width, precision, conversion = mark.groups(default="")
        if conversion not in _CONVERSIONS or not conversion:
            raise TemplateFault(f"'{mark.group()}' is no mark of format")
        if max(int(width[:9] or 0), int(precision[:9] or 0)) > _MAX_WIDTH:
            raise TemplateFault(f"a width must be a whole number from 0 to {_MAX_WIDTH}")
        kinds += [conversion] if conversion != "%" else []
    run.meter.text(len(value) + len(kinds) * _MAX_WIDTH)
    for kind, item in zip(kinds, arguments, strict=False):
        if kind in _DECIMAL and isinstance(item, int):
            values.double(item)
    written = [
        item if isinstance(item, int | float) else values.text(item, run.meter)
        for item in arguments
    ]
    run.meter.text(len(value) + sum(len(item) for item in written if isinstance(item, str)))
    return value % tuple(written)


def _split(run: Run, value: Any, by: str | None = None, most: int = -1) -> list[str]:
    written = values.text(value, run.meter)
    run.meter.items(len(written.split()) if by is None else written.count(by))
    return written.split(by, -1 if most is None else most)


def _lines(run: Run, value: Any) -> list[str]:
    lines = values.text(value, run.meter).splitlines()
    run.meter.items(len(lines))
    return lines


def _url(run: Run, value: Any) -> str:
    pairs: Any = None
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = value
    if pairs is None:
        return _url_quote(run, value)
    return "&".join(
        f"{_url_quote(run, key, safe='')}={_url_quote(run, item, safe='')}" for key, item in pairs
    )


def _url_quote(run: Run, value: Any, safe: str = "/") -> str:
    quoted = quote(values.text(value, run.meter).encode(errors="replace"), safe=safe)
    run.meter.text(len(quoted))
    return quoted


def _whole(run: Run, value: Any, default: Any = None, base: int = 10) -> int:
    try:
        return int(values.number(_whole_of(value, base) if isinstance(value, str) else int(value)))
    except (TypeError, ValueError, OverflowError) as error:
        if default is None:
            raise TemplateFault(f"{values.kind(value)} is no whole number") from error
        return int(default)


def _whole_of(text: str, base: int) -> int:
    number = truncate(text)
    if base == 10 and number is not None:
        return number
    if (base == 10 and text.strip()[:2] not in ("0x", "0X")) or "_" in text or not text.isascii():
        raise ValueError("is no whole number")
    return int(text, base)


def _real(run: Run, value: Any, default: Any = None) -> float:
    try:
        return values.number(_real_of(value) if isinstance(value, str) else _decimal(value))
    except (TypeError, ValueError, OverflowError) as error:
        if default is None:
            if isinstance(error, TemplateFault):
                raise
            message = error if isinstance(error, InexactText) else "is no number"
            raise TemplateFault(f"{values.kind(value)} {message}") from error
        return float(default)


def _decimal(value: Any) -> float:
    return values.double(value) if isinstance(value, int) else float(value)


def _real_of(text: str) -> float:
    number = parse_number(text)
    if number is None:
        raise ValueError("is no number")
    if int(float(number)) != int(number):
        raise InexactText
    return float(number)


def _round(run: Run, value: float, precision: int = 0, method: str = "common") -> float:
    if method == "common":
        return round(_decimal(value), precision)
    if method not in ("ceil", "floor"):
        raise TemplateFault("the method must be common, ceil or floor")
    factor = 10.0**precision
    scaled = _decimal(value) * factor
    return ((-(-scaled // 1)) if method == "ceil" else scaled // 1) / factor


def _bytes(run: Run, value: Any, binary: bool = False) -> str:
    return do_filesizeformat(value if isinstance(value, int | float) else float(value), binary)


TEXT_FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": lambda run, value: abs(value),
    "bool": lambda run, value: bool(value),
    "capitalize": _of_text(str.capitalize),
    "center": _center,
    "e": _escape,
    "escape": _escape,
    "filesizeformat": _bytes,
    "float": _real,
    "format": _format,
    "indent": _indent,
    "int": _whole,
    "lines": _lines,
    "lower": _of_text(str.lower),
    "mrkdwn": _mrkdwn,
    "replace": _replace,
    "round": _round,
    "safe": _safe,
    "split": _split,
    "string": lambda run, value: values.text(value, run.meter),
    "striptags": _of_words(
        lambda text: _SPACES.sub(" ", html.unescape(_TAG.sub("", text))).strip()
    ),
    "title": _of_words(do_title),
    "tojson": _to_json,
    "trim": _of_text(str.strip),
    "truncate": _truncate,
    "upper": _of_text(str.upper),
    "urlencode": _url,
    "wordcount": _of_words(lambda text: len(_WORD.findall(text))),
}
