"""The launcher's own parts: secrets, Airflow's settings, ports, states and logs."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil
import pytest
import yaml
from rich.console import Console

from api_bridge import __main__ as bridge
from api_bridge import dispatcher
from automations.errors import SettingsFault
from automations.launcher import express_worker, probes, processes, stack
from automations.launcher.airflow_config import (
    airflow_environment,
    airflow_options,
    local_url,
    parallelism,
    parts_environment,
    write_passwords,
)
from automations.launcher.archive import BackupError, Manifest, pack
from automations.launcher.backup import backup
from automations.launcher.cli import main
from automations.launcher.fork_server import ForkServer
from automations.launcher.logs import show
from automations.launcher.part import Part
from automations.launcher.parts import all_parts
from automations.launcher.probes import Blocked, Unknown
from automations.launcher.processes import can_adopt, create_time
from automations.launcher.progress import Progress, show_summary
from automations.launcher.run_state import NAME_WIDTH, PartState, PartStatus, RunFolder, RunState
from automations.launcher.secrets import GENERATORS, ensure_secrets
from automations.launcher.status import part_states
from automations.settings import Settings, get_settings
from tests.environment import Environment


@pytest.fixture
def home(tmp_path: Path, environment: Environment) -> Path:
    environment.set(AUTOMATIONS_HOME=str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    ensure_secrets(home)
    return Settings()


def test_secrets_are_generated_once_and_only_for_their_owner(home: Path) -> None:
    ensure_secrets(home)
    first = (home / "secrets.json").read_text()
    ensure_secrets(home)
    assert (home / "secrets.json").read_text() == first
    assert stat.S_IMODE((home / "secrets.json").stat().st_mode) == 0o600
    assert set(json.loads(first)) == set(GENERATORS) <= set(Settings.model_fields)


def test_a_secret_that_is_missing_is_added_and_the_others_are_kept(home: Path) -> None:
    (home / "secrets.json").write_text('{"encryption_key": "kept"}')
    ensure_secrets(home)
    secrets = json.loads((home / "secrets.json").read_text())
    assert secrets["encryption_key"] == "kept"
    assert set(secrets) == set(GENERATORS)


def test_a_home_that_is_open_to_others_is_closed_to_them(home: Path) -> None:
    (home / "mail").mkdir(mode=0o755)
    (home / "owner.key").write_text("k")
    for path, mode in ((home, 0o755), (home / "mail", 0o755), (home / "owner.key", 0o644)):
        path.chmod(mode)
    stack.open_home()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "mail")]
    assert modes == [0o700, 0o700]
    assert stat.S_IMODE((home / "owner.key").stat().st_mode) == 0o600


def test_so_is_one_behind_a_link(home: Path, environment: Environment) -> None:
    link = home.with_name("link")
    link.symlink_to(home)
    home.chmod(0o755)
    environment.set(AUTOMATIONS_HOME=str(link))
    stack.open_home()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.parametrize(("processors", "tasks"), [(1, 8), (2, 16), (4, 32), (64, 32)])
def test_the_more_processors_the_more_tasks_run_at_once(processors: int, tasks: int) -> None:
    assert parallelism(processors) == tasks


def airflow_reference() -> dict[str, Any]:
    spec = find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "config_templates" / "config.yml"
    reference: dict[str, Any] = yaml.safe_load(path.read_text())
    return reference


def test_every_option_of_airflow_that_is_set_exists_and_is_not_deprecated(
    settings: Settings,
) -> None:
    reference = airflow_reference()
    for section, options in airflow_options(settings).items():
        for name in options:
            option = reference[section]["options"].get(name)
            assert option is not None, f"[{section}] {name}"
            assert "version_deprecated" not in option, f"[{section}] {name}"


def test_airflow_has_a_connection_for_every_thread_that_its_server_answers_in(
    settings: Settings,
) -> None:
    async def threads() -> float:
        return anyio.to_thread.current_default_thread_limiter().total_tokens

    pool: dict[str, Any] = airflow_options(settings)["database"]
    assert pool["sql_alchemy_pool_size"] + pool["sql_alchemy_max_overflow"] > anyio.run(threads)


def test_another_airflows_settings_do_not_reach_ours_and_overrides_do(settings: Settings) -> None:
    environment = airflow_environment(
        settings,
        {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://somewhere/else",
            "AIRFLOW__CORE__FERNET_KEY": "another",
            "AUTOMATIONS_AIRFLOW__CORE__PARALLELISM": "7",
            "PATH": "kept",
        },
    )
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == settings.airflow_dsn
    assert environment["AIRFLOW__CORE__FERNET_KEY"] == settings.airflow_fernet_key
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "7"
    assert environment["PATH"] == "kept"


def test_both_bundles_are_configured(settings: Settings) -> None:
    environment = airflow_environment(settings, {})
    bundles = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [bundle["name"] for bundle in bundles] == ["automations", "examples"]


def test_airflows_passwords_are_written_for_their_owner_only(settings: Settings) -> None:
    write_passwords(settings)
    path = settings.home / "airflow" / "passwords.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "admin": settings.airflow_admin_password,
        "bridge": settings.airflow_password,
    }


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("box.example", "http://box.example:1"),
    ],
)
def test_the_parts_reach_each_other_whatever_they_listen_on(
    settings: Settings, host: str, url: str
) -> None:
    assert local_url(settings.model_copy(update={"host": host}), 1) == url


def test_what_is_elsewhere_is_left_out(settings: Settings) -> None:
    elsewhere = settings.model_copy(
        update={
            "database_dsn": "postgresql+psycopg2://a/b",
            "airflow_database_dsn": "postgresql+psycopg2://a/c",
            "smtp_host": "mail.example",
        }
    )
    here = {part.name for part in all_parts(settings)}
    assert here - {part.name for part in all_parts(elsewhere)} == {"postgres", "mail"}


def test_one_database_elsewhere_keeps_the_embedded_server(settings: Settings) -> None:
    one = settings.model_copy(update={"database_dsn": "postgresql+psycopg2://a/b"})
    assert "postgres" in {part.name for part in all_parts(one)}


def test_all_taken_ports_are_named_with_free_ones_for_their_settings() -> None:
    with socket.socket() as one, socket.socket() as other:
        parts = []
        for taken, name in ((one, "bridge"), (other, "mail")):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = ("127.0.0.1", taken.getsockname()[1], f"AUTOMATIONS_{name.upper()}_PORT")
            parts.append(Part(name, list, {}, ports=(where,)))
        with pytest.raises(stack.PortTaken) as error:
            stack.check_ports(parts)
        *named, _, first, second = str(error.value).splitlines()
        for line, part, setting in zip(named, parts, (first, second), strict=True):
            ((_, port, name),) = part.ports
            assert f"Port {port} on 127.0.0.1, for {part.name}: Address already in use" in line
            assert setting.startswith(f"{name}=")
        free = [int(line.partition("=")[2]) for line in (first, second)]
        assert len(set(free)) == 2
        moved = [Part(str(port), list, {}, ports=(("127.0.0.1", port, "X"),)) for port in free]
        stack.check_ports(moved)


def test_one_port_for_two_parts_is_refused() -> None:
    parts = [
        Part(name, list, {}, ports=(("127.0.0.1", 1025, f"AUTOMATIONS_{name}"),))
        for name in ("a", "b")
    ]
    with pytest.raises(stack.PortTaken, match=r"1025 on .*, for b: b and a both want it"):
        stack.check_ports(parts)


def answer(value: bool | Exception) -> Any:
    def probe(since: float) -> bool:
        if isinstance(value, Exception):
            raise value
        return value

    return probe


@pytest.mark.parametrize(
    ("known", "answers", "state"),
    [
        ("healthy", True, "healthy"),
        ("starting", True, "healthy"),
        ("starting", False, "starting"),
        ("healthy", False, "unhealthy"),
        ("healthy", Unknown(), "healthy"),
        ("starting", Unknown(), "starting"),
        ("healthy", Blocked(), "unhealthy"),
    ],
)
def test_a_living_part_is_what_it_answers(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    known: PartStatus,
    answers: bool | Exception,
    state: str,
) -> None:
    monkeypatch.setattr(
        "automations.launcher.status.all_parts", lambda _: [Part("a", list, {}, answer(answers))]
    )
    # A young process: this one may be older than a part may take to start.
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as part:
        me = PartState(known, part.pid, create_time(part.pid))
        RunFolder(settings.home).write(RunState(parts={"a": me}))
        assert part_states(settings) == {"a": state}


def test_a_part_whose_pid_is_another_process_by_now_is_stopped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "automations.launcher.status.all_parts", lambda _: [Part("a", list, {}, answer(True))]
    )
    stranger = PartState("healthy", os.getpid(), create_time(os.getpid()) - 100)
    RunFolder(settings.home).write(RunState(parts={"a": stranger}))
    assert part_states(settings) == {"a": "stopped"}


def test_a_part_is_the_same_however_the_clock_was_set_since_it_was_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def probe(since: float) -> bool:
        asked.append(since)
        return True

    monkeypatch.setattr(
        "automations.launcher.status.all_parts", lambda _: [Part("a", list, {}, probe)]
    )
    me = PartState("healthy", os.getpid(), create_time(os.getpid()))
    RunFolder(settings.home).write(RunState(parts={"a": me}))
    before = psutil.boot_time()
    for hours in (0, 3, -3):
        now = before + 3600 * hours
        monkeypatch.setattr(psutil._pslinux, "boot_time", lambda now=now: now)
        monkeypatch.setattr(psutil, "boot_time", lambda now=now: now)
        assert part_states(settings) == {"a": "healthy"}
    # What it says of itself is held against its start by the clock as it is set now.
    assert [round((at - asked[0]) / 3600) for at in asked] == [0, 3, -3]


def test_what_ran_before_the_machine_was_started_again_is_taken_for_nobody_else(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "automations.launcher.status.all_parts", lambda _: [Part("a", list, {}, answer(True))]
    )
    folder = RunFolder(settings.home)
    folder.write(RunState(parts={"a": PartState("healthy", os.getpid(), create_time(os.getpid()))}))
    later = tmp_path / "boot_id"
    later.write_text("another start\n")
    monkeypatch.setattr(processes, "BOOT_ID", later)
    assert part_states(settings) == {"a": "stopped"}
    stack.clear_leftovers(folder)


def test_a_fork_server_is_as_its_supervisor_says_for_nobody_else_hears_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Part("fork-server", list, {}, probes.fork_server(ForkServer()))
    monkeypatch.setattr("automations.launcher.status.all_parts", lambda _: [part])
    for state in ("healthy", "unhealthy"):
        known = PartState(state, os.getpid(), create_time(os.getpid()))
        RunFolder(settings.home).write(RunState(parts={"fork-server": known}))
        assert part_states(settings) == {"fork-server": state}


def test_what_works_on_the_database_is_not_started_while_that_is_away(settings: Settings) -> None:
    parts = {part.name: part for part in all_parts(settings)}
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "bridge"):
        assert parts[name].needs == ("postgres", "setup")


def test_status_of_a_home_that_is_down_is_json_and_an_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"bridge", "airflow", "mail", "parts", "database", "heldUp"}
    assert report["heldUp"] is None
    assert get_settings().mail_token in report["mail"]
    assert set(report["parts"]) == {
        *("postgres", "mail", "api-server", "scheduler", "dag-processor", "triggerer", "bridge"),
        *(("fork-server", "api-fork-server") if can_adopt() else ()),
        "express",
    }
    assert set(report["parts"].values()) == {"stopped"}


def test_it_is_said_what_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=100)
    slow, quick = PartState("healthy", 1), PartState("healthy", 2)
    state = RunState(phase="running", parts={"slow": slow, "quick": quick})
    progress = Progress(console, state)
    progress.show(state)
    assert capsys.readouterr().out == ""
    state.phase, slow.state, quick.state = "stopping", "stopping", "stopping"
    progress.show(state)
    assert capsys.readouterr().out == "Stopping slow, quick.\n"
    quick.state, quick.seconds = "stopped", 0.5
    progress.show(state)
    assert capsys.readouterr().out.split() == ["·", "quick", "stopped", "0.5", "s"]
    state.phase, slow.state, slow.seconds = "down", "stopped", 0.7
    progress.show(state)
    assert capsys.readouterr().out.split() == ["·", "slow", "stopped", "0.7", "s"]


def test_no_part_has_a_name_that_is_wider_than_its_column(home: Path) -> None:
    assert max(len(part.name) for part in all_parts(get_settings())) <= NAME_WIDTH


def test_what_is_to_be_copied_is_whole_in_a_narrow_window(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_summary(Console(width=20), get_settings(), 52.9)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line]
    assert ["Logs", str(home / "logs")] in lines
    assert lines[0] == ["Up", "after 52.9 s."]


def test_down_when_nothing_is_up_is_no_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["down"]) == 0
    assert "Not up" in capsys.readouterr().out


@pytest.mark.slow
def test_up_with_a_taken_port_says_so_and_starts_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("AUTOMATIONS_POSTGRES_PORT", str(taken.getsockname()[1]))
        assert main(["up", "--detach"]) == 1
    assert "AUTOMATIONS_POSTGRES_PORT" in capsys.readouterr().out.replace("\n", " ")
    assert not (home / "postgres").exists()


SHARED = "s" * 43 + "="
"""An encryption key that several homes share."""


def refused(*command: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a command that ends without having done anything says, a line each."""
    Environment.forget()
    assert main(command) == 1
    first, *others = capsys.readouterr().err.splitlines()
    return [first.removeprefix("automations: "), *others]


