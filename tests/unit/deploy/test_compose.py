"""What docker-compose.yaml promises: nothing open, nothing as root, no password that is known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from automations.launcher.settings_file import OF_THE_ENVIRONMENT
from automations.settings import PREFIX, ROOT, Settings
from tests.environment import Environment

TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
PROGRAM = Path(sys.executable).with_name("docker-compose")
PUBLIC = {"proxy": ["80:8080", "443:8443"]}


@pytest.mark.skipif(not PROGRAM.exists(), reason="Docker Compose's own program is not installed")
@pytest.mark.parametrize("profile", [(), ("--profile", "tls")])
def test_compose_itself_takes_the_file(profile: tuple[str, ...]) -> None:
    command = [str(PROGRAM), *profile, "config", "--format", "json"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    services = json.loads(told.stdout)["services"]
    assert services.keys() == {service for service in SERVICES if service != "proxy" or profile}
    # What is written once for all parts has come to each.
    parts = [
        service for service in services.values() if service["image"].startswith("automations:")
    ]
    assert len(parts) > 1
    assert all("/home/automations" in str(part["volumes"]) for part in parts)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert ("healthcheck" in service) == (name != "setup")
    ports = service.get("ports", [])
    if name in PUBLIC:
        assert ports == PUBLIC[name]
        assert service["profiles"] == ["tls"]
    else:
        assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_secrets_are_given_as_files_only() -> None:
    for name, service in SERVICES.items():
        given = service.get("environment", {})
        secret = re.compile("PASSWORD|TOKEN|SECRET|KEY|DSN")
        assert [
            variable
            for variable in given
            if secret.search(variable) and not variable.endswith("_FILE")
        ] == [], name
    told = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert told == set(COMPOSE["secrets"])
    files = {name.upper() for name in told if name.startswith(PREFIX.lower())}
    assert files <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_images_are_pinned_and_parts_are_no_root() -> None:
    pinned = re.compile(r"[\w-]+:\d+\.\d+[\w.-]*")
    assert [
        service for service in SERVICES.values() if not pinned.fullmatch(service["image"])
    ] == []
    for name, service in SERVICES.items():
        assert "user" not in service, "each image has its own"
        if name not in ("postgres", "proxy"):
            assert service["build"]["target"] == "product"
            assert "cap_add" not in service


def test_every_setting_that_it_names_is_one() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {*OF_THE_ENVIRONMENT}
    composes_own = {"AUTOMATIONS_DOMAIN", "AUTOMATIONS_SECRETS"}
    for name in set(re.findall(r"AUTOMATIONS_[A-Z_]+", TEXT)) - composes_own:
        assert name in known or name.startswith("AUTOMATIONS_AIRFLOW__"), name


def test_its_secrets_are_made_once_and_are_settings(
    tmp_path: Path, environment: Environment
) -> None:
    folder = tmp_path / "secrets"
    for _ in range(2):
        subprocess.run([ROOT / "deploy" / "secrets.sh", folder], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in folder.iterdir()}
        assert set(made) == set(COMPOSE["secrets"])
        password = made["postgres_password"]
        assert re.fullmatch("[0-9a-f]{48}", password)
        environment.set(AUTOMATIONS_SECRETS_DIR=str(folder), AUTOMATIONS_HOME=str(tmp_path))
        base = f"postgresql+psycopg2://automations:{password}@postgres:5432"
        assert (Settings().dsn, Settings().airflow_dsn) == (
            f"{base}/automations",
            f"{base}/airflow",
        )
    assert folder.stat().st_mode & 0o777 == 0o700
    # The containers' users are others than whoever made them.
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in folder.iterdir())
