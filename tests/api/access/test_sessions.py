"""Signing in with a password: invitations, sessions, and who may use their cookie."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text, update
from starlette.testclient import TestClient

from automations.db.access import members
from automations.db.session import unit_of_work
from automations.db.tables import (
    AuditLog,
    MemberPassword,
    RateLimit,
    SecurityEvent,
    SignIn,
    Workflow,
)
from tests.api.answers import INSTANT, errors
from tests.api.conftest import Api
from tests.environment import Environment

SESSION = "/api/session"
PASSWORD = "correct horse battery"
OWN = {"Origin": "http://testserver"}


class Console:
    """A browser of a member who has set a password."""

    def __init__(self, api: Api, role: str = "ADMIN", email: str = "ada@b.example") -> None:
        self.api = api
        self.email = email
        body = {"name": "Ada", "email": email, "role": role}
        self.member = str(api.call("POST", "/api/members", body).json()["id"])
        self.http = TestClient(api.http.app, raise_server_exceptions=False)
        accepted = self.accept(self.invite())
        assert accepted.status_code == 200, accepted.text

    def invite(self, by: str = "OWNER") -> str:
        answer = self.api.call("POST", f"/api/members/{self.member}/invitation", role=by)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def accept(self, token: str, password: str = PASSWORD) -> Any:
        body = {"token": token, "password": password}
        return self.http.post(f"{SESSION}/invitation", json=body)

    def sign_in(self, password: str = PASSWORD, **more: Any) -> Any:
        body = {"email": self.email, "password": password, **more}
        return self.http.post(SESSION, json=body)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.http.request(method, path, json=body, headers=headers or OWN)

    def status(self) -> int:
        return int(self.http.get(SESSION).status_code)


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api)


def actions() -> list[str]:
    with unit_of_work() as session:
        return list(session.scalars(select(AuditLog.action).order_by(AuditLog.id)))


def forget_limits() -> None:
    with unit_of_work() as session:
        session.query(RateLimit).delete()


class TestInvitation:
    def test_a_member_sets_a_password_and_is_signed_in(self, api: Api) -> None:
        console = Console(api)
        shown = console.call("GET", SESSION).json()
        assert (shown["role"], shown["name"], shown["apiKeyId"]) == ("ADMIN", "ada@b.example", None)
        assert shown["member"]["id"] == console.member
        assert {"member.invite", "member.password", "session.create"} <= set(actions())

    def test_it_works_once_and_only_the_newest_does(self, console: Console) -> None:
        first, second = console.invite(), console.invite()
        assert console.accept(first).status_code == 404
        assert console.accept(second).status_code == 200
        assert console.accept(second).status_code == 404

    def test_it_expires(self, console: Console) -> None:
        token = console.invite()
        with unit_of_work() as session:
            session.execute(update(MemberPassword).values(invite_expires_at=datetime.now(UTC)))
        assert console.accept(token).status_code == 404

    @pytest.mark.parametrize(
        "password", ["", "short", "x" * 257, "aaaaaaaaaaaaaaaa", "ADA.ADA@b.example"]
    )
    def test_a_weak_password_is_refused_and_the_invitation_still_works(
        self, api: Api, password: str
    ) -> None:
        console = Console(api, email="ada.ada@b.example")
        token = console.invite()
        assert list(errors(console.accept(token, password))) == ["password"]
        assert console.accept(token).status_code == 200

    def test_only_an_owner_invites_an_owner(self, api: Api) -> None:
        console = Console(api, role="OWNER")
        path = f"/api/members/{console.member}/invitation"
        assert api.call("POST", path, role="ADMIN").status_code == 403
        assert api.call("POST", path, role="MEMBER").status_code == 403
        assert api.call("POST", path, role="STRANGER").status_code == 404

    def test_a_key_with_scopes_invites_nobody_to_do_without_them(self, console: Console) -> None:
        body = {"name": "limited", "role": "ADMIN", "scopes": ["members:write"]}
        made = console.api.call("POST", "/api/api-keys", body).json()
        console.api.keys["LIMITED"] = made["token"]
        path = f"/api/members/{console.member}/invitation"
        answer = console.api.call("POST", path, role="LIMITED")
        assert (answer.status_code, "scopes" in answer.json()["error"]) == (403, True)

    def test_setting_it_again_ends_the_sessions_before(self, console: Console) -> None:
        token = console.invite()
        other = TestClient(console.api.http.app)
        body = {"token": token, "password": PASSWORD}
        assert other.post(f"{SESSION}/invitation", json=body).status_code == 200
        assert console.status() == 401

    def test_passwords_and_tokens_are_kept_as_hashes(self, console: Console) -> None:
        token = console.invite()
        with unit_of_work() as session:
            for table in ("member_password", "sign_in", "audit_log", "rate_limit"):
                kept = str(session.execute(text(f"SELECT * FROM {table}")).all())
                assert PASSWORD not in kept
                assert token not in kept
                assert console.http.cookies["automations_session"] not in kept
            row = session.scalars(select(MemberPassword)).one()
        assert str(row.password_hash).startswith("$argon2id$")


class TestSignIn:
    def test_the_cookie_is_for_this_server_alone(self, console: Console) -> None:
        answer = console.sign_in()
        assert answer.status_code == 200
        assert set(answer.json()) == {"workspaceId", "role", "member", "expiresAt"}
        assert re.fullmatch(INSTANT, answer.json()["expiresAt"])
        assert answer.headers["cache-control"] == "no-store"
        cookie = SimpleCookie(answer.headers["set-cookie"])["automations_session"]
        assert cookie["httponly"]
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("lax", "/", "")
        assert not cookie["secure"]
        assert cookie.value not in answer.text

    def test_it_is_secure_where_the_address_is(
        self, console: Console, environment: Environment
    ) -> None:
        environment.set(AUTOMATIONS_PUBLIC_URL="https://automations.example")
        cookie = SimpleCookie(console.sign_in().headers["set-cookie"])["automations_session"]
        assert cookie["secure"]

    @pytest.mark.parametrize(
        "change",
        [
            {"password": "wrong horse battery"},
            {"email": "nobody@b.example"},
            {"workspace": "nowhere"},
            {"workspace": "other"},
            {"password": ""},
        ],
    )
    def test_a_refusal_does_not_say_what_is_wrong(
        self, console: Console, change: dict[str, str]
    ) -> None:
        console.http.cookies.clear()
        answer = console.sign_in(**change)
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
        assert answer.json()["error"] == "The address or the password is wrong."
        assert "set-cookie" not in answer.headers

    def test_a_member_without_a_password_cannot_sign_in(self, console: Console) -> None:
        with unit_of_work() as session:
            session.query(MemberPassword).delete()
        assert console.sign_in().status_code == 401

    def test_an_address_is_one_in_any_case_and_a_letter_one_in_any_form(self, api: Api) -> None:
        console = Console(api)
        console.accept(console.invite(), "pa\u00dfwort pa\u00eentre")
        console.email = " ADA@B.example "
        assert console.sign_in("pa\u00dfwort pai\u0302ntre").status_code == 200

    @pytest.mark.parametrize(
        "typed",
        [
            "zo\u00eb@m\u00fcnchen.example",
            "zoe\u0308@m\u00fcnchen.example",
            "zo\u00eb@xn--mnchen-3ya.example",
        ],
    )
    def test_an_address_is_one_in_each_way_in_which_it_may_be_written(
        self, api: Api, typed: str
    ) -> None:
        console = Console(api, email="zo\u00eb@m\u00fcnchen.example")
        assert console.sign_in(email=typed).status_code == 200

    def test_failures_are_security_events_of_the_workspace(self, console: Console) -> None:
        console.sign_in("wrong horse battery")
        (event,) = console.api.call("GET", "/api/security-events?type=auth.failed").json()[
            "securityEvents"
        ]
        assert (event["actor"], event["details"]["path"]) == ("ada@b.example", SESSION)
        assert "wrong horse" not in str(event)

    def test_guessing_is_limited_by_account_from_wherever(self, console: Console) -> None:
        forget_limits()
        answers = [console.sign_in("wrong horse battery") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert console.sign_in().status_code == 200
        with unit_of_work() as session:
            kinds = set(session.scalars(select(SecurityEvent.type)))
        assert "rate.limited" in kinds

    def test_guessing_many_accounts_is_limited_by_address(self, console: Console) -> None:
        forget_limits()
        for number in range(21):
            last = console.sign_in("wrong horse battery", email=f"a{number}@b.example")
        assert last.status_code == 429

    def test_guessing_slowly_is_limited_by_the_hour(self, console: Console) -> None:
        forget_limits()
        for _ in range(31):
            last = console.sign_in("wrong horse battery")
            with unit_of_work() as session:
                session.query(RateLimit).filter(~RateLimit.key.contains("hour")).delete(
                    synchronize_session=False
                )
        assert last.status_code == 429
        assert int(last.headers["retry-after"]) > 0
        assert console.sign_in().status_code == 200
        with unit_of_work() as session:
            for kept in session.query(MemberPassword):
                kept.networks = ["203.0.113.7"]
        assert console.sign_in().status_code == 429

    def test_a_hash_of_old_parameters_is_made_anew(self, console: Console) -> None:
        weaker = PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash(PASSWORD)
        with unit_of_work() as session:
            session.execute(update(MemberPassword).values(password_hash=weaker))
        for _ in range(2):
            assert console.sign_in().status_code == 200
        with unit_of_work() as session:
            kept = session.scalars(select(MemberPassword.password_hash)).one()
        assert "m=19456,t=2,p=1" in str(kept)


class TestSession:
    def test_a_member_may_what_their_role_may_now(self, console: Console) -> None:
        assert console.call("POST", "/api/workflows", {"name": "x"}).status_code == 201
        path = f"/api/members/{console.member}"
        console.api.call("PATCH", path, {"role": "VIEWER"})
        refused = console.call("POST", "/api/workflows", {"name": "x"})
        assert refused.status_code == 403
        assert "ada@b.example has VIEWER" in refused.json()["error"]
        assert console.call("GET", "/api/workflows").status_code == 200
        console.api.call("DELETE", path)
        assert console.call("GET", "/api/workflows").status_code == 401

    def test_what_a_member_does_is_theirs(self, console: Console) -> None:
        made = console.call("POST", "/api/workflows", {"name": "x"}).json()["id"]
        (line,) = console.api.call("GET", f"/api/audit-logs?resourceId={made}").json()["auditLogs"]
        assert line["actor"] == {"type": "member", "name": "ada@b.example", "id": console.member}
        assert console.call("GET", "/api/notifications").status_code == 200
        with unit_of_work() as session:
            workspace = session.get_one(Workflow, made).workspace_id
            assert members.automation_owners(session, workspace, made) == [console.member]

    def test_another_workspace_is_out_of_reach(self, console: Console) -> None:
        theirs = console.api.call("POST", "/api/workflows", {"name": "x"}, role="STRANGER").json()
        assert console.call("GET", f"/api/workflows/{theirs['id']}").status_code == 404

    def test_signing_out_ends_it(self, console: Console) -> None:
        token = console.http.cookies["automations_session"]
        assert console.call("DELETE", SESSION).status_code == 204
        assert "automations_session" not in console.http.cookies
        console.http.cookies.set("automations_session", token)
        assert console.status() == 401

    @pytest.mark.parametrize("field", ["expires_at", "last_used_at"])
    def test_it_ends_after_a_week_and_after_a_day_without_use(
        self, console: Console, field: str
    ) -> None:
        past = timedelta(days=0 if field == "expires_at" else 1)
        with unit_of_work() as session:
            (row,) = session.scalars(select(SignIn))
            assert timedelta(days=6) < row.expires_at - datetime.now(UTC) <= timedelta(days=7)
            setattr(row, field, datetime.now(UTC) - past)
        assert console.status() == 401

    def test_use_is_noted_once_a_minute(self, console: Console) -> None:
        old = datetime.now(UTC) - timedelta(hours=1)
        with unit_of_work() as session:
            session.execute(update(SignIn).values(last_used_at=old))
        console.status()
        with unit_of_work() as session:
            used = session.scalars(select(SignIn.last_used_at)).one()
        assert datetime.now(UTC) - used < timedelta(minutes=1)

    def test_an_api_key_goes_before_the_cookie_and_has_no_session(self, console: Console) -> None:
        api = console.api
        shown = api.call("GET", SESSION, role="VIEWER").json()
        assert (shown["role"], shown["member"]) == ("VIEWER", None)
        for method, path, body in (
            ("DELETE", SESSION, None),
            ("PUT", f"{SESSION}/password", {"currentPassword": "x", "newPassword": "y"}),
        ):
            assert api.call(method, path, body, role="OWNER").status_code == 409
        headers = {"Authorization": "Bearer sk_nope"}
        assert console.http.get(SESSION, headers=headers).status_code == 401

    def test_an_idempotency_key_works_with_it(self, console: Console) -> None:
        headers = {**OWN, "Idempotency-Key": "k1"}
        first, second = (
            console.call("POST", "/api/workflows", {"name": "x"}, **headers) for _ in range(2)
        )
        assert second.headers["idempotent-replayed"] == "true"
        assert first.json() == second.json()


class TestPassword:
    def change(self, console: Console, current: str, new: str) -> Any:
        body = {"currentPassword": current, "newPassword": new}
        return console.call("PUT", f"{SESSION}/password", body)

    def test_another_one_ends_the_other_sessions(self, console: Console) -> None:
        other = TestClient(console.api.http.app)
        other.cookies.update(console.http.cookies)
        console.sign_in()
        assert self.change(console, PASSWORD, "another horse battery").status_code == 204
        assert console.status() == 200
        assert other.get(SESSION).status_code == 401
        assert console.sign_in().status_code == 401
        assert console.sign_in("another horse battery").status_code == 200

    def test_the_current_one_is_asked_for_and_cannot_be_guessed(self, console: Console) -> None:
        for _ in range(5):
            field_errors = errors(
                self.change(console, "wrong horse battery", "another horse battery")
            )
            assert list(field_errors) == ["currentPassword"]
        assert self.change(console, PASSWORD, "another horse battery").status_code == 429
        forget_limits()
        assert list(errors(self.change(console, PASSWORD, "short"))) == ["newPassword"]
        field_errors = errors(self.change(console, PASSWORD, "password1234"))
        assert field_errors["newPassword"][0].startswith("is too easy to guess")
        assert console.sign_in().status_code == 200


class TestForeignPages:
    """What another site makes a browser send is no wish of the member's."""

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Sec-Fetch-Site": "same-origin"}, 201),
            ({"Origin": "http://testserver"}, 201),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "none"}, 403),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "http://testserver.evil.example"}, 403),
            ({"Origin": "https://testserver"}, 403),
            ({"Origin": "null"}, 403),
            ({"Accept": "*/*"}, 403),
        ],
    )
    def test_only_own_pages_may_write(
        self, console: Console, headers: dict[str, str], status: int
    ) -> None:
        answer = console.call("POST", "/api/workflows", {"name": "x"}, **headers)
        assert answer.status_code == status, answer.text
        shown = console.api.call("GET", "/api/workflows").json()
        assert len(shown) == (1 if status == 201 else 0)

    def test_the_public_address_is_our_own(
        self, console: Console, environment: Environment
    ) -> None:
        environment.set(AUTOMATIONS_PUBLIC_URL="https://automations.example/base/")
        headers = {"Origin": "https://automations.example"}
        answer = console.call("POST", "/api/workflows", {"name": "x"}, **headers)
        assert answer.status_code == 201

    def test_reading_needs_no_origin(self, console: Console) -> None:
        assert console.http.get("/api/workflows").status_code == 200

    def test_nobody_is_signed_in_by_a_foreign_page(self, console: Console) -> None:
        body = {"email": console.email, "password": PASSWORD}
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = console.http.post(SESSION, json=body, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers

    def test_it_is_a_security_event(self, console: Console) -> None:
        console.call("POST", "/api/workflows", {"name": "x"}, Origin="http://evil.example")
        found = console.api.call("GET", "/api/security-events?type=auth.forbidden").json()
        assert found["securityEvents"][0]["actor"] == "ada@b.example"
