"""A column's options as lines that people type: exactly, whatever stands in them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from api_bridge.console.views import shapes
from automations.domain.tables.columns import Column, Option

PART = st.text(st.sampled_from("ab =\\\"'\n\r\t[]1"), max_size=8)
OPTION = st.builds(Option, value=PART.filter(bool), label=PART)


@given(st.lists(OPTION, min_size=1, max_size=4, unique_by=lambda option: option.value))
def test_an_option_is_what_it_was_when_a_neighbour_is_added(options: list[Option]) -> None:
    before = [Column(key="a", name="A", type="select", options=options)]
    draft = shapes.from_shape("T", "", before)
    typed = replace(draft.columns[0], options=f"{draft.columns[0].options}\r\nzz = Last")
    made = shapes.shape(replace(draft, columns=(typed,)), before)
    assert made.columns[0].options == [*options, Option(value="zz", label="Last")]


@given(st.lists(OPTION, min_size=1, max_size=4, unique_by=lambda option: option.value))
def test_a_line_says_all_of_an_option_by_itself(options: list[Option]) -> None:
    draft = shapes.from_shape("T", "", [Column(key="a", name="A", type="select", options=options)])
    (column,) = shapes.shape(draft, ()).columns
    whole = [Option(value=option.value, label=option.label or option.value) for option in options]
    assert column.options == whole
