"""A form that a page has sent twice, as by a double click: it is done once, and answered twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import func, select

from automations.db.session import reading, unit_of_work
from automations.db.tables import DocumentTemplate, Form, IdempotencyKey, Run
from automations.domain.statuses import RunStatus
from tests.console.conftest import Browser
from tests.console.sample import Sample


def token(browser: Browser, path: str) -> str:
    """The token of a page, with its mark."""
    browser.open(path)
    (found,) = set(browser.root.xpath("//input[@name='csrf']/@value"))
    return str(found)


def send(browser: Browser, path: str, **values: str) -> Any:
    return browser.http.post(path, data=values, follow_redirects=False)


def count(table: Any) -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_the_second_is_answered_with_what_the_first_has_made(owner: Browser) -> None:
    before, csrf = count(Form), token(owner, "/console/forms")
    answers = [send(owner, "/console/forms", csrf=csrf, title="Holidays") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    # What was done is said once more: a browser shows only the last answer.
    assert all("automations_said" in answer.headers["set-cookie"] for answer in answers)
    assert count(Form) == before + 1


def test_what_another_page_sends_or_says_something_else_is_done_too(owner: Browser) -> None:
    before, csrf = count(Form), token(owner, "/console/forms")
    send(owner, "/console/forms", csrf=csrf, title="Holidays")
    send(owner, "/console/forms", csrf=csrf, title="Travels")
    send(owner, "/console/forms", csrf=token(owner, "/console/forms"), title="Holidays")
    assert count(Form) == before + 3


def test_two_at_the_same_time_make_one(owner: Browser, there: Sample) -> None:
    before, csrf = count(Run), token(owner, f"/console/workflows/{there.digest}/run")
    path = f"/console/workflows/{there.digest}/execute"
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: send(owner, path, csrf=csrf, json="{}"), range(2)))
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert count(Run) == before + 1


def test_a_file_is_taken_once_though_its_parts_are_divided_anew(owner: Browser) -> None:
    page = "/console/documents/templates"
    before, csrf = count(DocumentTemplate), token(owner, page)
    file = {"file": ("letter.md", b"Dear {{name}}")}
    bodies = []
    for _ in range(2):
        answer = owner.http.post(
            page, data={"csrf": csrf, "name": "Letter"}, files=file, follow_redirects=False
        )
        assert answer.status_code == 303, answer.text
        bodies.append(answer.request.headers["content-type"])
    assert bodies[0] != bodies[1]
    assert count(DocumentTemplate) == before + 1


def test_a_token_that_is_shown_once_is_shown_to_whoever_has_pressed_twice(owner: Browser) -> None:
    csrf = token(owner, "/console/api-keys")
    values = {"csrf": csrf, "name": "Nightly", "role": "MEMBER"}
    first, second = (send(owner, "/console/api-keys", **values) for _ in range(2))
    assert "sk_" in first.text
    assert second.text == first.text


def test_what_was_refused_is_tried_again(owner: Browser, there: Sample) -> None:
    page = f"/console/runs/{there.runs['running']}"
    csrf = token(owner, page)
    assert send(owner, f"{page}/retry", csrf=csrf).status_code == 409
    with unit_of_work() as session:
        run = session.get_one(Run, there.runs["running"])
        run.status = RunStatus.FAILED
    assert send(owner, f"{page}/retry", csrf=csrf).status_code == 303


def test_what_changes_nothing_is_answered_anew(owner: Browser) -> None:
    csrf, before = token(owner, "/console/workflows"), count(IdempotencyKey)
    for theme in ("dark", "light", "dark"):
        answer = send(owner, "/console/theme", csrf=csrf, theme=theme, next="/console/runs")
        assert f"automations_theme={theme}" in answer.headers["set-cookie"]
    assert count(IdempotencyKey) == before


def test_the_mark_is_no_token(owner: Browser) -> None:
    csrf = token(owner, "/console/forms")
    bare, mark = csrf.split(".")
    assert send(owner, "/console/forms", csrf=f".{mark}", title="A").status_code == 403
    assert send(owner, "/console/forms", csrf=f"{mark}.{bare}", title="A").status_code == 403
    assert send(owner, "/console/forms", csrf=bare, title="A").status_code == 303
