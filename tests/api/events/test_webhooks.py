"""Webhooks over HTTP: who may deliver, what is kept, and how often it counts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, text, update
from standardwebhooks.webhooks import Webhook

from api_bridge.routes import webhooks as routes
from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, Run, WorkflowVersion
from automations.definitions.triggers import HIDDEN
from automations.dispatch.jobs.registry import Handlers
from automations.domain.statuses import RunStatus
from automations.services.access import rate_limits
from automations.services.events import webhooks
from automations.settings import get_settings
from tests.api.conftest import Api
from tests.doubles import Unreachable, ports
from tests.environment import Environment
from tests.senders import FORM as FORM_TYPE
from tests.senders import MULTIPART, SENDERS, Sent, multipart

KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()


def hooked(api: Api, verification: str = "none", **config: Any) -> dict[str, Any]:
    """An automation with a webhook, and its URL's path."""
    status = config.pop("status", "ACTIVE")
    trigger = {"type": "webhook", "config": {"verification": verification, **config}}
    return api.workflow(trigger=trigger, status=status)


def path(workflow: dict[str, Any]) -> str:
    return str(workflow["webhookUrl"]).removeprefix(get_settings().bridge_base)


def deliver(
    api: Api, workflow: dict[str, Any], body: Any = None, *, method: str = "POST", **headers: str
) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"Content-Type": "application/json", **named}
    return api.http.request(method, path(workflow), content=content, headers=given)


def signed(body: bytes, message: str = "msg_1", age: float = 0) -> dict[str, str]:
    stamp = time.time() - age
    return {
        "webhook_id": message,
        "webhook_timestamp": str(int(stamp)),
        "webhook_signature": Webhook(KEY).sign(
            message, datetime.fromtimestamp(stamp, UTC), body.decode()
        ),
    }


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


def match() -> None:
    """What the dispatcher does next, without Airflow."""
    with unit_of_work() as session:
        todo = list(session.scalars(select(Job).where(Job.kind == "match_event")))
    for job in todo:
        Handlers(Unreachable(), ports()).handle(job)


class TestUrl:
    def test_only_administrators_see_it(self, api: Api) -> None:
        workflow = hooked(api)
        shown = {
            role: api.call("GET", f"/api/workflows/{workflow['id']}", role=role).json()
            for role in ("OWNER", "ADMIN", "MEMBER", "VIEWER")
        }
        assert shown["OWNER"]["webhookUrl"] == shown["ADMIN"]["webhookUrl"]
        assert not {"webhookUrl"} & (shown["MEMBER"].keys() | shown["VIEWER"].keys())
        listed = api.call("GET", "/api/workflows", role="VIEWER").text
        assert path(workflow).rpartition("/")[2] not in listed

    def test_it_stays_the_same_over_changes_until_it_is_rotated(self, api: Api) -> None:
        before = hooked(api)
        where = f"/api/workflows/{before['id']}"
        after = api.call("PATCH", where, {"name": "Other"}).json()
        assert after["webhookUrl"] == before["webhookUrl"]
        assert api.call("POST", f"{where}/rotate-webhook", role="MEMBER").status_code == 403
        assert api.call("POST", f"{where}/rotate-webhook", role="STRANGER").status_code == 404
        rotated = api.call("POST", f"{where}/rotate-webhook").json()
        assert rotated["webhookUrl"] != before["webhookUrl"]
        assert deliver(api, before, {}).status_code == 404
        assert deliver(api, rotated, {}).status_code == 202

    def test_the_database_holds_no_url(self, api: Api) -> None:
        token = path(hooked(api)).rpartition("/")[2]
        with unit_of_work() as session:
            row = session.execute(text("SELECT workflow::text FROM workflow")).scalar_one()
        assert token not in row

    def test_a_url_of_a_key_that_is_gone_works_on_and_is_not_shown(
        self, api: Api, environment: Environment
    ) -> None:
        workflow = hooked(api)
        environment.set(AUTOMATIONS_ENCRYPTION_KEY=Fernet.generate_key().decode())
        assert "webhookUrl" not in api.call("GET", f"/api/workflows/{workflow['id']}").json()
        assert deliver(api, workflow, {}).status_code == 202

    def test_an_automation_without_a_webhook_has_none(self, api: Api) -> None:
        workflow = api.workflow()
        assert "webhookUrl" not in workflow
        answer = api.call("POST", f"/api/workflows/{workflow['id']}/rotate-webhook")
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")

    def test_one_that_is_not_in_use_is_unknown(self, api: Api) -> None:
        workflow = hooked(api)
        where = f"/api/workflows/{workflow['id']}"
        api.call("PATCH", where, {"trigger": {"type": "manual"}})
        assert deliver(api, workflow, {}).status_code == 404
        api.call("DELETE", where)
        assert deliver(api, workflow, {}).status_code == 404
        assert api.http.post("/api/webhooks/nonsense").status_code == 404
        assert events() == []

    def test_guessing_is_slowed_down(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rate_limits, "_MAX_MISSES", 3)
        answers = [api.http.post(f"/api/webhooks/guess{n}") for n in range(5)]
        assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0


