"""Our wheel in an Airflow that somebody else configured, with the bridge beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from tests.foreign_airflow import OUR_BUNDLE, WORDS, ForeignAirflow
from tests.free_ports import free_ports
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Front


class Installed:
    """The wheel in somebody else's Airflow, with the bridge beside it.

    Args:
        dsn: of our own database.
        settings: further ones, which Airflow's parts and the bridge have alike.
    """

    def __init__(
        self, airflow: ForeignAirflow, dsn: str, mailbox: Mailbox, **settings: str
    ) -> None:
        self.airflow = airflow
        port, tls = free_ports(2)
        self.address = f"https://localhost:{tls}"
        self._front = Front(tls, port, Path(airflow.environment["REQUESTS_CA_BUNDLE"]))
        # Three settings: our database, the bridge's address and, in Airflow's own, the bundle.
        self.settings = {"AUTOMATIONS_DATABASE_DSN": dsn, "AUTOMATIONS_PUBLIC_URL": self.address}
        # The mail server is what the example's step needs; the rest is the bridge's own.
        self.settings |= {
            "AUTOMATIONS_SMTP_HOST": "127.0.0.1",
            "AUTOMATIONS_SMTP_PORT": str(mailbox.port),
            "AUTOMATIONS_SMTP_SECURITY": "none",
            **settings,
        }
        self._own = {
            "AUTOMATIONS_BRIDGE_PORT": str(port),
            "AUTOMATIONS_AIRFLOW_URL": airflow.address,
            "AUTOMATIONS_AIRFLOW_PASSWORD": WORDS["bridge"],
        }

    def configure(self) -> None:
        self.airflow.environment.update(self.settings)
        self.airflow.bundles.append(OUR_BUNDLE)

    def up(self) -> None:
        self.airflow.open.enter_context(self._front)
        theirs = dict(self.airflow.environment)
        self.airflow.environment.update(self._own)
        self.airflow.start("bridge", str(self.airflow.place.folder / "bin" / "automations-bridge"))
        self.airflow.environment = theirs
        self.airflow.await_that("the bridge answers", self._answers)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        key = (self.airflow.folder / "automations" / "owner.key").read_text().strip()
        answer = requests.request(
            method,
            self.address + path,
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            verify=self.airflow.environment["REQUESTS_CA_BUNDLE"],
            timeout=30,
        )
        assert answer.ok, answer.text
        return answer.json()

    def _answers(self) -> bool:
        try:
            return self.airflow.http.get(f"{self.address}/readyz", timeout=60).ok
        except requests.RequestException:
            return False

    def leave(self) -> None:
        """Undo what was configured."""
        for name in self.settings:
            del self.airflow.environment[name]
        self.airflow.bundles.remove(OUR_BUNDLE)
