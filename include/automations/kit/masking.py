"""Hides secret values in what is recorded, even if they were encoded."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from html.entities import codepoint2name
from typing import Any, TypeVar
from urllib.parse import quote

MASK = "***"
MIN_SECRET_LENGTH = 5
"""A shorter value is not hidden: it would be found everywhere by chance."""

_MIN_LINE_LENGTH = 8
# Whom a decision asks, and what the engine goes by, must stay what it is.
_FUNCTIONAL = frozenset({"arm", "kind", "approvers"})
_BACKSLASH = r"(?:\\|%(?:25){0,3}5[Cc]|&(?:amp;){0,3}(?:#0{0,4}92;?|#[xX]0{0,4}5[cC];?|bsol;))"
_SHORT_ESCAPES = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

T = TypeVar("T")


Find = Callable[[str, int], tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write a value.

    Args:
        find: where it begins and ends in a text, from a place on.
        before: whether the character before holds some bits of the value, too.
        after: the same of the character after.
    """

    find: Find
    before: bool = False
    after: bool = False

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        span = self.find(text, 0)
        while span:
            start, end = span
            # One further only: a value may begin again inside itself.
            following = start + 1
            if self.before and start and text[start - 1] in _BASE64:
                start -= 1
            if self.after and end < len(text) and text[end] in _BASE64:
                end += 1
            yield start, end
            span = self.find(text, following)


def _literally(form: str) -> Find:
    def find(text: str, start: int) -> tuple[int, int] | None:
        at = text.find(form, start)
        return None if at < 0 else (at, at + len(form))

    return find


def _spelling_finder(value: str) -> Find:
    # What every spelling leaves as it is: a quick look for it spares most texts the pattern.
    anchor = max(re.findall(r"[A-Za-z0-9]*", value), key=len)
    compiled: list[re.Pattern[str]] = []

    def find(text: str, start: int) -> tuple[int, int] | None:
        if text.find(anchor, start) < 0:
            return None
        if not compiled:
            compiled.append(re.compile(_pattern(value)))
        match = compiled[0].search(text, start)
        return match.span() if match else None

    return find


class Masker:
    """Replaces some values by ``***`` wherever they are written.

    A value is also found when it was encoded for a URL, JSON or HTML, once or in each other, and
    when it is in hexadecimal or in base64 of either alphabet, alone or inside a longer text.
    """

    def __init__(self, values: Iterable[str]) -> None:
        chosen = {
            part for value in values for part in _parts(value) if len(part) >= MIN_SECRET_LENGTH
        }
        self._forms = [form for value in sorted(chosen) for form in _forms(value)]

    def text(self, text: str) -> str:
        """A text without the values."""
        # Each turn makes the text shorter, so that this ends; what is joined by a mask counts, too.
        while spans := sorted(span for form in self._forms for span in form.spans(text)):
            text = _without(text, spans)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value, or a dataclass of such, with every text, key and number in it masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.value(item) for item in value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value if self.text(written := str(value)) == written else MASK
        if is_dataclass(value) and not isinstance(value, type):
            return self.fields(value)
        return value

    def fields(self, value: T) -> T:
        """A dataclass with its fields masked, but for those that something goes by."""
        if not self._forms:
            return value
        masked = {
            field.name: self.value(getattr(value, field.name))
            for field in fields(value)  # type: ignore[arg-type]  # any dataclass
            if field.name not in _FUNCTIONAL
        }
        return replace(value, **masked)  # type: ignore[type-var]  # any dataclass


def _parts(value: str) -> Iterator[str]:
    """The value, and its lines: a key of several lines may be shown line by line."""
    yield value
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _MIN_LINE_LENGTH)


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    start, end = spans[0]
    for next_start, next_end in [*spans[1:], (len(text) + 1, 0)]:
        if next_start <= end:
            end = max(end, next_end)
            continue
        pieces += [text[done:start], MASK]
        done, start, end = end, next_start, next_end
    return "".join(pieces) + text[done:]


@lru_cache(maxsize=512)
def _forms(value: str) -> tuple[_Form, ...]:
    sources = {value, html.escape(value), quote(value, safe="")}
    sources |= {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    contents = {source.encode(errors="surrogatepass") for source in sources}
    forms = [_Form(_spelling_finder(value))]
    for content in sorted(contents):
        forms += [_Form(_literally(content.hex())), _Form(_literally(content.hex().upper()))]
        for before in range(3):
            forms += _base64(content, before)
    return tuple(forms)


def _pattern(value: str) -> str:
    """A pattern of the value with each character plain or escaped for URLs, JSON or HTML."""
    # A run of backslashes is one piece, so that a long run in a text cannot be split in many ways.
    return "".join(
        f"{_BACKSLASH}{{{len(run)},{8 * len(run)}}}" if run[0] == "\\" else _character(run)
        for run in re.findall(r"\\+|[^\\]", value)
    )


def _character(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    code = ord(char)
    octets = "".join(f"%(?:25){{0,3}}{octet:02X}" for octet in _encode(char))
    units = _encode(char, "utf-16-be")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    escaped = f"{_BACKSLASH}{{1,7}}".join(f"u{pair}" for pair in pairs)
    entities = [f"#0{{0,4}}{code};?", f"#[xX]0{{0,4}}{code:x};?"]
    if char == "'":
        entities.append("apos;")
    if code in codepoint2name:
        entities.append(f"{codepoint2name[code]};")
    forms = [
        re.escape(char),
        f"(?i:{octets})",
        f"(?i:{escaped})",
        f"&(?:amp;){{0,3}}(?i:{'|'.join(entities)})",
    ]
    if char in _SHORT_ESCAPES:
        forms.append(_SHORT_ESCAPES[char])
    if char == " ":
        forms.append(r"\+")
    if char == "\n":
        forms.append("\r\n")
    return f"{_BACKSLASH}{{0,7}}(?:{'|'.join(forms)})"


def _encode(char: str, encoding: str = "utf-8") -> bytes:
    return char.encode(encoding, errors="surrogatepass")


def _base64(content: bytes, before: int) -> Iterator[_Form]:
    """The characters that a value gives after some other bytes, whatever these are."""
    length = before + len(content)
    first = (0, 2, 3)[before]
    last = length // 3 * 4 + (0, 1, 2)[length % 3]
    core = base64.b64encode(bytes(before) + content).decode()[first:last]
    once = quote(core, safe="")
    spelled = {core, core.replace("+", "-").replace("/", "_"), core.replace("/", "\\/")}
    spelled |= {once, once.replace("%2B", "%2b").replace("%2F", "%2f"), quote(once, safe="")}
    for form in sorted(spelled):
        yield _Form(_literally(form), before=before > 0, after=length % 3 > 0)
