"""Whom Airflow vouches for is let in, once and at once."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import time_machine
from fastapi import FastAPI

from api_bridge.cookies import COOKIE
from automations.db.session import sync_clock
from automations.errors import NotAuthenticated
from automations.launcher.setup import SetupError, invite
from automations.services.access import members, vouchers
from tests.console.conftest import Browser
from tests.console.sample import Sample

TOKEN = "t" * 43


def issued(user: str, role: str) -> str:
    return vouchers.issue(user, role, TOKEN)


def enter(
    browser: Browser, voucher: str, then: str = "/console/runs", token: str | None = TOKEN
) -> None:
    if token is not None:
        browser.http.cookies.set(vouchers.BROWSER, token, domain="testserver.local")
    browser.open(f"/console/from-airflow?voucher={voucher}&next={quote(then, safe='')}")


def role_of(there: Sample, name: str) -> str:
    found = [member.role for member in members.list_all(there.workspace) if member.name == name]
    return ", ".join(found)


def test_a_user_of_airflow_comes_to_the_page_without_a_password(
    app: FastAPI, there: Sample
) -> None:
    browser = Browser(app)
    enter(browser, issued("Grace", "VIEWER"), f"/console/runs/{there.runs['failed']}")
    assert browser.path == f"/console/runs/{there.runs['failed']}"
    assert "grace-f2465f78e06e9352f9f8@airflow.invalid" in browser.text
    assert browser.actions() == set()


def test_their_role_is_what_airflow_says_now(app: FastAPI, there: Sample) -> None:
    for role in ("MEMBER", "ADMIN", "VIEWER"):
        enter(Browser(app), issued("Grace", role))
        assert role_of(there, "Grace") == role


def test_a_voucher_works_once(app: FastAPI, there: Sample) -> None:
    voucher = issued("Grace", "OWNER")
    enter(Browser(app), voucher)
    second = Browser(app)
    enter(second, voucher)
    assert second.path == "/console/sign-in"
    assert COOKIE not in second.http.cookies


def test_a_voucher_works_for_a_minute(there: Sample) -> None:
    voucher = issued("Grace", "OWNER")
    with (
        time_machine.travel(datetime.now(UTC) + timedelta(seconds=61)),
        pytest.raises(NotAuthenticated),
    ):
        vouchers.redeem(voucher)
    sync_clock()


@pytest.mark.parametrize("voucher", ["", "x", ".", "e30.00", "a.b.c", "é.é"])
def test_what_is_no_voucher_lets_nobody_in(app: FastAPI, there: Sample, voucher: str) -> None:
    browser = Browser(app)
    enter(browser, voucher)
    assert browser.path == "/console/sign-in"


@pytest.mark.parametrize("token", [None, "", "u" * 43, TOKEN[:-1]])
def test_nobody_becomes_another_by_a_link_that_they_are_sent(
    app: FastAPI, there: Sample, token: str | None
) -> None:
    browser = Browser(app)
    enter(browser, issued("mallory", "ADMIN"), token=token)
    assert browser.heading() == "Sign in as mallory?"
    assert COOKIE not in browser.http.cookies
    other = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    sent = {"voucher": issued("mallory", "ADMIN")}
    assert browser.http.post("/console/from-airflow", data=sent, headers=other).status_code == 403
    assert browser.send("/console/from-airflow", "no token", **sent).status_code == 403
    assert COOKIE not in browser.http.cookies


def test_who_says_that_they_are_the_user_is_let_in_once(app: FastAPI, there: Sample) -> None:
    voucher = issued("grace", "VIEWER")
    first, second = Browser(app), Browser(app)
    for browser in (first, second):
        enter(browser, voucher, token=None)
    first.press("/console/from-airflow")
    assert (first.path, COOKIE in first.http.cookies) == ("/console/runs", True)
    second.press("/console/from-airflow")
    assert (second.path, COOKIE in second.http.cookies) == ("/console/sign-in", False)


def test_who_is_asked_and_has_signed_in_meanwhile_stays_who_they_are(
    app: FastAPI, there: Sample
) -> None:
    browser = Browser(app)
    enter(browser, issued("mallory", "ADMIN"), token=None)
    browser.http.cookies.set(COOKIE, there.tokens["OWNER"], domain="testserver.local")
    browser.press("/console/from-airflow")
    assert "owner@b.example" in browser.text


def test_who_only_checks_the_address_uses_no_voucher(app: FastAPI, there: Sample) -> None:
    voucher = issued("grace", "VIEWER")
    http = Browser(app).http
    http.cookies.set(vouchers.BROWSER, TOKEN, domain="testserver.local")
    checked = http.head(f"/console/from-airflow?voucher={voucher}", follow_redirects=False)
    assert (checked.status_code, checked.headers["location"]) == (303, "/console/workflows")
    assert COOKIE not in checked.cookies
    assert vouchers.redeem(voucher).member.role == "VIEWER"


def test_a_voucher_that_was_changed_lets_nobody_in(there: Sample) -> None:
    body, _, signature = issued("Grace", "VIEWER").partition(".")
    other = issued("Grace", "OWNER").partition(".")[0]
    with pytest.raises(NotAuthenticated):
        vouchers.redeem(f"{other}.{signature}")
    with pytest.raises(NotAuthenticated):
        vouchers.redeem(f"{body}.{signature[:-1]}")


def test_who_has_signed_in_stays_who_they_are(owner: Browser) -> None:
    voucher = issued("Grace", "VIEWER")
    enter(owner, voucher)
    assert "owner@b.example" in owner.text
    # Whoever finds it in the history comes too late.
    with pytest.raises(NotAuthenticated):
        vouchers.redeem(voucher)


@pytest.mark.parametrize("voucher", ["", "x", "é.é"])
def test_who_has_signed_in_needs_no_voucher(owner: Browser, voucher: str) -> None:
    enter(owner, voucher)
    assert owner.path == "/console/runs"


@pytest.mark.parametrize("user", ["owner@b.example", "OWNER Lovelace", "ow ner", "é", "a" * 300])
def test_nobody_is_taken_for_another_member(there: Sample, user: str) -> None:
    before = {member.id for member in members.list_all(there.workspace)}
    made = vouchers.redeem(issued(user, "VIEWER")).member
    assert made.id not in before
    assert made.email.endswith("@airflow.invalid")
    assert vouchers.redeem(issued(user, "VIEWER")).member.id == made.id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada", "Ada"),
        ("smith", "\u017fmith"),
        ("strasse", "stra\u00dfe"),
        ("a b", "a_b"),
        ("a-b", "a_b"),
        ("a-b", "a b"),
        # As the first one's address is made.
        ("Ada", f"ada-{hashlib.sha256(b'Ada').hexdigest()[:20]}"),
    ],
)
def test_no_two_users_are_one_member(there: Sample, one: str, other: str) -> None:
    lower = vouchers.redeem(issued(one, "VIEWER")).member
    higher = vouchers.redeem(issued(other, "OWNER")).member
    assert lower.email != higher.email
    assert role_of(there, one) == "VIEWER"
    assert vouchers.redeem(issued(other, "OWNER")).member.id == higher.id


def test_a_user_of_airflow_is_given_no_password(browsers: dict[str, Browser]) -> None:
    made = vouchers.redeem(issued("grace", "VIEWER")).member
    admin = browsers["ADMIN"]
    admin.open("/console/members")
    path = f"/console/members/{made.id}/invitation"
    assert path not in admin.actions()
    assert admin.send(path).status_code == 409
    assert "comes from Airflow" in admin.text
    assert admin.http.patch(f"/api/members/{made.id}", json={"email": made.email}).is_success


def test_the_operator_is_told_so_too(there: Sample) -> None:
    made = vouchers.redeem(issued("grace", "VIEWER")).member
    with pytest.raises(SetupError, match="comes from Airflow"):
        invite(made.email, "OWNER")


def test_a_user_who_opens_two_pages_at_once_is_one_member(there: Sample) -> None:
    given = [issued("grace", "VIEWER") for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        entered = list(threads.map(vouchers.redeem, given))
    assert len({one.member.id for one in entered}) == 1


def test_it_leads_to_pages_of_the_console_only(app: FastAPI, there: Sample) -> None:
    browser = Browser(app)
    enter(browser, issued("Grace", "VIEWER"), "//evil.example/")
    assert browser.path == "/console/workflows"
