"""What guards the console: tokens in forms, headers, escaping, roles, and where it leads."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI

from api_bridge.console import texts, urls
from api_bridge.cookies import COOKIE
from api_bridge.public_pages import shown_values
from automations.domain.principals import RANKS
from automations.services.access import sign_ins
from automations.services.workflows import workflows
from tests.console import sample
from tests.console.conftest import Browser
from tests.console.sample import PASSWORD, ROLES, Sample, editor_pages, pages
from tests.doubles import ports

FORMS = {
    "/console/workflows/{workflow}/execute": "MEMBER",
    "/console/workflows/{workflow}/status": "ADMIN",
    "/console/workflows/{workflow}/duplicate": "ADMIN",
    "/console/workflows/new": "ADMIN",
    "/console/workflows/new/kyc-review": "ADMIN",
    "/console/workflows/{workflow}/edit": "ADMIN",
    "/console/workflows/{workflow}/edit/test": "ADMIN",
    "/console/workflows/{workflow}/edit/try": "ADMIN",
    "/console/workflows/{workflow}/versions/1/restore": "ADMIN",
    "/console/runs/{running}/cancel": "MEMBER",
    "/console/runs/{failed}/retry": "MEMBER",
    "/console/runs/{completed}/replay": "MEMBER",
    "/console/runs/{waiting}/resume": "MEMBER",
    "/console/runs/bulk": "MEMBER",
    "/console/approvals/{asked}": "MEMBER",
    "/console/approvals/bulk": "MEMBER",
    "/console/events/{event}/replay": "ADMIN",
    "/console/notifications/read": "VIEWER",
    "/console/submissions/{submission}/decide": "MEMBER",
    "/console/pipelines/{http}/sync": "MEMBER",
    "/console/pipelines/{push}/syncs/{sync}/stop": "MEMBER",
    "/console/pipelines/sync": "MEMBER",
    "/console/pipelines/{push}/records": "MEMBER",
    "/console/pipelines/{push}/webhook": "ADMIN",
    "/console/pipelines/new": "ADMIN",
    "/console/pipelines/new/fields": "ADMIN",
    "/console/pipelines/{http}/edit": "ADMIN",
    "/console/pipelines/{http}/edit/fields": "ADMIN",
    "/console/pipelines/{http}/delete": "ADMIN",
    "/console/pipelines/{http}/check": "ADMIN",
    "/console/pipelines/{http}/enabled": "ADMIN",
    "/console/secrets": "ADMIN",
    "/console/secrets/REGISTRY_KEY/delete": "ADMIN",
    "/console/integrations": "ADMIN",
    "/console/integrations/{integration}": "ADMIN",
    "/console/integrations/{integration}/enabled": "ADMIN",
    "/console/integrations/{integration}/test": "ADMIN",
    "/console/integrations/{integration}/delete": "ADMIN",
    "/console/api-keys": "ADMIN",
    "/console/api-keys/{key}/rotate": "ADMIN",
    "/console/api-keys/{key}/revoke": "ADMIN",
    "/console/forms": "ADMIN",
    "/console/forms/{questionnaire}/edit": "ADMIN",
    "/console/forms/{questionnaire}/public": "ADMIN",
    "/console/forms/{questionnaire}/duplicate": "ADMIN",
    "/console/forms/{questionnaire}/delete": "ADMIN",
    "/console/documents/templates": "ADMIN",
    "/console/documents/templates/{template}": "ADMIN",
    "/console/documents/templates/{template}/delete": "ADMIN",
    "/console/documents/templates/{template}/test": "MEMBER",
    "/console/members": "ADMIN",
    "/console/members/{member}/role": "ADMIN",
    "/console/members/{member}/invitation": "ADMIN",
    "/console/members/{member}/remove": "ADMIN",
    "/console/tables/new": "ADMIN",
    "/console/tables/{table}/columns": "ADMIN",
    "/console/tables/{table}/delete": "ADMIN",
    "/console/tables/{table}/import": "MEMBER",
    "/console/tables/{table}/import/rows": "MEMBER",
    "/console/tables/{table}/import/discard": "MEMBER",
    "/console/tables/{table}/rows": "MEMBER",
    "/console/tables/{table}/rows/delete": "MEMBER",
    "/console/tables/{table}/rows/{row}": "MEMBER",
    "/console/matters/new": "MEMBER",
    "/console/matters/move": "MEMBER",
    "/console/matters/{matter}": "MEMBER",
    "/console/matters/{matter}/act": "MEMBER",
    "/console/matters/{matter}/cancel": "MEMBER",
    "/console/matters/boards/new": "ADMIN",
    "/console/matters/boards/{board}": "ADMIN",
    "/console/matters/boards/{board}/delete": "ADMIN",
}
"""What forms do, and the role that it takes."""

TEMPLATES = [
    Path(texts.__file__).parent / "templates",
    Path(shown_values.__file__).parent / "templates",
]
"""Of the console, and of the pages that need no account."""
SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"\"'><img src=x onerror=alert(1)>{SCRIPT}{{{{7*7}}}}javascript:alert(1)"


def addresses_of(there: Sample) -> dict[str, str]:
    """The addresses of forms with their roles."""
    names = {
        "workflow": there.workflow,
        "event": there.event,
        "submission": there.submission,
        "questionnaire": there.questionnaire,
        "template": there.template,
        "table": there.table,
        "row": there.rows[0],
        "board": there.board,
        "matter": there.matters[0],
        "member": str(there.people["VIEWER"].member_id),
        **there.runs,
        **there.things,
    }
    return {path.format_map(names): role for path, role in FORMS.items()}


class Inline(HTMLParser):
    """Finds what a page says in its own text to be run or to be a style."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(tag)
        for name, value in attrs:
            link = name in ("href", "src", "action", "formaction")
            if name.startswith("on") or name == "style":
                self.found.append(f"{tag} {name}")
            if link and (value or "").strip().lower().startswith(("javascript:", "data:")):
                self.found.append(f"{tag} {name}={value}")


