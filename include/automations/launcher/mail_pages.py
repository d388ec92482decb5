"""Caught mail over HTTP: JSON below ``/<token>/api``, pages for people elsewhere below the token.

There is no sign-in, and the mails hold links that decide: whoever knows the token reads them.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from automations.kit.host_names import is_answered
from automations.launcher.mail_folder import MailFolder

STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem;"
    "border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere}iframe{width:100%;height:32rem;"
    "border:1px solid #ccc;background:#fff}"
)
# The styles of a mail are its own; nothing is loaded, nothing runs, nothing is sent.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class MailServer(ThreadingHTTPServer):
    """The web server over one mail folder."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], folder: MailFolder, token: str, hosts: Sequence[str]
    ) -> None:
        if not token:
            raise ValueError("without a token anybody could read the mail")
        self.folder = folder
        self.token = token
        self.hosts = tuple(hosts)
        super().__init__(address, MailRequest)


class MailRequest(BaseHTTPRequestHandler):
    """One request."""

    server: MailServer
    timeout = 30
    # A body that goes out after its headers would else wait for their receipt: 40 ms a request.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer the lists, one message, or its source."""
        folder = self.server.folder
        match self._path():
            case None:
                return
            case []:
                self._page("Caught mail", _list(self.server.token, _describe_all(folder)))
            case ["messages", identifier] if message := folder.describe(identifier):
                title = message["subject"] or "(no subject)"
                self._page(title, _message(self.server.token, message))
            case ["api", "messages"]:
                self._json(_describe_all(folder))
            case ["api", "messages", identifier] if message := folder.describe(identifier):
                self._json(message)
            case ["api", "messages", identifier, "raw"] if content := folder.raw(identifier):
                # Not message/rfc822: a browser would not show it.
                self._answer(HTTPStatus.OK, "text/plain; charset=utf-8", content)
            case _:
                self._json({"error": "Not found"}, HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        """Forget every message."""
        match self._path():
            case None:
                return
            case ["api", "messages"]:
                self.server.folder.clear()
                self._answer(HTTPStatus.NO_CONTENT, "application/json", b"")
            case _:
                self._json({"error": "Not found"}, HTTPStatus.NOT_FOUND)

    def _path(self) -> list[str] | None:
        """The parts of the path below the token; None when the request was refused."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not is_answered(hosts[0], self.server.hosts):
            error = "Not the name of this server: AUTOMATIONS_ALLOWED_HOSTS has further ones."
            self._json({"error": error}, HTTPStatus.BAD_REQUEST)
            return None
        token, *parts = self.path.partition("?")[0].strip("/").split("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            error = "Not found. ./automations status shows the whole address of the caught mail."
            self._json({"error": error}, HTTPStatus.NOT_FOUND)
            return None
        return parts

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the log for what matters."""

    def _json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._answer(status, "application/json", json.dumps(value).encode())

    def _page(self, title: str, body: str) -> None:
        page = (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
            f"<style>{STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
        )
        self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page.encode())

    def _answer(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)


def _describe_all(folder: MailFolder) -> list[dict[str, Any]]:
    described = (folder.describe(identifier) for identifier in folder.identifiers())
    return [message for message in described if message is not None]


def _list(token: str, messages: list[dict[str, Any]]) -> str:
    if not messages:
        return "<p>No mail yet.</p>"
    rows = "".join(
        f"<tr><td>{_text(m['received'])}<td>{_text(m['from'])}<td>{_text(m['to'])}"
        f'<td><a href="/{token}/messages/{m["id"]}">{_text(m["subject"] or "(no subject)")}</a>'
        for m in messages
    )
    return f"<table><tr><th>Received<th>From<th>To<th>Subject{rows}</table>"


def _message(token: str, message: dict[str, Any]) -> str:
    rows = {
        "From": message["from"],
        "To": message["to"],
        "Cc": message["cc"],
        "Delivered to": ", ".join(message["rcpt"]),
        "Date": message["date"],
        "Message-ID": message["messageId"],
    }
    parts = [
        f'<p><a href="/{token}/">All mail</a> · ',
        f'<a href="/{token}/api/messages/{message["id"]}/raw">Source</a>',
    ]
    parts.append("<table>")
    parts += [f"<tr><th>{name}<td>{_text(value)}" for name, value in rows.items() if value]
    for file in message["attachments"]:
        described = (
            f"{file['filename'] or '(no name)'} · {file['contentType']} · {file['size']} bytes"
        )
        parts.append(f"<tr><th>Attachment<td>{_text(described)}")
    parts.append("</table>")
    if message["html"] is not None:
        parts.append(f'<h2>HTML</h2><iframe sandbox srcdoc="{escape(message["html"])}"></iframe>')
    if message["text"] is not None:
        parts.append(f"<h2>Text</h2><pre>{_text(message['text'])}</pre>")
    return "".join(parts)


def _text(value: object) -> str:
    return escape(str(value or ""))
