"""The environment with which every part of Airflow is started; there is no configuration file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from automations.launcher import processes, profiles
from automations.launcher.secrets import write_private
from automations.settings import IS_CHECKOUT, ROOT, Settings

# A setting of Airflow's own may be changed as AUTOMATIONS_AIRFLOW__<SECTION>__<KEY>.
OVERRIDE = "AUTOMATIONS_AIRFLOW__"

HEALTH_CHECK_THRESHOLD = 120
"""Seconds after which Airflow takes a part that has sent no heartbeat for dead."""

QUIET = " ".join(
    f"{logger}=WARNING"
    for logger in (
        "airflow.dag_processing",
        "airflow.jobs.triggerer_job_runner",
        "airflow.serialization",
        "http.access",
    )
)


def parallelism(processors: int) -> int:
    """How many tasks run at once: enough to wait in, not more than the machine can start."""
    return max(8, min(32, 8 * processors))


def local_host(settings: Settings) -> str:
    """How the parts on this machine reach each other, whatever address they listen on."""
    # What listens everywhere is reached here.
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104


def url_of(host: str, port: int) -> str:
    """The base URL of a server at an address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def local_url(settings: Settings, port: int) -> str:
    """The base URL of a server of ours, for the parts on this machine."""
    return url_of(local_host(settings), port)


def airflow_url(settings: Settings) -> str:
    """The base URL of Airflow's api-server, for every other part."""
    return (settings.airflow_url or local_url(settings, settings.airflow_port)).rstrip("/")


def airflow_options(settings: Settings) -> dict[str, dict[str, object]]:
    """Airflow's options by section."""
    options = _options(settings)
    if profiles.profile(settings).celery_workers:
        for section, more in profiles.celery_options(settings).items():
            options[section] = options.get(section, {}) | dict(more)
    return options


def _options(settings: Settings) -> dict[str, dict[str, object]]:
    home = settings.home / "airflow"
    return {
        "core": {
            "executor": "automations_airflow.executors.executor.PipeExecutor",
            "parallelism": parallelism(processes.processors()),
            "max_active_tasks_per_dag": 64,
            # Parked runs count as active.
            "max_active_runs_per_dag": 1_000_000,
            "load_examples": False,
            "dags_folder": ROOT / "dags",
            "plugins_folder": ROOT / "plugins",
            "dags_are_paused_at_creation": False,
            "default_task_retries": 0,
            # With the default a second edit within 30 s is dropped silently.
            "min_serialized_dag_update_interval": 0,
            "hostname_callable": "socket.gethostname",
            "execution_api_server_url": f"{airflow_url(settings)}/execution/",
            "simple_auth_manager_users": f"admin:admin,{settings.airflow_username}:op",
            "simple_auth_manager_passwords_file": home / "passwords.json",
            "fernet_key": settings.airflow_fernet_key,
        },
        # The api-server answers in 40 threads. Those that wait for a lock must leave connections to
        # those that hold it, or a burst of tasks stands still until something is timed out.
        "database": {
            "sql_alchemy_conn": settings.airflow_dsn,
            "sql_alchemy_pool_size": 20,
            "sql_alchemy_max_overflow": 30,
        },
        "dag_processor": {
            "dag_bundle_config_list": json.dumps(_bundles()),
            "dag_bundle_storage_path": settings.home / "bundles",
            "bundle_refresh_check_interval": 0,
            "min_file_process_interval": 600,
            "print_stats_interval": 0,
            "health_check_threshold": HEALTH_CHECK_THRESHOLD,
        },
        "workers": {
            # A failed task is reported when its end is noticed, which is looked for so often.
            "min_heartbeat_interval": 1,
            # An api-server that is away is asked again for about five minutes, and found within
            # five seconds of its return; it is less than the ten that a token is good for.
            "execution_api_retries": 100,
            "execution_api_retry_wait_min": 0.5,
            "execution_api_retry_wait_max": 5,
            # On a busy machine an answer takes longer than the five seconds of the default.
            "execution_api_timeout": 30,
        },
        "scheduler": {
            # With something to do it looks more often: see automations_airflow.scheduler.resting.
            "scheduler_idle_sleep_time": 1 if settings.parking else 0.1,
            # All of a look's runs are locked until its end, and workers that are free are given
            # something after it: it has to be short. See automations_airflow.waits.parking, too.
            "max_dagruns_per_loop_to_schedule": 16,
            "max_dagruns_to_create_per_loop": 50,
            "max_tis_per_query": 0,
            # Both are what a busy machine keeps. Neither is what is waited for after a death on
            # this one: job_processes and executor in automations_airflow.executors see processes.
            "scheduler_health_check_threshold": HEALTH_CHECK_THRESHOLD,
            "task_instance_heartbeat_timeout": 300,
            "scheduler_heartbeat_sec": 2,
            "orphaned_tasks_check_interval": 5,
            "trigger_timeout_check_interval": 5,
        },
        "triggerer": {
            "capacity": 10_000,
            "triggerer_health_check_threshold": HEALTH_CHECK_THRESHOLD,
            "runner_health_check_threshold": HEALTH_CHECK_THRESHOLD,
        },
        "api": {
            "base_url": settings.airflow_base,
            "host": settings.host,
            "port": settings.airflow_port,
            "workers": 1,
            "secret_key": settings.airflow_secret_key,
        },
        "api_auth": {"jwt_secret": settings.airflow_jwt_secret},
        "logging": {
            "base_log_folder": home / "logs",
            "logging_config_class": "automations_airflow.ui.task_logs.LOGGING_CONFIG",
            "dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
            # Airflow sets modes of its own, whatever the umask: what steps say is the owner's.
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
            "uvicorn_logging_level": "WARNING",
            # Lines that say, every second or for every request, that nothing happened.
            "namespace_levels": QUIET,
            "colored_console_log": False,
        },
        "metrics": {"statsd_on": False, "otel_on": False},
    }


