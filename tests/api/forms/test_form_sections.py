"""Public forms in sections: what is only shown, and what is filled in several times."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from starlette.datastructures import FormData

from api_bridge.public_pages import form_inputs
from automations.db.session import unit_of_work
from automations.db.tables import Wait
from tests.api.conftest import Api
from tests.api.forms.browsing import Page
from tests.api.forms.forms import REQUIRED, field, public, submissions
from tests.api.waits.approvals import ask
from tests.growth import growth

PEOPLE: dict[str, Any] = {
    "id": "people",
    "title": "Person",
    "repeatable": True,
    "fields": [
        field("heading", "Who comes"),
        field("text", "Name", validation=REQUIRED),
        field("email", "Mail"),
        field("yesno", "Vegan"),
    ],
}
TITLE = {"id": "t", "fields": [field("text", "Title", validation=REQUIRED)]}


def bounded(**config: int) -> dict[str, Any]:
    return {**PEOPLE, "repeatableConfig": config}


class TestDisplay:
    def test_headings_paragraphs_and_dividers_are_shown_and_take_nothing(self, api: Api) -> None:
        fields = [
            field("heading", "About <you>"),
            field("paragraph", "Two\nlines"),
            field("divider", "Line"),
            field("text", "Name"),
        ]
        page = public(api, {"id": "s", "title": "First part", "fields": fields})
        assert [heading.text_content() for heading in page.form.iter("h2")] == ["About <you>"]
        assert "Two\nlines" in [paragraph.text_content() for paragraph in page.form.iter("p")]
        assert len(list(page.form.iter("hr"))) == 1
        assert "Line" not in page.form.text_content()
        assert page.legends() == ["First part"]
        page.type(Name="Ada")
        page.press("Send")
        assert submissions() == [{"name": "Ada"}]

    def test_an_approval_shows_them_too(self, api: Api) -> None:
        form = {"sections": [{"id": "s", "fields": [field("heading", "Please check")]}]}
        page = Page(api.http, ask(api, form).path)
        assert [heading.text_content() for heading in page.form.iter("h2")] == ["Please check"]


class TestItems:
    def test_items_are_added_filled_in_and_sent(self, api: Api) -> None:
        page = public(api, TITLE, PEOPLE)
        assert page.buttons() == ["Add another Person", "Send"]
        page.type(Title="Sea")
        page.press("Add another Person")
        page.type(Name="Ada", Mail="ada@b.example")
        page.press("Add another Person")
        assert (page.status, submissions()) == (200, [])
        page.input("Name", 1).value = "Bo"
        page.input("Vegan", 1).value = "yes"
        page.press("Send")
        assert page.status == 200
        first = {"name": "Ada", "mail": "ada@b.example"}
        assert submissions() == [
            {"title": "Sea", "section_people_items": [first, {"name": "Bo", "vegan": True}]}
        ]

    def test_removing_one_keeps_what_was_typed_into_the_others(self, api: Api) -> None:
        page = public(api, TITLE, bounded(minItems=3))
        page.type(Title="Sea")
        page.press("Add another Person")
        for number, name in enumerate(("Ada", "Bo", "Cy", "Di")):
            page.input("Name", number).value = name
        page.input("Vegan", 2).value = "no"
        page.press("Remove Person 2")
        assert page.input("Title").value == "Sea"
        assert [page.input("Name", number).value for number in range(3)] == ["Ada", "Cy", "Di"]
        assert [page.input("Vegan", number).value for number in range(3)] == ["", "no", ""]
        assert submissions() == []

    def test_the_page_begins_with_the_fewest_and_ends_with_the_most(self, api: Api) -> None:
        page = public(api, bounded(minItems=1, maxItems=2))
        assert page.legends() == ["Person", "Person 1"]
        assert page.buttons() == ["Add another Person", "Send"]
        page.press("Add another Person")
        assert page.buttons() == ["Remove Person 1", "Remove Person 2", "Send"]

    def test_a_wrong_value_is_named_at_its_own_item(self, api: Api) -> None:
        page = public(api, bounded(minItems=2))
        page.input("Name", 0).value = "Ada"
        page.input("Mail", 1).value = "nobody"
        page.press("Send")
        assert (page.status, submissions()) == (400, [])
        assert [page.wrong("Name", number) for number in (0, 1)] == ["", "is required"]
        assert [page.wrong("Mail", number) for number in (0, 1)] == [
            "",
            "must be an e-mail address",
        ]
        assert page.input("Mail", 1).value == "nobody"

    def test_enter_in_an_input_sends_and_removes_nothing(self, api: Api) -> None:
        page = public(api, bounded(minItems=0))
        page.press("Add another Person")
        page.type(Name="Ada")
        page.enter()
        assert submissions() == [{"section_people_items": [{"name": "Ada"}]}]

    def test_a_new_item_is_where_the_keyboard_is(self, api: Api) -> None:
        page = public(api, TITLE, PEOPLE)
        page.press("Add another Person")
        page.press("Add another Person")
        assert page.form.xpath("//*[@autofocus]") == [page.input("Name", 1)]
        page.press("Remove Person 1")
        (button,) = page.form.xpath("//*[@autofocus]")
        assert button.text_content() == "Add another Person"

    def test_every_input_has_a_label_and_an_id_of_its_own(self, api: Api) -> None:
        page = public(api, TITLE, bounded(minItems=2), {**PEOPLE, "id": "other"})
        ids = page.form.xpath("//@id")
        assert len(ids) == len(set(ids)) == 7
        assert set(page.form.xpath("//label/@for")) == set(ids)

    def test_the_page_has_no_script_and_the_policy_allows_none(self, api: Api) -> None:
        page = public(api, PEOPLE)
        assert "<script" not in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src")

    def test_what_is_typed_into_an_item_cannot_put_markup_into_the_page(self, api: Api) -> None:
        page = public(api, bounded(minItems=1))
        page.type(Name='"><b id="x">')
        page.press("Add another Person")
        assert page.form.xpath("//b") == []
        assert page.input("Name", 0).value == '"><b id="x">'

    @pytest.mark.parametrize("pressed", ["nobody", "section_people_items.9", ""])
    def test_a_button_that_the_page_did_not_have_sends_nothing(
        self, api: Api, pressed: str
    ) -> None:
        page = public(api, TITLE, PEOPLE)
        for name in ("add", "remove"):
            answer = api.http.post(page.path, data={"data.title": "Sea", name: pressed})
            assert answer.status_code == 200
            assert 'value="Sea"' in answer.text
        assert submissions() == []

    @pytest.mark.parametrize("number", ["-1", "x", "9" * 5_000])
    def test_a_number_of_items_that_no_page_has_makes_none(self, api: Api, number: str) -> None:
        page = public(api, PEOPLE)
        sent = {"items.section_people_items": number, "add": "section_people_items"}
        answer = api.http.post(page.path, data=sent)
        assert answer.status_code in (200, 400)
        assert answer.text.count("<legend>") <= 2

    def test_an_approval_takes_items_and_decides_only_by_its_buttons(self, api: Api) -> None:
        asked = ask(api, {"sections": [PEOPLE]})
        page = Page(api.http, asked.path)
        page.press("Add another Person")
        page.press("Approve")
        assert page.wrong("Name") == "is required"
        assert asked.status() == "PAUSED"
        page.enter()
        assert asked.status() == "PAUSED"
        page.type(Name="Ada")
        page.press("Approve")
        assert asked.status() == "RUNNING"
        with unit_of_work() as session:
            data = session.scalars(select(Wait.data)).one()
        assert data == {"section_people_items": [{"name": "Ada"}]}


class TestBounds:
    @pytest.mark.parametrize(
        ("items", "said"),
        [(0, "must have at least 2 items"), (4, "must have at most 3 items")],
    )
    def test_programs_are_held_to_them(self, api: Api, items: int, said: str) -> None:
        page = public(api, bounded(minItems=2, maxItems=3))
        data = {"section_people_items": [{"name": "Ada"}] * items}
        answer = api.http.post(page.path, json={"data": data})
        errors = answer.json()["details"]["fieldErrors"]
        assert errors == {"data.section_people_items": [said]}

    def test_a_page_has_so_many_options_in_all_items(self, api: Api) -> None:
        options = [{"label": str(n), "value": str(n)} for n in range(500)]
        country = field("select", "Country", options=options)
        page = public(api, {"id": "trips", "repeatable": True, "fields": [country]})
        sent = {"items.section_trips_items": "101", "add": "section_trips_items"}
        answer = api.http.post(page.path, data=sent)
        assert (answer.status_code, "at most 100 items" in answer.text) == (400, True)
        data = {"data": {"section_trips_items": [{"country": "7"}] * 200}}
        assert api.http.post(page.path, json=data).status_code == 201

    def test_what_no_field_has_sent_is_looked_at_once(self) -> None:
        fields = [field("text", f"F{number}") for number in range(5)]
        schema = {"sections": [{"id": "r", "repeatable": True, "fields": fields}]}

        def sent(others: int) -> None:
            more = ((f"x{number % 9}", "") for number in range(others))
            form = FormData([("items.section_r_items", "500"), *more])
            assert len(form_inputs.read(schema, form).data["section_r_items"]) == 500

        assert growth(sent, 100, 9_900) < 5

    @pytest.mark.parametrize("config", [{"minItems": 2, "maxItems": 1}, {"minItems": -1}])
    def test_bounds_that_nothing_fits_are_refused(self, api: Api, config: dict[str, int]) -> None:
        body = {"title": "Trip", "schema": {"sections": [bounded(**config)]}}
        assert api.call("POST", "/api/forms", body).json()["code"] == "VALIDATION_ERROR"
