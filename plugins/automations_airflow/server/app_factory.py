"""Makes the applications that the plugin adds to Airflow's api-server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime, Field

from automations.errors import AutomationsError, DatabaseUnavailable, Unavailable
from automations.kit.storable import MAX_DEPTH, showable, storable
from automations.kit.values import JSON

_MAX_NAMED = 100
"""Of what is wrong with one request."""


def _check_value(value: dict[str, JSON]) -> dict[str, JSON]:
    storable(value, MAX_DEPTH)
    return value


def _check_text(value: str) -> str:
    storable(value)
    return value


Text = Annotated[str, AfterValidator(_check_text)]
"""A text that a database can keep."""
Name = Annotated[Text, Field(min_length=1, max_length=250)]
"""An id, no longer than Airflow's columns for them."""
Value = Annotated[dict[str, JSON], AfterValidator(_check_value)]
"""An object that a database can keep."""


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies beyond the calendar") from error


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment that a database can compare others with."""


def new_app() -> FastAPI:
    """An application without pages about itself, which refuses in words what it cannot take."""
    app = FastAPI(title="Automations", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(Unavailable, _refuse_for_now)
    app.add_exception_handler(DatabaseUnavailable, _refuse_for_now)
    return app


async def _refuse_invalid(request: Request, error: Exception) -> JSONResponse:
    # Without what was sent, as FastAPI would repeat it: some of that can be in no answer.
    assert isinstance(error, RequestValidationError)
    said = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()[:_MAX_NAMED]]
    return JSONResponse({"detail": showable(said)}, status.HTTP_422_UNPROCESSABLE_CONTENT)


async def _refuse_for_now(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AutomationsError)
    return JSONResponse({"detail": error.message}, status.HTTP_503_SERVICE_UNAVAILABLE)
