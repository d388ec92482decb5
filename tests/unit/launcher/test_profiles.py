"""What an installation consists of, by its profile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from automations.errors import SettingsFault
from automations.launcher import profiles
from automations.launcher.airflow_config import airflow_environment, airflow_options
from automations.launcher.cli import main
from automations.launcher.part import Part
from automations.launcher.parts import all_parts
from automations.launcher.run_state import RunFolder, RunState
from automations.launcher.secrets import ensure_secrets
from automations.settings import Settings
from tests.environment import Environment


@pytest.fixture
def home(tmp_path: Path, environment: Environment) -> Path:
    environment.set(AUTOMATIONS_HOME=str(tmp_path), AUTOMATIONS_PROFILE=None)
    ensure_secrets(tmp_path)
    return tmp_path


@pytest.fixture
def single(home: Path) -> Settings:
    return Settings()


@pytest.fixture
def distributed(single: Settings) -> Settings:
    return single.model_copy(update={"profile": "distributed"})


def kinds(settings: Settings) -> Counter[str]:
    """How many there are of each part."""
    names = [part.name for part in all_parts(settings)]
    assert len(names) == len(set(names))
    return Counter(name.rstrip("-23456789") for name in names)


def part(settings: Settings, name: str) -> Part:
    return next(part for part in all_parts(settings) if part.name == name)


def test_by_default_there_is_one_of_each_part_and_neither_queue_nor_proxy(single: Settings) -> None:
    found = kinds(single)
    assert set(found.values()) == {1}
    assert not {"queue", "proxy", "worker", "dispatcher"} & set(found)
    assert "celery" not in airflow_options(single)


def test_what_may_be_two_is_two_and_is_reached_at_the_addresses_of_one(
    single: Settings, distributed: Settings
) -> None:
    found = kinds(distributed)
    twice = ("scheduler", "triggerer", "api-server", "bridge", "dispatcher", "worker", "express")
    assert {found[name] for name in twice} == {2}
    assert found["proxy"] == found["queue"] == 1
    outside = {(single.host, single.bridge_port), (single.host, single.airflow_port)}
    assert {listening[:2] for listening in part(distributed, "proxy").ports} == outside
    where = [listening[:2] for part in all_parts(distributed) for listening in part.ports]
    assert len(where) == len(set(where))
    behind = {host for host, port in where if port >= distributed.backend_port}
    assert behind == {"127.0.0.1"}


def test_a_bridge_behind_the_proxy_says_where_the_proxy_is_and_believes_it(
    distributed: Settings,
) -> None:
    environment = part(distributed, "bridge-2").environment
    assert environment["AUTOMATIONS_PUBLIC_URL"] == distributed.bridge_base
    assert environment["AUTOMATIONS_TRUSTED_PROXIES"] == "127.0.0.1"
    assert environment["AUTOMATIONS_DISPATCHER"] == "off"
    first = part(distributed, "bridge").environment["AUTOMATIONS_BRIDGE_PORT"]
    assert int(environment["AUTOMATIONS_BRIDGE_PORT"]) == int(first) + 1


def test_workers_together_do_as_many_tasks_at_once_as_the_scheduler_hands_out(
    distributed: Settings,
) -> None:
    command = part(distributed, "worker").command()
    each = int(command[command.index("--concurrency") + 1])
    handed_out = airflow_options(distributed)["core"]["parallelism"]
    assert isinstance(handed_out, int)
    assert 2 * each == handed_out


def test_more_workers_may_be_wanted(distributed: Settings) -> None:
    more = distributed.model_copy(update={"celery_workers": 3})
    assert kinds(more)["worker"] == 3
    chosen = {"express_workers": 1}
    fields = {**distributed.model_dump(include=distributed.model_fields_set), **chosen}
    assert kinds(Settings(**fields | {"profile": "distributed"}))["express"] == 1


def test_every_option_of_celery_that_is_set_exists(distributed: Settings) -> None:
    info = pytest.importorskip("airflow.providers.celery.get_provider_info")
    known = info.get_provider_info()["config"]
    for section, options in profiles.celery_options(distributed).items():
        # What is for the transport is handed to it as it is.
        if section in known and section != "celery_broker_transport_options":
            assert set(options) <= set(known[section]["options"]), section
    environment = airflow_environment(distributed, {})
    assert environment["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"] == "60"
    assert distributed.queue_password in environment["AIRFLOW__CELERY__BROKER_URL"]


def test_a_queue_of_ones_own_is_used_and_none_is_started(distributed: Settings) -> None:
    url = "redis://:secret@queue.example:6379/0"
    elsewhere = distributed.model_copy(update={"queue_url": url})
    assert "queue" not in kinds(elsewhere)
    assert airflow_options(elsewhere)["celery"]["broker_url"] == url


@pytest.mark.parametrize("url", ["amqp://queue.example", "redis://", "queue.example:6379"])
def test_a_queue_that_is_none_is_refused(home: Path, environment: Environment, url: str) -> None:
    environment.set(AUTOMATIONS_QUEUE_URL=url)
    with pytest.raises(ValueError, match="redis://:password@host:6379/0"):
        Settings()


def test_a_home_that_is_up_is_not_brought_up_in_another_profile(
    home: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(home)
    lock = folder.acquire()
    assert lock is not None
    with lock:
        folder.write(RunState(pid=1, phase="running", settings={"profile": "single"}))
        assert main(["up", "--detach", "--profile", "distributed"]) == 1
    assert "is up with the profile single" in capsys.readouterr().err
    environment.set(AUTOMATIONS_PROFILE=None)


def test_a_program_that_is_missing_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsFault, match=r"no-such-1 or no-such-2 is not there.*installs"):
        profiles.program("no-such-1", "no-such-2")
