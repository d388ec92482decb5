"""The outside world of the stack: Slack, a language model, services that call back or echo."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

import requests

from tests.servers.prompt_handler import PromptHandler

TS = "1503435956.000247"
REPORTS = 240
"""How often a service calls back that is not answered."""


class Counterparts(ThreadingHTTPServer):
    """One local server that plays them all, by path, and keeps what it was sent."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str | None] = []
        """The idempotency keys of the same."""
        self.signed: list[str | None] = []
        """How the same were signed."""
        self.arrived: list[float] = []
        """When the same came, in seconds of the epoch."""
        self.counting = threading.Lock()
        self.gate = threading.Event()
        """While it is not set, who asks for ``/held`` waits; after that it is an echo."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def keys_of(self, text: str) -> list[str | None]:
        """The idempotency keys of what was posted with a text, in the order in which it came."""
        with self.counting:
            sent = zip(self.posted, self.keys, strict=True)
            return [key for (_, body), key in sent if body.get("text") == text]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        """The settings of a stack whose outside world this is."""
        return {
            "AUTOMATIONS_CONNECTION_ALLOW": "kept_*",
            "AUTOMATIONS_OPERATOR_ALLOW": "airflow.providers.standard.*",
            "AUTOMATIONS_SLACK_TOKEN": "xoxb-test",
            "AUTOMATIONS_SLACK_BASE_URL": f"{self.url}/api/",
            "AUTOMATIONS_AI_PROVIDER": "openai",
            "AUTOMATIONS_AI_MODEL": "gpt-4o-mini",
            "AUTOMATIONS_AI_API_KEY": "sk-test",
            "AUTOMATIONS_AI_BASE_URL": f"{self.url}/v1",
        }


class _Handler(PromptHandler):
    server: Counterparts

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.counting:
            self.server.posted.append((self.path, body))
            self.server.keys.append(self.headers["Idempotency-Key"])
            self.server.signed.append(self.headers["Authorization"])
            self.server.arrived.append(time.time())
        if self.path == "/api/chat.postMessage":
            self._answer({"ok": True, "ts": TS, "channel": body["channel"]})
        elif self.path == "/v1/chat/completions":
            self._answer(_completion(f"About {body['messages'][-1]['content']}"))
        elif self.path in ("/echo", "/held"):
            if self.path == "/held":
                self.server.gate.wait(60)
            self._answer(body)
        else:
            self._answer({"job": 7}, 202)
            threading.Thread(target=_report, args=(body["report"],), daemon=True).start()

    def _answer(self, body: Any, status: int = 200) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _report(url: str) -> None:
    """Call back until somebody has heard it."""
    for _ in range(REPORTS):
        with suppress(requests.RequestException):
            if requests.post(url, json={"state": "ready"}, timeout=30).status_code < 500:
                return
        time.sleep(0.5)


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    }