def test_wrong_values_are_named_by_their_settings_and_never_shown(
    home: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.set(
        AUTOMATIONS_BRIDGE_PORT="eighty",
        AUTOMATIONS_PUBLIC_URL="automations.example.com",
        AUTOMATIONS_DATABASE_DSN="mysql://me:hunter22@db/x",
        AUTOMATIONS_AI_API_KEY="sk-hunter22\n",
        AUTOMATIONS_LOG_LEVEL="LOUD",
    )
    lines = refused("up", capsys=capsys)
    assert {line.partition(":")[0].removeprefix("AUTOMATIONS_") for line in lines} == {
        *("BRIDGE_PORT", "DATABASE_DSN", "PUBLIC_URL", "AI_API_KEY", "LOG_LEVEL")
    }
    assert "hunter22" not in "".join(lines)


ODD_SPELLINGS = [
    "1_000",
    " 5 ",
    "1e3",
    "0x10",
    "+5",
    "-1",
    "5.",
    ".5",
    "٥",
    "on",
    "Yes",
    "True",
    "t",
]


@pytest.mark.parametrize("written", ODD_SPELLINGS)
def test_numbers_and_choices_are_taken_in_their_usual_spelling_only(
    written: str, environment: Environment
) -> None:
    kinds = {name: field.annotation for name, field in Settings.model_fields.items()}
    plain = [name for name, kind in kinds.items() if kind in (int, float, bool)]
    environment.set(**{f"AUTOMATIONS_{name.upper()}": written for name in plain})
    with pytest.raises(SettingsFault) as refused:
        get_settings()
    lines = str(refused.value).splitlines()
    named = {line.partition(":")[0].removeprefix("AUTOMATIONS_").lower() for line in lines}
    assert named == set(plain)
    assert all(": must be " in line for line in lines)


def test_an_empty_value_is_none(home: Path, environment: Environment) -> None:
    environment.set(AUTOMATIONS_PUBLIC_URL="", AUTOMATIONS_BRIDGE_PORT="")
    assert stack.open_home().bridge_base == "http://127.0.0.1:8800"


def test_what_is_set_nowhere_else_is_read_from_files_of_secrets(
    home: Path, tmp_path: Path, environment: Environment
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "automations_smtp_password").write_text("from a file\n")
    (folder / "automations_encryption_key").write_text(f"{SHARED}\n")
    (folder / "automations_slack_token").write_text("from a file\n")
    (folder / "somebody_elses").write_text("…")
    environment.set(AUTOMATIONS_SECRETS_DIR=str(folder), AUTOMATIONS_SLACK_TOKEN="from-outside")
    settings = stack.open_home()
    assert settings.smtp_password == "from a file"
    # A home's own is the last that is asked.
    assert settings.encryption_key == SHARED
    assert settings.slack_token == "from-outside"


def test_lines_of_the_settings_file_that_mean_nothing_are_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "settings.env").write_text(
        "# mine\n"
        "AUTOMATIONS_BRIGDE_PORT=8801\n"
        "bridge_port=8801\n"
        "AUTOMATIONS_HOME=/elsewhere\n"
        "AUTOMATIONS_AIRFLOW__CORE__PARALELISM=4\n"
        "AUTOMATIONS_AIRFLOW__SOME_PROVIDER__KEY=4\n"
        "AUTOMATIONS_LOG_LEVEL\n"
        "COLOUR=red\n"
        "automations_bridge_port = '8802'\n"
        "AUTOMATIONS_SECRET_TOKEN=abcdefgh\n"
    )
    path = home / "settings.env"
    assert refused("status", capsys=capsys) == [
        f"{path}, line 7: is not NAME=value",
        f"{path}, line 2: AUTOMATIONS_BRIGDE_PORT is no setting: AUTOMATIONS_BRIDGE_PORT is meant?",
        f"{path}, line 3: bridge_port is no setting: AUTOMATIONS_BRIDGE_PORT is meant?",
        f"{path}, line 4: AUTOMATIONS_HOME is not read from here: set it in the environment",
        f"{path}, line 5: AUTOMATIONS_AIRFLOW__CORE__PARALELISM is no setting: "
        "AUTOMATIONS_AIRFLOW__CORE__PARALLELISM is meant?",
        f"{path}, line 8: COLOUR is no setting",
    ]