def inline(text: str) -> list[str]:
    parser = Inline()
    parser.feed(text)
    return parser.found


@pytest.mark.parametrize("role", ROLES)
def test_a_form_without_its_token_is_refused_whoever_sends_it(
    browsers: dict[str, Browser], there: Sample, role: str
) -> None:
    browser, other = browsers[role], browsers["ADMIN" if role == "OWNER" else "OWNER"]
    other.open("/console/workflows")
    (stolen,) = set(other.root.xpath("//input[@name='csrf']/@value"))
    for path, needed in addresses_of(there).items():
        for token in ("", "guess", stolen):
            answer = browser.send(path, token)
            assert answer.status_code == 403, path
            if RANKS[role] >= RANKS[needed]:
                assert "out of date" in browser.text, path


@pytest.mark.parametrize("role", ROLES)
def test_a_form_that_a_role_may_not_send_is_refused_and_offered_nowhere(
    browsers: dict[str, Browser], there: Sample, role: str
) -> None:
    browser = browsers[role]
    offered: set[str] = set()
    for path in pages(there):
        browser.open(path)
        offered |= browser.actions()
    needed = addresses_of(there)
    beyond = {path for path in needed if RANKS[role] < RANKS[needed[path]]}
    assert offered.isdisjoint(beyond)
    if role != "VIEWER":
        assert f"/console/runs/{there.runs['running']}/cancel" in offered
    browser.open("/console/workflows")
    (token,) = set(browser.root.xpath("//input[@name='csrf']/@value"))
    for path in beyond:
        assert browser.send(path, token).status_code == 403, path
        assert needed[path] in browser.text


def test_a_page_of_another_site_can_send_nothing(owner: Browser, there: Sample) -> None:
    owner.open("/console/workflows")
    (token,) = set(owner.root.xpath("//input[@name='csrf']/@value"))
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        answer = owner.http.post(
            f"/console/runs/{there.runs['running']}/cancel", data={"csrf": token}, headers=headers
        )
        assert answer.status_code == 403
    owner.open(f"/console/runs/{there.runs['running']}")
    assert "Running" in owner.heading()


