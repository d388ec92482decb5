"""The app that ``uvicorn api_bridge.app:app`` serves."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI

from api_bridge import errors, trailing_slashes
from api_bridge.airflow.client import AirflowClient
from api_bridge.console import error_pages
from api_bridge.console.routes import ROUTERS as CONSOLE
from api_bridge.metrics import Metrics
from api_bridge.middleware.cross_origin import CrossOrigin
from api_bridge.middleware.gate import Gate
from api_bridge.middleware.request_telemetry import Observation
from api_bridge.openapi import reference_pages
from api_bridge.openapi.description import description
from api_bridge.routes import (
    api_keys,
    audit_logs,
    callbacks,
    definition_files,
    document_templates,
    documents,
    events,
    evidence,
    figures,
    form_pages,
    forms,
    health,
    integrations,
    mail,
    matter_templates,
    matters,
    members,
    metrics,
    notifications,
    operators,
    pipelines,
    runs,
    schedules,
    secrets,
    security_events,
    sessions,
    step_tests,
    submissions,
    table_rows,
    tables,
    webhooks,
    workflows,
)
from api_bridge.routing import Route
from automations import wiring
from automations.dispatch.dispatcher import Dispatcher
from automations.settings import get_settings

_GC_THRESHOLD = 20_000
"""New objects at which garbage is collected; answers with long lists make many at once."""


# Fixed words come before ids: /callback/…, /send-email and /runs/… are no automation's.
_API = (
    callbacks,
    events,
    mail,
    definition_files,
    workflows,
    runs,
    figures,
    step_tests,
    operators,
    schedules,
    webhooks,
    form_pages,
    forms,
    submissions,
    sessions,
    members,
    api_keys,
    audit_logs,
    security_events,
    evidence,
    notifications,
    matter_templates,
    matters,
    document_templates,
    documents,
    tables,
    table_rows,
    pipelines,
    secrets,
    integrations,
    health,
    metrics,
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    wiring.begin_tracing("automations-bridge")
    settings = get_settings()
    with _reduced_gc():
        if settings.dispatcher != "embedded":
            yield
            return
        dispatcher = Dispatcher(AirflowClient(settings), wiring.ports())
        dispatcher.start()
        app.state.metrics.of_dispatcher(lambda: dispatcher.reaches_airflow)
        try:
            yield
        finally:
            app.state.metrics.of_dispatcher(None)
            dispatcher.stop()


@contextmanager
def _reduced_gc() -> Iterator[None]:
    """What has been made until now stays: the collector need not look at it again and again."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def create_app() -> FastAPI:
    """A new app."""
    app = FastAPI(
        title="Automations API",
        version="0.1.0",
        description="Automations with multi-step pipelines and per-step audit logs.",
        lifespan=_lifespan,
        # FastAPI's own load their scripts from elsewhere, and generate the description each time.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    # The last one added is the outermost.
    app.add_middleware(Gate)
    app.router.route_class = Route
    app.add_middleware(CrossOrigin)
    app.state.metrics = Metrics()
    app.add_middleware(Observation, metrics=app.state.metrics)
    errors.install(app, error_pages.render)
    for module in _API:
        app.include_router(module.router)
    for router in CONSOLE:
        # Pages are for people: the description of the API is without them.
        app.include_router(router, include_in_schema=False)
    reference_pages.add(app)
    trailing_slashes.redirect(app)
    app.openapi = lambda: description(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


app = create_app()
