"""Regular expressions of users, matched by an engine without backtracking, within bounds.

Rust's engine takes time in proportion to the text and to the pattern with its repetitions written
out, which `(?:[^x]{1,99}y?){1,99}` makes large: half a minute for 100,000 characters.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

MAX_LENGTH = 1_000
"""What a pattern costs grows with its length times that of the text."""
MAX_PLACES = 3_000
"""Places of a pattern, with repetitions written out."""
MAX_BUILD = 12_000
"""What it takes to prepare a pattern, 10 µs each."""
MAX_WORK = 5_000_000
"""Places of a pattern for each character of a text: 30 ns each at worst."""

_UNICODE_CLASS = 40
"""Building costs of a class such as `\\w`, which has hundreds of ranges."""
_CLASS = 4
_TIMES = re.compile(r"\{(\d{1,9})(?:,(\d{0,9}))?\}")
_UNICODE = re.compile(r"\\[wWdDsSpPbB]")
_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_COMBINED = re.compile(r"&&|--|~~|\[(?!:)")
"""What joins classes within brackets, and what only looks so."""
_ESCAPED = re.compile(r"\\.", re.DOTALL)


class Pattern:
    """A pattern that can be used.

    Args:
        written: what a user has written.

    Raises:
        ValueError: it cannot be used; says why.
    """

    def __init__(self, written: str) -> None:
        shown = written[:100]
        if len(written) > MAX_LENGTH:
            raise ValueError(f"a pattern has {MAX_LENGTH} characters at most")
        self.written = written
        self.places = _size(written, 1, 1)
        self.build = _size(written, _CLASS, _UNICODE_CLASS)
        if self.places > MAX_PLACES or self.build > MAX_BUILD:
            raise ValueError(f"the pattern '{shown}' repeats too much")
        try:
            self._engine = _engine(written)
            if (with_digits := _ESCAPED.sub(_digits, written)) != written:
                self._engine = _engine(with_digits)
        except SchemaError as error:
            raise ValueError(f"'{shown}' is not a pattern that can be used") from error

    def work(self, text: str) -> int:
        """What it takes to look for it in a text."""
        return self.places * (len(text) + 1)

    def matches(self, text: str) -> bool:
        """Whether it is found in a text.

        Raises:
            ValueError: the text is too long for it.
        """
        if self.work(text) > MAX_WORK:
            shown = self.written[:100]
            raise ValueError(f"{len(text)} characters are too many for the pattern '{shown}'")
        try:
            self._engine.validate_python(text)
        except ValidationError:
            return False
        return True


def _engine(written: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=written))


def _digits(escaped: re.Match[str]) -> str:
    """A digit as JSON Schema has it, and all who take what matches for a number: 0 to 9."""
    return {"\\d": "[0-9]", "\\D": "[^0-9]"}.get(escaped[0], escaped[0])


@lru_cache(maxsize=8)
def pattern(written: str) -> Pattern:
    """A pattern, one of the last few without preparing it again; raises as ``Pattern``."""
    return Pattern(written)


def postgres_form(written: str) -> str:
    """A pattern that can be used, as PostgreSQL writes it.

    There, what stands for the end of a word is a backspace, and a dot may be a line break.

    Raises:
        ValueError: PostgreSQL would take it for another one.
    """
    flags = _FLAGS.match(written)
    given = flags[1] if flags else ""
    if unknown := set(given) - set("imsx"):
        raise ValueError(f"has the flag {min(unknown)}, which no filter of rows can have")
    parts, place = [], flags.end() if flags else 0
    while place < len(written):
        step = _atom(written, place)
        atom = written[place : place + step]
        if step > 2 and _COMBINED.search(_ESCAPED.sub("", atom[1:-1])):
            raise ValueError(f"'{atom[:100]}' combines classes, which no filter of rows can do")
        dot = "." if "s" in given else r"[^\n]"
        parts.append({r"\b": r"\y", r"\B": r"\Y", ".": dot}.get(atom, atom))
        place += step
    kept = given.replace("s", "").replace("m", "w")
    return f"(?{kept}){''.join(parts)}" if kept else "".join(parts)


def _size(written: str, of_class: int, of_unicode: int) -> int:
    """The size of a pattern with repetitions written out, larger rather than smaller."""
    groups, last, place = [0], 0, 0
    while place < len(written):
        sign, step = written[place], 1
        times = _TIMES.match(written, place)
        if times:
            step = times.end() - place
            repeats = max(int(times.group(1)), int(times.group(2) or 0), 1)
            groups[-1] += last * (repeats - 1)
            last *= repeats
        elif sign == "(":
            groups.append(0)
        elif sign == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        elif sign not in "*+?|":
            step = _atom(written, place)
            atom = written[place : place + step]
            last = of_unicode if _UNICODE.search(atom) else of_class if sign in "[." else 1
            groups[-1] += last
        place += step
    return sum(groups) + 1


def _atom(written: str, place: int) -> int:
    """How many characters one atom is written with."""
    if written[place] == "\\":
        return 2
    if written[place] != "[":
        return 1
    # A bracket inside of another one opens a class, too.
    depth, end = 0, place
    while end < len(written):
        if written[end] == "\\":
            end += 1
        elif written[end] == "[":
            depth += 1
        elif written[end] == "]" and end > place + 1:
            depth -= 1
            if depth == 0:
                return end - place + 1
        end += 1
    return 1
