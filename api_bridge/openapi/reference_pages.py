"""The pages ``/docs`` and ``/redoc``, which load nothing from other servers.

They are on the origin of the console's sessions: a script that a third party serves there could do
all that a member may.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from threading import Lock

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

_HEADERS = {
    # Both programs write styles into their elements; ReDoc searches in a worker made from a blob.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_SHOWN = {
    "/docs": ("swagger.html", "text/html"),
    "/docs/start.js": ("swagger.js", "text/javascript"),
    "/redoc": ("redoc.html", "text/html"),
}


def add(app: FastAPI) -> None:
    """Serve the pages and what they load."""
    app.add_route("/openapi.json", _description(app), include_in_schema=False)
    for path, (name, media_type) in _SHOWN.items():
        app.add_route(path, _file(name, media_type), include_in_schema=False)
    # Who opens the address that ./automations up has shown.
    app.add_route("/", lambda _: RedirectResponse("/console"), include_in_schema=False)
    # Of this wheel only the files: Swagger UI and ReDoc as their makers publish them.
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")))


def _description(app: FastAPI) -> Callable[[Request], Response]:
    lock = Lock()
    cached: list[bytes] = []

    def answer(request: Request) -> Response:
        # Made once: it takes a second of the processor, and anybody may ask for it.
        with lock:
            if not cached:
                cached.append(bytes(JSONResponse(app.openapi()).body))
        return Response(cached[0], media_type="application/json")

    return answer


def _file(name: str, media_type: str) -> Callable[[Request], Response]:
    content = (Path(__file__).parent / "templates" / name).read_text()

    def answer(request: Request) -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return answer
