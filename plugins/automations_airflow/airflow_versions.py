"""The versions of Airflow whose tables we know well enough to write to them."""

from __future__ import annotations

from airflow import __version__ as airflow_version

TESTED = ("3.3.",)
"""In others the same statements might do harm."""


def is_tested() -> bool:
    """Whether this Airflow is one of them."""
    return airflow_version.startswith(TESTED)
