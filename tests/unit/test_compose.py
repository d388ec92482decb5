"""What docker-compose.yaml promises: nothing open, nothing as root, no password that is known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from automations.launcher.settings_file import OF_THE_ENVIRONMENT
from automations.settings import PREFIX, Settings

TEXT = (Path(__file__).parents[2] / "docker-compose.yaml").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert ("healthcheck" in service) == (name != "setup")
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_no_password_is_known_before_somebody_sets_one() -> None:
    given = re.findall(r"\$\{(\w*PASSWORD\w*)(:?.)", TEXT)
    assert given
    assert {how for _, how in given} == {":?"}


def test_images_are_pinned_and_parts_are_no_root() -> None:
    (base,) = re.findall(r"FROM (\S+)", TEXT)
    pinned = re.compile(r"\w+:\d+\.\d+[\w.-]*")
    assert all(pinned.fullmatch(image) for image in (base, SERVICES["postgres"]["image"]))
    for name, service in SERVICES.items():
        if name != "postgres":
            assert "USER automations" in service["build"]["dockerfile_inline"]
            assert "cap_add" not in service


def test_every_setting_that_it_names_is_one() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {*OF_THE_ENVIRONMENT}
    for name in set(re.findall(r"AUTOMATIONS_[A-Z_]+", TEXT)):
        assert name in known or name.startswith("AUTOMATIONS_AIRFLOW__"), name
