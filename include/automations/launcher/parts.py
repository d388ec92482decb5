"""The parts of an installation, in the order in which they start."""

from __future__ import annotations

import signal
import sys

from automations.errors import SettingsFault
from automations.launcher import probes, profiles
from automations.launcher.airflow_config import (
    local_host,
    local_url,
    parts_environment,
    url_of,
)
from automations.launcher.airflow_parts import QUEUE, airflow_parts
from automations.launcher.part import Listening, Part
from automations.launcher.postgres import EmbeddedPostgres
from automations.launcher.profiles import BACKEND, names
from automations.launcher.proxy import Front, Proxy
from automations.launcher.task_queue import TaskQueue
from automations.settings import IS_CHECKOUT, Settings


def embedded_postgres(settings: Settings) -> EmbeddedPostgres | None:
    """The embedded server, or None when both databases are elsewhere.

    Raises:
        SettingsFault: there is none to embed, and nothing says where ours is.
    """
    if not IS_CHECKOUT:
        if not settings.database_dsn:
            raise SettingsFault(
                ["AUTOMATIONS_DATABASE_DSN: must be the address of our database, of PostgreSQL"]
            )
        return None
    if settings.database_dsn and settings.airflow_database_dsn:
        return None
    return EmbeddedPostgres(
        settings.home / "postgres", settings.postgres_port, settings.postgres_password
    )


def all_parts(settings: Settings) -> list[Part]:
    """Every part of this installation, in the order they are shown."""
    environment = parts_environment(settings)
    database = _database(settings, environment)
    # Also later: what cannot work without it would try in vain, and wait ever longer between tries.
    needs = (*(part.name for part in database), "setup")
    setup = Part(
        "setup",
        lambda: [sys.executable, "-m", "automations.launcher", "_setup"],
        environment,
        needs=needs[:-1],
        once=True,
    )
    return [
        *database,
        *_mail(settings, environment),
        setup,
        *_queue(settings, environment),
        *_proxy(settings, environment),
        *airflow_parts(settings, environment, needs),
        *_bridges(settings, environment, needs),
        *_dispatchers(settings, environment, needs),
        *_express(settings, environment),
    ]


def _proxy(settings: Settings, environment: dict[str, str]) -> list[Part]:
    if not profiles.profile(settings).has_proxy:
        return []
    behind = profiles.backends(settings)
    api, airflow = (
        (settings.host, settings.bridge_port, "AUTOMATIONS_BRIDGE_PORT"),
        (settings.host, settings.airflow_port, "AUTOMATIONS_AIRFLOW_PORT"),
    )
    proxy = Proxy(
        settings.home,
        (
            Front("bridge", *api[:2], behind.bridges, "/readyz"),
            Front("api-server", *airflow[:2], behind.api_servers, "/api/v2/version"),
        ),
    )
    return [
        Part(
            "proxy",
            proxy.command,
            environment,
            probes.proxy([local_url(settings, front[1]) for front in (api, airflow)]),
            prepare=proxy.prepare,
            stop_rank=1,
            stop_timeout=3,
            ports=(api, airflow),
        )
    ]


def _queue(settings: Settings, environment: dict[str, str]) -> list[Part]:
    if not profiles.profile(settings).celery_workers or settings.queue_url:
        return []
    port = profiles.backends(settings).queue
    queue = TaskQueue(settings.home, port, settings.queue_password)
    return [
        Part(
            QUEUE,
            queue.command,
            environment,
            lambda _since: queue.is_ready(),
            prepare=queue.prepare,
            stop_timeout=30,
            ports=((BACKEND, port, "AUTOMATIONS_BACKEND_PORT"),),
        )
    ]


def _bridges(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> list[Part]:
    profile = profiles.profile(settings)
    if profile.dispatchers:
        environment = {**environment, "AUTOMATIONS_DISPATCHER": "off"}

    def part(name: str, environment: dict[str, str], url: str, port: Listening) -> Part:
        return Part(
            name,
            lambda: [sys.executable, "-m", "api_bridge"],
            environment,
            probes.bridge(url),
            needs,
            stop_rank=2,
            ports=(port,),
        )

    if not profile.has_proxy:
        listening = (settings.host, settings.bridge_port, "AUTOMATIONS_BRIDGE_PORT")
        url = local_url(settings, settings.bridge_port)
        return [part("bridge", environment, url, listening)]
    trusted = (*map(str, settings.trusted_proxies), BACKEND)
    behind = {
        **environment,
        "AUTOMATIONS_HOST": BACKEND,
        # Of what is before it, which is the only one that anybody knows.
        "AUTOMATIONS_PUBLIC_URL": settings.bridge_base,
        "AUTOMATIONS_TRUSTED_PROXIES": ",".join(trusted),
    }
    ports = profiles.backends(settings).bridges
    return [
        part(
            name,
            {**behind, "AUTOMATIONS_BRIDGE_PORT": str(port)},
            url_of(BACKEND, port),
            (BACKEND, port, "AUTOMATIONS_BACKEND_PORT"),
        )
        for name, port in zip(names("bridge", profile.bridges), ports, strict=True)
    ]


def _dispatchers(
    settings: Settings, environment: dict[str, str], needs: tuple[str, ...]
) -> list[Part]:
    def part(name: str) -> Part:
        return Part(
            name,
            lambda: [sys.executable, "-m", "api_bridge.dispatcher", name],
            environment,
            probes.registered(name),
            needs,
            stop_rank=2,
            # Longer than it gives to what it has in hand.
            stop_timeout=12,
        )

    return [part(name) for name in names("dispatcher", profiles.profile(settings).dispatchers)]


def _express(settings: Settings, environment: dict[str, str]) -> list[Part]:
    if not settings.express_seconds:
        return []

    def part(name: str) -> Part:
        return Part(
            name,
            lambda: [sys.executable, "-m", "automations.launcher.express_worker", name],
            environment,
            probes.registered(name),
            ("setup",),
            stop_rank=2,
            # Longer than it gives to what it has in hand.
            stop_timeout=12,
        )

    return [part(name) for name in names("express", profiles.profile(settings).express_workers)]


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
            stop_timeout=30,
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
