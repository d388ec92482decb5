"""What another version of the code has written down is read all the same."""

from __future__ import annotations

import json
from pathlib import Path

from automations.launcher.mail_folder import MailFolder
from automations.launcher.run_state import PartState, RunFolder, RunState


def test_the_parts_of_a_supervisor_of_another_version_are_known(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(RunState(pid=7, phase="running", parts={"bridge": PartState("healthy", pid=8)}))
    path = tmp_path / "run" / "state.json"
    state = json.loads(path.read_text())
    state["mood"] = state["parts"]["bridge"]["mood"] = "not known here"
    del state["seconds"], state["parts"]["bridge"]["restarts"]
    path.write_text(json.dumps(state))
    read = folder.read()
    assert (read.pid, read.phase, read.seconds) == (7, "running", 0.0)
    assert read.parts == {"bridge": PartState("healthy", pid=8)}


def test_mail_that_another_version_has_caught_is_shown(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path)
    identifier = folder.add(b"Subject: Hi\r\n\r\nHello", "a@b.example", ["c@d.example"])
    path = tmp_path / f"{identifier}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "helo": "not known here"}))
    described = folder.describe(identifier)
    assert described is not None
    assert described["subject"] == "Hi"
