"""The parts of an installation: what is started, in which order, and how it is asked."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from automations.launcher import probes
from automations.launcher.airflow_config import (
    airflow_environment,
    airflow_url,
    local_host,
    local_url,
    parts_environment,
)
from automations.launcher.postgres import EmbeddedPostgres
from automations.launcher.probes import Probe
from automations.settings import Settings


@dataclass(frozen=True)
class Part:
    """One supervised process."""

    name: str
    command: Callable[[], list[str]]
    environment: dict[str, str]
    probe: Probe | None = None
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    once: bool = field(default=False, kw_only=True)
    """It does something and ends; a failure fails the start."""
    stop_rank: int = field(default=0, kw_only=True)
    """Higher ranks are stopped earlier."""
    stop_signal: signal.Signals = field(default=signal.SIGTERM, kw_only=True)
    stop_patience: float = field(default=10.0, kw_only=True)
    orphan_grace: float = field(default=0.0, kw_only=True)
    """How long what a killed process was working on may go on."""
    hung_after: float | None = field(default=90.0, kw_only=True)
    """How long it may do nothing and not answer before it is restarted; None: it never is."""
    ports: tuple[tuple[str, int, str], ...] = field(default=(), kw_only=True)
    """Address, port and the setting that moves it."""


def embedded_postgres(settings: Settings) -> EmbeddedPostgres | None:
    """The embedded server, or None when both databases are elsewhere."""
    if settings.database_dsn and settings.airflow_database_dsn:
        return None
    return EmbeddedPostgres(
        settings.home / "postgres", settings.postgres_port, settings.postgres_password
    )


def all_parts(settings: Settings) -> list[Part]:
    """Every part of this installation, in the order they are shown."""
    environment = parts_environment(settings)
    database = _database(settings, environment)
    setup = Part(
        "setup",
        lambda: [sys.executable, "-m", "automations.launcher", "_setup"],
        environment,
        needs=tuple(part.name for part in database),
        once=True,
    )
    return [
        *database,
        *_mail(settings, environment),
        setup,
        *_airflow(settings, environment),
        Part(
            "bridge",
            lambda: [sys.executable, "-m", "api_bridge"],
            environment,
            probes.bridge(local_url(settings, settings.bridge_port)),
            ("setup",),
            stop_rank=2,
            ports=((settings.host, settings.bridge_port, "AUTOMATIONS_BRIDGE_PORT"),),
        ),
    ]


def _database(settings: Settings, environment: dict[str, str]) -> list[Part]:
    server = embedded_postgres(settings)
    if server is None:
        return []
    return [
        Part(
            "postgres",
            server.command,
            environment,
            lambda _since: server.is_ready(),
            prepare=server.prepare,
            stop_signal=signal.SIGINT,
            # Refusing connections may mean that there are too many.
            hung_after=None,
            stop_patience=30,
            ports=(("127.0.0.1", settings.postgres_port, "AUTOMATIONS_POSTGRES_PORT"),),
        )
    ]


def _mail(settings: Settings, environment: dict[str, str]) -> list[Part]:
    if settings.smtp_host:
        return []
    host = settings.host
    return [
        Part(
            "mail",
            lambda: [
                *(sys.executable, "-m", "automations.launcher.mail_catcher", "--host", host),
                *("--smtp-port", str(settings.mail_smtp_port)),
                *("--web-port", str(settings.mail_web_port)),
                *("--folder", str(settings.home / "mail")),
            ],
            environment,
            probes.smtp_greeting(local_host(settings), settings.mail_smtp_port),
            stop_rank=1,
            ports=(
                (host, settings.mail_smtp_port, "AUTOMATIONS_MAIL_SMTP_PORT"),
                (host, settings.mail_web_port, "AUTOMATIONS_MAIL_WEB_PORT"),
            ),
        )
    ]


def _airflow(settings: Settings, environment: dict[str, str]) -> list[Part]:
    airflow = [sys.executable, "-m", "airflow"]
    base = airflow_url(settings)
    environment = airflow_environment(settings, environment)

    def part(name: str, job: str, *options: str, grace: float = 0.0) -> Part:
        return Part(
            name,
            lambda: [*airflow, name, *options],
            environment,
            probes.airflow_job(base, job),
            ("setup",),
            stop_rank=2,
            orphan_grace=grace,
            # It has missed its heartbeat for half a minute by then.
            hung_after=15,
        )

    return [
        Part(
            "api-server",
            lambda: [*airflow, "api-server"],
            environment,
            probes.airflow_api(base),
            ("setup",),
            stop_rank=1,
            # Whoever relies on its answers has ended by then.
            stop_patience=3,
            ports=((settings.host, settings.airflow_port, "AUTOMATIONS_AIRFLOW_PORT"),),
        ),
        # The grace ends before Airflow gives the killed scheduler's tasks to the next one.
        part("scheduler", "scheduler", "--skip-serve-logs", grace=10.0),
        part("dag-processor", "dag_processor"),
        part("triggerer", "triggerer", "--skip-serve-logs"),
    ]
