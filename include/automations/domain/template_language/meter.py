"""Limits the work of a template, which is counted before it is done."""

from __future__ import annotations

from automations.domain.template_language.faults import TemplateFault

MAX_WORK = 300_000
"""Pieces of work for all templates of one attempt: 0.1 to 1.4 µs each where it was measured."""
MAX_TEXT = 1_000_000
"""Characters of one text that a template makes."""
MAX_DEPTH = 100
"""Lists and objects inside of each other."""

_CHARACTERS_PER_UNIT = 16
"""So many characters are one piece of work: their memory costs more than their time."""


class Meter:
    """Counts work, and ends it at its bound.

    Args:
        max_text: how many characters a text may have.
    """

    __slots__ = ("_left", "_max_text")

    def __init__(self, work: int = MAX_WORK, max_text: int = MAX_TEXT) -> None:
        self._left = work
        self._max_text = max_text

    def charge(self, work: int) -> None:
        """Count work that is about to be done.

        Raises:
            TemplateFault: it is more than is left.
        """
        self._left -= work
        if self._left < 0:
            raise TemplateFault("it needs more work than templates may take")

    def text(self, length: int) -> None:
        """Count a text that is about to be made.

        Raises:
            TemplateFault: it is too long, or more than is left.
        """
        if length > self._max_text:
            raise TemplateFault(f"the rendered text is longer than {self._max_text} characters")
        self.characters(length)

    def characters(self, number: int) -> None:
        """Count characters of a text that is about to be read, or copied to be looked at."""
        self.charge(number // _CHARACTERS_PER_UNIT + 1)

    def items(self, number: int) -> None:
        """Count a list that is about to be made."""
        self.charge(max(number, 0) + 1)

    def tree(self, value: object) -> None:
        """Count everything in a value that is about to be read as a whole.

        A list may hold another one many times, so that what is small in memory is large when it is
        written or compared.
        """
        left = [(value, 0)]
        while left:
            value, depth = left.pop()
            if isinstance(value, str):
                self.characters(len(value))
                continue
            self.charge(1)
            if not isinstance(value, list | dict):
                continue
            if depth == MAX_DEPTH:
                raise TemplateFault("the value is nested too deeply")
            # Before the items are put down, so that no more are than there is work left.
            self.charge(len(value))
            if isinstance(value, dict):
                left.extend((key, depth) for key in value)
                left.extend((item, depth + 1) for item in value.values())
            else:
                left.extend((item, depth + 1) for item in value)
