"""Forms, as a browser without scripts has them: designed, published, filled in, decided."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from api_bridge.console.views import form_parts
from automations.db.session import unit_of_work
from automations.db.tables import Event, Form, Run, Submission
from automations.domain.forms.schema import FieldType, FormSchema
from automations.services.forms import edits, forms, submissions
from automations.services.runs import by_hand
from tests.console.conftest import Browser
from tests.console.sample import Sample


class Designing:
    """A browser that has a form open in the designer."""

    def __init__(self, browser: Browser, form: str) -> None:
        self.browser, self.form, self.page = browser, form, f"/console/forms/{form}/edit"
        self.open()

    def open(self, at: str = "") -> Any:
        return self.browser.open(f"{self.page}?at={at}" if at else self.page)

    def do(self, doing: str, **typed: str) -> Any:
        return self.browser.press(self.page, typed=typed, do=doing)

    def fields(self) -> list[str]:
        """The fields as they are drawn, by their labels."""
        return self.texts("//button[@data-step]//strong")

    def texts(self, path: str) -> list[str]:
        return [" ".join(one.text_content().split()) for one in self.browser.root.xpath(path)]

    def about(self, name: str) -> str:
        return " ".join(self.browser.root.get_element_by_id(f"about-{name}").text_content().split())

    def value(self, name: str) -> str:
        return str(self.browser.root.get_element_by_id(name).value)


def designed(owner: Browser, title: str = "Booking") -> Designing:
    owner.open("/console/forms")
    owner.press("/console/forms", 1, title=title)
    return Designing(owner, owner.path.split("/")[3])


def schema_of(there: Sample, form: str) -> Any:
    return forms.get(there.workspace, form).schema


def unmarked(page: str) -> str:
    """A public page without the mark that each one has of its own."""
    return re.sub(r'name="page" value="[^"]+"', "", page)


class TestList:
    def test_it_says_what_is_published_and_how_much_was_filled_in(
        self, owner: Browser, there: Sample
    ) -> None:
        owner.open("/console/forms")
        rows = {
            row.xpath(".//a")[0].text_content(): " ".join(row.text_content().split())
            for row in owner.root.xpath("//tbody/tr")
        }
        assert list(rows) == ["Client questionnaire", "Signup"]
        assert "Published 1" in rows["Client questionnaire"]
        assert "Not published 1 1 to decide" in rows["Signup"]
        (link,) = owner.root.xpath("//tbody//a[@target='_blank']/@href")
        assert link.endswith(f"/api/forms/{there.questionnaire}/public")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=QUESTION", ["Client questionnaire"]),
            ("q=%25", []),
            ("state=private", ["Signup"]),
            ("state=public&q=sign", []),
        ],
    )
    def test_it_is_searched(self, owner: Browser, query: str, found: list[str]) -> None:
        owner.open(f"/console/forms?{query}")
        assert [link.text for link in owner.root.xpath("//tbody//a[@class='strong']")] == found

    def test_it_has_pages(self, owner: Browser, there: Sample) -> None:
        with unit_of_work() as session:
            session.add_all(
                Form(workspace_id=there.workspace, title=f"Form {number}", schema={"sections": []})
                for number in range(30)
            )
        owner.open("/console/forms")
        seen = [link.text for link in owner.root.xpath("//tbody//a[@class='strong']")]
        owner.open(owner.root.xpath("//a[@rel='next']/@href")[0])
        seen += [link.text for link in owner.root.xpath("//tbody//a[@class='strong']")]
        assert (len(seen), len(set(seen))) == (32, 32)

    def test_a_form_without_a_title_is_refused_where_it_is_typed(self, owner: Browser) -> None:
        owner.open("/console/forms")
        assert owner.press("/console/forms", 1, title=" ").status_code == 400
        assert owner.root.get_element_by_id("title").get("aria-invalid") == "true"
        assert owner.open("/console/forms?state=other").status_code == 400

    def test_a_viewer_is_offered_nothing_to_change(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        for path in ("/console/forms", f"/console/forms/{there.questionnaire}"):
            browsers["VIEWER"].open(path)
            assert browsers["VIEWER"].actions() == set()
            assert not browsers["VIEWER"].root.xpath("//a[contains(@href, '/edit')]")
        assert browsers["VIEWER"].open(f"{path}/edit").status_code == 403


class TestDesigner:
    def test_a_form_of_every_type_of_fields_is_designed_published_and_shown(
        self, owner: Browser, there: Sample
    ) -> None:
        designing = designed(owner)
        kinds = [kind for group in form_parts.GROUPS.values() for kind in group]
        assert sorted(kinds) == sorted(get_args(FieldType))
        for number, kind in enumerate(kinds):
            designing.open(f"add.0.{number}")
            designing.do(f"new:{kind}")
        assert len(designing.fields()) == len(kinds)
        designing.do("publish:")
        assert owner.path == f"/console/forms/{designing.form}"
        assert "Published: whoever" in owner.text
        fields = schema_of(there, designing.form)["sections"][0]["fields"]
        assert [field["type"] for field in fields] == kinds
        assert len({field["key"] for field in fields}) == len(kinds)
        public = owner.http.get(f"/api/forms/{designing.form}/public")
        assert public.status_code == 200
        preview = owner.open(f"/console/forms/{designing.form}/preview")
        assert unmarked(preview.text) == unmarked(public.text)

    def test_what_is_typed_of_a_field_is_kept_and_has_no_effect_before_it_is_saved(
        self, owner: Browser, there: Sample
    ) -> None:
        designing = Designing(owner, there.questionnaire)
        designing.open("part.0.1")
        designing.do(
            "keep:", label="Company", help="In full.", minLength="2", maxLength="", required=""
        )
        assert (designing.value("label"), designing.value("minLength")) == ("Company", "2")
        field = {"id": "2", "key": "name", "type": "text", "label": "Company", "help": "In full."}
        edit = edits.get(there.people["OWNER"], there.questionnaire)
        draft = edit.draft["schema"]["sections"][0]["fields"][1]
        assert draft == {**field, "validation": {"required": True, "minLength": 2}}
        assert schema_of(there, there.questionnaire)["sections"][0]["fields"][1]["label"] == "Name"
        designing.do("save:")
        assert "Saved as a new version." in owner.text
        saved = schema_of(there, there.questionnaire)["sections"][0]["fields"][1]
        assert saved == draft

    def test_looking_at_each_part_changes_nothing(self, owner: Browser, there: Sample) -> None:
        designing = Designing(owner, there.questionnaire)
        parts = ["form", "part.0", "part.1", *(f"part.0.{number}" for number in range(6))]
        for at in (*parts, "part.1.0", "part.1.1", "add.1.1"):
            designing.open(at)
            designing.do("keep:")
            assert not edits.get(there.people["OWNER"], there.questionnaire).is_changed, at

    def test_every_problem_stands_at_its_field_in_the_words_of_the_api(
        self, owner: Browser, there: Sample
    ) -> None:
        designing = Designing(owner, there.questionnaire)
        designing.open("part.0.3")
        designing.do("keep:", key="name")
        assert designing.about("key") == "'name' is there twice"
        assert owner.root.get_element_by_id("key").get("aria-invalid") == "true"
        assert "1 problem" in " ".join(designing.texts("//button[@data-step='0.3']"))
        designing.do("keep:", min="much")
        assert "number" in designing.about("min")
        answer = designing.do("save:")
        assert answer.status_code == 400
        assert "This could not be done" in owner.text
        assert forms.get(there.workspace, there.questionnaire).version == 1
        wrong = edits.get(there.people["OWNER"], there.questionnaire).errors
        api = owner.http.patch(
            f"/api/forms/{there.questionnaire}",
            json={"schema": edits.get(there.people["OWNER"], there.questionnaire).draft["schema"]},
            headers={"Accept": "application/json"},
        )
        assert all(path.startswith(tuple(wrong)) for path in api.json()["details"]["fieldErrors"])
        preview = owner.open(f"/console/forms/{there.questionnaire}/preview?draft=1")
        assert "The preview comes back" in owner.text
        assert preview.status_code == 200

    def test_options_are_typed_moved_and_taken_out(self, owner: Browser, there: Sample) -> None:
        designing = Designing(owner, there.questionnaire)
        designing.open("part.0.2")

        def options() -> list[dict[str, str]]:
            edit = edits.get(there.people["OWNER"], there.questionnaire)
            found: list[dict[str, str]] = editing_field(edit.draft, 2)["options"]
            return found

        labels = ["Poland", "", "Germany", "France", ""]
        values = ["PL", "", "DE", "", ""]
        (token,) = set(owner.root.xpath("//input[@name='csrf']/@value"))
        base = {"csrf": token, "base": "1", "number": "0", "at": "part.0.2", "type": "select"}
        data: dict[str, Any] = {**base, "key": "country", "label": "Country", "required": "on"}
        for number, (label, value) in enumerate(zip(labels, values, strict=True)):
            data |= {f"option.{number}": label, f"option.{number}:value": value}
        data["do"] = "option:up:3"
        owner._take(owner.http.post(designing.page, data=data))
        assert [option["value"] for option in options()] == ["PL", "France", "DE"]
        for unnamed in ("option:up:" + "9" * 5000, "option:out:²", "option:out:", "option:off:0"):
            assert designing.do(unnamed).status_code == 400
            assert [option["value"] for option in options()] == ["PL", "France", "DE"]
        designing.do("option:out:0")
        assert options() == [
            {"label": "France", "value": "France"},
            {"label": "Germany", "value": "DE"},
        ]

    def test_a_key_follows_its_label_until_it_is_in_use(
        self, owner: Browser, there: Sample
    ) -> None:
        designing = designed(owner)
        designing.do("new:text")
        assert (designing.value("label"), designing.value("key")) == ("Text", "text")
        designing.do("keep:", label="Your full name")
        assert designing.value("key") == "your_full_name"
        designing.do("save:")
        designing.open("part.0.0")
        designing.do("keep:", label="Name")
        assert designing.value("key") == "your_full_name"
        designing.do("keep:", key="")
        assert designing.value("key") == "name"

    def test_fields_and_sections_are_moved_copied_and_taken_out(
        self, owner: Browser, there: Sample
    ) -> None:
        designing = Designing(owner, there.questionnaire)
        designing.open("part.0.5")
        designing.do("move:0.5:1.0")
        assert designing.fields()[5:] == ["Register extract", "Name", "Born on"]
        assert "part.1.0" in str(owner.answer.url)
        designing.do("copy:1.0")
        assert designing.fields()[5:7] == ["Register extract", "Register extract"]
        designing.do("delete:1.1")
        designing.do("section:")
        designing.do("keep:", title="Anything else")
        designing.do("move:2:0")
        assert designing.texts("//button[@class='section-name']")[0] == "Anything else"
        designing.do("undo:")
        assert designing.texts("//button[@class='section-name']")[2] == "Anything else"
        designing.do("redo:")
        designing.do("save:")
        titles = [
            section.get("title") for section in schema_of(there, there.questionnaire)["sections"]
        ]
        assert titles == ["Anything else", "The company", "Directors"]

    def test_a_section_repeats_within_limits(self, owner: Browser, there: Sample) -> None:
        designing = Designing(owner, there.questionnaire)
        designing.open("part.1")
        designing.do("keep:", minItems="4", maxItems="2")
        assert "minItems is over maxItems" in owner.text
        designing.do("keep:", minItems="", maxItems="2")
        designing.do("save:")
        section = FormSchema.model_validate(schema_of(there, there.questionnaire)).sections[1]
        assert (section.bounds.least, section.bounds.most) == (0, 2)

    def test_two_people_who_edit_at_once_are_told(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        mine, theirs = (
            Designing(browsers[role], there.questionnaire) for role in ("OWNER", "ADMIN")
        )
        for one, title in ((mine, "Mine"), (theirs, "Theirs")):
            one.open("form")
            one.do("keep:", title=title)
        theirs.do("save:")
        answer = mine.do("save:")
        assert (answer.status_code, forms.get(there.workspace, there.questionnaire).title) == (
            409,
            "Theirs",
        )
        assert "admin@b.example" in mine.browser.text
        mine.do("follow:")
        mine.do("save:")
        assert forms.get(there.workspace, there.questionnaire).title == "Mine"

    def test_a_second_window_is_told_that_it_has_not_seen_the_last_change(
        self, owner: Browser, there: Sample
    ) -> None:
        designing = Designing(owner, there.questionnaire)
        designing.open("form")
        answer, root = owner.answer, owner.root
        designing.do("keep:", title="One")
        owner.answer, owner.root = answer, root
        assert designing.do("keep:", title="Two").status_code == 409
        assert "another window" in owner.text
        assert edits.get(there.people["OWNER"], there.questionnaire).draft["title"] == "One"

    def test_a_type_that_there_is_not_is_said_at_it(self, owner: Browser, there: Sample) -> None:
        designing = Designing(owner, there.questionnaire)
        designing.open("part.0.1")
        answer = designing.do("keep:", type="<b>")
        assert answer.status_code == 200
        assert designing.about("type") != ""
        assert designing.do("new:<b>").status_code == 400

    def test_a_very_long_form_shows_the_fields_of_one_section(
        self, owner: Browser, there: Sample
    ) -> None:
        sections = [
            {
                "id": f"s{place}",
                "title": f"Part {place}",
                "fields": [
                    {"id": str(number), "key": f"k{place}_{number}", "type": "text"}
                    for number in range(100)
                ],
            }
            for place in range(5)
        ]
        form = forms.create(
            there.workspace,
            title="Long",
            description="",
            form=FormSchema.model_validate({"sections": sections}),
        )
        designing = Designing(owner, form.id)
        designing.open("part.3.7")
        assert len(designing.fields()) == 100
        assert "100 fields: choose the section" in owner.text
        assert len(owner.answer.content) < 200_000

    def test_of_a_very_long_section_the_part_around_what_is_chosen_is_shown(
        self, owner: Browser, there: Sample
    ) -> None:
        fields = [{"id": str(n), "key": f"k{n}", "type": "text"} for n in range(500)]
        form = forms.create(
            there.workspace,
            title="Long",
            description="",
            form=FormSchema.model_validate({"sections": [{"id": "s", "fields": fields}]}),
        )
        designing = Designing(owner, form.id)
        designing.open("part.0.250")
        assert len(designing.fields()) == form_parts.MAX_DRAWN
        assert "190 earlier fields" in owner.text
        assert "190 further fields" in owner.text
        assert len(owner.answer.content) < 200_000
        (preview,) = owner.root.xpath("//iframe/@src")
        designing.do("at:part.0.310")
        assert "k310" in " ".join(designing.fields())
        owner.open(preview)
        shown = owner.root.xpath("//input[starts-with(@name, 'data.')]/@name")
        assert len(shown) == form_parts.MAX_DRAWN
        assert "data.k250" in shown
        # The whole page is a link away, and an address that nobody is led to shows something.
        page = f"/console/forms/{form.id}/preview?draft=1"
        owner.open(page)
        assert len(owner.root.xpath("//input[starts-with(@name, 'data.')]")) == 500
        assert (
            owner.open(f"/console/forms/{form.id}/preview?draft=1&at=part.9.9").status_code == 200
        )


class TestPage:
    def test_it_is_published_and_withdrawn(self, owner: Browser, there: Sample) -> None:
        page, public = f"/console/forms/{there.form}", f"/api/forms/{there.form}/public"
        owner.open(page)
        owner.press(f"{page}/public")
        assert owner.http.get(public).status_code == 200
        assert owner.root.get_element_by_id("link").value.endswith(public)
        owner.press(f"{page}/public")
        assert "Not public any more" in owner.text
        assert owner.http.get(public).status_code == 404
        assert owner.send(f"{page}/public", public="maybe").status_code == 400

    def test_what_its_uploads_may_be_is_said(self, owner: Browser, there: Sample) -> None:
        owner.open(f"/console/forms/{there.questionnaire}")
        assert "10 files with a submission, 10 MB each at most: csv, docx" in owner.text
        owner.open(f"/console/forms/{there.form}")
        assert "Files" not in [heading.text for heading in owner.root.xpath("//h3")]

    def test_it_is_duplicated_and_deleted(self, owner: Browser, there: Sample) -> None:
        page = f"/console/forms/{there.questionnaire}"
        owner.open(page)
        owner.press(f"{page}/duplicate")
        copy = owner.path.split("/")[3]
        form = forms.get(there.workspace, copy)
        assert (form.title, form.public) == ("Client questionnaire (copy)", False)
        assert form.schema == schema_of(there, there.questionnaire)
        owner.open(f"/console/forms/{copy}")
        assert owner.send(f"/console/forms/{copy}/delete").status_code == 400
        owner.open(f"/console/forms/{copy}")
        owner.press(f"/console/forms/{copy}/delete")
        assert "Form deleted." in owner.text
        assert owner.open(f"/console/forms/{copy}").status_code == 404

    def test_its_preview_is_the_public_page_and_sends_nothing(
        self, owner: Browser, there: Sample
    ) -> None:
        answer = owner.open(f"/console/forms/{there.questionnaire}/preview")
        policy = answer.headers["content-security-policy"]
        for rule in (
            "sandbox;",
            "form-action 'none'",
            "default-src 'none'",
            "frame-ancestors 'self'",
        ):
            assert rule in policy
        assert "x-frame-options" not in answer.headers
        public = owner.http.get(f"/api/forms/{there.questionnaire}/public")
        assert public.headers["x-frame-options"] == "DENY"
        assert unmarked(answer.text) == unmarked(public.text)
        page = owner.open(f"/console/forms/{there.questionnaire}")
        assert "frame-src 'self'" in page.headers["content-security-policy"]


class TestSubmissions:
    def test_values_stand_by_the_labels_of_their_fields(
        self, owner: Browser, there: Sample
    ) -> None:
        owner.open(f"/console/submissions/{there.answered}")
        found = {
            row.xpath("./th")[0].text_content(): " ".join(
                row.xpath("./td")[0].xpath("string()").split()
            )
            for row in owner.root.xpath("//section[1]/table/tr")
        }
        assert found["Name"] == "ACME GmbH"
        assert (found["Country"], found["Politically exposed?"]) == ("Germany", "No")
        assert found["Register extract"] == "Thank-you letter.pdf"
        directors = "NameAda Lovelace Born on1990-12-10 NameGrace Hopper Born on– none"
        assert found["Directors"] == directors
        (link,) = owner.root.xpath("//td/a/@href")
        assert link == f"/console/documents/{there.documents['pdf']}"
        assert "by owner@b.example" in owner.text

    def test_it_says_what_it_has_started(self, owner: Browser, there: Sample) -> None:
        by = there.people["OWNER"]
        with unit_of_work() as session:
            (event,) = (
                event
                for event in session.query(Event).filter_by(type="FORM_SUBMITTED")
                if event.data.get("submissionId") == there.submission
            )
        run = by_hand.execute(by, there.workflow, {"company": "x"}).id
        with unit_of_work() as session:
            session.get_one(Run, run).event_id = event.id
        owner.open(f"/console/submissions/{there.submission}")
        links = owner.root.xpath("//aside//a/@href")
        assert f"/console/runs/{run}" in links
        assert f"/console/events/{event.id}" in links

    def test_what_was_changed_before_is_kept(self, owner: Browser, there: Sample) -> None:
        submissions.change(there.people["OWNER"], there.submission, {"note": "Another."})
        owner.open(f"/console/submissions/{there.submission}")
        assert "Another." in owner.text
        assert "I would like to." in " ".join(
            panel.text_content() for panel in owner.root.xpath("//details")
        )

    def test_what_is_of_no_field_is_shown_by_its_key(self, owner: Browser, there: Sample) -> None:
        with unit_of_work() as session:
            session.get_one(Submission, there.submission).data = {"other": [1, {"a": None}]}
        owner.open(f"/console/submissions/{there.submission}")
        assert [heading.text for heading in owner.root.xpath("//section[1]/table/tr/th")] == [
            "note",
            "other",
        ]


def editing_field(draft: Any, number: int) -> Any:
    return draft["schema"]["sections"][0]["fields"][number]
