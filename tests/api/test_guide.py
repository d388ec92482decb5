"""The guide to the API: its requests do what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Run
from tests.api.playing import Playing

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
_BLOCK = re.compile(r"```http\n(.*?)```", re.DOTALL)
_REQUEST = re.compile(r"(\w+) (/\S+)\n(.*)→ (\d+) (.*)", re.DOTALL)
_NAME = re.compile(r"<(\w+)>")


def requests() -> Iterator[tuple[str, str, str, int, str]]:
    """Method, address, body, status and answer of each request of the guide."""
    for block in _BLOCK.findall(GUIDE):
        for text in block.strip().split("\n\n"):
            match = _REQUEST.fullmatch(text)
            assert match is not None, text
            method, path, body, status, answer = match.groups()
            yield method, path, body, int(status), answer


def compare(wanted: Any, given: Any, known: dict[str, str]) -> None:
    """The answer has what the guide shows of it; a name stands for an id from then on."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            compare(value, given[key], known)
    elif isinstance(wanted, list):
        assert len(wanted) == len(given)
        for one, other in zip(wanted, given, strict=True):
            compare(one, other, known)
    elif isinstance(wanted, str) and (name := _NAME.fullmatch(wanted)):
        assert known.setdefault(name[1], given) == given
    else:
        assert wanted == given


def test_every_request_is_answered_as_it_says(playing: Playing) -> None:
    known: dict[str, str] = {}

    def filled(text: str) -> str:
        return _NAME.sub(lambda name: known[name[1]], text)

    for method, path, body, status, shown in requests():
        sent = json.loads(filled(body)) if body else None
        answer = playing.api.call(method, filled(path), sent)
        assert answer.status_code == status, answer.text
        compare(json.loads(shown), answer.json(), known)
        playing.match_events()
        with unit_of_work() as session:
            started = session.scalars(select(Run.id).where(Run.status == "RUNNING")).all()
        for run in started:
            playing.finish(run)
    assert {"run", "started", "asking"} <= known.keys()
