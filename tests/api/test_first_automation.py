"""The README's first automation, word for word in a shell, against a running bridge."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Run, WorkflowVersion
from automations.execution.engine import Engine
from automations.execution.verdicts import TaskRef
from automations.launcher.cli import main
from automations.ports import Mail, MailReceipt
from tests.api.conftest import Live
from tests.doubles import ports
from tests.waiting import until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


class Outbox:
    """A mailer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> MailReceipt:
        self.sent.append(mail)
        return MailReceipt(f"<{mail.key}>", "test", mail.to, ())


def commands() -> list[str]:
    """What is typed: a prompt begins a command, without what is shown at the end."""
    section = README.split("## A first automation")[1]
    block = section.split("```console\n")[1].split("```")[0]
    *typed, last = [part.rstrip() for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [*typed, last.splitlines()[0]]


def begun() -> TaskRef | None:
    """The first step of the first run, once that is there."""
    with unit_of_work() as session:
        run = session.scalars(select(Run)).first()
        if run is None:
            return None
        version = session.scalars(
            select(WorkflowVersion).where(WorkflowVersion.workflow_id == run.workflow_id)
        ).one()
        return TaskRef(run.id, run.workflow_id, 1, version.definition["steps"][0]["id"], 0)


@contextmanager
def tasks(outbox: Outbox) -> Iterator[None]:
    """Does the first step of the first run, as a task of Airflow's would."""

    def do() -> None:
        until("a run", lambda: begun() is not None, seconds=60)
        ref = begun()
        assert ref is not None
        Engine(ports(mailer=outbox)).run(ref)

    thread = threading.Thread(target=do)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)


@pytest.mark.slow
def test_it_ends_by_showing_its_run(live: Live, tmp_path: Path) -> None:
    up, apply, run = commands()
    assert up == "./automations up --detach"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "owner.key").write_text(live.key)
    here = f"{shlex.quote(sys.executable)} -m automations.launcher"
    typed = "\n".join((apply, run)).replace("./automations", here)
    outbox = Outbox()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "include"),
        "NO_PROXY": "*",
        "AUTOMATIONS_HOME": str(tmp_path / "home"),
        "AUTOMATIONS_BRIDGE_PORT": live.url.rpartition(":")[2],
    }
    with tasks(outbox):
        done = subprocess.run(
            ["bash", "-ec", typed], capture_output=True, text=True, env=environment
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [mail.to for mail in outbox.sent] == [("ada@example.com",)]
    ref = begun()
    assert ref is not None
    made, seen, *steps = done.stdout.splitlines()[-4:]
    assert made == f"Hello: run {ref.run_id}"
    assert seen.endswith(f"/dags/automation_{ref.workflow_id}/runs/{ref.run_id}")
    assert steps == ["  Greet (email): success", "COMPLETED"]


FILE = """
key: one
name: Same
status: ACTIVE
steps: [{name: Mail, type: email, config: {to: "{{input.to}}", subject: S, body: B}}]
---
key: two
name: Same
steps: [{name: Wait, type: delay, config: {duration: PT1H}}]
"""


class TestRunCommand:
    @pytest.fixture(autouse=True)
    def applied(self, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AUTOMATIONS_API_KEY", live.key)
        (tmp_path / "file.yaml").write_text(FILE)
        assert main(["apply", str(tmp_path / "file.yaml"), "--url", live.url]) == 0

    def test_a_failure_is_told_and_is_the_exit_code(
        self, live: Live, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with tasks(Outbox()):
            assert main(["run", "one", "--url", live.url]) == 1
        *_, step, end = capsys.readouterr().out.splitlines()
        assert step.startswith("  Mail (email): failed {")
        assert end.startswith("FAILED: Mail: step 'Mail', config.to.0: 'input.to' is not there")

    def test_a_run_that_takes_longer_goes_on(
        self, live: Live, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["run", "one", "--timeout", "0", "--url", live.url]) == 1
        assert "RUNNING after 0 s: it goes on by itself" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            (["Same"], "several automations are called 'Same': give one's id (c"),
            (["three"], "no automation with the id, key or name 'three'"),
            (["one", "--input", "[1]"], "--input must be an object"),
            (["one", "--input", "{"], "--input is not valid JSON"),
        ],
    )
    def test_what_cannot_be_started_is_told(
        self, live: Live, capsys: pytest.CaptureFixture[str], given: list[str], told: str
    ) -> None:
        capsys.readouterr()
        assert main(["run", *given, "--url", live.url]) == 2
        assert told in capsys.readouterr().err
        assert begun() is None