def airflow_environment(settings: Settings, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of Airflow's processes: ``base`` without another Airflow's settings."""
    environment = {name: value for name, value in base.items() if not name.startswith("AIRFLOW_")}
    environment["AIRFLOW_HOME"] = str(settings.home / "airflow")
    if "airflow_tabs" not in settings.model_fields_set:
        # There is little else here whose pages they would be on.
        environment["AUTOMATIONS_AIRFLOW_TABS"] = "true"
    for section, options in airflow_options(settings).items():
        for key, value in options.items():
            environment[f"AIRFLOW__{section}__{key}".upper()] = str(value)
    for name, value in base.items():
        if name.startswith(OVERRIDE):
            environment[name.removeprefix("AUTOMATIONS_")] = value
    return environment


def parts_environment(settings: Settings) -> dict[str, str]:
    """The environment of our own processes: where the home is and where the code is."""
    own_path = [str(ROOT / "include"), str(ROOT / "plugins"), str(ROOT)] if IS_CHECKOUT else []
    existing = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    path = own_path + [p for p in existing if p not in own_path]
    return {
        **os.environ,
        "AUTOMATIONS_HOME": str(settings.home),
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
    }


def write_passwords(settings: Settings) -> None:
    """Write the file that Airflow's simple auth manager reads its users' passwords from."""
    folder = settings.home / "airflow"
    folder.mkdir(parents=True, exist_ok=True)
    passwords = {
        "admin": settings.airflow_admin_password,
        settings.airflow_username: settings.airflow_password,
    }
    write_private(folder / "passwords.json", json.dumps(passwords) + "\n")


def _bundles() -> list[dict[str, object]]:
    return [
        {
            "name": "automations",
            "classpath": "automations_airflow.dags.bundle.AutomationBundle",
            "kwargs": {},
        },
        {
            "name": "examples",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(ROOT / "dags"), "refresh_interval": 10},
        },
    ]
