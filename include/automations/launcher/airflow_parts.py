"""The parts of Airflow: how many of each, how each is started and probed."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

from automations.launcher import probes, processes, profiles
from automations.launcher.airflow_config import (
    airflow_environment,
    airflow_url,
    parallelism,
    url_of,
)
from automations.launcher.fork_server import ForkServer
from automations.launcher.part import Forked, Listening, Part
from automations.launcher.probes import Probe
from automations.launcher.profiles import BACKEND, names
from automations.settings import Settings

QUEUE = "queue"
"""The part that hands tasks to workers."""


def airflow_parts(
    settings: Settings, environment: dict[str, str], needs: tuple[str, ...]
) -> list[Part]:
    """Airflow's, and what they are forked from."""
    base = airflow_url(settings)
    environment = airflow_environment(settings, environment)
    jobs, server = _fork_servers(environment)
    profile = profiles.profile(settings)

    def part(name: str, options: Sequence[str], probe: Probe, grace: float) -> Part:
        return Part(
            name,
            lambda: [sys.executable, "-m", "airflow", *options],
            environment,
            probe,
            needs,
            stop_rank=2,
            orphan_grace=grace,
            # It has missed its heartbeat for half a minute by then.
            hung_after=15,
            forked=Forked(jobs, ("airflow", *options)),
        )

    def several(count: int, job: str, *options: str, grace: float = 0.0) -> list[Part]:
        """Parts that are jobs; of one among several Airflow's API does not tell."""
        name = job.replace("_", "-")
        return [
            part(
                part_name,
                (name, *options),
                probes.airflow_job(base, job)
                if count == 1
                else probes.airflow_process(settings.airflow_dsn, settings.home, part_name),
                grace,
            )
            for part_name in names(name, count)
        ]

    return [
        *((jobs, server) if processes.can_adopt() else ()),
        *_api_servers(settings, environment, needs, server),
        # The grace ends before Airflow gives the killed scheduler's tasks to the next one.
        *several(profile.schedulers, "scheduler", "--skip-serve-logs", grace=10.0),
        *several(1, "dag_processor"),
        *several(profile.triggerers, "triggerer", "--skip-serve-logs"),
        *_celery_workers(settings, environment, needs, jobs),
    ]


def _api_servers(
    settings: Settings, environment: dict[str, str], needs: tuple[str, ...], server: Part
) -> list[Part]:
    def part(name: str, options: Sequence[str], url: str, port: Listening) -> Part:
        return Part(
            name,
            lambda: [sys.executable, "-m", "airflow", "api-server", *options],
            environment,
            probes.airflow_api(url),
            needs,
            stop_rank=1,
            # Whoever relies on its answers has ended by then.
            stop_timeout=3,
            ports=(port,),
            forked=Forked(server, ("airflow", "api-server", *options)),
        )

    profile = profiles.profile(settings)
    if not profile.has_proxy:
        listening = (settings.host, settings.airflow_port, "AUTOMATIONS_AIRFLOW_PORT")
        return [part("api-server", (), airflow_url(settings), listening)]
    ports = profiles.backends(settings).api_servers
    return [
        part(
            name,
            ("--host", BACKEND, "--port", str(port)),
            url_of(BACKEND, port),
            (BACKEND, port, "AUTOMATIONS_BACKEND_PORT"),
        )
        for name, port in zip(names("api-server", profile.api_servers), ports, strict=True)
    ]


def _celery_workers(
    settings: Settings, environment: dict[str, str], needs: tuple[str, ...], jobs: Part
) -> list[Part]:
    count = profiles.profile(settings).celery_workers
    own_queue = () if settings.queue_url else (QUEUE,)
    # Together as many tasks as our executor would have at once.
    concurrency = -(-parallelism(processes.processors()) // max(count, 1))

    def part(name: str) -> Part:
        options = (
            *("celery", "worker", "--celery-hostname", f"{name}@{socket.gethostname()}"),
            *("--concurrency", str(concurrency), "--without-gossip", "--without-mingle"),
            "--skip-serve-logs",
        )
        return Part(
            name,
            lambda: [sys.executable, "-m", "airflow", *options],
            environment,
            probes.beat(settings.home / "run" / f"{name}.beat"),
            (*needs, *own_queue),
            stop_rank=2,
            # It waits for its tasks; what is cut off then begins again.
            stop_timeout=5,
            hung_after=None,
            forked=Forked(jobs, ("airflow", *options)),
        )

    return [part(name) for name in names("worker", count)]


def _fork_servers(environment: dict[str, str]) -> tuple[Part, Part]:
    """What forks the parts that are jobs, and what forks the api-server."""

    def one(name: str, module: str, *needs: str, forked: Forked | None = None) -> Part:
        fork_server = ForkServer()
        return Part(
            name,
            lambda: [sys.executable, "-m", "automations_airflow.executors.fork_server", module],
            environment,
            probes.fork_server(fork_server),
            needs,
            stop_timeout=1,
            hung_after=15,
            fork_server=fork_server,
            forked=forked,
        )

    # It looks at no database, and so is ready when that is.
    jobs = one("fork-server", "jobs")
    return jobs, one(
        "api-fork-server", "server", "setup", forked=Forked(jobs, ("fork-server", "server"))
    )
