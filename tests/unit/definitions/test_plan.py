"""The plan: which step follows which."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.definitions.plans import branch, plan, wait


def test_nothing_to_do_has_no_first_step() -> None:
    assert plan().first is None


def test_steps_follow_their_order_and_not_their_place() -> None:
    laid = plan(wait("b", 2), wait("a", 1))
    assert (laid.first, laid.target("a", None), laid.target("b", None)) == ("a", "b", None)


def test_a_disabled_step_is_left_out() -> None:
    laid = plan(wait("a", 0), wait("b", 1, disabled=True), wait("c", 2))
    assert laid.target("a", None) == "c"
    assert "b" not in laid.nodes


def test_both_arms_lead_to_what_comes_after_the_condition() -> None:
    laid = plan(branch("c", then=[wait("t")], else_=[wait("e")]), wait("end", 1))
    assert (laid.target("c", "then"), laid.target("c", "else")) == ("t", "e")
    assert laid.target("t", None) == laid.target("e", None) == "end"
    assert sorted(laid.nodes["end"].upstream) == ["e", "t"]
    assert laid.nodes["end"].joins


def test_an_empty_arm_leads_straight_on() -> None:
    laid = plan(branch("c", then=[wait("t")]), wait("end", 1))
    assert laid.target("c", "else") == "end"
    assert sorted(laid.nodes["end"].upstream) == ["c", "t"]


def test_what_was_not_chosen_is_beside_with_all_that_lies_in_it() -> None:
    inner = branch("inner", then=[wait("deep")])
    laid = plan(branch("c", then=[inner], else_=[wait("e")]), wait("end", 1))
    assert laid.skipped_by("c", "then") == ["e"]
    assert sorted(laid.skipped_by("c", "else")) == ["deep", "inner"]


def test_a_group_is_a_nested_list_with_all_that_lies_in_it_and_is_named_as_no_step_is() -> None:
    inner = branch("inner", then=[wait("deep")])
    named = {"name": "Is it, say, large?"}
    laid = plan(
        {**branch("c", then=[inner], else_=[wait("x")]), **named},
        {**branch("d", order=1, then=[wait("y")]), **named},
        {**branch("e", order=2, then=[wait("z"), wait("f__then")]), "name": "f"},
    )
    assert laid.groups() == {
        ("c", "then"): "Is_it_say_large__then",
        ("inner", "then"): "inner__then",
        ("c", "else"): "Is_it_say_large__else",
        ("d", "then"): "Is_it_say_large__d__then",
        ("e", "then"): "f__e__then",
    }
    symbols = plan({**branch("g", then=[wait("t")]), "name": "?!"})
    assert symbols.groups() == {("g", "then"): "g__then"}
    assert laid.in_group("Is_it_say_large__then") == ["inner", "deep"]
    assert laid.in_group("inner__then") == ["deep"]
    assert laid.in_group("Is_it_say_large__no") == []


def test_steps_for_errors_are_an_arm_of_their_own() -> None:
    laid = plan(wait("a", 0, onError=[wait("rescue")]), wait("end", 1))
    assert laid.target("a", "onError") == "rescue"
    assert laid.target("a", None) == laid.target("rescue", None) == "end"


def test_the_body_of_a_loop_is_no_part_of_the_graph() -> None:
    config = {"collection": [1], "steps": [wait("inside")]}
    looping = {"id": "l", "name": "l", "type": "loop", "order": 0, "config": config}
    laid = plan({**looping, "onError": [wait("rescue")]}, wait("end", 1))
    assert set(laid.nodes) == {"l", "rescue", "end"}
    assert (laid.target("l", None), laid.target("l", "onError")) == ("end", "rescue")


def test_what_is_neither_done_nor_left_out_is_pending_in_order() -> None:
    laid = plan(wait("a", 0), wait("b", 1), wait("c", 2))
    assert laid.pending({"a"}) == ["b", "c"]


@given(count=st.integers(min_value=1, max_value=30))
def test_a_chain_is_walked_from_its_first_to_its_last_step(count: int) -> None:
    laid = plan(*(wait(f"s{number}", number) for number in range(count)))
    walked: list[str] = []
    here = laid.first
    while here is not None:
        walked.append(here)
        here = laid.target(here, None)
    assert walked == [f"s{number}" for number in range(count)]
