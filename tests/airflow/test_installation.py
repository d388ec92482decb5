"""Whose Airflow it is that we are in."""

from __future__ import annotations

import pytest

from automations.launcher.airflow_config import airflow_options
from automations.settings import Settings
from automations_airflow import installation


def test_an_airflow_is_somebody_elses_unless_the_launcher_configures_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not installation.is_own()
    options = airflow_options(Settings())
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", str(options["core"]["executor"]))
    assert not installation.is_own(), "others may use our executor"
    named = str(options["logging"]["logging_config_class"])
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS", named)
    assert installation.is_own()


def test_tasks_are_known_to_be_run_by_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    for profile in ("single", "distributed"):
        executor = airflow_options(Settings(profile=profile))["core"]["executor"]
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", str(executor))
        assert installation.uses_celery() == (profile == "distributed")


def test_the_launcher_names_our_bundle_as_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = str(airflow_options(Settings())["dag_processor"]["dag_bundle_config_list"])
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", listed)
    assert installation.publishes()
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", "[]")
    assert not installation.publishes()
