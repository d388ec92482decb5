"""Forms of thousands of inputs: what is read of them takes a time that grows as they do."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData, UploadFile

from api_bridge.console.views import form_parts, schema_fields, step_inputs
from api_bridge.public_pages import form_inputs
from tests.growth import growth


def options(count: int) -> list[dict[str, str]]:
    return [{"label": f"L{number}", "value": f"v{number}"} for number in range(count)]


def test_a_choice_of_many_options() -> None:
    def read(count: int) -> None:
        field = {"id": "1", "key": "c", "type": "multiselect", "options": options(count)}
        form = FormData([("data.c", f"v{number}") for number in range(count)])
        filled = form_inputs.read({"sections": [{"id": "s", "fields": [field]}]}, form)
        assert len(filled.data["c"]) == count

    assert growth(read, 1_000, 4_000) < 10


def test_the_options_of_a_field_that_is_written() -> None:
    def read(count: int) -> None:
        named: list[tuple[str, str | UploadFile]] = [
            pair
            for number in range(count)
            for pair in (
                (f"option.{number}", f"M{number}"),
                (f"option.{number}:value", f"v{number}"),
            )
        ]
        made = form_parts.read_options({"options": options(count)}, FormData(named))
        assert len(made) == count

    assert growth(read, 1_000, 4_000) < 10


def test_the_headers_of_a_request_that_is_written() -> None:
    specs = schema_fields.step_specs("http_request")

    def read(count: int) -> None:
        step: dict[str, Any] = {
            "type": "http_request",
            "config": {"headers": {f"h{number}": "x" for number in range(count)}},
        }
        named: list[tuple[str, str | UploadFile]] = [
            pair
            for number in range(count)
            for pair in (
                (f"f:config.headers:{number}", f"h{number}"),
                (f"f:config.headers:{number}:value", "y"),
            )
        ]
        made = step_inputs.read(specs, step, FormData(named))
        assert len(made["config"]["headers"]) == count

    assert growth(read, 1_000, 4_000) < 10


def test_the_input_of_an_automation_that_is_written() -> None:
    specs = schema_fields.trigger_specs("manual")

    def read(count: int) -> None:
        named: list[tuple[str, str | UploadFile]] = [
            pair
            for number in range(count)
            for pair in (
                (f"f:trigger.inputSchema:{number}", f"h{number}"),
                (f"f:trigger.inputSchema:{number}:ticked", "on"),
            )
        ]
        made = step_inputs.read(specs, {"type": "manual"}, FormData(named))
        assert len(made["inputSchema"]["required"]) == count

    assert growth(read, 1_000, 4_000) < 10
