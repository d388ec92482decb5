"""What a careless or malicious client may send is refused, never a failure of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import HTTPServer
from typing import Any, cast

import pytest
from fastapi import FastAPI

from automations.kit.values import JSON
from tests.api.conftest import Api
from tests.growth import growth
from tests.servers.prompt_handler import PromptHandler


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server that notes what it is asked for."""
    asked: list[str] = []

    class Handler(PromptHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def raw(api: Api, path: str, body: bytes, content_type: str = "application/json") -> Any:
    headers = {"Authorization": f"Bearer {api.keys['OWNER']}", "Content-Type": content_type}
    return api.http.post(path, content=body, headers=headers)


class TestNumbers:
    def test_a_number_that_overflows_to_infinity_is_refused(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        answer = raw(api, f"/api/workflows/{workflow}/execute", b'{"input": {"n": 1e999}}')
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")

    def test_a_large_integer_is_kept_exactly(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        number = 10**60 + 1
        answer = api.call("POST", f"/api/workflows/{workflow}/execute", {"input": {"n": number}})
        assert answer.status_code == 200

    def test_a_number_with_thousands_of_digits_is_refused(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        body = b'{"input": {"n": ' + b"9" * 5_000 + b"}}"
        answer = raw(api, f"/api/workflows/{workflow}/execute", body)
        assert answer.status_code == 400


class TestTexts:
    def test_half_of_a_surrogate_pair_is_refused(self, api: Api) -> None:
        assert raw(api, "/api/workflows", b'{"name": "\\ud800"}').status_code == 400

    @pytest.mark.parametrize(
        "path",
        [
            "/api/workflows/%00",
            "/api/workflows/x%00/runs",
            "/api/forms/%00",
            "/api/submissions/%00",
            "/api/submissions?formId=%00",
        ],
    )
    def test_a_nul_character_in_the_address_is_refused(self, api: Api, path: str) -> None:
        answer = api.call("GET", path)
        assert answer.status_code in (400, 404), answer.text
        assert answer.json()["success"] is False

    def test_a_text_without_an_end_is_refused_at_once(self, api: Api) -> None:
        def sent(size: int) -> None:
            answer = raw(api, "/api/workflows", b'{"name": "' + b'\\"' * size)
            assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")

        assert growth(sent, 100_000, 400_000) < 10


@pytest.mark.parametrize(
    "body", [b"{", b'{"n": NaN}', b'"\\u0000"', b"\xff", b"[" * 70 + b"]" * 70]
)
def test_every_refused_payload_names_a_field(api: Api, body: bytes) -> None:
    details = raw(api, "/api/workflows", body).json()["details"]
    assert list(details["fieldErrors"]) == ["body"]
    address = api.call("GET", "/api/submissions?formId=%00").json()
    assert list(address["details"]["fieldErrors"]) == ["path"]


@pytest.mark.parametrize(
    ("method", "path", "body", "messages"),
    [
        ("POST", "/api/workflows", {"name": "x", "trigger": 5}, {"trigger": "must be an object"}),
        ("POST", "/api/workflows", {"name": "", "steps": {}}, {"name": "must not be empty"}),
        ("POST", "/api/workflows", {"name": "x", "steps": {}}, {"steps": "must be a list"}),
        ("POST", "/api/workflows", {"name": "x", "formId": "5"}, {"formId": "must be an id"}),
        ("POST", "/api/forms", {"title": 5, "schema": 5}, {"title": "must be a text"}),
        ("POST", "/api/forms", [], {"body": "must be an object"}),
        ("POST", "/api/tables", {"name": "x", "columns": []}, {"columns": "must not be empty"}),
        (
            "POST",
            "/api/workflows",
            {"name": "x" * 201},
            {"name": "may have 200 characters at most"},
        ),
        ("GET", "/api/events?limit=x", None, {"limit": "must be a whole number"}),
        ("GET", "/api/events?status=x", None, {"status": "must be 'PENDING', 'MATCHED'"}),
        ("GET", "/api/notifications?unreadOnly=x", None, {"unreadOnly": "must be true or false"}),
    ],
)
def test_what_is_wrong_is_said_in_peoples_words(
    api: Api, method: str, path: str, body: Any, messages: dict[str, str]
) -> None:
    field_errors = api.call(method, path, body).json()["details"]["fieldErrors"]
    for field, message in messages.items():
        assert field_errors[field][0].startswith(message)
    text = str(field_errors).lower()
    assert not any(word in text for word in ("dictionary", "instance", "pattern", "input should"))


class TestForms:
    def test_a_patch_with_a_step_that_is_no_step_is_refused(self, api: Api) -> None:
        path = f"/api/workflows/{api.workflow()['id']}"
        no_steps: tuple[JSON, ...] = (
            {"name": [], "type": "delay"}, {"name": {}, "type": {}}, 7, None, [],
        )  # fmt: skip
        for step in no_steps:
            assert api.call("PATCH", path, {"steps": [step]}).status_code == 400, step

    def test_field_names_are_the_documented_ones_only(self, api: Api) -> None:
        inner = {"name": "b", "type": "delay", "order": 0, "config": {"duration": "PT1S"}}
        step = {**inner, "name": "a", "on_error": [inner]}
        answer = api.call("POST", "/api/workflows", {"name": "x", "steps": [step]})
        assert answer.status_code in (201, 400), answer.text

    def test_a_body_of_another_type_is_refused(self, api: Api) -> None:
        answer = raw(api, "/api/workflows", b"name=x", "application/x-www-form-urlencoded")
        assert answer.status_code in (400, 415)
        assert answer.json()["success"] is False

    def test_nothing_that_is_beside_a_forms_id_is_passed_over(self, api: Api) -> None:
        form, other = api.form(), api.form()

        def refused(**trigger: Any) -> Any:
            body = {"name": "x", "formId": form, "trigger": {"type": "form_submission", **trigger}}
            answer = api.call("POST", "/api/workflows", body)
            assert answer.status_code == 400, answer.text
            return answer.json()["details"]["fieldErrors"]

        assert refused(nope=5) == {"trigger.nope": ["unknown field"]}
        assert refused(config={"nope": 5}) == {"trigger.config.nope": ["unknown field"]}
        assert refused(formId=other, config={}) == {
            "formId": ["is another form than the trigger's"]
        }
        body = {"name": "x", "formId": form, "trigger": {"type": "form_submission", "config": {}}}
        taken = api.call("POST", "/api/workflows", body)
        assert taken.json()["trigger"]["formId"] == form


class TestPatch:
    def test_steps_of_one_name_keep_an_id_each(self, api: Api) -> None:
        step = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1S"}}
        created = api.workflow(steps=[step])
        body = {"steps": [step, {**step, "order": 1}]}
        answer = api.call("PATCH", f"/api/workflows/{created['id']}", body)
        assert answer.status_code == 200, answer.text
        first, second = (item["id"] for item in answer.json()["steps"])
        assert first == created["steps"][0]["id"]
        assert second != first

    def test_another_form_alone_moves_the_trigger(self, api: Api) -> None:
        before, after = api.form(), api.form()
        created = api.workflow(trigger={"type": "form_submission", "config": {"formId": before}})
        answer = api.call("PATCH", f"/api/workflows/{created['id']}", {"formId": after})
        assert answer.status_code == 200, answer.text
        assert answer.json()["trigger"]["formId"] == after


class TestBugs:
    def test_a_bug_of_ours_leaves_as_an_envelope_without_a_trace(self, api: Api) -> None:
        @cast(FastAPI, api.http.app).get("/broken")
        def broken() -> None:
            raise RuntimeError("a secret of ours")

        answer = api.http.get("/broken", headers={"X-Request-Id": "abc-1"})
        assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
        assert answer.headers["x-request-id"] == answer.json()["requestId"] == "abc-1"
        assert "secret" not in answer.text


class TestInputSchema:
    def test_a_reference_in_a_schema_is_never_fetched(
        self, api: Api, listener: tuple[str, list[str]]
    ) -> None:
        address, asked = listener
        trigger = {"type": "manual", "inputSchema": {"$ref": f"{address}/schema.json"}}
        body = {"name": "x", "trigger": trigger, "steps": []}
        answer = api.call("POST", "/api/workflows", body)
        if answer.status_code == 201:
            path = f"/api/workflows/{answer.json()['id']}/execute"
            answer = api.call("POST", path, {"input": {"n": 1}})
        assert asked == []
        assert answer.status_code in (400, 409), answer.text


@pytest.mark.parametrize("end", [b"", b"\\"])
def test_a_body_of_unclosed_strings_is_refused_at_once(api: Api, end: bytes) -> None:
    def sent(size: int) -> None:
        answer = raw(api, "/api/workflows", b'"' + b'\\"' * size + end)
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")

    assert growth(sent, 120_000, 490_000) < 10


@pytest.mark.parametrize("value", ["0.5", "1767225600", "now", "2026-01-01", ""])
@pytest.mark.parametrize("path", ["audit-logs", "events", "security-events"])
def test_an_instant_is_written_out(api: Api, path: str, value: str) -> None:
    answer = api.call("GET", f"/api/{path}", params={"since": value})
    assert (answer.status_code, list(answer.json()["details"]["fieldErrors"])) == (400, ["since"])


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/workflows", "GET, HEAD, POST"),
        ("POST", "/api/workflows/stats", "GET, HEAD"),
        ("PUT", "/api/workflows/x", "DELETE, GET, HEAD, PATCH"),
        ("PUT", "/api/workflows/x/runs/replay", "POST"),
    ],
)
def test_a_405_names_all_methods_of_the_address(
    api: Api, method: str, path: str, allowed: str
) -> None:
    answer = api.call(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_an_automation_has_so_many_steps_wherever_they_stand(api: Api) -> None:
    wait = {"name": "Wait", "type": "delay", "config": {"duration": "PT1H"}}
    rules = [{"field": "{{input.a}}", "operator": "exists"}]

    def around(count: int) -> dict[str, Any]:
        config = {"rules": rules, "then": [wait] * (count // 2), "else": [wait] * (count // 2)}
        return {"name": "If", "type": "condition", "config": config}

    answer = api.call("POST", "/api/workflows", {"name": "Long", "steps": [around(12_000)]})
    assert answer.status_code == 400
    assert answer.json()["details"]["fieldErrors"] == {
        "steps": ["are 12001 with those inside of others: 1000 at most"]
    }
    body = {"name": "Long", "steps": [around(998)]}
    assert api.call("POST", "/api/workflows", body).status_code == 201
