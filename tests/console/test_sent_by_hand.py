"""What no page of the console sends, but somebody may: nothing of it is passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import DataRow, Integration, PipelineConnection
from tests.console.conftest import Browser
from tests.console.sample import Sample


def sent(browser: Browser, page: str, path: str, *pairs: tuple[str, str]) -> Any:
    """Send a form's inputs as they are, with the token of a page."""
    browser.open(page)
    token = str(browser.root.xpath("//input[@name='csrf']/@value")[0])
    return browser.post(
        path,
        content=urlencode([("csrf", token), *pairs]),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        follow_redirects=False,
    )


@pytest.mark.parametrize(
    ("path", "pairs"),
    [
        ("/console/forms", [("title", "A"), ("title", "B")]),
        ("/console/secrets", [("name", "A_KEY"), ("value", "secret"), ("value", "other")]),
        ("/console/matters/new", [("title", "A"), ("board", "x"), ("board", "y")]),
        ("/console/integrations", [("type", "SLACK"), ("type", "WEBHOOK")]),
        ("/console/notifications/read", [("csrf", "another")]),
    ],
)
def test_an_input_that_says_two_things_is_refused(
    owner: Browser, there: Sample, path: str, pairs: Sequence[tuple[str, str]]
) -> None:
    assert sent(owner, "/console/workflows", path, *pairs).status_code == 400
    assert "more than once" in owner.text


@pytest.mark.parametrize("said", ["", "maybe", "YES", "on"])
def test_what_is_neither_on_nor_off_changes_nothing(
    owner: Browser, there: Sample, said: str
) -> None:
    for page in (
        f"/console/integrations/{there.things['integration']}",
        f"/console/pipelines/{there.things['http']}",
    ):
        assert sent(owner, page, f"{page}/enabled", ("enabled", said)).status_code == 400
        assert "must be yes or no" in owner.text
        assert sent(owner, page, f"{page}/enabled").status_code == 400
    with unit_of_work() as session:
        assert session.get_one(Integration, there.things["integration"]).enabled
        assert session.get_one(PipelineConnection, there.things["http"]).enabled


def test_a_box_is_ticked_or_not(owner: Browser, there: Sample) -> None:
    secret = [("name", "REGISTRY_KEY"), ("value", "another secret"), ("replace", "perhaps")]
    assert sent(owner, "/console/secrets", "/console/secrets", *secret).status_code == 400
    assert "must be yes or no" in owner.text


@pytest.mark.parametrize(
    "files",
    [
        [("file", ("a.csv", b"id\n1\n")), ("file", ("b.csv", b"id\n2\n"))],
        [("file", ("a.csv", b"id\n1\n")), ("pasted", (None, "id\n2"))],
        [("file", (None, "id\n1"))],
    ],
)
def test_of_two_files_none_is_left_out(
    owner: Browser, there: Sample, files: Sequence[tuple[str, Any]]
) -> None:
    page = f"/console/tables/{there.things['table']}/import"
    owner.open(page)
    token = str(owner.root.xpath("//input[@name='csrf']/@value")[0])
    answer = owner.post(page, files=[("csrf", (None, token)), *files], follow_redirects=False)
    assert answer.status_code == 400
    owner.open(page)
    assert not owner.root.xpath("//input[@name='seen']")


@pytest.mark.parametrize(
    "said", [{"title": 5}, {"title": ["A"]}, {"title": None}, ["title"], "title"]
)
def test_a_program_sends_texts(
    owner: Browser, there: Sample, said: Mapping[str, Any] | list[str] | str
) -> None:
    answer = owner.http.post(
        "/console/forms", json=said, headers={"Accept": "application/json"}, follow_redirects=False
    )
    assert answer.status_code == 400
    wrong = answer.json()["details"]["fieldErrors"]
    assert list(wrong) == (["title"] if isinstance(said, dict) else ["body"])


def test_rows_that_are_changed_by_hand_keep_several_values(owner: Browser, there: Sample) -> None:
    with unit_of_work() as session:
        before = dict(session.get_one(DataRow, there.rows[0]).data)
    owner.open(f"/console/tables/{there.table}/rows/{there.rows[0]}")
    assert owner.press(owner.path).status_code == 200
    with unit_of_work() as session:
        assert session.get_one(DataRow, there.rows[0]).data == before
