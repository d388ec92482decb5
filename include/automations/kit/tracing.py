"""Traces from a request to the steps of the runs that it starts, in OpenTelemetry's terms.

Off unless a process is given a provider; even then a caller's trace is passed on, in the
``traceparent`` that is stored with each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_NAME = "automations"
_propagator = TraceContextTextMapPropagator()
_off: Tracer = NoOpTracer()
_tracer: Tracer = _off
_provider: trace.TracerProvider | None = None


def use(provider: trace.TracerProvider | None) -> None:
    """Record this process's spans with a provider; None turns that off."""
    global _provider, _tracer
    _provider = provider
    _tracer = _off if provider is None else provider.get_tracer(_NAME)


def is_on() -> bool:
    """Whether spans are recorded."""
    return _provider is not None


def flush() -> None:
    """Export all recorded spans, before the process ends."""
    send = getattr(_provider, "force_flush", None)
    if send is not None:
        send()


@contextmanager
def span(
    name: str,
    *,
    traceparent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    **about: str | int | None,
) -> Iterator[Span]:
    """Record the block as one span.

    Args:
        traceparent: the parent span; None for this thread's current one.
        about: attributes, which get the prefix ``automations.``.
    """
    with _tracer.start_as_current_span(
        name,
        context=_context(traceparent),
        kind=kind,
        attributes=_attributes(about),
        # The text of an exception may contain secrets.
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        try:
            yield begun
        except Exception as error:
            mark_failed(begun, type(error).__name__)
            raise


def mark_failed(begun: Span, reason: str) -> None:
    """Set a span's status to failed."""
    begun.set_status(Status(StatusCode.ERROR, reason))


def note(name: str, since: datetime, traceparent: str | None, **about: str | int | None) -> None:
    """Record a span that began some time ago and ends now."""
    if is_on():
        begun = _tracer.start_span(
            name,
            context=_context(traceparent),
            attributes=_attributes(about),
            start_time=int(since.timestamp() * 1e9),
        )
        begun.end()


def beginning(name: str, **about: str | int | None) -> tuple[Span, str | None]:
    """Start a span that others continue later; returns it, to be ended at once, and its
    ``traceparent``.
    """
    begun = _tracer.start_span(name, attributes=_attributes(about))
    return begun, _traceparent(begun)


def current() -> str | None:
    """The ``traceparent`` of this thread's current span; None outside of any trace."""
    return _traceparent(trace.get_current_span())


def _context(traceparent: str | None) -> Context | None:
    return _propagator.extract({"traceparent": traceparent}) if traceparent else None


def _attributes(about: dict[str, str | int | None]) -> dict[str, str | int]:
    return {f"{_NAME}.{key}": value for key, value in about.items() if value is not None}


def _traceparent(begun: Span) -> str | None:
    context = begun.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
