"""Comparisons of texts, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit import line_diffs
from automations.kit.line_diffs import Line, differences

LINES = st.lists(st.sampled_from("abcdefgh"), max_size=40)


def shown(old: Sequence[str], new: Sequence[str]) -> str:
    signs = {"same": " ", "added": "+", "removed": "-", "gap": "…"}
    return " ".join(f"{signs[line.kind]}{line.text}".strip() for line in differences(old, new))


def steps(number: int, retried: Callable[[int], bool] = lambda _: False) -> list[str]:
    """A text as definitions are: most of its lines are there many times."""
    return [
        line
        for place in range(number)
        for line in (f"- id: s{place}", "  type: delay", "  config:", "    duration: PT1H")
        + (("  timeout: PT5M",) if retried(place) else ())
    ]


def test_texts_that_are_the_same_have_no_differences() -> None:
    assert differences([], []) == []
    assert differences(["a"] * 9, ["a"] * 9) == []


def test_what_is_around_a_difference_is_shown_and_the_rest_left_out() -> None:
    old = [str(number) for number in range(20)]
    new = [*old[:5], "new", *old[6:]]
    assert shown(old, new) == "… 2 3 4 -5 +new 6 7 8 …"
    assert shown(["a", "b"], ["a", "b", "c"]) == "a b +c"
    assert shown(["a", "b"], []) == "-a -b"


def test_two_differences_have_one_gap_between_them() -> None:
    old = [str(number) for number in range(20)]
    new = ["x", *old[1:19], "y"]
    assert shown(old, new) == "-0 +x 1 2 3 … 16 17 18 -19 +y"


def test_a_line_that_was_moved_is_removed_and_added() -> None:
    assert shown(["a", "b", "c"], ["c", "a", "b"]) == "+c a b -c"


def test_a_line_among_many_that_are_alike_is_the_only_difference() -> None:
    old, new = steps(500), steps(500, lambda place: place == 250)
    changed = [line for line in differences(old, new) if line.kind in ("added", "removed")]
    assert changed == [Line("added", "  timeout: PT5M")]


@given(LINES, LINES)
def test_a_comparison_has_all_of_both_texts(old: list[str], new: list[str]) -> None:
    whole = list(line_diffs._diff_all(old, new))
    assert [line.text for line in whole if line.kind != "added"] == old
    assert [line.text for line in whole if line.kind != "removed"] == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["- a"] * 3_000, ["- a", "- b"] * 3_000),
        ([f"- {number % 7}" for number in range(9_000)], ["- 3"] * 9_000),
        (steps(2_000), steps(2_000, lambda place: place % 2 == 0)),
    ],
)
def test_lines_that_are_alike_by_the_thousand_are_compared_with_little_work(
    old: list[str], new: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # All with all they would be millions: of difflib's own loop each is a step.
    looked_at = 0

    class Counted(list[int]):
        def __iter__(self) -> Any:
            nonlocal looked_at
            for one in super().__iter__():
                looked_at += 1
                yield one

    chain = difflib.SequenceMatcher._SequenceMatcher__chain_b  # type: ignore[attr-defined]

    def counting(self: Any) -> None:
        chain(self)
        self.b2j = {line: Counted(places) for line, places in self.b2j.items()}

    monkeypatch.setattr(difflib.SequenceMatcher, "_SequenceMatcher__chain_b", counting)
    assert differences(old, new)
    assert looked_at < 2_000_000
