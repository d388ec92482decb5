"""A local source of Dependabot alerts that answers as GitHub's REST API documents it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

REPOSITORY = "octocat/hello-world"
_DOCUMENTATION = "https://docs.github.com/rest"
_MAX_PER_PAGE = 100

PACKAGES: list[tuple[str, str, str, float, str]] = [
    ("pip", "django", "CVE-2018-6188", 7.5, "Information leakage in AuthenticationForm"),
    ("pip", "ansible", "CVE-2021-20191", 5.5, "Exposure of sensitive logs in Ansible"),
    ("npm", "lodash", "CVE-2019-10744", 9.1, "Prototype pollution in lodash"),
    ("npm", "minimist", "CVE-2021-44906", 9.8, "Prototype pollution in minimist"),
    ("maven", "org.apache.logging.log4j:log4j-core", "CVE-2021-44228", 10.0, "Log4Shell"),
    ("pip", "requests", "CVE-2023-32681", 6.1, "Leak of Proxy-Authorization in requests"),
    ("npm", "semver", "CVE-2022-25883", 7.5, "Denial of service by regular expressions"),
]


def alert(number: int, **changes: Any) -> dict[str, Any]:
    """An alert in the documented shape."""
    ecosystem, name, cve, score, summary = PACKAGES[(number - 1) % len(PACKAGES)]
    package = {"ecosystem": ecosystem, "name": name}
    severity = "critical" if score >= 9 else "high" if score >= 7 else "medium"
    ghsa = f"GHSA-{number:04d}-rf4q-2vcg"
    vulnerability = {
        "package": package,
        "severity": severity,
        "vulnerable_version_range": ">= 2.0.0, < 2.0.2",
        "first_patched_version": {"identifier": "2.0.2"},
    }
    api = f"https://api.github.com/repos/{REPOSITORY}/dependabot/alerts/{number}"
    return {
        "number": number,
        "state": "open",
        "dependency": {"package": package, "manifest_path": "a/manifest", "scope": "runtime"},
        "security_advisory": {
            "ghsa_id": ghsa,
            "cve_id": cve,
            "summary": summary,
            "description": f"{summary}. Update to a patched version.",
            "vulnerabilities": [vulnerability],
            "severity": severity,
            "cvss": {
                "vector_string": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
                "score": score,
            },
            "epss": {"percentage": 0.00045, "percentile": 0.1},
            "cwes": [{"cwe_id": "CWE-200", "name": "Exposure of sensitive information"}],
            "identifiers": [{"type": "GHSA", "value": ghsa}, {"type": "CVE", "value": cve}],
            "references": [{"url": f"https://nvd.nist.gov/vuln/detail/{cve}"}],
            "published_at": "2018-10-03T21:13:54Z",
            "updated_at": "2022-04-26T18:35:37Z",
            "withdrawn_at": None,
        },
        "security_vulnerability": vulnerability,
        "url": api,
        "html_url": f"https://github.com/{REPOSITORY}/security/dependabot/{number}",
        "created_at": "2022-06-15T07:43:03Z",
        "updated_at": "2022-08-23T14:29:47Z",
        "dismissed_at": None,
        "dismissed_by": None,
        "dismissed_reason": None,
        "dismissed_comment": None,
        "fixed_at": None,
        "auto_dismissed_at": None,
        **changes,
    }


class DependabotSource(ThreadingHTTPServer):
    """The alerts of one repository, for who has its token."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, alerts: list[dict[str, Any]], token: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.alerts, self.token = alerts, token
        self.refusals: list[tuple[int, dict[str, str]]] = []
        """Statuses and headers of the next answers, before any alert is given."""
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """Where the list of alerts is."""
        return f"http://{self.address}/repos/{REPOSITORY}/dependabot/alerts"

    @contextmanager
    def answering(self) -> Iterator[DependabotSource]:
        """Answer until the end of the block."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: DependabotSource
    # A body that goes out after its headers would else wait for their receipt: 40 ms a request.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with a page of alerts, the newest first."""
        target = urlsplit(self.path)
        self.server.asked.append(self.path)
        if self.server.refusals:
            status, headers = self.server.refusals.pop(0)
            self._refuse(status, "You have exceeded a secondary rate limit.", headers)
        elif self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._refuse(401, "Bad credentials")
        elif target.path != urlsplit(self.server.url).path:
            self._refuse(404, "Not Found")
        else:
            self._page({name: values[-1] for name, values in parse_qs(target.query).items()})

    def _page(self, query: dict[str, str]) -> None:
        states = query["state"].split(",") if "state" in query else None
        alerts = [
            item
            for item in sorted(self.server.alerts, key=lambda entry: -int(entry["number"]))
            if states is None or item["state"] in states
        ]
        if "after" in query:
            last = int(base64.b64decode(query["after"]).removeprefix(b"cursor:"))
            alerts = [entry for entry in alerts if entry["number"] < last]
        size = min(int(query.get("per_page", 30)), _MAX_PER_PAGE)
        page, headers = alerts[:size], {}
        if len(alerts) > size:
            cursor = base64.b64encode(b"cursor:%d" % page[-1]["number"]).decode()
            following = urlencode({**query, "after": cursor})
            headers["Link"] = f'<{self.server.url}?{following}>; rel="next"'
        self._answer(200, page, headers)

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        body = {"message": message, "documentation_url": _DOCUMENTATION, "status": str(status)}
        self._answer(status, body, headers or {})

    def _answer(self, status: int, body: Any, headers: dict[str, str]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