class TestSecret:
    def test_it_is_never_shown_and_not_stored_as_it_is(self, api: Api) -> None:
        workflow = hooked(api, "github", secret="github-key")
        assert workflow["trigger"]["secret"] == HIDDEN
        assert workflow["trigger"]["config"]["secret"] == HIDDEN
        read = api.call("GET", f"/api/workflows/{workflow['id']}").text
        with unit_of_work() as session:
            stored = json.dumps(session.scalars(select(WorkflowVersion.definition)).all())
        assert "github-key" not in read + stored

    def test_what_was_read_can_be_written_back(self, api: Api) -> None:
        workflow = hooked(api, "header", secret="shared-secret")
        where = f"/api/workflows/{workflow['id']}"
        answer = api.call("PATCH", where, {"trigger": workflow["trigger"]})
        assert answer.status_code == 200
        assert deliver(api, workflow, {}, x_webhook_secret="shared-secret").status_code == 202
        assert deliver(api, workflow, {}, x_webhook_secret=HIDDEN).status_code == 401

    def test_it_may_be_a_secret_of_the_workspace(self, api: Api) -> None:
        workflow = hooked(api, "header", secret="{{secret.HOOK_KEY}}", header="X-Mine")
        assert deliver(api, workflow, {}, x_mine="anything-goes").status_code == 503
        api.call("PUT", "/api/secrets/HOOK_KEY", {"value": "from-the-store"})
        assert deliver(api, workflow, {}, x_mine="from-the-store").status_code == 202
        assert deliver(api, workflow, {}, x_mine="anything-goes").status_code == 401

    @pytest.mark.parametrize(
        ("verification", "config", "field", "message"),
        [
            ("github", {}, "trigger", "secret is required"),
            ("none", {"secret": "long enough"}, "trigger", "must be absent"),
            ("github", {"secret": "short"}, "trigger.config.secret", "8 characters at least"),
            ("github", {"secret": HIDDEN}, "trigger.config.secret", "stands for"),
            ("github", {"secret": "sealed:abc"}, "trigger.config.secret", "sealed:"),
            ("github", {"secret": "x" * 1001}, "trigger.config.secret", "1000"),
            ("github", {"secret": "a {{secret.A}}"}, "trigger.config.secret", "one secret"),
            ("github", {"secret": "{{input.key}}"}, "trigger.config.secret", "one secret"),
            ("standard", {"secret": "whsec_!!!"}, "trigger.config.secret", "base64"),
            ("standard", {"secret": "whsec_AAAA"}, "trigger.config.secret", "16 bytes"),
            ("sha1", {}, "trigger.config.verification", "standard"),
            ("none", {"header": "X-Mine"}, "trigger", "header is for"),
            ("none", {"respondTimeout": "PT31S"}, "trigger.config.respondTimeout", "PT30S"),
            ("none", {"zzz": 1}, "trigger.config.zzz", "unknown field"),
        ],
    )
    def test_what_cannot_be_used_is_refused(
        self, api: Api, verification: str, config: dict[str, Any], field: str, message: str
    ) -> None:
        trigger = {"type": "webhook", "config": {"verification": verification, **config}}
        answer = api.call("POST", "/api/workflows", {"name": "x", "trigger": trigger})
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["details"]["fieldErrors"][field][0]


