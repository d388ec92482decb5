"""Who makes documents: nobody's many keep everybody else's from being made."""

from __future__ import annotations

import threading
import time

from automations.adapters.documents.turns import Turns


def soon() -> float:
    return time.monotonic() + 0.05


def later() -> float:
    return time.monotonic() + 120


def test_one_has_some_and_leaves_the_others() -> None:
    turns = Turns(4, of_one=2)
    with turns.one("a", later()) as first, turns.one("a", later()) as second:
        assert first
        assert second
        with turns.one("a", soon()) as third:
            assert not third
        with turns.one("b", later()) as other:
            assert other
    with turns.one("a", soon()) as again:
        assert again


def test_all_together_have_no_more_than_there_are() -> None:
    turns = Turns(2, of_one=2)
    with turns.one("a", later()), turns.one("b", later()), turns.one("c", soon()) as came:
        assert not came


def test_who_waits_comes_when_another_ends_and_keeps_nobody_from_coming_before() -> None:
    turns = Turns(2, of_one=1)
    begun = threading.Event()

    def wait() -> None:
        with turns.one("a", later()) as came:
            assert came
            begun.set()

    with turns.one("a", later()):
        waiting = threading.Thread(target=wait)
        waiting.start()
        with turns.one("b", later()) as other:
            assert other
        assert not begun.is_set()
    waiting.join(120)
    assert begun.is_set()
