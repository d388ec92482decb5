"""Who makes documents: nobody's many keep everybody else's from being made."""

from __future__ import annotations

import threading
import time

from automations.adapters.documents.fair_semaphore import FairSemaphore


def soon() -> float:
    return time.monotonic() + 0.05


def later() -> float:
    return time.monotonic() + 120


def test_one_has_some_and_leaves_the_others() -> None:
    places = FairSemaphore(4, per_key=2)
    with places.hold("a", later()) as first, places.hold("a", later()) as second:
        assert first
        assert second
        with places.hold("a", soon()) as third:
            assert not third
        with places.hold("b", later()) as other:
            assert other
    with places.hold("a", soon()) as again:
        assert again


def test_all_together_have_no_more_than_there_are() -> None:
    places = FairSemaphore(2, per_key=2)
    with places.hold("a", later()), places.hold("b", later()), places.hold("c", soon()) as came:
        assert not came


def test_who_waits_comes_when_another_ends_and_keeps_nobody_from_coming_before() -> None:
    places = FairSemaphore(2, per_key=1)
    begun = threading.Event()

    def wait() -> None:
        with places.hold("a", later()) as came:
            assert came
            begun.set()

    with places.hold("a", later()):
        waiting = threading.Thread(target=wait)
        waiting.start()
        with places.hold("b", later()) as other:
            assert other
        assert not begun.is_set()
    waiting.join(120)
    assert begun.is_set()
