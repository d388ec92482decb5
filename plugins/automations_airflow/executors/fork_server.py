"""A process that has imported all that parts of Airflow need, and forks them on request.

What takes most of a part's start is imports, and building the api-server's routes: seconds of a
processor, on a busy machine a minute, in which nothing goes on when the part has died. A fork has
it all at once, and shares the memory. Nothing is run here that a fork cannot have: no thread, no
connection, no loop. ``python -m automations_airflow.executors.fork_server SOCKET (jobs|server)``.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from setproctitle import setproctitle

from automations.kit import parent_death

ME = "fork-server"
"""What is forked to be one more, with the imports of the first."""
Run = Callable[[str, list[str]], None]
"""Is a program, given its arguments."""
_MAX_REQUEST = 65_536
_STANDARD = (0, 1, 2)
_JOBS = (
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.dag_processing.manager",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "automations_airflow.beside_scheduler",
    "automations_airflow.dags.dag_builder",
    "automations_airflow.executors.executor",
    "automations_airflow.tasks.operators",
    "automations_airflow.waits.triggers",
)
_SERVER = (
    "airflow.cli.commands.api_server_command",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "automations_airflow.server.run_batches",
    "automations_airflow.server.console_sign_in",
)


def main(arguments: list[str]) -> None:
    """Import what is wanted, then fork parts until whoever asks for them is gone."""
    (kind,) = arguments
    gc.disable()  # what is imported stays; a look at it would touch, and so copy, all pages
    _PREPARE[kind]()
    gc.enable()
    gc.freeze()
    serve(_run)


def serve(run: Run) -> None:
    """Fork whatever is asked for by the standard input, and have it run there."""
    with socket.socket(fileno=os.dup(0)) as asker:
        asker.sendall(b"ready")
        while _answer(asker, run):
            pass


def _prepare_jobs() -> None:
    from airflow.cli import cli_parser
    from airflow.providers_manager import ProvidersManager

    from automations_airflow.executors import warming

    for module in _JOBS:
        importlib.import_module(module)
    cli_parser.get_parser()
    ProvidersManager().initialize_providers_configuration()
    warming.load()
    _give_back_connections()


def _prepare_server() -> None:
    from airflow.cli import cli_parser

    for module in _SERVER:
        importlib.import_module(module)
    cli_parser.get_parser()
    app = importlib.import_module("airflow.api_fastapi.main").app
    for route in app.routes:
        if getattr(route, "path", "") == "/execution":
            # The part that tasks speak to makes its routes when it is first asked anything.
            asyncio.run(_ask(route.app, "/nothing"))
    _give_back_connections()


_PREPARE: dict[str, Callable[[], None]] = {"jobs": _prepare_jobs, "server": _prepare_server}


async def _ask(app: Any, path: str) -> None:
    """Have an application answer a request that comes by no connection."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:
        """Nobody listens."""

    await app(scope, receive, send)


def _give_back_connections() -> None:
    """Close what a fork must not share."""
    from airflow import settings

    settings.dispose_orm(do_log=False)
    settings.configure_orm()


def _answer(asker: socket.socket, run: Run) -> bool:
    """Fork what is asked for, with the files that come with it, and say its number."""
    raw, files, _, _ = socket.recv_fds(asker, _MAX_REQUEST, len(_STANDARD) + 1)
    if not raw:
        return False
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        # Its own child is nobody's then, and so the supervisor's, who is told when it ends.
        child = os.fork()
        if child != 0:
            os.write(writer, str(child).encode())
            os._exit(0)
        for file in (asker.detach(), reader, writer):
            os.close(file)
        _become(json.loads(raw), files, run)
    for file in (*files, writer):
        os.close(file)
    os.waitpid(between, 0)
    with open(reader, "rb") as pipe:
        asker.sendall(pipe.read())
    return True


def _become(request: dict[str, Any], files: list[int], run: Run) -> None:
    """Be the part, to its end."""
    code = 1
    try:
        os.setsid()
        *standard, may_begin = files
        for file, place in zip(standard, _STANDARD, strict=True):
            os.dup2(file, place)
            os.close(file)
        with open(may_begin, "rb") as beginning:
            if not beginning.read(1):
                return  # whoever has asked has not waited for it
        # Who has forked this one had ended before it was told of, and so before it may begin.
        parent_death.die_with(request["parent"], request["signal"])
        program, *arguments = request["command"]
        setproctitle(" ".join([program, *arguments]))
        run(program, arguments)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 -- as an interpreter does at the end of a program
        traceback.print_exc()
    finally:
        _end(code)


def _run(program: str, arguments: list[str]) -> None:
    set_identity(program, arguments)
    if program == ME:
        main(arguments)
    else:
        from airflow.__main__ import main as airflow

        airflow()


def set_identity(program: str, arguments: list[str]) -> None:
    """Be that program to whoever looks which one this is, also to what was imported before."""
    from automations_airflow.ui import answered_by

    sys.argv = [program, *arguments]
    answered_by.watch()


def _end(code: int) -> None:
    """End as a program does, with what is to be done at its end."""
    with suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as at any end
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main(sys.argv[1:])
