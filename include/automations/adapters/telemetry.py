"""Exports spans over OTLP/HTTP, as configured by the standard ``OTEL_*`` variables."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from opentelemetry.trace import TracerProvider

log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORT_TIMEOUT = 2.0
"""Seconds that a collector has: a step's process waits for it before it ends."""


def provider(service: str) -> TracerProvider | None:
    """What records spans and sends them, or None when nobody wants them.

    Args:
        service: what this process is called, unless OTEL_SERVICE_NAME says.
    """
    if not is_wanted(os.environ):
        return None
    # Slow to import, and needed by nobody else.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as Recording
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": service}
    tracer_provider = Recording(resource=Resource.create(named))
    timeout = None if any(name in os.environ for name in _TIMEOUTS) else _EXPORT_TIMEOUT
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
    return tracer_provider


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables name a collector that we can send to."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    if not any(environment.get(name) for name in _ENDPOINTS):
        return False
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), None)
    if protocol not in (None, "http/protobuf"):
        log.warning("No traces are sent: only OTLP over http/protobuf is, and not %s.", protocol)
        return False
    return True