@pytest.mark.parametrize("quoted", ["{}", "'{}'", '"{}"'])
def test_a_value_of_the_settings_file_is_as_it_is_written(home: Path, quoted: str) -> None:
    # No shell reads it: nothing is put in for a name, which a password may have.
    lines = f"AUTOMATIONS_SMTP_PASSWORD={quoted.format('a${HOME}$b#c')}\r\n"
    (home / "settings.env").write_text(f"\ufeff{lines}", encoding="utf-8")
    assert stack.open_home().smtp_password == "a${HOME}$b#c"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            b"AUTOMATIONS_HOST=::1\n\nAUTOMATIONS_HOST=::2\n",
            ", line 3: AUTOMATIONS_HOST is set in line 1 already",
        ),
        (b"AUTOMATIONS_SMTP_PASSWORD=p\xe4ss\n", ": is not UTF-8"),
    ],
)
def test_a_settings_file_that_cannot_be_taken_is_refused_in_words(
    home: Path, written: bytes, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "settings.env"
    path.write_bytes(written)
    assert refused("status", capsys=capsys) == [f"{path}{told}"]


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/?b=c",
        "https://a.example/#b",
        "https://a b.example",
        "https://a.example:99999",
        "https://a.example:0",
        "https://a:hunter22@b.example",
    ],
)
def test_an_address_that_no_path_can_be_put_behind_is_refused(
    home: Path, environment: Environment, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.set(AUTOMATIONS_PUBLIC_URL=url)
    (line,) = refused("status", capsys=capsys)
    assert line.startswith("AUTOMATIONS_PUBLIC_URL: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_ALLOW", "a.example, 10.0.0.0/8"),
        ("HTTP_ALLOW", "https://a.example"),
        ("HTTP_ALLOW", "*.a.example"),
        ("ALLOWED_HOSTS", "https://a.example"),
        ("ALLOWED_HOSTS", "a.example:8443"),
        ("ALLOWED_HOSTS", "a*.example"),
        ("SMTP_HOST", "smtp://a.example"),
        ("SMTP_HOST", "a.example:587"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "flows@a.example, post@b.example"),
        ("CORS_ORIGINS", "https://App.example"),
        ("CORS_ORIGINS", "https://app.example:443"),
        ("CORS_ORIGINS", "https://bücher.example"),
        ("RETENTION_WITH", "audit,document"),
        ("HOST", "0.0.0.0 "),
        ("HOST", "127.0.0.1:8800"),
        ("DATABASE_DSN", "postgresql://a@b.example:99999/c"),
        ("ENCRYPTION_KEY", "hunter22"),
        ("ENCRYPTION_KEY", f"{SHARED}, {SHARED}="),
        ("ENCRYPTION_KEY", SHARED[:-1]),
        ("AIRFLOW_FERNET_KEY", "\u00e9" * 43 + "="),
    ],
)
def test_what_would_never_come_to_pass_is_refused(
    home: Path, environment: Environment, name: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.set(**{f"AUTOMATIONS_{name}": value})
    (line,) = refused("status", capsys=capsys)
    assert line.startswith(f"AUTOMATIONS_{name}: ")
    assert value not in line


def test_a_part_that_is_started_by_itself_says_what_it_cannot_take(
    home: Path, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_ENCRYPTION_KEY="hunter22")
    for begin in (bridge.main, partial(dispatcher.main, []), partial(express_worker.main, [])):
        with pytest.raises(SystemExit, match=r"^automations: AUTOMATIONS_ENCRYPTION_KEY: must be"):
            begin()


def test_hosts_are_taken_in_every_form_that_they_have(home: Path, environment: Environment) -> None:
    environment.set(
        AUTOMATIONS_HTTP_ALLOW="intern, 10.0.0.7:80, [fd00::1]:80, fd00::2, bücher.example",
        AUTOMATIONS_ALLOWED_HOSTS="*, *.a.example, automations, 10.0.0.7, [fd00::1]",
        AUTOMATIONS_MAIL_FROM="Flows <flows@a.example>",
        AUTOMATIONS_SMTP_HOST="fd00::1",
        AUTOMATIONS_CORS_ORIGINS="http://127.0.0.1:443, https://app.example, http://[::1]:3000",
    )
    settings = stack.open_home()
    assert settings.http_allow[2:4] == ("fd00::1:80", "fd00::2")
    assert len(settings.allowed_hosts) == 5


def test_a_folder_of_secrets_that_is_named_must_be_there(
    home: Path, tmp_path: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.set(AUTOMATIONS_SECRETS_DIR=str(tmp_path / "none"))
    (line,) = refused("status", capsys=capsys)
    assert line == f"AUTOMATIONS_SECRETS_DIR: there is no folder {tmp_path / 'none'}"


def test_a_slip_in_the_environment_is_refused_and_what_is_others_is_not(
    home: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    # As Kubernetes sets them for a service that is called automations.
    environment.set(AUTOMATIONS_SERVICE_HOST="10.0.0.1", AUTOMATIONS_PORT_8800_TCP_ADDR="10.0.0.1")
    stack.open_home()
    environment.set(AUTOMATIONS_SMTP_USER="me")
    (line,) = refused("status", capsys=capsys)
    assert line.endswith("AUTOMATIONS_SMTP_USER is no setting: AUTOMATIONS_SMTP_USERNAME is meant?")


def test_a_shared_secret_that_no_step_could_name_is_refused(
    home: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "settings.env"
    path.write_text("AUTOMATIONS_SECRET_api_key=abcdefgh\nAUTOMATIONS_SECRET_PIN=1234\n")
    environment.set(**{"AUTOMATIONS_SECRET_MY-KEY": "abcdefgh"})
    file_name, file_value, from_outside = refused("status", capsys=capsys)
    assert file_name.startswith(f"{path}, line 1: AUTOMATIONS_SECRET_api_key can be no secret")
    assert file_value.startswith(f"{path}, line 2: AUTOMATIONS_SECRET_PIN has less than 5")
    assert from_outside.startswith("the environment: AUTOMATIONS_SECRET_MY-KEY can be no secret")
    assert "1234" not in file_value


def test_options_of_airflow_and_shared_secrets_may_be_in_the_settings_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("AUTOMATIONS_AIRFLOW__CORE__PARALLELISM", "AUTOMATIONS_SECRET_TOKEN")
    for name in names:
        monkeypatch.setenv(name, "")  # put back behind the test
        monkeypatch.delenv(name)
    (home / "settings.env").write_text(f"{names[0]}=5\n{names[1]}=abcdefgh\n")
    settings = stack.open_home()
    environment = airflow_environment(settings, parts_environment(settings))
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "5"
    assert environment[names[1]] == "abcdefgh"


def test_a_home_that_cannot_be_written_or_read_is_said(
    tmp_path: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    environment.set(AUTOMATIONS_HOME=str(tmp_path / "file" / "home"))
    for command in (("up",), ("status",), ("restore", "x.tar")):
        (line,) = refused(*command, capsys=capsys)
        assert "Not a directory. AUTOMATIONS_HOME names the folder" in line
    environment.set(AUTOMATIONS_HOME=str(tmp_path))
    (tmp_path / "secrets.json").write_text("{")
    (line,) = refused("up", capsys=capsys)
    assert f"{tmp_path / 'secrets.json'} is not JSON" in line
    assert (tmp_path / "secrets.json").read_text() == "{"
    (tmp_path / "secrets.json").write_text("[]")
    (line,) = refused("up", capsys=capsys)
    assert f"{tmp_path / 'secrets.json'} is no JSON object" in line


def test_a_backup_that_cannot_be_written_is_refused_and_leaves_nothing(
    home: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="is a folder: name a file in it"):
        backup(stack.open_home(), tmp_path)
    lost = Manifest("now", "3", "17", {}, {"gone.dump": "0"})
    (tmp_path / "parts").mkdir()
    with pytest.raises(FileNotFoundError):
        pack(tmp_path / "saved.tar", tmp_path / "parts", lost)
    assert not list(tmp_path.glob("saved.tar*"))


@pytest.mark.slow
def test_a_database_that_is_away_and_a_part_that_is_none_are_said(
    home: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    away = "postgresql+psycopg2://me@127.0.0.1:9/x"
    environment.set(AUTOMATIONS_DATABASE_DSN=away, AUTOMATIONS_AIRFLOW_DATABASE_DSN=away)
    assert "port 9 failed: Connection refused" in refused("verify-evidence", capsys=capsys)[0]
    assert refused("_part", "brigde", capsys=capsys)[0].startswith("There is no part brigde")


def test_an_unknown_log_is_refused_with_those_there_are(home: Path) -> None:
    (home / "logs").mkdir()
    (home / "logs" / "bridge.log").write_text("hello\n")
    with pytest.raises(SystemExit, match="bridge"):
        show(home / "logs", "nothing")


def test_who_has_seen_enough_of_an_output_gets_no_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "logs").mkdir()
    (home / "logs" / "bridge.log").write_text("hello\n")
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as gone:
        monkeypatch.setattr("sys.stdout", gone)
        assert main(["logs"]) == 141
    assert capsys.readouterr().err == ""


def test_logs_are_labelled_when_there_are_several(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "logs").mkdir()
    for name in ("bridge", "mail"):
        (home / "logs" / f"{name}.log").write_text(f"hello from {name}\n")
    assert main(["logs"]) == 0
    assert capsys.readouterr().out.split() == [
        *("bridge", "hello", "from", "bridge", "mail", "hello", "from", "mail")
    ]


def test_a_stale_state_ends_what_a_killed_supervisor_left(home: Path) -> None:
    left = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    folder = RunFolder(home)
    state = PartState("healthy", left.pid, create_time(left.pid))
    folder.write(RunState(parts={"bridge": state}))
    stack.clear_leftovers(folder)
    assert left.wait(60) != 0
    assert folder.read() == RunState()
