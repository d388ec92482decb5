"""The README's first automation, word for word in a shell, against a running bridge."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Run
from tests.api.conftest import Live

README = (Path(__file__).parents[2] / "README.md").read_text()


def commands() -> list[str]:
    """What is typed: a prompt begins a command, and what is indented goes on with it."""
    section = README.split("## A first automation")[1]
    block = section.split("```console\n")[1].split("```")[0].split("\n{\n")[0]
    return [part.rstrip() for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]


@pytest.mark.slow
def test_it_ends_by_showing_its_run(live: Live) -> None:
    up, *others = commands()
    assert up == "./automations up --detach"
    typed = "\n".join(others)
    for written, here in (
        ("$(./automations key --role ADMIN)", live.key),
        ("http://localhost:8800", live.url),
        ("sleep 3; ", ""),
    ):
        assert written in typed
        typed = typed.replace(written, here)
    done = subprocess.run(
        ["bash", "-ec", typed], capture_output=True, text=True, env={**os.environ, "NO_PROXY": "*"}
    )
    assert done.returncode == 0, done.stderr
    with unit_of_work() as session:
        (run,) = session.scalars(select(Run))
    assert run.input == {"to": "ada@example.com"}
    assert f'"id": "{run.id}"' in done.stdout
    assert '"name": "Hello"' in done.stdout
