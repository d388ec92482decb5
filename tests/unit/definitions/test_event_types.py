"""Which types of events automations may listen to."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from automations.definitions.triggers import FILTERS, EventTrigger


def trigger(kind: str) -> EventTrigger:
    return EventTrigger.model_validate({"type": "event", "triggerType": kind})


@pytest.mark.parametrize(
    "kind",
    [*FILTERS, "com.example.paid", "3d.print", "orders", "my_asset", "s3://bucket/key", "PAY.DONE",
     "row.added", "order_paid", "x", "zamówienie"],
)  # fmt: skip
def test_a_known_type_and_a_name_of_ones_own_are_taken(kind: str) -> None:
    assert trigger(kind).trigger_type == kind


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("row_added", "did you mean ROW_ADDED"),
        ("RowAdded", "did you mean ROW_ADDED"),
        ("ROW_ADED", "did you mean ROW_ADDED"),
        ("row-added", "did you mean ROW_ADDED"),
        ("FORM_APROVED", "did you mean FORM_APPROVED"),
        ("matter_step_complete", "did you mean MATTER_STEP_COMPLETED"),
        ("NOPE", "a name of your own is like"),
        ("WEBHOOK", "a name of your own is like"),
        ("ROW_ADDED:c000000000000000000000001", "no type of event|a name of your own is like"),
        ("two words", "must match|should match"),
        ("", "must match|should match"),
    ],
)
def test_what_looks_like_a_misspelt_type_is_refused(kind: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        trigger(kind)
