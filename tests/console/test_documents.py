"""Documents and templates: found, looked at, downloaded, tried."""

from __future__ import annotations

from typing import Any

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import Document, DocumentTemplate
from automations.services.documents import templates
from tests.console import sample_forms
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.letters import letter, texts

ROOT = "/console/documents"


def names(browser: Browser) -> list[str]:
    return [link.text for link in browser.root.xpath("//tbody//a[contains(@class, 'strong')]")]


class TestDocuments:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", ["Thank-you letter.pdf", "Passport.png", "Accounts.csv"]),
            ("q=LETTER", ["Thank-you letter.pdf"]),
            ("q=%25", []),
            ("format=png", ["Passport.png"]),
            ("source=uploaded", ["Passport.png", "Accounts.csv"]),
            ("source=made", ["Thank-you letter.pdf"]),
            ("run={run}", ["Thank-you letter.pdf"]),
            ("template={template}&format=csv", []),
        ],
    )
    def test_they_are_found(
        self, owner: Browser, there: Sample, query: str, found: list[str]
    ) -> None:
        asked = query.format(run=there.runs["completed"], template=there.template)
        owner.open(f"{ROOT}?{asked}")
        assert names(owner) == found

    def test_there_are_pages_of_them(self, owner: Browser, there: Sample) -> None:
        with unit_of_work() as session:
            for number in range(30):
                sample_forms.document(session, there.workspace, f"{number}.txt", b"x")
        owner.open(f"{ROOT}?format=txt")
        seen = names(owner)
        owner.open(owner.root.xpath("//a[@rel='next']/@href")[0])
        assert len({*seen, *names(owner)}) == 30

    def test_what_is_no_format_is_refused(self, owner: Browser) -> None:
        for query in ("format=exe", "source=other", "cursor=x", "other=1"):
            assert owner.open(f"{ROOT}?{query}").status_code == 400

    def test_one_says_which_run_and_template_made_it(self, owner: Browser, there: Sample) -> None:
        owner.open(f"{ROOT}/{there.documents['pdf']}")
        links = owner.root.xpath("//aside//a/@href")
        assert f"/console/runs/{there.runs['completed']}" in links
        assert f"{ROOT}/templates/{there.template}" in links
        assert "KYC review" in owner.text
        with unit_of_work() as session:
            session.get_one(Document, there.documents["pdf"]).run_id = "gone"
            session.delete(session.get_one(DocumentTemplate, there.template))
        owner.open(f"{ROOT}/{there.documents['pdf']}")
        assert "not kept any more" in owner.text
        assert not owner.root.xpath("//aside//a[contains(@href, '/runs/')]")

    def test_a_pdf_and_a_picture_are_looked_at_and_nothing_runs(
        self, owner: Browser, there: Sample
    ) -> None:
        for name, kind in {"pdf": "application/pdf", "picture": "image/png"}.items():
            page = f"{ROOT}/{there.documents[name]}"
            owner.open(page)
            (source,) = owner.root.xpath("//main//*[self::iframe or self::img]/@src")
            answer = owner.http.get(source)
            assert answer.headers["content-type"] == kind
            assert answer.headers["content-disposition"].startswith("inline")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
            download = owner.http.get(f"{page}/content")
            assert download.headers["content-disposition"].startswith("attachment")
            assert download.content == answer.content

    def test_a_text_is_shown_as_it_is_and_nowhere_else(self, owner: Browser, there: Sample) -> None:
        page = f"{ROOT}/{there.documents['text']}"
        owner.open(page)
        assert "2026-03-01,12" in owner.text
        assert owner.http.get(f"{page}/view").status_code == 404

    def test_a_docx_is_made_a_pdf_to_look_at(self, owner: Browser, there: Sample) -> None:
        with unit_of_work() as session:
            made = sample_forms.document(
                session, there.workspace, "Letter.docx", letter("{{ 7 * 7 }}")
            )
        owner.open(f"{ROOT}/{made}")
        assert not owner.root.xpath("//iframe")
        owner.open(owner.root.xpath("//a[contains(@href, 'view=')]/@href")[0] or "")
        (source,) = owner.root.xpath("//iframe/@src")
        answer = owner.http.get(source)
        assert (answer.headers["content-type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
        assert 'filename="Letter.pdf"' in answer.headers["content-disposition"]
        with unit_of_work() as session:
            assert session.query(Document).count() == 4

    def test_what_is_no_sound_docx_says_so(self, owner: Browser, there: Sample) -> None:
        with unit_of_work() as session:
            made = sample_forms.document(session, there.workspace, "Letter.docx", b"PK\x03\x04")
        answer = owner.open(f"{ROOT}/{made}/view")
        assert (answer.status_code, "is not a sound DOCX" in owner.text) == (422, True)


class TestTemplates:
    def upload(self, browser: Browser, path: str, file: str, content: bytes, **more: str) -> Any:
        (token,) = set(browser.root.xpath("//input[@name='csrf']/@value"))
        return browser._take(
            browser.http.post(path, data={"csrf": token, **more}, files={"file": (file, content)})
        )

    def test_one_is_uploaded_changed_and_deleted(self, owner: Browser, there: Sample) -> None:
        owner.open(f"{ROOT}/templates")
        self.upload(owner, f"{ROOT}/templates", "Offer.docx", letter("Dear {{ client.name }}"))
        page = owner.path
        assert (owner.heading(), "client.name" in owner.text) == ("Offer DOCX", True)
        self.upload(owner, page, "Offer.md", b"Hello {{ who }}", name="Greeting")
        made = templates.get(there.workspace, page.rpartition("/")[2])
        assert (made.name, made.format, made.version) == ("Greeting", "markdown", 2)
        assert made.placeholders == ["who"]
        assert owner.http.get(f"{page}/content").content == b"Hello {{ who }}"
        owner.press(page, 0, name="Welcome")
        assert templates.get(there.workspace, made.id).name == "Welcome"
        assert owner.send(f"{page}/delete").status_code == 400
        owner.open(page)
        owner.press(f"{page}/delete")
        assert "Template deleted." in owner.text
        assert owner.open(page).status_code == 404

    def test_who_comes_second_overwrites_nothing(self, owner: Browser, there: Sample) -> None:
        (made,) = templates.list_all(there.workspace)
        page = f"{ROOT}/templates/{made.id}"
        owner.open(page)
        (form,) = [form for form in owner.root.forms if form.action == page]
        shown = dict(form.form_values())
        owner.press(page, name="Theirs")
        more = {name: value for name, value in shown.items() if name != "csrf"}
        answer = self.upload(owner, page, "a.md", b"Hello {{ who }}", **more)
        assert answer.status_code == 409
        assert "Somebody else has changed the template 'Theirs' meanwhile" in owner.text
        after = templates.get(there.workspace, made.id)
        assert (after.name, after.version) == ("Theirs", made.version)
        self.upload(owner, page, "a.md", b"Hello {{ who }}", name="Theirs")
        assert templates.get(there.workspace, made.id).version == made.version + 1

    def test_a_name_that_was_typed_stays_beside_a_file_that_is_refused(
        self, owner: Browser, there: Sample
    ) -> None:
        (made,) = templates.list_all(there.workspace)
        owner.open(f"{ROOT}/templates/{made.id}")
        answer = self.upload(owner, f"{ROOT}/templates/{made.id}", "a.exe", b"x", name="Mine")
        assert answer.status_code == 400
        assert owner.root.xpath("//input[@id='name']/@value") == ["Mine"]
        assert templates.get(there.workspace, made.id).name == made.name

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.docx", b"%PDF-1.4", "is a PDF, no DOCX"),
            ("a.exe", b"x", "must be a .docx or Markdown (.md) file"),
            ("a.md", b"{{ a.b", "template syntax"),
            ("a.md", b"", "must not be empty"),
            ("", b"", "choose a file"),
        ],
    )
    def test_what_is_no_template_is_refused_in_words(
        self, owner: Browser, there: Sample, name: str, content: bytes, said: str
    ) -> None:
        owner.open(f"{ROOT}/templates")
        answer = self.upload(owner, f"{ROOT}/templates", name, content)
        assert (answer.status_code, said in owner.text) == (400, True), owner.text
        assert len(templates.list_all(there.workspace)) == 1

    def test_one_is_tried_with_sample_data_and_nothing_is_kept(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        browser, page = browsers["MEMBER"], f"{ROOT}/templates/{there.template}"
        browser.open(page)
        sample = browser.root.get_element_by_id("data").text
        assert '"client": {\n    "name": "name"\n  }' in sample
        data = '{"client": {"name": "Ada"}, "amount": 7, "items": [{"title": "One"}]}'
        answer = browser.press(f"{page}/test", data=data, output="docx")
        assert texts(answer.content)[:2] == ["Dear Ada,", "thank you for 7 EUR."]
        assert answer.headers["content-disposition"].startswith("attachment")
        browser.open(page)
        answer = browser.press(f"{page}/test", data=data, output="pdf")
        assert answer.content.startswith(b"%PDF-")
        assert answer.headers["content-disposition"].startswith("inline")
        with unit_of_work() as session:
            assert session.query(Document).count() == 3

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            ("{", "is not valid JSON"),
            ("[1]", "must be a JSON object"),
            ('{"client": {"name": "Ada"}}', "names 'amount', which is not there in the data"),
        ],
    )
    def test_why_nothing_comes_out_is_said(
        self, owner: Browser, there: Sample, data: str, said: str
    ) -> None:
        page = f"{ROOT}/templates/{there.template}"
        owner.open(page)
        answer = owner.press(f"{page}/test", data=data, output="docx")
        assert (answer.status_code, said in owner.text) == (400, True), owner.text
        assert owner.heading() == "It could not be filled in"

    def test_a_viewer_sees_what_it_takes_and_no_action(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        for path in (f"{ROOT}/templates", f"{ROOT}/templates/{there.template}"):
            browsers["VIEWER"].open(path)
            assert "client.name" in browsers["VIEWER"].text
            assert browsers["VIEWER"].actions() == set()
