"""Whether this Airflow is the launcher's own, or another one that automations are installed in."""

from __future__ import annotations

import json

from airflow.configuration import conf

BUNDLE = "automations_airflow.dags.bundle.AutomationBundle"


def publishes() -> bool:
    """Whether our bundle is among Airflow's: without it, nothing of theirs is to be touched."""
    bundles = json.loads(conf.get("dag_processor", "dag_bundle_config_list", fallback="[]") or "[]")
    return any(bundle.get("classpath") == BUNDLE for bundle in bundles)


def is_own() -> bool:
    """Whether the launcher has started all of it, on this machine: by that it reads its logs."""
    return "automations_airflow." in conf.get("logging", "logging_config_class", fallback="")


def uses_celery() -> bool:
    """Whether tasks are run by Celery's workers."""
    return "celery" in conf.get("core", "executor", fallback="").lower()
