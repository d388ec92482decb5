"""The development mail catcher: a real SMTP server whose mail is read in a browser or over HTTP.

To try what happens when mail is refused, send to any address at ``reject.example`` (550, for
good) or ``greylist.example`` (451, for now).
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from automations.launcher.mail_folder import MailFolder
from automations.launcher.mail_pages import MailServer
from automations.launcher.secrets import ensure_secrets
from automations.settings import default_home, get_settings

log = logging.getLogger(__name__)

START_TIMEOUT = 60.0
"""Seconds for the server to answer itself on a busy machine."""
MAX_SIZE = 25 * 1024 * 1024
"""As of the large providers."""
REFUSALS = {
    "reject.example": "550 5.1.1 No such mailbox here",
    "greylist.example": "451 4.7.1 Greylisted, try again later",
}

NO_ROOM = "452 4.3.1 There is no room for it now, try again later"


class Handler:
    """Takes every mail, except for the domains that exist to refuse it."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Accept or refuse one recipient."""
        refusal = REFUSALS.get(address.rpartition("@")[2].lower())
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the message."""
        content = envelope.content
        assert isinstance(content, bytes)
        recipients = [str(address) for address in envelope.rcpt_tos]
        try:
            identifier = self._folder.add(content, str(envelope.mail_from or ""), recipients)
        except OSError:  # by itself it would be refused for good, as what is wrong with a message
            log.exception("A message cannot be kept now")
            return NO_ROOM
        return f"250 OK {identifier}"


class MailCatcher:
    """The SMTP server and the web server over one folder.

    Args:
        token: first part of the pages' paths, without which nothing is shown.
        hosts: what the pages answer to, beside the loopback.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        smtp_port: int,
        web_port: int,
        token: str,
        hosts: Sequence[str] = (),
    ) -> None:
        self._folder = MailFolder(folder)
        self._web = MailServer((host, web_port), self._folder, token, hosts)
        self._smtp = Controller(
            Handler(self._folder),
            hostname=host,
            port=smtp_port,
            data_size_limit=MAX_SIZE,
            enable_SMTPUTF8=True,
            server_hostname="localhost",
            ident="Automations mail catcher",
            ready_timeout=START_TIMEOUT,
        )

    def start(self) -> None:
        """Serve in threads."""
        self._smtp.start()
        threading.Thread(target=self._web.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self) -> None:
        """Stop both servers."""
        self._web.shutdown()
        self._web.server_close()
        self._smtp.stop()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--web-port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args(argv)
    # Not an argument: everybody on the machine may read those.
    ensure_secrets(default_home())
    settings = get_settings()
    catcher = MailCatcher(
        options.folder,
        options.host,
        options.smtp_port,
        options.web_port,
        settings.mail_token,
        settings.answered_hosts,
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    catcher.start()
    stop.wait()
    catcher.stop()


if __name__ == "__main__":
    main()
