"""Normalises the line breaks that browsers send, and recognises texts that were changed only so."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def normalise_breaks(text: str) -> str:
    """A text with one character for each line break: browsers send two."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def as_it_was(typed: str, originals: Iterable[str]) -> str:
    """A text that was typed; where it is one of those that were there, with its own line breaks."""
    bare = normalise_breaks(typed)
    return next((original for original in originals if normalise_breaks(original) == bare), bare)


def as_they_were(originals: Iterable[str]) -> Callable[[str], str]:
    """The same for many texts, which are not held against each of those that there were."""
    exact: dict[str, str] = {}
    for original in originals:
        exact.setdefault(normalise_breaks(original), original)

    def as_it_is_known(typed: str) -> str:
        bare = normalise_breaks(typed)
        return exact.get(bare, bare)

    return as_it_is_known
