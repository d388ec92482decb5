"""The public page of an approval: GET changes nothing, POST decides once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import Job, RateLimit, Run, Wait
from automations.db.waits import callbacks
from automations.settings import get_settings
from tests.api.conftest import Api
from tests.api.waits.approvals import Asked, ask
from tests.senders import MULTIPART, multipart

FORM = {
    "sections": [
        {
            "id": "s",
            "fields": [
                {"id": "1", "key": "amount", "type": "number", "validation": {"required": True}},
                {"id": "2", "key": "why", "type": "text"},
            ],
        }
    ]
}


@pytest.fixture
def asked(api: Api) -> Asked:
    return ask(api)


class TestShow:
    def test_loading_the_page_changes_nothing(self, asked: Asked) -> None:
        for _ in range(3):
            page = asked.api.http.get(asked.path)
            assert page.status_code == 200
            assert "May we?" in page.text
        assert asked.status() == "PAUSED"

    def test_the_page_is_private_and_runs_nothing(self, asked: Asked) -> None:
        headers = asked.api.http.get(asked.path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"].startswith("noindex")
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]

    def test_the_question_cannot_put_markup_into_the_page(self, api: Api) -> None:
        page = api.http.get(ask(api, body="<script>alert(1)</script>").path).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page

    def test_the_fields_of_the_form_are_inputs(self, api: Api) -> None:
        page = api.http.get(ask(api, FORM).path).text
        assert 'name="data.amount"' in page
        assert 'name="data.why"' in page


class TestDecide:
    def test_a_button_decides(self, asked: Asked) -> None:
        page = asked.api.http.post(asked.path, data={"decision": "approved", "reason": "ok"})
        assert page.status_code == 200
        assert "approved" in page.text
        assert asked.status() == "RUNNING"
        with unit_of_work() as session:
            wait = session.scalars(select(Wait)).one()
            kinds = set(session.scalars(select(Job.kind)))
        assert (wait.decision, wait.decided_by) == ("approved", "boss@example.com")
        assert (wait.data, wait.reason) == (None, "ok")
        assert "answer_wait" in kinds

    def test_a_client_decides_in_json(self, asked: Asked) -> None:
        answer = asked.api.http.post(asked.path, json={"decision": "rejected", "data": {"n": 2}})
        assert (answer.status_code, answer.json()["decision"]) == (200, "rejected")

    def test_a_link_works_once(self, asked: Asked) -> None:
        asked.api.http.post(asked.path, data={"decision": "approved"})
        for method in ("GET", "POST"):
            again = asked.api.http.request(method, asked.path, data={"decision": "rejected"})
            assert again.status_code == 410
            assert "used already" in again.text

    def test_an_expired_link_says_so(self, asked: Asked) -> None:
        with unit_of_work() as session:
            session.execute(update(Wait).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))
        for method in ("GET", "POST"):
            late = asked.api.http.request(method, asked.path, data={"decision": "approved"})
            assert late.status_code == 410
            assert "expired" in late.text

    def test_resume_and_link_exclude_each_other(self, asked: Asked) -> None:
        path = f"/api/workflows/runs/{asked.run}/resume"
        assert asked.api.call("POST", path, {"decision": "approved"}).status_code == 200
        assert asked.api.call("POST", path, {"decision": "approved"}).status_code == 409
        assert asked.api.http.post(asked.path, data={"decision": "rejected"}).status_code == 410

    @pytest.mark.parametrize("decision", ["", "maybe", "APPROVED"])
    def test_another_word_decides_nothing(self, asked: Asked, decision: str) -> None:
        answer = asked.api.http.post(asked.path, json={"decision": decision})
        assert "decision" in answer.json()["details"]["fieldErrors"]
        assert asked.status() == "PAUSED"

    def test_a_field_that_nobody_knows_decides_nothing(self, asked: Asked) -> None:
        answer = asked.api.http.post(asked.path, json={"decision": "approved", "note": "x"})
        assert answer.json()["details"]["fieldErrors"] == {"note": ["unknown field"]}
        assert asked.status() == "PAUSED"

    @pytest.mark.parametrize(
        ("sent", "named"),
        [
            ("decision=approved&decision=rejected", "decision"),
            ("decision=approved&reason=a&reason=b", "reason"),
            ("decision=approved&note=x", "note"),
        ],
    )
    @pytest.mark.parametrize("form", [None, FORM])
    def test_what_a_page_sends_twice_or_beside_decides_nothing(
        self, api: Api, sent: str, named: str, form: dict[str, Any] | None
    ) -> None:
        asked = ask(api, form)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = api.http.post(asked.path, content=sent, headers=headers)
        assert list(answer.json()["details"]["fieldErrors"]) == [named]
        assert asked.status() == "PAUSED"

    def test_the_forms_fields_are_checked(self, api: Api) -> None:
        asked = ask(api, FORM)
        answer = api.http.post(asked.path, json={"decision": "approved", "data": {"amount": "x"}})
        assert list(answer.json()["details"]["fieldErrors"]) == ["data.amount"]
        page = api.http.post(asked.path, data={"decision": "approved", "data.amount": "12"})
        assert page.status_code == 200

    def test_the_answer_follows_accept_and_the_body_its_own_type(self, asked: Asked) -> None:
        answer = asked.api.http.post(
            asked.path, data={"decision": "approved"}, headers={"Accept": "application/json"}
        )
        assert (answer.status_code, answer.json()["decision"]) == (200, "approved")

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (b"decision=approved&reason=%00", "application/x-www-form-urlencoded", 400),
            (b"", "application/x-www-form-urlencoded", 400),
            (b"{bad", "application/json", 400),
            (b"[1]", "application/json", 400),
            (b"nonsense", "text/plain", 415),
            (b"--b\r\nbroken", "multipart/form-data; boundary=b", 400),
        ],
    )
    def test_a_body_that_cannot_be_read_is_refused(
        self, asked: Asked, body: bytes, content_type: str, status: int
    ) -> None:
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        answer = asked.api.http.post(asked.path, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.json()["success"] is False
        assert asked.status() == "PAUSED"

    @pytest.mark.parametrize("amount", ["x", "nan", "1e999", "1_000", "0.12345678901234567890"])
    def test_what_is_no_number_is_refused(self, api: Api, amount: str) -> None:
        asked = ask(api, FORM)
        page = api.http.post(asked.path, data={"decision": "approved", "data.amount": amount})
        assert page.status_code == 400
        assert "data.amount" in page.text

    def test_a_number_is_decided_as_it_was_typed(self, api: Api) -> None:
        asked = ask(api, FORM)
        typed = {"decision": "approved", "data.amount": "9007199254740993"}
        assert api.http.post(asked.path, data=typed).status_code == 200
        with unit_of_work() as session:
            (kept,) = session.scalars(select(Wait.data))
        assert kept == {"amount": 9007199254740993}

    def test_a_file_is_no_reason_and_no_decision(self, asked: Asked) -> None:
        for name in ("reason", "decision"):
            sent = {"decision": "approved"} if name == "reason" else {}
            answer = asked.api.http.post(
                asked.path,
                data=sent,
                files={name: ("a.txt", b"approved")},
                headers={"Accept": "application/json"},
            )
            assert answer.status_code == 400
            assert answer.json()["details"]["fieldErrors"] == {name: ["takes no file"]}
        assert asked.status() == "PAUSED"

    def test_a_reason_has_one_letter_for_each_line_break(self, asked: Asked) -> None:
        typed = {"decision": "approved", "reason": "a\r\nb"}
        assert asked.api.http.post(asked.path, data=typed).status_code == 200
        with unit_of_work() as session:
            (kept,) = session.scalars(select(Wait.reason))
        assert kept == "a\nb"

    def test_a_reason_may_be_given_beside_a_form_and_stays_when_that_is_wrong(
        self, api: Api
    ) -> None:
        asked = ask(api, FORM)
        typed = {"decision": "approved", "reason": "They are known.", "data.amount": "no number"}
        page = api.http.post(asked.path, data=typed)
        assert (page.status_code, "They are known." in page.text) == (400, True)
        assert api.http.post(asked.path, data={**typed, "data.amount": "5"}).status_code == 200
        with unit_of_work() as session:
            wait = session.scalars(select(Wait)).one()
        assert (wait.data, wait.reason) == ({"amount": 5}, "They are known.")


class TestLimits:
    def test_tokens_are_kept_as_hashes_only(self, asked: Asked) -> None:
        asked.api.http.get(asked.path)
        with unit_of_work() as session:
            keys = list(session.scalars(select(RateLimit.key)))
        assert keys
        assert not any(asked.token in key for key in keys)

    def test_guessing_tokens_is_limited_by_address(self, api: Api) -> None:
        answers = [api.http.post(f"/api/workflows/callback/guess{n}") for n in range(61)]
        assert answers[-1].status_code == 429
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        forged = api.http.post(
            "/api/workflows/callback/another", headers={"X-Forwarded-For": "203.0.113.9"}
        )
        assert forged.status_code == 429

    def test_an_unknown_run_is_left_alone(self, asked: Asked) -> None:
        assert asked.api.http.get(f"{asked.path}x").status_code == 404
        with unit_of_work() as session:
            assert session.get_one(Run, asked.run).status == "PAUSED"


class TestCalledBack:
    def url(self, api: Api, key: str = "k") -> str:
        run = api.call("POST", f"/api/workflows/{api.workflow()['id']}/execute").json()["runId"]
        with unit_of_work() as session:
            callback = callbacks.hand_out(session, run, key)
        return callback.removeprefix(get_settings().bridge_base)

    @pytest.mark.parametrize(
        ("kind", "body", "kept"),
        [
            ("application/json", b'{"n": 9007199254740993}', {"n": 9007199254740993}),
            ("application/json; charset=iso-8859-1", b'"M\xfcller"', "Müller"),
            ("text/json", b"[1]", [1]),
            ("text/plain; charset=UTF-8", b'{"Type": "Notification"}', {"Type": "Notification"}),
            ("text/plain", b"done", "done"),
            (None, b'{"a": 1}', {"a": 1}),
            ("text/xml; charset=windows-1252", b"<a>\x80</a>", "<a>€</a>"),
            ("application/x-www-form-urlencoded", b"a=1&a=2&b=%C5%BB", {"a": ["1", "2"], "b": "Ż"}),
            ("application/x-www-form-urlencoded", b'{"a": [1]}', {"a": [1]}),
            (
                "application/x-www-form-urlencoded",
                b"payload=%7B%22ok%22%3Atrue%7D&b=1",
                {"payload": {"ok": True}, "b": "1"},
            ),
            (
                MULTIPART,
                multipart(("a", b'{"n": 1}', "", "application/json"), ("b", b"x")),
                {"a": {"n": 1}, "b": "x"},
            ),
            ("application/x-json", b'{"n": 1}', {"n": 1}),
            ("application/json", b"", None),
            ("text/plain", b"", None),
        ],
    )
    def test_what_a_service_sends_is_kept_as_it_was_sent(
        self, api: Api, kind: str | None, body: bytes, kept: Any
    ) -> None:
        path = self.url(api)
        headers = {} if kind is None else {"Content-Type": kind}
        answer = api.http.post(path, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        with unit_of_work() as session:
            callback = callbacks.by_key(session, "k")
            assert callback is not None
            assert callback.data == kept

    @pytest.mark.parametrize(
        ("kind", "body", "status"),
        [
            ("application/pdf", b"%PDF-1.7", 415),
            ("text/plain", b"\xe9", 415),
            ("application/x-www-form-urlencoded", b"a=%E9", 415),
            (MULTIPART, multipart(("f", b"a", "a.txt", "text/plain")), 415),
            ("text/json", b"{", 400),
        ],
    )
    def test_what_cannot_be_kept_is_refused_and_may_be_sent_again(
        self, api: Api, kind: str, body: bytes, status: int
    ) -> None:
        path = self.url(api)
        headers = {"Content-Type": kind, "Accept": "application/json"}
        refused = api.http.post(path, content=body, headers=headers)
        assert refused.status_code == status, refused.text
        assert api.http.post(path, json={"again": True}).status_code == 200
