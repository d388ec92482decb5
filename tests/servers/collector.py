"""A local collector of traces, which takes OTLP over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.prompt_handler import PromptHandler


@dataclass(frozen=True)
class Seen:
    """A span as it was sent."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    service: str
    attributes: dict[str, Any]
    error: str | None

    @property
    def place(self) -> list[str]:
        return [self.trace_id, self.span_id]


class Collector:
    """Keeps the spans that it is sent; told to be silent, it takes connections and no more."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.silent = threading.Event()
        self.released = threading.Event()
        told = self

        class Handler(PromptHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if told.silent.is_set():
                    told.released.wait(30)
                    return
                assert self.path == "/v1/traces"
                told.spans += spans_of(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def one(self, name: str) -> Seen:
        (found,) = (span for span in self.spans if span.name == name)
        return found

    @contextmanager
    def listening(self) -> Iterator[None]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            self.released.set()
            self.server.shutdown()
            self.server.server_close()
            thread.join()


def spans_of(body: bytes) -> list[Seen]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Seen(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            service=_plain(resource.resource.attributes)["service.name"],
            attributes=_plain(span.attributes),
            error=span.status.message if span.status.code == 2 else None,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _plain(attributes: Any) -> dict[str, Any]:
    return {
        item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in attributes
    }