def test_no_page_has_a_script_or_a_style_of_its_own(owner: Browser, there: Sample) -> None:
    for path in [*pages(there), *editor_pages(there), "/console/runs/nothing"]:
        answer = owner.open(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert inline(answer.text) == [], path


def test_only_airflow_may_show_pages_in_frames(owner: Browser) -> None:
    policy = owner.open("/console/workflows").headers["content-security-policy"]
    (frames,) = re.findall(r"frame-ancestors ([^;]*)", policy)
    assert frames == "'self' http://127.0.0.1:8080 http://localhost:8080"


def test_nothing_that_anybody_has_written_becomes_a_part_of_a_page(
    browsers: dict[str, Browser], there: Sample
) -> None:
    owner = there.people["OWNER"]
    body = {**sample.KYC, "description": HOSTILE, "name": HOSTILE}
    body["steps"] = [{**step, "name": HOSTILE} for step in body["steps"]]
    workflows.update(owner, there.workflow, body, ports())
    sample.say(there, HOSTILE)
    seen = 0
    browser = browsers["OWNER"]
    for path in [
        *pages(there),
        *editor_pages(there),
        f"/console/workflows/{there.workflow}/run",
    ]:
        answer = browser.open(path)
        assert answer.status_code == 200, path
        assert inline(answer.text) == [], path
        assert SCRIPT not in answer.text, path
        assert "49" not in re.findall(r"alert\(1\)(\d+)javascript", answer.text), path
        seen += SCRIPT in browser.root.text_content()
    assert seen > 10
    for query in (f"q={HOSTILE}", f"status={HOSTILE}", f"trigger={HOSTILE}", f"{HOSTILE}=1"):
        answer = browser.open("/console/workflows", params=dict([query.split("=", 1)]))
        assert inline(answer.text) == [], query
        assert SCRIPT not in answer.text


class TestSignIn:
    def test_a_page_leads_to_the_sign_in_and_from_there_back(
        self, app: FastAPI, there: Sample
    ) -> None:
        browser = Browser(app)
        browser.open(f"/console/runs/{there.runs['failed']}")
        assert (browser.path, browser.heading()) == ("/console/sign-in", "Sign in")
        browser.press("/console/sign-in", email=there.emails["VIEWER"], password=PASSWORD)
        assert browser.path == f"/console/runs/{there.runs['failed']}"
        cookie = next(cookie for cookie in browser.http.cookies.jar if cookie.name == COOKIE)
        assert cookie.has_nonstandard_attr("HttpOnly")

    @pytest.mark.parametrize(
        ("referer", "then"),
        [
            ("http://testserver/console/runs?status=FAILED", "/console/runs?status=FAILED"),
            ("http://evil.example/console/runs", "/console/workflows"),
            ("http://[", "/console/workflows"),
            ("", "/console/workflows"),
        ],
    )
    def test_a_form_leads_back_to_the_page_that_it_stood_on(
        self, app: FastAPI, there: Sample, referer: str, then: str
    ) -> None:
        browser = Browser(app)
        browser.post("/console/runs/bulk", data={}, headers={"Referer": referer})
        assert browser.path == "/console/sign-in"
        (kept,) = browser.root.xpath("//input[@name='next']/@value")
        assert kept == then

    def test_a_wrong_password_is_said_and_the_address_stays(
        self, app: FastAPI, there: Sample
    ) -> None:
        browser = Browser(app)
        browser.open("/console/sign-in?next=/console/runs")
        answer = browser.press("/console/sign-in", email="viewer@b.example", password="wrong")
        assert answer.status_code == 401
        assert "The address or the password is wrong." in browser.text
        assert browser.root.get_element_by_id("email").value == "viewer@b.example"
        assert COOKIE not in browser.http.cookies
        for _ in range(5):
            answer = browser.press("/console/sign-in", password="wrong")
        assert answer.status_code == 429
        browser.press("/console/sign-in", password=PASSWORD)
        assert browser.path == "/console/runs"

    def test_the_form_of_another_browser_signs_nobody_in(self, app: FastAPI, there: Sample) -> None:
        mine, other = Browser(app), Browser(app)
        mine.open("/console/sign-in")
        other.open("/console/sign-in")
        (token,) = other.root.xpath("//input[@name='csrf']/@value")
        answer = mine.send(
            "/console/sign-in", token, email=there.emails["OWNER"], password=PASSWORD
        )
        assert (answer.status_code, COOKIE in mine.http.cookies) == (403, False)

    @pytest.mark.parametrize(
        "given",
        [
            "//evil.example",
            "https://evil.example/console",
            "/console//evil.example",
            "/\\evil.example",
            "/console/../docs",
            "/console/..",
            "/console/..?x=1",
            "/console/./../docs",
            "/console/%2e%2e/docs",
            "/console/.%2E/api/forms/x/public",
            "/console/%2e%2E?x",
            "/console/runs/..%2f..%2fdocs",
            "/consolevil",
            "/docs",
            "javascript:alert(1)",
            "/console/\r\nSet-Cookie: a=b",
            "/console/" + "x" * 2000,
            "",
        ],
    )
    def test_it_leads_nowhere_else(self, given: str) -> None:
        assert urls.safe(given) == urls.HOME

    def test_it_leads_to_any_page_of_the_console(self) -> None:
        for path in ("/console", "/console/runs?status=FAILED&cursor=abc_-", "/console/runs/x"):
            assert urls.safe(path) == path

    def test_signing_out_ends_the_session(self, owner: Browser) -> None:
        owner.open("/console/workflows")
        owner.press("/console/sign-out")
        assert owner.path == "/console/sign-in"
        owner.open("/console/workflows")
        assert owner.path == "/console/sign-in"

    def test_an_invitation_sets_a_password_once(self, app: FastAPI, there: Sample) -> None:
        token = sign_ins.invite_by_address(there.workspace, "new@b.example", "MEMBER")
        browser = Browser(app)
        path = f"/console/invitation/{token}"
        browser.open(path)
        browser.press(path, password=PASSWORD, again="another one")
        assert browser.answer.status_code == 400
        browser.press(path, password=PASSWORD, again=PASSWORD)
        assert browser.path == "/console/workflows"
        assert "new@b.example" in browser.text
        again = Browser(app)
        again.open(path)
        assert again.press(path, password=PASSWORD, again=PASSWORD).status_code == 404


def test_the_theme_is_kept_and_its_page_is_shown_again(owner: Browser) -> None:
    owner.open("/console/runs")
    owner.press("/console/theme", theme="dark")
    assert owner.path == "/console/runs"
    assert owner.root.get("data-theme") == "dark"
    assert owner.press("/console/theme", theme="<b>").status_code == 400


def test_a_template_has_no_words_of_its_own() -> None:
    said: dict[str, list[str]] = {}
    for path in (template for folder in TEMPLATES for template in folder.glob("*.html")):
        text = re.sub(r"\{[{%#].*?[}%#]\}", " ", path.read_text(), flags=re.DOTALL)
        text = re.sub(r"<code>./automations[^<]*</code>", " ", text)
        text = re.sub(r"<[^>]*>", " ", text, flags=re.DOTALL)
        # Attributes that are put together apart from their element.
        text = re.sub(r'[\w-]+="[^"]*"| (?:autofocus|required|data-[\w-]+)\b', " ", text)
        text = re.sub(r"&\w+;", " ", text)
        words = re.findall(r"[A-Za-z]{2,}", text)
        if words and path.name not in ("icons.html", "swagger.html", "redoc.html"):
            said[path.name] = words
    assert said == {}


def test_every_text_is_said_somewhere() -> None:
    folder = Path(texts.__file__).parent
    files = [
        *TEMPLATES[1].glob("*.html"),
        Path(shown_values.__file__),
        *folder.rglob("*.html"),
        *folder.rglob("*.py"),
    ]
    written = " ".join(path.read_text() for path in files if not path.name.endswith("texts.py"))
    families = set(re.findall(r'"([a-z_.]+\.)" ~', written)) | set(
        re.findall(r'f"([a-z_.]+\.)\{', written)
    )
    unsaid = [
        key
        for key in texts.keys()  # noqa: SIM118 -- a module
        if f'"{key}"' not in written
        and f"'{key}'" not in written
        and not key.startswith(tuple(families))
    ]
    assert unsaid == []
