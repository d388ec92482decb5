"""One trace from a request to the steps of the runs that it starts, at a real collector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from api_bridge.app import create_app
from automations import wiring
from automations.adapters.http import GuardedHttpClient
from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, Run
from automations.dispatch.jobs.registry import Handlers
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, TaskRef
from automations.kit import tracing
from automations.ports import NewDagRun, Visible
from automations.services.integrations import secrets
from tests.api.conftest import Api
from tests.doubles import ports
from tests.servers.answering import Answering
from tests.servers.collector import Collector

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    with made.listening():
        yield made


@pytest.fixture
def service() -> Iterator[Answering]:
    made = Answering()
    made.answers({})
    with made.listening():
        yield made


@pytest.fixture
def traced(database: str, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A bridge that sends its spans."""
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    try:
        with TestClient(create_app(), raise_server_exceptions=False) as http:
            yield Api(http)
    finally:
        tracing.use(None)


class Airflow:
    """Takes every run at once."""

    def visible(self, dag_id: str) -> Visible:
        return Visible(10**6, 10**6)

    def start(self, runs: Sequence[NewDagRun]) -> list[None]:
        return [None] * len(runs)


def calls(service: Answering, **more: Any) -> dict[str, Any]:
    config = {"method": "POST", "url": f"http://{service.address}/", "body": {}, **more}
    return {"id": "call", "name": "Call", "type": "http_request", "order": 0, "config": config}


def execute(api: Api, steps: list[dict[str, Any]], **headers: str) -> Run:
    workflow = api.workflow(steps=steps)
    answer = api.call("POST", f"/api/workflows/{workflow['id']}/execute", {}, headers=headers)
    with unit_of_work() as session:
        return session.get_one(Run, answer.json()["runId"])


def dispatch() -> None:
    """Do all that the dispatcher has to do."""
    handlers = Handlers(Airflow(), ports())  # type: ignore[arg-type]  # as much as is asked
    while True:
        with unit_of_work() as session:
            job = session.scalars(select(Job).limit(1)).first()
        if job is None:
            return
        handlers.handle(job)


def step(run: Run, service: Answering, node: str = "call") -> Any:
    engine = Engine(ports(http=GuardedHttpClient((service.address,))))
    return engine.run(TaskRef(run.id, run.workflow_id, run.version, node))


def sent(service: Answering) -> list[str | None]:
    return [headers.get("traceparent") for _, headers, _ in service.seen]


def place(traceparent: str | None) -> list[str]:
    """The trace and the span that it names."""
    assert traceparent is not None
    return traceparent.split("-")[1:3]


def test_a_run_goes_on_with_the_callers_trace_into_what_its_steps_call(
    traced: Api, collector: Collector, service: Answering
) -> None:
    run = execute(traced, [calls(service)], traceparent=CALLER)
    dispatch()
    assert isinstance(step(run, service), Proceed)
    tracing.flush()

    request = collector.one("POST /api/workflows/{workflow_id}/execute")
    began, dispatched = collector.one("run"), collector.one("dispatch run")
    called = collector.one("step http_request")
    assert request.parent_id == CALLER.split("-")[2]
    assert began.parent_id == request.span_id
    assert dispatched.parent_id == called.parent_id == began.span_id
    assert {span.trace_id for span in (request, began, dispatched, called)} == {TRACE}
    assert [place(given) for given in sent(service)] == [called.place]
    assert place(run.traceparent) == began.place
    assert (
        called.attributes.items()
        >= {
            "automations.run_id": run.id,
            "automations.step_id": "call",
            "automations.attempt": 1,
        }.items()
    )
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["automations.request_id"]
    assert request.service == "automations-bridge"


def test_without_a_caller_every_request_begins_a_trace(
    traced: Api, collector: Collector, service: Answering
) -> None:
    first = execute(traced, [calls(service)])
    second = execute(traced, [calls(service)])
    assert place(first.traceparent)[0] != place(second.traceparent)[0]


