"""What the console calls things: triggers, files, and fields that nobody has named."""

from __future__ import annotations

import pytest

from api_bridge.console.views import inputs, triggers, words
from automations.definitions.triggers import FILTERS


@pytest.mark.parametrize("kind", [*FILTERS, "RUN_FAILED"])
def test_an_event_of_the_product_s_own_is_said_in_words(kind: str) -> None:
    said = triggers.describe({"trigger": {"type": "event", "triggerType": kind}})
    assert said.startswith("When a ")
    assert "_" not in said


def test_an_event_of_somebody_else_s_keeps_the_name_that_it_was_given() -> None:
    trigger = {"type": "event", "triggerType": "ORDER_PAID"}
    assert triggers.describe({"trigger": trigger}) == "On ORDER_PAID"


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 byte"), (541, "541 bytes"), (1_200_000, "1.2 MB")]
)
def test_a_file_s_size_is_in_the_unit_that_people_read(count: int, said: str) -> None:
    assert words.size(count).lower() == said.lower()


@pytest.mark.parametrize(
    ("interval", "said"), [("PT1H", "Every hour"), ("PT15M", "Every 15 min"), ("P7D", "Every week")]
)
def test_an_interval_of_one_unit_is_said_without_a_number(interval: str, said: str) -> None:
    trigger = {"type": "schedule", "interval": interval}
    assert triggers.describe({"trigger": trigger}) == said


def test_a_format_is_written_as_people_write_it() -> None:
    assert [words.file_format(format_name) for format_name in ("pdf", "docx", "markdown")] == [
        "PDF",
        "DOCX",
        "Markdown",
    ]


def test_an_input_without_a_title_is_called_by_its_key_in_words() -> None:
    schema = {"properties": {"creditLimit": {"type": "number"}, "to": {"title": "An wen?"}}}
    found = inputs.fields_of(schema, "input.")
    assert [(field.key, field.label) for field in found or ()] == [
        ("creditLimit", "Credit limit"),
        ("to", "An wen?"),
    ]