class TestDeliver:
    def test_it_is_committed_before_the_answer(self, api: Api) -> None:
        workflow = hooked(api)
        answer = deliver(api, workflow, {"n": 1}, user_agent="sender", authorization="Bearer x")
        (event,) = events()
        assert (answer.status_code, answer.json()) == (
            202,
            {"eventId": event.id, "duplicate": False},
        )
        assert (event.type, event.status, event.raw) == ("WEBHOOK", "PENDING", b'{"n": 1}')
        assert event.data["body"] == {"n": 1}
        assert event.data["headers"]["user-agent"] == "sender"
        assert "authorization" not in event.data["headers"]
        with unit_of_work() as session:
            (job,) = session.scalars(select(Job))
        assert (job.kind, job.subject_id) == ("match_event", event.id)

    def test_it_starts_its_own_automation_only(self, api: Api) -> None:
        workflow, _ = hooked(api), hooked(api)
        event = deliver(api, workflow, {"n": 1}, method="PUT").json()["eventId"]
        match()
        with unit_of_work() as session:
            (run,) = session.scalars(select(Run))
        assert (run.workflow_id, run.event_id) == (workflow["id"], event)
        assert run.trigger_type == "webhook"
        assert run.trigger_data["body"] == {"n": 1}
        assert run.variables == {"triggerType": "webhook"}

    @pytest.mark.parametrize("status", ["DRAFT", "PAUSED", "ARCHIVED"])
    def test_while_the_automation_is_not_active_it_is_recorded_with_the_reason(
        self, api: Api, status: str
    ) -> None:
        workflow = hooked(api, status=status)
        event = deliver(api, workflow, {}).json()["eventId"]
        match()
        shown = api.call("GET", f"/api/events/{event}").json()
        assert (shown["status"], shown["runs"]) == ("SKIPPED", [])
        assert status in shown["reason"]

    def test_a_form_and_a_body_of_bytes_are_taken(self, api: Api) -> None:
        workflow = hooked(api)
        deliver(api, workflow, b"a=1", Content_Type="application/x-www-form-urlencoded")
        deliver(api, workflow, b"\xff\x00", Content_Type="application/octet-stream")
        form, raw = events()
        assert form.data["body"] == {"a": "1"}
        assert (raw.data["body"], raw.data["bodyBase64"]) == (None, "/wA=")
        assert raw.raw == b"\xff\x00"

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (b"{", "application/json", 400),
            (b'{"a": "\\u0000"}', "application/json", 400),
            (b"[" * 100 + b"]" * 100, "application/json", 400),
            (b'{"a": NaN}', "application/json", 400),
            (b"\xff", "application/vnd.x+json", 400),
            (b"a=%00", "application/x-www-form-urlencoded", 400),
            (b"x" * 1_000_001, "text/plain", 413),
        ],
    )
    def test_what_cannot_be_kept_is_refused(
        self, api: Api, body: bytes, kind: str, status: int
    ) -> None:
        answer = deliver(api, hooked(api), body, Content_Type=kind)
        assert answer.status_code == status
        assert answer.json()["success"] is False
        assert events() == []

    def test_a_compressed_body_is_refused_as_one(self, api: Api) -> None:
        workflow = hooked(api)
        for kind in ("application/json", "text/plain", FORM_TYPE):
            body = gzip.compress(b"{}")
            answer = deliver(api, workflow, body, Content_Type=kind, Content_Encoding="gzip")
            assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert deliver(api, workflow, b"{}", Content_Encoding="identity").status_code == 202

    @pytest.mark.parametrize("sent", SENDERS, ids=lambda sent: sent.name)
    def test_what_services_send_is_taken(self, api: Api, sent: Sent) -> None:
        headers = sent.all_headers()
        answer = api.http.post(path(hooked(api)), content=sent.body, headers=headers)
        assert answer.status_code == 202, answer.text
        assert "body" in events()[0].data

    def test_the_files_of_a_form_are_documents_once(self, api: Api) -> None:
        workflow = hooked(api)
        body = multipart(("text", b"hi"), ("invoice", b"%PDF-1.7", "a.pdf", "application/pdf"))
        headers = {"Content-Type": MULTIPART, "Idempotency-Key": "mail-1"}
        for status in (202, 200):
            answer = api.http.post(path(workflow), content=body, headers=headers)
            assert answer.status_code == status
        (event,) = events()
        file = event.data["body"]["invoice"]
        assert (file["filename"], event.raw) == ("a.pdf", None)
        shown = api.call("GET", f"/api/documents/{file['documentId']}/content")
        assert shown.content == b"%PDF-1.7"
        assert api.call("GET", "/api/documents").json()["pagination"]["total"] == 1

    def test_a_secret_that_was_pasted_with_line_breaks_fits(self, api: Api) -> None:
        body = b'{"n": 1}'
        workflow = hooked(api, "standard", secret=f" {KEY[:20]}\r\n{KEY[20:]}\n")
        assert deliver(api, workflow, body, **signed(body)).status_code == 202
        api.call("PUT", "/api/secrets/HOOK_KEY", {"value": "from-the-store\n"})
        other = hooked(api, "header", secret="{{secret.HOOK_KEY}}", header="X-Mine")
        assert deliver(api, other, {}, x_mine="from-the-store").status_code == 202

    def test_too_many_headers_are_refused(self, api: Api) -> None:
        many = {f"x_{number}": "y" for number in range(120)}
        assert deliver(api, hooked(api), {}, **many).status_code == 413

    def test_a_url_has_a_limit(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(webhooks, "_MAX_PER_MINUTE", 2)
        workflow = hooked(api)
        answers = [
            deliver(api, workflow, {}).status_code for _ in range(6)
        ]  # over the end of a minute, too
        assert 429 in answers


class TestGenuine:
    def test_a_signed_delivery_is_taken_once(self, api: Api) -> None:
        workflow = hooked(api, "standard", secret=KEY)
        first = deliver(api, workflow, b"{}", **signed(b"{}"))
        again = deliver(api, workflow, b"{}", **signed(b"{}"))
        assert (first.status_code, again.status_code) == (202, 200)
        assert again.json() == {"eventId": first.json()["eventId"], "duplicate": True}
        assert deliver(api, workflow, b"{}", **signed(b"{}", "msg_2")).status_code == 202
        assert len(events()) == 2

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            signed(b"{}") | {"webhook_signature": "v1,AAAA"},
            signed(b'{"other": 1}'),
            signed(b"{}") | {"webhook_id": "msg_2"},
        ],
        ids=["unsigned", "wrong", "another body", "another id"],
    )
    def test_one_that_is_not_genuine_is_refused(self, api: Api, headers: dict[str, str]) -> None:
        workflow = hooked(api, "standard", secret=KEY)
        answer = deliver(api, workflow, b"{}", **headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "SIGNATURE_REFUSED")
        assert events() == []

    def test_a_stale_one_is_refused(self, api: Api) -> None:
        workflow = hooked(api, "standard", secret=KEY)
        answer = deliver(api, workflow, b"{}", **signed(b"{}", age=400))
        assert answer.status_code == 401
        assert "too old" in answer.json()["error"]

    def test_github_and_stripe_deliveries_are_told_apart_by_their_own_ids(self, api: Api) -> None:
        body = b'{"id": "evt_1"}'
        github = hooked(api, "github", secret="github-key")
        mac = hmac.new(b"github-key", body, hashlib.sha256).hexdigest()
        for delivery, status in (("one", 202), ("one", 200)):
            answer = deliver(
                api, github, body, X_Hub_Signature_256=f"sha256={mac}", X_GitHub_Delivery=delivery
            )
            assert answer.status_code == status
        stripe, stamp = hooked(api, "stripe", secret="stripe-key"), int(time.time())
        mac = hmac.new(b"stripe-key", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        answers = [
            deliver(api, stripe, body, Stripe_Signature=f"t={stamp},v1={mac}") for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [202, 200]

    def test_what_github_has_signed_is_taken_once_under_whatever_id_it_comes(
        self, api: Api
    ) -> None:
        github, bodies = hooked(api, "github", secret="github-key"), (b'{"n": 1}', b'{"n": 2}')
        signed = [
            f"sha256={hmac.new(b'github-key', body, hashlib.sha256).hexdigest()}" for body in bodies
        ]
        first = deliver(
            api, github, bodies[0], X_Hub_Signature_256=signed[0], X_GitHub_Delivery="one"
        )
        again = [
            deliver(api, github, bodies[0], X_Hub_Signature_256=signed[0], **more)
            for more in ({"X_GitHub_Delivery": "two"}, {}, {"X_GitHub_Delivery": "one"})
        ]
        assert first.status_code == 202
        assert [answer.status_code for answer in again] == [200, 200, 200]
        assert {answer.json()["eventId"] for answer in again} == {first.json()["eventId"]}
        other = deliver(
            api, github, bodies[1], X_Hub_Signature_256=signed[1], X_GitHub_Delivery="three"
        )
        assert other.status_code == 202
        elsewhere = deliver(
            api,
            hooked(api, "github", secret="github-key"),
            bodies[0],
            X_Hub_Signature_256=signed[0],
            X_GitHub_Delivery="one",
        )
        assert elsewhere.status_code == 202

    def test_the_same_id_at_two_automations_is_two_deliveries(self, api: Api) -> None:
        answers = [deliver(api, hooked(api), {}, Idempotency_Key="k") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]

    def test_repeats_at_once_make_one_event(self, api: Api) -> None:
        workflow = hooked(api)
        answers: list[Any] = []

        def send() -> None:
            answers.append(deliver(api, workflow, {}, Idempotency_Key="k"))

        senders = [threading.Thread(target=send) for _ in range(6)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [202]
        assert len(events()) == 1


class TestResult:
    def test_the_sender_is_told_what_the_run_came_to(self, api: Api) -> None:
        workflow = hooked(api, respond="result", respondTimeout="PT30S")
        ended = threading.Thread(target=self._end_the_run)
        ended.start()
        answer = deliver(api, workflow, {})
        ended.join()
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["status"], shown["outputs"]) == ("COMPLETED", {})
        assert set(shown) == {"eventId", "duplicate", "runId", "status", "outputs"}

    @staticmethod
    def _end_the_run() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            match()
            with unit_of_work() as session:
                run_id = session.scalar(select(Run.id))
                if run_id is not None:
                    runs.end_run(session, run_id, RunStatus.COMPLETED)
                    return
            time.sleep(0.02)

    def test_a_run_that_takes_too_long_is_named(self, api: Api) -> None:
        workflow = hooked(api, respond="result", respondTimeout="PT0.3S")
        first = deliver(api, workflow, {}, Idempotency_Key="k")
        assert (first.status_code, set(first.json())) == (202, {"eventId", "duplicate"})
        match()
        again = deliver(api, workflow, {}, Idempotency_Key="k")
        assert again.status_code == 202
        with unit_of_work() as session:
            run = session.scalars(select(Run)).one()
            session.execute(update(Run).values(status="FAILED", error="x"))
        assert (again.json()["runId"], again.json()["status"]) == (run.id, "RUNNING")
        last = deliver(api, workflow, {}, Idempotency_Key="k")
        assert (last.status_code, last.json()["status"]) == (200, "FAILED")

    @pytest.mark.parametrize("bound", ["_MAX_OF_A_URL", "_MAX_OF_A_WORKSPACE", "_MAX_WAITING"])
    def test_who_waits_leaves_room_for_the_others(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, bound: str
    ) -> None:
        monkeypatch.setattr(routes, bound, 1)
        workflow = hooked(api, respond="result", respondTimeout="PT30S")
        answers: list[Any] = []
        waiting = threading.Thread(target=lambda: answers.append(deliver(api, workflow, {})))
        waiting.start()
        deadline = time.monotonic() + 60
        while routes._waiting.has_room({"all": 1}) and time.monotonic() < deadline:
            time.sleep(0.01)
        at_once = deliver(api, workflow, {"n": 2})
        assert set(at_once.json()) == {"eventId", "duplicate"}
        assert not answers
        match()
        with unit_of_work() as session:
            for run_id in session.scalars(select(Run.id)).all():
                runs.end_run(session, run_id, RunStatus.COMPLETED)
        waiting.join()
        assert answers[0].status_code == 200

    def test_nobody_waits_for_an_automation_that_is_not_active(self, api: Api) -> None:
        workflow = hooked(api, respond="result", respondTimeout="PT30S", status="PAUSED")
        matcher = threading.Thread(target=self._match_soon)
        matcher.start()
        answer = deliver(api, workflow, {})
        matcher.join()
        assert (answer.status_code, set(answer.json())) == (202, {"eventId", "duplicate"})

    @staticmethod
    def _match_soon() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not [e for e in events() if e.status == "SKIPPED"]:
            match()
            time.sleep(0.02)
