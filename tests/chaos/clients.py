"""Those outside a stack that things are done to: they ask until they are answered, and keep why."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import requests

from automations.launcher.mail_folder import MailFolder
from tests.chaos.kinds import EVENT, PERSON, Kinds, Started
from tests.chaos.records import EFFECT, Answer, Effect, Records, Trigger
from tests.e2e.conftest import Stack

TIMEOUT = 600.0
"""Seconds in which whoever asks is to be answered, on the busiest machine."""
_LATER = (409, 425, 429, 500, 502, 503, 504)
_LINK = re.compile(r"http://\S+/api/\S+")


class NotAnswered(Exception):
    """The API has not answered in all that time, or has refused what it has to take."""


@dataclass
class Clients:
    """Sends triggers and answers questions by threads of its own, and keeps what it did.

    Args:
        seed: chooses what is sent, in which order, and what is sent twice.
    """

    stack: Stack
    seed: int
    kinds: Kinds = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = Kinds(self.stack)
        self._random = Random(self.seed)
        self._lock = threading.Lock()
        self._triggers: list[Trigger] = []
        self._answers: list[Answer] = []
        self._filled: set[str] = set()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=64)
        self._work: list[Any] = []
        self._filler = threading.Thread(target=self._fill_forms)
        self._key = (self.stack.home / "owner.key").read_text().strip()

    def begin(self, runs: int, seconds: float) -> None:
        """Make the automations, and send triggers as ``send``."""
        self.kinds.make()
        self._filler.start()
        self.send(runs, seconds)

    def send(self, runs: int, seconds: float) -> None:
        """Send so many triggers, spread over some seconds, of all kinds in turn."""
        sendable = [kind for kind in self.kinds.all if kind.by not in ("run", "row")]
        # Two automations hear the same event: one of them stands for both.
        heard = [kind for kind in sendable if kind.by == "event"]
        sendable = [kind for kind in sendable if kind not in heard[1:]]
        chosen = [sendable[number % len(sendable)] for number in range(runs)]
        self._random.shuffle(chosen)
        twice = [self._random.random() < 0.3 for _ in chosen]
        before = len(self._work)
        began = time.monotonic()

        def send(number: int) -> None:
            due = began + seconds * number / runs
            self._ended.wait(max(0.0, due - time.monotonic()))
            self._send(chosen[number], f"mark-{self.seed}-{before + number}", twice[number])

        self._work += [self._pool.submit(send, number) for number in range(runs)]

    @property
    def sent(self) -> int:
        """How many triggers have been accepted."""
        return len(self._triggers)

    def finish(self) -> None:
        """Wait until everybody was answered."""
        for one in self._work:
            one.result(TIMEOUT)

    def close(self) -> None:
        """Send nothing more."""
        self._ended.set()
        self._pool.shutdown(cancel_futures=True)
        if self._filler.is_alive():
            self._filler.join()

    def records(self) -> Records:
        """All that is known outside by now."""
        with self._lock:
            kinds = [kind.kind for kind in self.kinds.all]
            return Records(kinds, list(self._triggers), self._effects(), list(self._answers))

    def _effects(self) -> list[Effect]:
        server = self.stack.counterparts
        with server.counting:
            posted = list(zip(server.posted, server.keys, server.arrived, strict=True))
        found = [
            Effect(str(body["effect"]), key, at)
            for (_path, body), key, at in posted
            if "effect" in body
        ]
        folder = MailFolder(self.stack.home / "mail")
        for identifier in folder.identifiers():
            mail = folder.describe(identifier)
            if mail is not None and EFFECT.fullmatch(mail["subject"] or ""):
                # Its number is when it came, in nanoseconds.
                at = int(identifier) / 1e9
                found.append(Effect(mail["subject"], mail["messageId"], at))
        return found

    def _send(self, started: Started, mark: str, twice: bool) -> None:
        told = [self._ask(started, mark) for _ in range(2 if twice else 1)]
        workflows: tuple[str, ...]
        ids: tuple[str, ...]
        if started.by == "execute":
            workflows, ids = (started.kind.workflow,), tuple(answer["runId"] for answer in told)
        else:
            same = [kind for kind in self.kinds.all if kind.by == started.by]
            workflows, ids = tuple(one.kind.workflow for one in same), ()
        with self._lock:
            self._triggers.append(Trigger(mark, workflows, mark, ids))
        if started.kind.name == "approval":
            self._decide(started.kind.workflow, ids[0])

    def _ask(self, started: Started, mark: str) -> dict[str, Any]:
        body: dict[str, Any]
        match started.by:
            case "execute":
                path, body = f"/api/workflows/{started.kind.workflow}/execute", {}
                body["input"] = {"mark": mark}
            case "webhook":
                path, body = started.address.removeprefix(self.stack.bridge), {"mark": mark}
            case "event":
                path, body = "/api/events", {"specversion": "1.0", "id": mark, "source": "chaos"}
                body |= {"type": EVENT, "data": {"mark": mark}}
            case _:
                path, body = "/api/submissions", {"formId": started.address}
                body["data"] = {"mark": mark}
        answer = self._post(path, body, mark)
        if not answer.ok:
            raise NotAnswered(f"{path} {mark}: {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def _post(self, path: str, body: Mapping[str, Any], key: str) -> requests.Response:
        """Send something under a key until it is answered for good."""
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": key}
        if path == "/api/events":
            headers["Content-Type"] = "application/cloudevents+json"
        deadline = time.monotonic() + TIMEOUT
        last = "nothing"
        while time.monotonic() < deadline:
            with suppress(requests.RequestException):
                url = self.stack.bridge + path
                answer = requests.post(url, json=body, headers=headers, timeout=30)
                last = f"{answer.status_code} {answer.text[:200]}"
                if answer.status_code not in _LATER or (
                    answer.status_code == 409 and "IN_PROGRESS" not in answer.text
                ):
                    return answer
            if self._ended.wait(0.3):
                break
        raise NotAnswered(f"{path} {key}: {last}")

    def _decide(self, workflow: str, run: str) -> None:
        """Have a question answered, again where no answer was taken."""
        deadline = time.monotonic() + TIMEOUT
        told: list[Answer] = []
        tries = 0
        while not any(answer.accepted for answer in told):
            while self._status(workflow, run) != "PAUSED":
                if time.monotonic() > deadline or self._ended.wait(0.5):
                    return
            told = self._decide_at_once(run, tries := tries + 1)
            with self._lock:
                self._answers += told

    def _decide_at_once(self, run: str, again: int) -> list[Answer]:
        """Let two people answer one question at the same time, who do not agree."""

        def decide(decision: str) -> Answer:
            path, key = f"/api/workflows/runs/{run}/resume", f"{run}-{decision}-{again}"
            return Answer(run, decision, self._post(path, {"decision": decision}, key).ok)

        with ThreadPoolExecutor(2) as people:
            return list(people.map(decide, ("approved", "rejected")))

    def _status(self, workflow: str, run: str) -> str:
        with suppress(requests.RequestException, ValueError, KeyError):
            url = f"{self.stack.bridge}/api/workflows/{workflow}/runs/{run}"
            headers = {"Authorization": f"Bearer {self._key}"}
            answer = requests.get(url, headers=headers, timeout=30).json()
            return str(answer["run"]["status"])
        return ""

    def _fill_forms(self) -> None:
        """Fill in each form that is mailed, once."""
        folder = MailFolder(self.stack.home / "mail")
        while not self._ended.wait(0.5):
            for identifier in folder.identifiers():
                if identifier in self._filled:
                    continue
                mail = folder.describe(identifier) or {}
                link = _LINK.search(mail.get("text") or "")
                if f"fill@{PERSON}" not in str(mail.get("to")) or link is None:
                    self._filled.add(identifier)
                    continue
                with suppress(requests.RequestException):
                    given = {"data.mark": "filled"}
                    if requests.post(link[0], data=given, timeout=30).status_code < 500:
                        self._filled.add(identifier)
