"""Where an installation is: its checkout or package, its home, and its secrets' folder."""

from __future__ import annotations

import os
from pathlib import Path

from automations.errors import SettingsFault

ROOT = Path(__file__).resolve().parents[3]
IS_CHECKOUT = (ROOT / "pyproject.toml").is_file()
"""Whether this is run from a checkout, which has a launcher; else it is installed in an Airflow."""


def default_home() -> Path:
    """The home folder: ``AUTOMATIONS_HOME``, or one beside the launcher or in Airflow's home."""
    beside = ROOT / ".automations" if IS_CHECKOUT else Path(_airflow_home()) / "automations"
    return Path(os.environ.get("AUTOMATIONS_HOME") or beside).expanduser().absolute()


def _airflow_home() -> str:
    """Where Airflow by itself has its files."""
    return os.environ.get("AIRFLOW_HOME") or "~/airflow"


def secrets_folder() -> Path:
    """Where containers are given secrets as files: ``AUTOMATIONS_SECRETS_DIR``, or Docker's."""
    named = os.environ.get("AUTOMATIONS_SECRETS_DIR")
    folder = Path(named or "/run/secrets").expanduser().absolute()
    if named and not folder.is_dir():
        raise SettingsFault([f"AUTOMATIONS_SECRETS_DIR: there is no folder {folder}"])
    return folder
