"""Public forms: the page for everybody and the links that people are sent."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from automations.db.session import unit_of_work
from automations.db.tables import RateLimit
from tests.api.conftest import FORM, Api
from tests.api.forms.browsing import Page
from tests.api.forms.forms import sent_form, submissions
from tests.environment import Environment

JSON = {"Accept": "application/json"}
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def form(api: Api) -> str:
    return str(api.call("POST", "/api/forms", {**FORM, "public": True}).json()["id"])


@pytest.fixture
def link(api: Api, form: str) -> str:
    return sent_form(api, form)


def field(kind: str, key: str = "x", **more: Any) -> dict[str, Any]:
    return {"id": key, "key": key, "type": kind, "label": key, **more}


def public(api: Api, *fields: dict[str, Any]) -> Page:
    schema = {"sections": [{"id": "s", "fields": list(fields)}]}
    body = {"title": "x", "public": True, "schema": schema}
    return Page(api.http, f"/api/forms/{api.call('POST', '/api/forms', body).json()['id']}/public")


def send(api: Api, asked: dict[str, Any], typed: str) -> dict[str, Any]:
    """What is kept of a form with one field into which something was typed."""
    page = public(api, asked)
    answer = api.http.post(page.path, data={f"data.{asked['key']}": typed})
    assert answer.status_code == 200, answer.text
    return submissions()[-1]


class TestPublicForm:
    def test_anybody_sees_the_page_and_it_is_private_to_nobody(self, api: Api, form: str) -> None:
        page = api.http.get(f"/api/forms/{form}/public")
        assert page.status_code == 200
        assert 'name="data.email"' in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]

    def test_what_is_filled_in_is_a_submission(self, api: Api, form: str) -> None:
        data = {"data.email": "ada@b.example", "data.age": "41"}
        page = api.http.post(f"/api/forms/{form}/public", data=data)
        assert "Your answers have arrived" in page.text
        assert submissions() == [{"email": "ada@b.example", "age": 41}]

    def test_wrong_values_are_named_and_what_was_typed_is_kept(self, api: Api, form: str) -> None:
        data = {"data.email": "nobody", "data.age": "41"}
        page = api.http.post(f"/api/forms/{form}/public", data=data)
        assert page.status_code == 400
        assert "must be an e-mail address" in page.text
        assert 'value="nobody"' in page.text
        assert 'aria-invalid="true"' in page.text
        assert submissions() == []

    def test_a_browser_helps_with_what_it_knows_and_its_values_fit(self, api: Api) -> None:
        typed = {
            "time": "09:30",
            "date": "2026-03-01",
            "phone": "+48 1",
            "url": "https://a.example",
        }
        fields = [{"id": kind, "key": kind, "type": kind} for kind in typed]
        body = {
            "title": "x",
            "public": True,
            "schema": {"sections": [{"id": "s", "fields": fields}]},
        }
        path = f"/api/forms/{api.call('POST', '/api/forms', body).json()['id']}/public"
        page = api.http.get(path).text
        for kind in ("time", "date", "tel", "url"):
            assert f'type="{kind}"' in page
        answer = api.http.post(path, data={f"data.{kind}": text for kind, text in typed.items()})
        assert answer.status_code == 200
        assert submissions() == [typed]

    def test_one_of_some_is_a_radio_and_some_of_them_are_boxes(self, api: Api) -> None:
        options = [{"value": "a", "label": "Aye"}, {"value": "b", "label": "Bee"}]
        must = {"validation": {"required": True}}
        page = public(
            api,
            field("radio", "one", options=options, **must),
            field("checkbox", "some", options=options, help="As many as you like."),
            field("radio", "maybe", options=options),
            field("select", "listed", options=options),
        )
        assert page.legends() == ["one *", "some", "maybe"]
        kinds = page.root.xpath("//form//input[@name='data.one']/@type")
        assert (kinds, page.root.xpath("//form//input[@name='data.some']/@type")) == (
            ["radio"] * 2,
            ["checkbox"] * 2,
        )
        assert page.root.xpath("//input[@name='data.maybe' and @checked]/@value") == [""]
        page.press("Send")
        (group,) = page.root.xpath("//fieldset[@id='s0f0']")
        (said,) = group.get("aria-describedby").split()
        assert page.root.get_element_by_id(said).text_content() == "is required"
        data = {"data.one": "b", "data.some": ["a", "b"], "data.maybe": ""}
        assert api.http.post(page.path, data=data).status_code == 200
        assert submissions()[-1] == {"one": "b", "some": ["a", "b"]}

    def test_a_page_that_is_loaded_again_sends_nothing_again(self, api: Api, form: str) -> None:
        data = {"data.email": "ada@b.example"}
        path = f"/api/forms/{form}/public"
        answer = api.http.post(path, data=data, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "public/sent")
        for _ in range(2):
            assert "arrived" in api.http.get(f"{path}/sent").text
        assert len(submissions()) == 1

    def test_a_button_that_is_pressed_twice_sends_once(self, api: Api, form: str) -> None:
        page = Page(api.http, f"/api/forms/{form}/public")
        mark = page.form.form_values()[0]
        first = dict([mark, ("data.email", "ada@b.example")])
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: api.http.post(page.path, data=first), range(3)))
        assert ["arrived" in answer.text for answer in answers] == [True] * 3
        assert submissions() == [{"email": "ada@b.example"}]
        # Whoever goes back to the page has something else to say, or the next one has it.
        api.http.post(page.path, data={**first, "data.email": "bob@b.example"})
        again = Page(api.http, page.path)
        again.type(email="ada@b.example")
        again.press("Send")
        assert len(submissions()) == 3

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("9007199254740993", 9007199254740993),
            ("0.1", 0.1),
            (" 5.0 ", 5),
            ("9" * 30, int("9" * 30)),
        ],
    )
    def test_a_number_is_kept_as_it_was_typed(self, api: Api, typed: str, kept: float) -> None:
        assert send(api, field("number"), typed) == {"x": kept}

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("1_000", "must be a number"),
            ("1,5", "must be a number"),
            ("0.1234567890123456789", "more digits than can be kept"),
            ("1e999", "more digits than can be kept"),
        ],
    )
    def test_a_number_that_cannot_be_kept_is_refused(self, api: Api, typed: str, said: str) -> None:
        page = public(api, field("number"))
        page.type(x=typed)
        page.press("Send")
        assert (page.status, submissions()) == (400, [])
        assert said in page.wrong("x")
        assert page.input("x").value == typed

    def test_a_line_break_is_one_letter(self, api: Api) -> None:
        limited = field("textarea", validation={"maxLength": 3})
        assert send(api, limited, "a\r\nb") == {"x": "a\nb"}

    @pytest.mark.parametrize(
        ("answer", "kept"),
        [("yes", {"x": True}), ("no", {"x": False}), ("false", {"x": False}), ("", {})],
    )
    def test_a_question_that_was_not_answered_is_absent(
        self, api: Api, answer: str, kept: dict[str, Any]
    ) -> None:
        assert send(api, field("yesno"), answer) == kept

    def test_a_date_and_time_is_of_the_time_zone_that_is_said(self, api: Api) -> None:
        page = public(api, field("datetime", timezone="Europe/Warsaw"), field("email", "mail"))
        assert page.input("x").get("type") == "datetime-local"
        assert page.wrong("x") == "Time zone: Europe/Warsaw"
        page.type(x="2026-07-01T09:30", mail="nobody")
        page.press("Send")
        assert (page.status, page.input("x").value) == (400, "2026-07-01T09:30")
        page.type(mail="ada@b.example")
        page.press("Send")
        assert submissions() == [{"x": "2026-07-01T09:30:00+02:00", "mail": "ada@b.example"}]
        assert send(api, field("datetime"), "2026-07-01T09:30") == {"x": "2026-07-01T09:30:00Z"}

    def test_a_form_in_another_charset_is_read_in_it(self, api: Api) -> None:
        path = public(api, field("text")).path
        kind = "application/x-www-form-urlencoded"
        headers = {"Content-Type": f"{kind}; charset=windows-1252"}
        assert api.http.post(path, content=b"data.x=Jos%E9", headers=headers).status_code == 200
        assert submissions() == [{"x": "José"}]
        refused = api.http.post(path, content=b"data.x=Jos%E9", headers={"Content-Type": kind})
        assert refused.status_code == 400
        assert "is not UTF-8" in refused.text
        assert len(submissions()) == 1

    def test_a_date_and_time_keeps_its_decimals_and_has_an_offset_however_it_was_typed(
        self, api: Api
    ) -> None:
        asked = field("datetime", timezone="Europe/Warsaw")
        for typed, kept in {
            "2026-07-01T09:30:15.123456789": "2026-07-01T09:30:15.123456789+02:00",
            "2026-07-01 09:30": "2026-07-01T09:30:00+02:00",
            "2026-01-01": "2026-01-01T00:00:00+01:00",
            "2026-07-01T09:30Z": "2026-07-01T09:30Z",
        }.items():
            assert send(api, asked, typed) == {"x": kept}

    def test_a_date_and_time_that_is_shown_again_keeps_its_decimals(self, api: Api) -> None:
        page = public(api, field("datetime"), field("email", "mail"))
        page.type(x="2026-07-01T09:30:00.5", mail="nobody")
        page.press("Send")
        assert page.input("x").value.startswith("2026-07-01T09:30:00.5")

    @pytest.mark.parametrize("typed", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_a_date_that_no_other_time_zone_has_is_shown_again_as_it_was_typed(
        self, api: Api, typed: str
    ) -> None:
        page = public(api, field("datetime", timezone="Europe/Warsaw"), field("email", "mail"))
        page.type(x=typed, mail="nobody")
        page.press("Send")
        assert (page.status, page.input("x").value) == (400, typed)

    @pytest.mark.parametrize(
        ("content", "named"),
        [
            ("data.x=a&data.x=b", "data.x"),
            ("data.n=1&data.n=2", "data.n"),
            ("x=a", "x"),
            ("data.y=a&data.x=b", "data.y"),
            ("data.f=letter.pdf", "data.f"),
        ],
    )
    def test_nothing_that_a_form_sends_is_passed_over(
        self, api: Api, content: str, named: str
    ) -> None:
        path = public(api, field("text"), field("number", "n"), field("file", "f")).path
        headers = {"Content-Type": "application/x-www-form-urlencoded", **JSON}
        answer = api.http.post(path, content=content, headers=headers)
        assert list(answer.json()["details"]["fieldErrors"]) == [named]
        assert submissions() == []
        page = api.http.post(path, content=content, headers={**headers, "Accept": "text/html"})
        assert (page.status_code, submissions()) == (400, [])

    def test_a_file_where_a_text_is_asked_for_is_refused(self, api: Api) -> None:
        path = public(api, field("text")).path
        answer = api.http.post(path, files={"data.x": ("a.txt", b"a")}, headers=JSON)
        assert answer.json()["details"]["fieldErrors"] == {"data.x": ["takes no file"]}

    def test_items_beyond_those_that_the_page_has_counted_arrive(self, api: Api) -> None:
        section = {"id": "r", "repeatable": True, "fields": [field("number", "n")]}
        body = {"title": "x", "public": True, "schema": {"sections": [section]}}
        path = f"/api/forms/{api.call('POST', '/api/forms', body).json()['id']}/public"
        sent = {"items.section_r_items": "1", "data.section_r_items.1.n": "5"}
        assert api.http.post(path, data=sent).status_code == 200
        assert submissions() == [{"section_r_items": [{}, {"n": 5}]}]
        answer = api.http.post(path, data={"data.section_r_items.70000.n": "5"}, headers=JSON)
        assert list(answer.json()["details"]["fieldErrors"]) == ["data.section_r_items"]

    def test_a_program_may_send_json(self, api: Api, form: str) -> None:
        path = f"/api/forms/{form}/public"
        answer = api.http.post(path, json={"data": {"email": "ada@b.example"}})
        assert answer.status_code == 201
        assert set(answer.json()) == {"submissionId"}
        assert api.http.post(path, json=["no"]).json()["code"] == "VALIDATION_ERROR"
        more = api.http.post(path, json={"data": {"email": "ada@b.example"}, "more": 1})
        assert more.json()["details"]["fieldErrors"] == {"more": ["unknown field"]}

    def test_a_form_that_is_not_public_is_unknown(self, api: Api) -> None:
        form = api.form()
        assert api.http.get(f"/api/forms/{form}/public", headers=JSON).status_code == 404
        assert api.http.post(f"/api/forms/{form}/public", json={"data": {}}).status_code == 404

    @pytest.mark.parametrize(
        "key", ["two\nlines", "two\r\nlines", 'say "x"', "100%", "a.b[0]", "Straße 1&2=3", "%22"]
    )
    def test_a_field_of_any_name_is_sent_as_browsers_do(self, api: Api, key: str) -> None:
        path = public(api, field("text", key), field("file", "f")).path
        name = f"data.{key}".replace("\r\n", "\n").replace("\n", "\r\n")
        typed = urlencode({name: "a"})
        assert api.http.post(path, content=typed, headers=FORM_TYPE).status_code == 200
        quoted = name.replace("\r\n", "%0D%0A").replace('"', "%22")
        part = f'--x\r\nContent-Disposition: form-data; name="{quoted}"\r\n\r\nb\r\n--x--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        assert api.http.post(path, content=part.encode(), headers=headers).status_code == 200
        assert submissions() == [{key: "a"}, {key: "b"}]

    def test_options_of_several_lines_and_lists_without_any_are_kept(self, api: Api) -> None:
        options = [{"label": "One", "value": "a\r\nb"}, {"label": "Two", "value": "c"}]
        path = public(
            api,
            field("select", options=options),
            field("multiselect", "m", options=options),
            field("checkbox", "l"),
            field("table_fill", "t"),
        ).path
        rows = [{"n": 9007199254740993}]
        sent = [("data.x", "a\r\nb"), ("data.m", "a\r\nb"), ("data.m", "c"), ("data.l", "p\r\nq")]
        sent.append(("data.t", json.dumps(rows)))
        answer = api.http.post(path, content=urlencode(sent), headers=FORM_TYPE)
        assert answer.status_code == 200, answer.text
        assert submissions() == [{"x": "a\r\nb", "m": ["a\r\nb", "c"], "l": ["p", "q"], "t": rows}]

    def test_another_kind_of_body_is_refused(self, api: Api, form: str) -> None:
        answer = api.http.post(
            f"/api/forms/{form}/public", content=b"x", headers={"Content-Type": "text/csv"}
        )
        assert answer.status_code == 415

    def test_one_address_may_not_send_without_end(self, api: Api, form: str) -> None:
        path = f"/api/forms/{form}/public"
        api.http.get(path)
        with unit_of_work() as session:
            session.execute(update(RateLimit).values(hits=1000))
        limited = api.http.post(path, json={"data": {"email": "ada@b.example"}})
        assert limited.status_code == 429
        assert int(limited.headers["retry-after"]) > 0

    def test_a_form_takes_so_many_bytes_a_day(self, api: Api, environment: Environment) -> None:
        environment.set(AUTOMATIONS_SUBMISSIONS_DAILY="10000")
        page, other = public(api, field("text")), public(api, field("text"))
        sent = {"data.x": "a" * 600}
        answers = [api.http.post(page.path, data=sent, headers=JSON) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 413]
        assert "today" in answers[1].json()["error"]
        assert len(submissions()) == 1
        assert api.http.post(other.path, data=sent, headers=JSON).status_code == 201
        body = {"formId": page.path.split("/")[3], "data": {"x": "a" * 600}}
        assert api.call("POST", "/api/submissions", body).status_code == 201

    def test_many_may_fill_it_in_at_once(self, api: Api, form: str) -> None:
        path = f"/api/forms/{form}/public"
        api.http.get(path)
        with unit_of_work() as session:
            of_form = RateLimit.key.startswith("form:token:")
            session.execute(update(RateLimit).where(of_form).values(hits=2_000))
        sent = api.http.post(path, json={"data": {"email": "ada@b.example"}})
        assert sent.status_code == 201


class TestSentForm:
    def test_the_page_shows_the_message_and_the_values_known(self, api: Api, link: str) -> None:
        page = api.http.get(link).text
        assert "&lt;b&gt;Please&lt;/b&gt;" in page
        assert 'value="known@b.example"' in page
        assert submissions() == []

    def test_it_is_filled_in_once(self, api: Api, link: str) -> None:
        data = {"data.email": "ada@b.example"}
        page = api.http.post(link, data=data)
        assert (page.status_code, page.url.path) == (200, f"{link}/sent")
        assert api.http.post(link, data=data).status_code == 410
        assert api.http.get(link, headers=JSON).json()["code"] == "GONE"
        assert len(submissions()) == 1

    def test_what_is_known_is_sent_back_as_it_was(self, api: Api) -> None:
        known = {
            "line": "one\ntwo",
            "flag": True,
            "number": 12,
            "choice": 5,
            "list": ["a", "b, c"],
            "table": [{"a": None}],
            "sure": "yes",
            "at": "2026-07-01T07:30:15.123456789Z",
        }
        fields = [
            field("text", "line"),
            field("text", "flag"),
            field("text", "number"),
            field("select", "choice", options=[{"label": "Five", "value": "5"}]),
            field("multiselect", "list"),
            field("table_fill", "table"),
            field("yesno", "sure"),
            field("datetime", "at", timezone="Europe/Warsaw"),
        ]
        body = {"title": "x", "schema": {"sections": [{"id": "s", "fields": fields}]}}
        page = Page(
            api.http, sent_form(api, api.call("POST", "/api/forms", body).json()["id"], known)
        )
        page.press("Send")
        assert submissions() == [
            {
                **known,
                "flag": "true",
                "number": "12",
                "choice": "5",
                "sure": True,
                "at": "2026-07-01T09:30:15.123456789+02:00",
            }
        ]

    def test_an_unknown_link_says_so(self, api: Api) -> None:
        assert api.http.get("/api/forms/requests/nonsense").status_code == 404
