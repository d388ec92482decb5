"""Idempotency-Key: a POST that is sent again is answered again and not carried out again."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import func, select, update

from api_bridge.deps import EffectId
from api_bridge.endpoint_marks import outside
from automations.db.access.idempotency import RETENTION
from automations.db.session import reading, unit_of_work
from automations.db.tables import Form, IdempotencyKey, Run, SecurityEvent, Workspace
from automations.errors import DatabaseUnavailable, InProgress, RuleBroken
from automations.kit.ids import new_id
from automations.services.access import idempotency
from automations.services.access.idempotency import Claim, Request, Stored
from tests.api.conftest import FORM, Api
from tests.db.workspace import cut_connections

POSTS = [
    ("/api/workflows", {"name": "W", "steps": []}),
    ("/api/forms", FORM),
    ("/api/members", {"name": "Ada", "email": "ada@b.example"}),
    ("/api/api-keys", {"name": "K"}),
]


@pytest.fixture
def app_to_extend(app: FastAPI) -> Iterator[FastAPI]:
    """The app, whose routes are what they were when the test is over: others go through them."""
    routes = list(app.router.routes)
    yield app
    app.router.routes[:] = routes


def post(api: Api, path: str, body: Any, key: str = "key-1", role: str = "OWNER") -> Any:
    return api.call("POST", path, body, role=role, headers={"Idempotency-Key": key})


def count(table: Any) -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def age(by: timedelta) -> None:
    with unit_of_work() as session:
        session.execute(update(IdempotencyKey).values(created_at=IdempotencyKey.created_at - by))


@pytest.mark.parametrize(("path", "body"), POSTS)
def test_the_same_request_gets_the_same_answer(api: Api, path: str, body: Any) -> None:
    first, second = post(api, path, body), post(api, path, body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    for name in ("content-type", "content-length", "cache-control"):
        assert second.headers.get(name) == first.headers.get(name)
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_a_run_is_started_once(api: Api) -> None:
    path = f"/api/workflows/{api.workflow()['id']}/execute"
    assert len({post(api, path, {"input": {"n": 1}}).json()["runId"] for _ in range(3)}) == 1
    assert count(Run) == 1
    post(api, path, {"input": {"n": 1}}, "key-2")
    assert count(Run) == 2


def test_without_a_key_every_request_is_carried_out(api: Api) -> None:
    path = f"/api/workflows/{api.workflow()['id']}/execute"
    for _ in range(2):
        api.call("POST", path, {})
    assert count(Run) == 2
    assert count(IdempotencyKey) == 0


@pytest.mark.parametrize(
    ("path", "body", "role"),
    [
        ("/api/forms", {**FORM, "title": "Other"}, "OWNER"),
        ("/api/workflows", FORM, "OWNER"),
        ("/api/forms", FORM, "ADMIN"),
    ],
)
def test_another_request_with_the_key_is_refused(api: Api, path: str, body: Any, role: str) -> None:
    post(api, "/api/forms", FORM)
    answer = post(api, path, body, role=role)
    assert (answer.status_code, answer.json()["code"]) == (422, "UNPROCESSABLE")
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert count(Form) == 1


@pytest.mark.slow
def test_a_key_is_of_one_route_whichever_others_it_is_sent_to(api: Api, app: FastAPI) -> None:
    paths = {
        re.sub(r"{.*?}", "x", route.path)
        for route in app.routes
        if isinstance(route, APIRoute) and "POST" in route.methods and "/api/" in route.path
    }
    first = post(api, "/api/forms", FORM)
    for number, path in enumerate(sorted(paths - {"/api/forms"})):
        answer = post(api, path, FORM)
        assert (answer.status_code, answer.json()["code"]) == (422, "UNPROCESSABLE"), path
        used = post(api, path, {"title": 1}, f"other-{number}")
        assert used.status_code < 500, path
        answer = post(api, "/api/forms", FORM, f"other-{number}")
        # A refusal that may pass is not kept.
        is_kept = used.status_code not in (401, 403, 429)
        assert answer.status_code == (422 if is_kept else 201), path
    assert post(api, "/api/forms", FORM).content == first.content


@pytest.mark.parametrize("name", ["Content-Type", "ce-id"])
def test_another_meaning_of_the_same_body_is_another_request(api: Api, name: str) -> None:
    event = {
        "Idempotency-Key": "key-1",
        "Content-Type": "text/plain",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/a",
        "ce-type": "a.b",
    }
    other = {**event, name: "application/octet-stream"}
    for headers, status in ((event, 202), (event, 202), (other, 422)):
        answer = api.call("POST", "/api/events", headers=headers, content=b"1")
        assert answer.status_code == status, answer.text


def test_workspaces_share_no_keys(api: Api) -> None:
    assert post(api, "/api/forms", FORM).json() != post(api, "/api/forms", FORM, role="STRANGER")
    assert count(Form) == 2


def test_requests_at_once_are_carried_out_once(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(api, "/api/forms", FORM), range(16)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == count(Form) == 1


def test_a_refusal_of_the_payload_is_answered_again(api: Api) -> None:
    first, second = post(api, "/api/forms", {}), post(api, "/api/forms", {})
    assert (first.status_code, second.content) == (400, first.content)


def test_a_refusal_that_may_pass_is_not_kept(api: Api) -> None:
    assert post(api, "/api/forms", FORM, role="VIEWER").status_code == 403
    assert count(IdempotencyKey) == 0


def test_who_has_no_key_of_ours_leaves_nothing(api: Api) -> None:
    headers = {"Idempotency-Key": "key-1"}
    assert api.http.post("/api/forms", json=FORM, headers=headers).status_code == 401
    headers["Authorization"] = "Bearer sk_nothing"
    assert api.http.post("/api/forms", json=FORM, headers=headers).status_code == 401
    assert count(IdempotencyKey) == 0


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\x7f"])
def test_what_is_no_key_is_refused(api: Api, key: str) -> None:
    answer = post(api, "/api/forms", FORM, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert list(answer.json()["details"]["fieldErrors"]) == ["Idempotency-Key"]


def test_an_answer_with_a_token_is_kept_encrypted(api: Api) -> None:
    token = post(api, "/api/api-keys", {"name": "K"}).json()["token"]
    with unit_of_work() as session:
        kept = session.scalars(select(IdempotencyKey.answer)).one()
    assert kept is not None
    assert token not in kept


def test_an_answer_is_kept_for_a_day(api: Api) -> None:
    first = post(api, "/api/forms", FORM).json()
    age(RETENTION - timedelta(minutes=1))
    assert post(api, "/api/forms", FORM).json() == first
    age(timedelta(minutes=1))
    assert post(api, "/api/forms", FORM).json() != first


def test_old_keys_are_pruned_by_new_ones(api: Api) -> None:
    for number in range(3):
        post(api, "/api/forms", FORM, f"old-{number}")
    age(RETENTION)
    post(api, "/api/forms", FORM, "new")
    assert count(IdempotencyKey) == 1


def test_a_failure_of_ours_is_tried_again(api: Api, app_to_extend: FastAPI) -> None:
    calls = []

    @app_to_extend.post("/fails-once")
    def fails_once() -> dict[str, int]:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return {"calls": len(calls)}

    assert post(api, "/fails-once", {}).status_code == 500
    assert post(api, "/fails-once", {}).json() == {"calls": 2}
    assert post(api, "/fails-once", {}).json() == {"calls": 2}


def test_a_request_that_is_still_carried_out_is_a_conflict(
    api: Api, app_to_extend: FastAPI
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @app_to_extend.post("/slow")
    async def slow() -> dict[str, bool]:
        begun.set()
        await asyncio.to_thread(go_on.wait, 60)
        return {"done": True}

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, api, "/slow", {})
        assert begun.wait(60)
        answer = post(api, "/slow", {})
        assert (answer.status_code, answer.json()["code"]) == (409, "IN_PROGRESS")
        go_on.set()
        assert first.result().json() == {"done": True}
    assert post(api, "/slow", {}).headers["idempotent-replayed"] == "true"
    assert post(api, "/slow", {"other": 1}).status_code == 422


@pytest.mark.parametrize("outside", [False, True])
def test_a_claim_is_free_at_once_when_its_process_is_gone(api: Api, outside: bool) -> None:
    wanted = Request(_workspace(), "key", "hash", outside=outside)
    lost = idempotency.begin(wanted)
    assert isinstance(lost, Claim)
    for other in ("hash", "other"):
        with pytest.raises(InProgress):
            idempotency.begin(replace(wanted, sha256=other))
    cut_connections()
    taken = idempotency.begin(wanted)
    assert isinstance(taken, Claim)
    # What it has made outside is recognised by this.
    assert (taken.id == lost.id) == outside
    with suppress(DatabaseUnavailable):
        lost.finish(Stored(200, [], "late"))
    taken.finish(Stored(201, [("a", "b")], "body"))
    assert idempotency.begin(wanted) == Stored(201, [("a", "b")], "body")
    with pytest.raises(RuleBroken):
        idempotency.begin(replace(wanted, sha256="other"))


def test_work_and_answer_are_there_together_or_not_at_all(api: Api) -> None:
    wanted = Request(_workspace(), "key", "hash")
    lost = idempotency.begin(wanted)
    assert isinstance(lost, Claim)
    with lost.hold():
        made = _workspace("made")
        with reading() as session:
            assert session.get(Workspace, made) is not None
    assert count(Workspace) == 3
    lost.abandon()
    done = idempotency.begin(wanted)
    assert isinstance(done, Claim)
    with done.hold():
        _workspace("made")
    done.finish(Stored(201, [], "body"))
    assert count(Workspace) == 4


def test_a_failure_undoes_what_the_request_has_committed_before_it(
    api: Api, app_to_extend: FastAPI
) -> None:
    calls = []

    @app_to_extend.post("/fails-late")
    def fails_late() -> dict[str, int]:
        calls.append(_workspace("made"))
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return {"calls": len(calls)}

    before = count(Workspace)
    assert post(api, "/fails-late", {}).status_code == 500
    assert count(Workspace) == before
    assert post(api, "/fails-late", {}).json() == {"calls": 2}
    assert count(Workspace) == before + 1


def test_what_is_noted_of_a_refusal_is_kept(api: Api) -> None:
    assert post(api, "/api/forms", FORM, role="VIEWER").status_code == 403
    assert count(SecurityEvent) == 1


def test_a_mail_that_was_lost_in_the_middle_has_the_same_id_again(
    api: Api, app_to_extend: FastAPI
) -> None:
    seen = []

    @app_to_extend.post("/lost-once")
    @outside
    def lost_once(effect_id: EffectId) -> dict[str, str]:
        seen.append(effect_id)
        if len(seen) == 1:
            raise RuntimeError("as if it had died")
        return {"id": effect_id}

    assert post(api, "/lost-once", {}).status_code == 500
    assert post(api, "/lost-once", {}).json() == {"id": seen[0]}
    assert post(api, "/lost-once", {}, "key-2").json() != {"id": seen[0]}


def test_a_test_of_a_step_that_was_lost_is_done_again_under_its_key(api: Api) -> None:
    made = api.workflow()
    path = f"/api/workflows/{made['id']}/steps/{made['steps'][0]['id']}/test"
    first = post(api, path, {}).json()
    with unit_of_work() as session:
        session.execute(update(IdempotencyKey).values(status=None, answer=None))
    second = post(api, path, {}).json()
    assert second["runId"] == first["runId"]
    assert count(Run) == 1


def _workspace(slug: str = "w") -> str:
    with unit_of_work() as session:
        made = Workspace(id=new_id(), slug=slug, name="w")
        session.add(made)
    return made.id
