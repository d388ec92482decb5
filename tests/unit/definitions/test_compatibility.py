"""Which other versions of its automation a run that failed can go on by."""

from __future__ import annotations

import pytest

from automations.definitions.compatibility import obstacle
from automations.definitions.plan import Plan
from tests.unit.definitions.plans import branch, plan, wait

BEFORE = plan(wait("a", 0), wait("b", 1), wait("c", 2))
"""It failed at b."""


@pytest.mark.parametrize(
    "after",
    [
        plan(wait("a", 0), wait("b", 1, config={"duration": "PT9S"}), wait("c", 2)),
        plan(wait("a", 0), wait("b", 1)),
        plan(wait("a", 0), wait("b", 1), wait("new", 2), wait("c", 3)),
        plan({**wait("a", 5), "name": "renamed"}, wait("b", 6)),
        plan(wait("a", 0), branch("b", 1, then=[wait("new")])),
    ],
)
def test_the_failed_step_and_what_comes_behind_it_may_be_different(after: Plan) -> None:
    assert obstacle(BEFORE, after, {"a"}) is None


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (plan(wait("b"), wait("c", 1)), "step 'a', which the run has behind it, is no longer"),
        (plan(branch("a"), wait("b", 1)), "step 'a', which the run has behind it, was changed"),
        (plan(wait("a"), wait("new", 1), wait("b", 2)), "step 'new' is new before"),
        (plan(wait("new"), wait("a", 1), wait("b", 2)), "was changed in its place"),
        (plan(wait("a"), wait("c", 1)), "step 'c' is new before"),
        (plan(wait("a")), "step 'b', which failed, is no longer"),
        (plan(wait("a"), wait("b", 1, disabled=True)), "step 'b', which failed, is no longer"),
    ],
)
def test_what_is_done_must_be_the_same(after: Plan, reason: str) -> None:
    assert reason in str(obstacle(BEFORE, after, {"a"}))


def test_an_arm_that_was_left_out_may_not_get_new_steps() -> None:
    before = plan(branch("q", then=[wait("x")]), wait("end", 1))
    settled = {"q"}
    same = plan(branch("q", then=[wait("x"), wait("more", 1)]))
    assert obstacle(before, same, settled) is None
    other = plan(branch("q", then=[wait("x")], else_=[wait("new")]), wait("end", 1))
    assert "step 'new' is new" in str(obstacle(before, other, settled))
    moved = plan(branch("q", else_=[wait("x")]), wait("end", 1))
    assert "no longer at its place" in str(obstacle(before, moved, settled))


def test_a_run_in_which_everything_is_done_has_nothing_to_go_on_with() -> None:
    assert obstacle(BEFORE, BEFORE, {"a", "b", "c"}) == "no step of it is left to be done"
    assert obstacle(BEFORE, plan(wait("b")), set()) is not None
    assert obstacle(BEFORE, BEFORE, set()) is None
