"""Whatever the forms of the console's pages are sent, it is taken or refused in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.console.conftest import Browser
from tests.console.sample import Sample, editor_pages, pages
from tests.hostile.turns import turns
from tests.hostile.values import TEXTS

LEFT_ALONE = ("/sign-out", "/theme", "/delete", "/remove", "/revoke", "/check", "/test", "/cancel")
"""What ends or asks others than the database: the forms behind it would be there no more."""
TYPED = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [
        *("9" * 5_000, "-1", "1e999", "0.12345678901234567890", "NaN", "٣", "²", "1_000", " 7 "),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "2026-02-30"),
        *("{{ 1", "{{input.a}}", "{% for %}", "[" * 3_000, '{"a": 1}', "[[1]]", "a: [", "&a *a"),
        *("P1D", "PT1e9S", "P99999999999D", "* * * * *", "0 0 31 2 *", "UTC", "Mars/Olympus"),
        *("a@b.example", "http://[x", "https://xn--a/", "//x", "\0", "\ufeff", "\u202e", "a\nb"),
        *("x" * 70_000, "on", "true", "add", "up.0", "at=step.x", "step", "../..", "%00"),
    ]
)


UNKEPT = {"a NUL": "a\0b", "half a pair": "a\ud800"}
"""What nothing can keep."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A form of a page, with what it would send by itself."""

    action: str
    inputs: tuple[tuple[str, str], ...]

    def with_others(self, data: st.DataObject) -> bytes:
        """Some of what it would send, some of it something else, and some of it twice."""
        sent: list[tuple[str, str]] = []
        for name, value in self.inputs:
            if name == "csrf":
                sent.append((name, value))
                continue
            match data.draw(st.integers(0, 5)):
                case 0 | 1:
                    sent.append((name, data.draw(TYPED)))
                case 2:
                    sent += [(name, value), (name, data.draw(TYPED))]
                case 3 if data.draw(st.booleans()):
                    sent.append((name + data.draw(TYPED), value))
                case _:
                    sent.append((name, value))
        return urlencode(sent).encode()

    def with_one(self, place: int, value: str) -> bytes:
        """What it would send by itself, but for one of its inputs."""
        sent = list(self.inputs)
        sent[place] = (sent[place][0], value)
        return urlencode(sent, errors="surrogatepass").encode()


@pytest.fixture
def offered(owner: Browser, there: Sample) -> list[Offered]:
    """The forms of all pages, each once."""
    found: dict[Offered, None] = {}
    for path in [*pages(there), *editor_pages(there)]:
        owner.open(path)
        for form in owner.root.forms:
            action = form.action or owner.path
            if form.method != "POST" or action.endswith(LEFT_ALONE):
                continue
            # Of a button the value is sent when it is pressed.
            buttons = [
                (button.get("name"), button.get("value") or "")
                for button in form.iter("button")
                if button.get("name")
            ]
            values: list[Any] = [*form.form_values(), *buttons[:1]]
            inputs = tuple((name, value or "") for name, value in values)
            found[Offered(action, inputs)] = None
    return list(found)


@pytest.mark.slow
def test_each_input_of_each_form_is_sent_what_it_is_not_for(
    owner: Browser, offered: list[Offered]
) -> None:
    values, tried = turns({**TEXTS, **UNKEPT}, 2), set[str]()
    for form in offered:
        for place, (name, _) in enumerate(form.inputs):
            # Lines of a list are alike, and so is what the pages of several things have.
            kind = re.sub(r"c[0-9a-z]{24}|_[0-9a-z]{6}\b|[0-9]+", "", f"{form.action} {name}")
            is_new = name != "csrf" and kind not in tried
            tried.add(kind)
            for what, value in next(values) if is_new else ():
                answer = owner.http.post(
                    form.action,
                    content=form.with_one(place, value),
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    follow_redirects=False,
                )
                told = (form.action, name, what, answer.text[:300])
                assert answer.status_code < 500, told
                assert what not in UNKEPT or answer.status_code >= 400, told


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_form_of_a_page_is_a_failure_of_ours(
    owner: Browser, offered: list[Offered], data: st.DataObject
) -> None:
    form = data.draw(st.sampled_from(offered))
    body = form.with_others(data)
    answer = owner.http.post(
        form.action,
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        follow_redirects=False,
    )
    assert answer.status_code < 500, (form.action, body[:2_000], answer.text[:500])


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_address_of_a_page_is_a_failure_of_ours(
    owner: Browser, there: Sample, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from([*pages(there), *editor_pages(there)])).partition("?")[0]
    asked = {
        name: data.draw(TYPED.filter(lambda typed: len(typed) < 6_000))
        for name in data.draw(
            st.lists(
                st.sampled_from(
                    [
                        *("q", "status", "trigger", "since", "cursor", "page", "limit", "at"),
                        *("workflow", "sort", "column", "form", "table", "from", "to", "view"),
                        *("period", "selected", "open", "type", "category", "kind", "source"),
                    ]
                ),
                max_size=3,
                unique=True,
            )
        )
    }
    answer = owner.http.get(path, params=asked)
    assert answer.status_code < 500, (path, asked, answer.text[:500])
