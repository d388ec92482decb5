"""A home that is up says itself where it is, whatever the environment of a command says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.free_ports import free_port

pytestmark = pytest.mark.slow  # each starts a home with all its parts

# As ``up`` does, but with a single part: a server that answers as a bridge.
UP = textwrap.dedent(
    """
    import sys
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from automations.launcher import probes, stack
    from automations.launcher.airflow_config import parts_environment
    from automations.launcher.part import Part
    from automations.settings import get_settings

    class Bridge(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    if sys.argv[1:]:
        HTTPServer(("127.0.0.1", int(sys.argv[1])), Bridge).serve_forever()
    settings = stack.open_home()
    stack.all_parts = lambda _: [
        Part(
            "bridge",
            lambda: [sys.executable, __file__, str(settings.bridge_port)],
            parts_environment(settings),
            probes.bridge(f"http://127.0.0.1:{settings.bridge_port}"),
        )
    ]
    sys.exit(stack.supervise(settings, lambda state: print(state.phase, flush=True)))
    """
)


class Home:
    """A home that is up on ports that only its own environment named."""

    allowed = ("127.0.0.1:1", "a.example")

    def __init__(self, path: Path, ports: dict[str, str]) -> None:
        self.ports = ports
        self._environment = {
            name: value for name, value in os.environ.items() if not name.endswith("_PORT")
        } | {"AUTOMATIONS_HOME": str(path)}
        script = path.with_suffix(".py")
        script.write_text(UP)
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            env=self._environment | ports | {"AUTOMATIONS_HTTP_ALLOW": ",".join(self.allowed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        while self.process.stdout.readline() not in ("running\n", ""):
            pass
        assert self.process.poll() is None

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self._environment | environment, capture_output=True, text=True
        )

    def status(self, **environment: str) -> dict[str, Any]:
        done = self.command(
            sys.executable, "-m", "automations.launcher", "status", "--json", **environment
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=120)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    names = ("BRIDGE", "AIRFLOW", "POSTGRES", "MAIL_SMTP", "MAIL_WEB")
    ports = {f"AUTOMATIONS_{name}_PORT": str(free_port()) for name in names}
    made = Home(tmp_path / "home", ports)
    yield made
    made.stop()


def test_status_asks_at_the_ports_that_it_was_started_with(home: Home) -> None:
    there = home.status()
    assert there["bridge"] == f"http://127.0.0.1:{home.ports['AUTOMATIONS_BRIDGE_PORT']}"
    assert there["airflow"] == f"http://127.0.0.1:{home.ports['AUTOMATIONS_AIRFLOW_PORT']}"
    assert there["parts"]["bridge"] == "healthy"
    assert there["parts"]["scheduler"] == "stopped"
    # Also when the command's own environment names others.
    assert home.status(AUTOMATIONS_BRIDGE_PORT=str(free_port())) == there


def test_commands_and_what_they_start_use_the_same(home: Home) -> None:
    code = (
        "from automations.launcher import stack; from automations.settings import get_settings;"
        "from automations.launcher.airflow_config import parts_environment;"
        "settings = stack.open_home(); assert settings == get_settings();"
        "print(settings.postgres_port, settings.mail_web_port,"
        "      parts_environment(settings)['AUTOMATIONS_AIRFLOW_PORT'], *settings.http_allow)"
    )
    done = home.command(sys.executable, "-c", code)
    assert done.stdout.split() == [
        *(home.ports[f"AUTOMATIONS_{name}_PORT"] for name in ("POSTGRES", "MAIL_WEB", "AIRFLOW")),
        *home.allowed,
    ], done.stderr


def test_down_ends_it_and_the_defaults_hold_again(home: Home) -> None:
    done = home.command(sys.executable, "-m", "automations.launcher", "down")
    assert "Down after" in done.stdout
    assert home.process.wait(60) == 0
    assert home.status()["bridge"] == "http://127.0.0.1:8800"
