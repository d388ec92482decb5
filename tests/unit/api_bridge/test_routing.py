"""How routes are served: by few threads, which those that wait for others do not take away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Response
from fastapi.testclient import TestClient

from api_bridge.endpoint_marks import hashing, heavy, slow
from api_bridge.routing import Router
from api_bridge.server.threads import (
    MAX_HEAVY,
    MAX_HEAVY_OF_A_CALLER,
    MAX_HEAVY_OF_A_WORKSPACE,
    MAX_OF_A_CALLER,
    MAX_OF_A_WORKSPACE,
)
from automations.domain.principals import Principal
from automations.errors import TooManyRequests
from automations.settings import get_settings

router = Router(prefix="/r")
let_go = threading.Event()
entered = threading.Semaphore(0)


@router.get("/thread")
def name_thread() -> dict[str, str]:
    return {"thread": threading.current_thread().name}


@router.get("/slow")
@slow
def wait() -> dict[str, str]:
    entered.release()
    let_go.wait(120)
    return {"thread": threading.current_thread().name}


def somebody(name: str, workspace: str) -> Principal:
    return Principal(workspace, "MEMBER", name, key_id=name)


@router.get("/called/{workspace}/{name}")
@slow
def wait_for(caller: Annotated[Principal, Depends(somebody)]) -> dict[str, str]:
    entered.release()
    let_go.wait(120)
    return {"name": caller.name}


@router.get("/heavy/{workspace}/{name}")
@heavy
def wait_for_a_process(caller: Annotated[Principal, Depends(somebody)]) -> dict[str, str]:
    return wait_for(caller)


@router.get("/password")
@hashing
def sign_in() -> dict[str, str]:
    return {"thread": threading.current_thread().name}


@router.post("/made", status_code=201)
def make(response: Response, accepted: bool = False) -> dict[str, Any]:
    response.headers["Link"] = "</next>"
    if accepted:
        response.status_code = 202
    return {"number": float("nan"), "text": "ü"}


@router.delete("/gone", status_code=204)
def remove() -> None:
    return None


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(router)
    with TestClient(app) as made:
        yield made


def test_an_endpoint_runs_in_a_thread_of_the_pool(client: TestClient) -> None:
    assert client.get("/r/thread").json()["thread"].startswith("request")


def test_endpoints_that_wait_for_others_leave_the_pool_to_the_rest(client: TestClient) -> None:
    let_go.clear()
    number = get_settings().bridge_threads + 1
    with ThreadPoolExecutor(number) as senders:
        waiting = [senders.submit(client.get, "/r/slow") for _ in range(number)]
        try:
            for _ in waiting:
                assert entered.acquire(timeout=120)
            assert client.get("/r/thread").status_code == 200
        finally:
            let_go.set()
    assert {future.result().status_code for future in waiting} == {200}


@pytest.mark.parametrize(
    ("paths", "one_more"),
    [
        (["/r/called/w/a"] * MAX_OF_A_CALLER, "/r/called/w/a"),
        ([f"/r/called/w/{n}" for n in range(MAX_OF_A_WORKSPACE)], "/r/called/w/x"),
        (["/r/heavy/w/a"] * MAX_HEAVY_OF_A_CALLER, "/r/heavy/w/a"),
        ([f"/r/heavy/w/{n}" for n in range(MAX_HEAVY_OF_A_WORKSPACE)], "/r/heavy/w/x"),
        ([f"/r/heavy/w{n}/a{n}" for n in range(MAX_HEAVY)], "/r/heavy/x/x"),
    ],
)
def test_one_caller_and_one_workspace_leave_threads_to_others(
    client: TestClient, paths: list[str], one_more: str
) -> None:
    let_go.clear()
    with ThreadPoolExecutor(len(paths) + 1) as senders:
        waiting = [senders.submit(client.get, path) for path in paths]
        try:
            for _ in waiting:
                assert entered.acquire(timeout=120)
            with pytest.raises(TooManyRequests):
                client.get(one_more)
            assert client.get("/r/password").json()["thread"].startswith("password")
            other = senders.submit(client.get, "/r/called/other/b")
            assert entered.acquire(timeout=120)
        finally:
            let_go.set()
    assert {future.result().status_code for future in [*waiting, other]} == {200}
    assert client.get(one_more).status_code == 200
    assert entered.acquire(timeout=120)


def test_the_answer_has_the_routes_status_and_the_endpoints_headers(client: TestClient) -> None:
    answer = client.post("/r/made")
    assert (answer.status_code, answer.headers["Link"]) == (201, "</next>")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content == '{"number":null,"text":"ü"}'.encode()


def test_an_endpoint_may_say_another_status(client: TestClient) -> None:
    assert client.post("/r/made?accepted=true").status_code == 202


def test_a_status_without_a_body_has_none(client: TestClient) -> None:
    answer = client.delete("/r/gone")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers
