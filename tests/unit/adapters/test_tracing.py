"""Traces: who is sent them, and what is handed on without."""

from __future__ import annotations

import pytest

from automations.adapters.telemetry import is_wanted, provider
from automations.kit import tracing

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (HERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, True),
        ({**HERE, "OTEL_SDK_DISABLED": "true"}, False),
        ({**HERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**HERE, "OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({**HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
    ],
)
def test_traces_are_sent_where_the_standard_variables_say(
    environment: dict[str, str], wanted: bool
) -> None:
    assert is_wanted(environment) is wanted


def test_nothing_is_recorded_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HERE:
        monkeypatch.delenv(name, raising=False)
    assert provider("x") is None
    assert not tracing.is_on()
    with tracing.span("work") as span:
        assert not span.is_recording()
        assert tracing.current() is None


def test_a_callers_trace_is_handed_on_all_the_same() -> None:
    with tracing.span("work", traceparent=TRACEPARENT):
        assert tracing.current() == TRACEPARENT
        with tracing.span("within"):
            assert tracing.current() == TRACEPARENT
        assert tracing.beginning("run")[1] == TRACEPARENT
    assert tracing.current() is None


@pytest.mark.parametrize("nonsense", ["", "00-1-2-3", "x" * 500, f"{TRACEPARENT}-more", "\n"])
def test_what_is_no_trace_is_ignored(nonsense: str) -> None:
    with tracing.span("work", traceparent=nonsense):
        assert tracing.current() is None