def test_a_run_that_an_event_starts_belongs_to_the_trace_of_its_sender(
    traced: Api, collector: Collector
) -> None:
    form = traced.form()
    traced.workflow(trigger={"type": "form_submission", "formId": form})
    body = {"formId": form, "data": {"email": "a@b.example"}}
    traced.call("POST", "/api/submissions", body, headers={"traceparent": CALLER})
    dispatch()
    tracing.flush()
    with unit_of_work() as session:
        event = session.scalars(select(Event)).one()
        run = session.scalars(select(Run)).one()
    assert place(event.traceparent) == collector.one("POST /api/submissions").place
    assert collector.one("match event").trace_id == TRACE
    assert collector.one("run").parent_id == collector.one("match event").span_id
    assert place(run.traceparent) == collector.one("run").place


def test_steps_inside_a_loop_have_spans_inside_the_loops(
    traced: Api, collector: Collector, service: Answering
) -> None:
    config = {"collection": "{{[1, 2]}}", "concurrency": 2, "steps": [calls(service)]}
    each = {"id": "each", "name": "Each", "type": "loop", "order": 0, "config": config}
    run = execute(traced, [each])
    step(run, service, "each")
    tracing.flush()
    inside = [span for span in collector.spans if span.name == "step http_request"]
    assert {span.parent_id for span in inside} == {collector.one("step loop").span_id}
    assert sorted(place(given) for given in sent(service)) == sorted(span.place for span in inside)
    assert sorted(span.attributes["automations.iteration"] for span in inside) == ["0", "1"]
    assert {
        (span.attributes["automations.step_id"], span.attributes["automations.run_id"])
        for span in inside
    } == {("call", run.id)}


@pytest.mark.parametrize("looped", [False, True])
def test_a_failed_step_is_an_error_that_shows_no_secret(
    traced: Api, collector: Collector, service: Answering, looped: bool
) -> None:
    call = calls(service, url="http://{{secret.HOST}}.invalid/")
    config = {"collection": [1], "steps": [call]}
    each = {"id": "each", "name": "Each", "type": "loop", "order": 0, "config": config}
    run = execute(traced, [each if looped else call])
    secrets.put(run.workspace_id, "HOST", "s3cret-h0st")
    assert isinstance(step(run, service, "each" if looped else "call"), GiveUp)
    tracing.flush()
    failed = collector.one("step http_request")
    assert failed.error
    assert "s3cret-h0st" not in str(collector.spans)


def test_a_step_that_is_tested_has_a_span_inside_the_requests(
    traced: Api, collector: Collector, service: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(ports(http=GuardedHttpClient((service.address,))))
    monkeypatch.setattr(wiring, "engine", lambda _: engine)
    workflow = traced.workflow(steps=[calls(service)])["id"]
    path = f"/api/workflows/{workflow}/steps/call/test"
    assert traced.call("POST", path, {}).json()["status"] == "success"
    tracing.flush()
    request = collector.one("POST /api/workflows/{workflow_id}/steps/{step_id}/test")
    assert collector.one("step http_request").parent_id == request.span_id
    assert [place(given) for given in sent(service)] == [collector.one("step http_request").place]


def test_a_collector_that_does_not_answer_costs_a_step_two_seconds_at_most(
    traced: Api, collector: Collector, service: Answering
) -> None:
    collector.silent.set()
    run = execute(traced, [calls(service)])
    assert isinstance(step(run, service), Proceed)
    tracing.flush()
    # It never answers: what has ended has ended without it.
    assert collector.silent.is_set()


def test_without_a_collector_the_callers_trace_is_still_handed_on(
    api: Api, service: Answering
) -> None:
    run = execute(api, [calls(service)], traceparent=CALLER)
    assert run.traceparent == CALLER
    step(run, service)
    plain = execute(api, [calls(service)])
    assert plain.traceparent is None
    step(plain, service)
    own = execute(api, [calls(service, headers={"Traceparent": "mine"})], traceparent=CALLER)
    step(own, service)
    assert sent(service) == [CALLER, None, "mine"]
