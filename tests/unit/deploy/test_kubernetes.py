"""What the files for Kubernetes promise: valid, confined, two of each, no secret in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from automations.kit.host_names import is_answered
from automations.launcher.commands import installed_parser
from automations.launcher.settings_file import OF_THE_ENVIRONMENT
from automations.settings import PREFIX, ROOT, Settings

FOLDER = ROOT / "deploy" / "kubernetes"
TEXT = (FOLDER / "automations.yaml").read_text()
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(TEXT))
VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "airflow-values.yaml").read_text())
SETTINGS: dict[str, str] = OBJECTS[0]["data"]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for one in OBJECTS:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_every_object_keeps_to_its_schema(number: int) -> None:
    # Only here: it makes dozens of grammars, and all processes of a run collect all tests.
    import kubernetes_validate

    kubernetes_validate.validate(OBJECTS[number], "1.33", strict=True)


def test_pods_are_confined() -> None:
    assert len(dict(pods())) == 3
    for name, pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False
        # For a service of ours it would set variables that look like settings.
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert re.fullmatch(r"[\w-]+:\d+\.\d+\.\d+", container["image"])


def test_one_of_each_may_go() -> None:
    deployments = {
        manifest["metadata"]["name"]: manifest
        for manifest in OBJECTS
        if manifest["kind"] == "Deployment"
    }
    assert {deployment["spec"]["replicas"] for deployment in deployments.values()} == {2}
    kept = {
        manifest["spec"]["selector"]["matchLabels"]["app"]
        for manifest in OBJECTS
        if manifest["kind"] == "PodDisruptionBudget"
    }
    assert kept == set(deployments)
    replicas = {
        part: value["replicas"]
        for part, value in VALUES.items()
        if isinstance(value, dict) and "replicas" in value
    }
    assert set(replicas.values()) == {2}
    assert set(replicas) == {"apiServer", "scheduler", "triggerer", "dagProcessor", "workers"}


def test_secrets_are_files_and_settings_are_settings() -> None:
    assert "kind: Secret" not in TEXT
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {*OF_THE_ENVIRONMENT}
    given = {
        *SETTINGS,
        *(variable["name"] for variable in VALUES["env"] if variable["name"].startswith(PREFIX)),
    }
    assert given <= known
    assert [name for name in given if re.search("PASSWORD|TOKEN|KEY|DSN", name)] == []
    folder = SETTINGS["AUTOMATIONS_SECRETS_DIR"]
    mounts = [container["volumeMounts"] for _, pod in pods() for container in pod["containers"]]
    for mounted in [*mounts, VALUES["volumeMounts"]]:
        assert {mount["mountPath"] for mount in mounted if mount.get("readOnly")} == {folder}


def test_settings_that_both_sides_have_are_the_same() -> None:
    of_airflow = {variable["name"]: variable["value"] for variable in VALUES["env"]}
    both = of_airflow.keys() & SETTINGS.keys()
    assert both == {"AUTOMATIONS_SECRETS_DIR", "AUTOMATIONS_PUBLIC_URL"}
    assert {of_airflow[name] == SETTINGS[name] for name in both} == {True}
    bundles = json.loads(of_airflow["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [bundle["name"] for bundle in bundles] == ["dags-folder", "automations"]


def test_traffic_reaches_the_bridge() -> None:
    by_kind = {manifest["kind"]: manifest for manifest in OBJECTS}
    (bridge,) = (pod for name, pod in pods() if name == "automations-bridge")
    (port,) = bridge["containers"][0]["ports"]
    (service,) = by_kind["Service"]["spec"]["ports"]
    assert (service["targetPort"], port["containerPort"]) == (port["name"], 8800)
    (rule,) = by_kind["Ingress"]["spec"]["rules"]
    assert SETTINGS["AUTOMATIONS_PUBLIC_URL"] == f"https://{rule['host']}"
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"]["name"] == by_kind["Service"]["metadata"]["name"]


def test_probes_name_a_host_that_is_answered_to() -> None:
    (bridge,) = (pod for name, pod in pods() if name == "automations-bridge")
    (container,) = bridge["containers"]
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        (header,) = container[name]["httpGet"]["httpHeaders"]
        assert header["name"] == "Host"
        assert is_answered(header["value"], ())


def test_the_migration_is_a_command_that_there_is() -> None:
    ((container,),) = (pod["containers"] for name, pod in pods() if name.endswith("-migrate"))
    options = installed_parser().parse_args(container["command"][1:])
    assert (options.command, options.without_key) == ("migrate", True)
