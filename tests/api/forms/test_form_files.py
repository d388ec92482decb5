"""Files that people add to forms: uploaded on the page, kept as documents, got with a key."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy import func, select

from automations.db.session import unit_of_work
from automations.db.tables import Document, Wait
from automations.domain.forms.uploads import CONTENT_TYPES, MAX_BYTES, MAX_FILES
from tests.api.conftest import Api
from tests.api.forms.browsing import Page
from tests.api.forms.forms import REQUIRED, field, public, sent_form, submissions
from tests.api.waits.approvals import ask
from tests.environment import Environment

PDF = b"%PDF-1.7\nhello"
PNG = b"\x89PNG\r\n\x1a\nrest"


def section(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "s", "fields": fields, **more}


FORM = section(field("text", "Name", validation=REQUIRED), field("file", "Contract"))


def stored() -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(Document)) or 0


def send(api: Api, page: Page, *files: tuple[str, bytes], name: str = "Ada") -> Any:
    parts: list[Any] = [("data.name", (None, name))]
    return api.http.post(page.path, files=[*parts, *(("data.contract", file) for file in files)])


class TestUpload:
    def test_a_file_is_a_document_that_the_submission_names(self, api: Api) -> None:
        page = public(api, FORM)
        page.type(Name="Ada")
        page.choose("Contract", "Ślub.PDF", PDF)
        page.press("Send")
        assert page.status == 200, page.text
        ((value,),) = [[submission["contract"] for submission in submissions()]]
        document_id = value["documentId"]
        assert value == {
            "documentId": document_id,
            "filename": "Ślub.PDF",
            "contentType": "application/pdf",
            "size": len(PDF),
        }
        found = api.call("GET", f"/api/documents/{document_id}").json()
        submission = api.call("GET", "/api/submissions").json()[0]
        assert (found["name"], found["runId"], found["templateId"]) == ("Ślub.PDF", None, None)
        assert found["submissionId"] == submission["id"]
        assert found["sha256"] == hashlib.sha256(PDF).hexdigest()
        listed = api.call("GET", "/api/documents").json()["documents"]
        assert [document["id"] for document in listed] == [document_id]

    def test_only_a_key_of_the_workspace_gets_it_and_as_a_file_to_save(self, api: Api) -> None:
        page = public(api, FORM)
        send(api, page, ("a.png", PNG))
        path = f"/api/documents/{submissions()[0]['contract']['documentId']}/content"
        assert api.http.get(path).status_code == 401
        assert api.call("GET", path, role="STRANGER").status_code == 404
        answer = api.call("GET", path, role="VIEWER")
        assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_every_item_may_have_its_own(self, api: Api) -> None:
        config = {"repeatable": True, "repeatableConfig": {"minItems": 2}}
        page = public(api, section(field("document", "Scan"), **config))
        page.choose("Scan", "one.png", PNG, 0)
        page.choose("Scan", "two.pdf", PDF, 1)
        page.press("Send")
        names = [item["scan"]["filename"] for item in submissions()[0]["section_s_items"]]
        assert names == ["one.png", "two.pdf"]
        assert stored() == 2

    def test_no_file_where_none_is_needed_is_no_value(self, api: Api) -> None:
        page = public(api, FORM)
        page.type(Name="Ada")
        page.choose("Contract", "", b"")
        page.press("Send")
        assert submissions() == [{"name": "Ada"}]

    def test_a_signature_is_a_typed_name(self, api: Api) -> None:
        page = public(api, section(field("signature", "Signed", validation=REQUIRED)))
        page.press("Send")
        assert page.wrong("Signed").startswith("is required")
        page.type(Signed="Ada Lovelace")
        page.press("Send")
        assert submissions() == [{"signed": "Ada Lovelace"}]


class TestSentForm:
    def test_a_file_comes_by_a_link_once(self, api: Api) -> None:
        body = {"title": "x", "schema": {"sections": [FORM]}}
        link = sent_form(api, api.call("POST", "/api/forms", body).json()["id"], prefill={})
        page, late = Page(api.http, link), Page(api.http, link)
        for one in (page, late):
            one.type(Name="Ada")
            one.choose("Contract", "a.pdf", PDF)
            one.press("Send")
        assert (page.status, late.status) == (200, 410)
        assert stored() == len(submissions()) == 1


class TestDecision:
    def test_a_file_comes_with_a_decision(self, api: Api) -> None:
        asked = ask(api, {"sections": [FORM]})
        page = Page(api.http, asked.path)
        page.choose("Contract", "a.pdf", PDF)
        page.press("Approve")
        assert (page.status, stored(), asked.status()) == (400, 0, "PAUSED")
        page.type(Name="Ada")
        page.choose("Contract", "a.pdf", PDF)
        page.press("Approve")
        assert (page.status, asked.status()) == (200, "RUNNING")
        (found,) = api.call("GET", f"/api/documents?runId={asked.run}").json()["documents"]
        with unit_of_work() as session:
            data = session.scalars(select(Wait.data)).one()
        assert data["contract"]["documentId"] == found["id"]

    def test_a_decision_names_a_document_only_with_a_key(self, api: Api) -> None:
        send(api, public(api, FORM), ("a.pdf", PDF))
        value = submissions()[0]["contract"]
        asked = ask(api, {"sections": [FORM]})
        for decision in ("approved", "rejected"):
            answer = {"decision": decision, "data": {"name": "Eve", "contract": value}}
            refused = api.http.post(asked.path, json=answer)
            assert list(refused.json()["details"]["fieldErrors"]) == ["data.contract"]
        path = f"/api/workflows/runs/{asked.run}/resume"
        lost = {"name": "Bo", "contract": {"documentId": "nothing"}}
        assert api.call("POST", path, {"decision": "approved", "data": lost}).status_code == 400
        known = {"name": "Bo", "contract": {"documentId": value["documentId"]}}
        assert api.call("POST", path, {"decision": "approved", "data": known}).status_code == 200
        with unit_of_work() as session:
            assert session.scalars(select(Wait.data)).one()["contract"] == value


class TestRefusal:
    def test_nothing_is_kept_of_a_submission_that_is_refused(self, api: Api) -> None:
        page = public(api, FORM)
        page.choose("Contract", "a.pdf", PDF)
        page.press("Send")
        assert (page.status, submissions(), stored()) == (400, [], 0)
        assert "choose a.pdf again" in page.text
        assert page.wrong("Name") == "is required"

    def test_adding_an_item_keeps_no_file(self, api: Api) -> None:
        page = public(api, section(field("file", "Scan"), repeatable=True))
        for name in ("a.pdf", "b.pdf"):
            page.press("Add another Items")
            page.choose("Scan", name, PDF)
        page.press("Add another Items")
        assert "choose b.pdf again" in page.text
        assert (submissions(), stored()) == ([], 0)

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.html", b"<script>", "one of these kinds"),
            ("a.svg", b"<svg>", "one of these kinds"),
            ("a.exe", b"MZ", "one of these kinds"),
            ("a.pdf.exe", PDF, "one of these kinds"),
            ("pdf", PDF, "one of these kinds"),
            ("a.pdf", b"MZ\x90", "is not a pdf file"),
            ("a.png", b"<html>", "is not a png file"),
            ("a.csv", b"MZ\0\0", "is not a csv file"),
            ("a.pdf", b"", "is an empty file"),
            ("a.pdf", PDF + bytes(MAX_BYTES), "is over 10 MB"),
        ],
    )
    def test_a_file_that_is_not_taken_is_named(
        self, api: Api, name: str, content: bytes, said: str
    ) -> None:
        answer = send(api, public(api, FORM), (name, content))
        assert (answer.status_code, submissions(), stored()) == (400, [], 0)
        assert said in answer.text
        assert 'value="Ada"' in answer.text

    def test_a_field_takes_one_file_and_a_form_not_many(self, api: Api) -> None:
        page = public(api, FORM)
        assert "takes one file" in send(api, page, ("a.pdf", PDF), ("b.pdf", PDF)).text
        many = public(api, section(*(field("file", f"F{n}") for n in range(MAX_FILES + 1))))
        for number in range(MAX_FILES + 1):
            many.choose(f"F{number}", "a.pdf", PDF)
        many.press("Send")
        assert many.wrong(f"F{MAX_FILES}").startswith("is one file too many")
        assert (submissions(), stored()) == ([], 0)

    def test_what_comes_with_a_file_is_bounded_and_so_is_what_comes_without(self, api: Api) -> None:
        page = public(api, FORM)
        assert send(api, page, ("a.pdf", bytes(17_000_000))).status_code == 413
        other = api.http.post(page.path, data={"data.name": "x" * 1_100_000})
        assert other.status_code == 413

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("multipart/form-data; boundary=b", b"--b\r\nbroken"),
            ("multipart/form-data", b"--b\r\n"),
            ("multipart/form-data; boundary=b", b""),
        ],
    )
    def test_a_broken_body_is_refused(self, api: Api, content_type: str, body: bytes) -> None:
        page = public(api, FORM)
        answer = api.http.post(page.path, content=body, headers={"Content-Type": content_type})
        assert (answer.status_code, submissions()) == (400, [])

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("C:\\fakepath\\a.pdf", "a.pdf"),
            ("../../etc/passwd.pdf", "passwd.pdf"),
            ("a\u202efdp.pdf", "a_fdp.pdf"),
            ('x"; filename=y.exe.pdf', None),
            (".pdf", "document.pdf"),
            ("con<script>.pdf", "con_script_.pdf"),
            ("x" * 1_000 + ".pdf", "x" * 200 + ".pdf"),
        ],
    )
    def test_a_name_is_made_safe(self, api: Api, sent: str, kept: str | None) -> None:
        send(api, public(api, FORM), (sent, PDF))
        value = submissions()[0]["contract"]
        assert kept is None or value["filename"] == kept
        assert not set(value["filename"]) & set('/\\:*?"<>|')
        path = f"/api/documents/{value['documentId']}/content"
        assert api.call("GET", path).headers["content-disposition"].count('"') == 2


class TestReference:
    def document(self, api: Api) -> dict[str, Any]:
        send(api, public(api, FORM), ("a.pdf", PDF))
        found: dict[str, Any] = submissions()[0]["contract"]
        return found

    def submit(self, api: Api, value: Any, role: str = "OWNER") -> Any:
        body = {"title": "x", "schema": {"sections": [FORM]}}
        form = api.call("POST", "/api/forms", body, role=role).json()["id"]
        given = {"formId": form, "data": {"name": "Bo", "contract": value}}
        return api.call("POST", "/api/submissions", given, role=role)

    def test_a_program_names_a_document_of_the_workspace(self, api: Api) -> None:
        value = self.document(api)
        lied = {"documentId": value["documentId"], "filename": "x.exe", "size": 1}
        answer = self.submit(api, lied)
        assert answer.status_code == 201, answer.text
        assert answer.json()["data"]["contract"] == value

    @pytest.mark.parametrize("wrong", ["c000000000000000000000000", 5, None, ["x"]])
    def test_a_document_that_is_not_there_is_refused(self, api: Api, wrong: Any) -> None:
        answer = self.submit(api, {"documentId": wrong})
        assert answer.status_code == 400
        assert list(answer.json()["details"]["fieldErrors"]) == ["data.contract"]

    def test_a_document_of_another_workspace_is_not_there(self, api: Api) -> None:
        answer = self.submit(api, self.document(api), role="STRANGER")
        assert "there is no document" in answer.text

    def test_a_change_of_a_submission_is_held_to_the_same(self, api: Api) -> None:
        value = self.document(api)
        path = f"/api/submissions/{self.submit(api, None).json()['id']}"
        data = {"name": "Bo", "contract": {"documentId": value["documentId"]}}
        changed = api.call("PATCH", path, {"data": data})
        assert changed.json()["data"]["contract"] == value
        data["contract"] = {"documentId": "nothing"}
        assert api.call("PATCH", path, {"data": data}).status_code == 400

    def test_nobody_without_a_key_may_name_a_document_that_is_there(self, api: Api) -> None:
        value = self.document(api)
        page = public(api, FORM)
        for given in (value, [value], value["documentId"]):
            data = {"name": "Eve", "contract": given}
            answer = api.http.post(page.path, json={"data": data})
            assert answer.json()["details"]["fieldErrors"] == {
                "data.contract": ["must be uploaded with the form"]
            }
        typed = {"data.name": "Eve", "data.contract": value["documentId"]}
        before = submissions()
        assert api.http.post(page.path, data=typed).status_code == 400
        assert submissions() == before


def test_every_kind_that_is_taken_can_be_downloaded(api: Api) -> None:
    page = public(api, FORM)
    contents = {"pdf": PDF, "png": PNG, "txt": b"text", "csv": b"a,b"}
    for kind, content in contents.items():
        send(api, page, (f"a.{kind}", content))
    documents = api.call("GET", "/api/documents").json()["documents"]
    assert {document["format"]: document["contentType"] for document in documents} == {
        kind: CONTENT_TYPES[kind] for kind in contents
    }
    for one in documents:
        answer = api.call("GET", f"/api/documents/{one['id']}/content")
        assert answer.content == contents[one["format"]]


class TestQuotas:
    def test_a_public_form_takes_so_many_bytes_a_day(
        self, api: Api, environment: Environment
    ) -> None:
        page = public(api, FORM)
        environment.set(AUTOMATIONS_UPLOADS_DAILY=str(2 * len(PDF)))
        answers = [send(api, page, ("a.pdf", PDF)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 413]
        assert "today" in answers[-1].text
        assert (stored(), len(submissions())) == (2, 2)
        assert send(api, public(api, FORM), ("a.pdf", PDF)).status_code == 200

    def test_a_workspace_keeps_so_many_bytes(self, api: Api, environment: Environment) -> None:
        page = public(api, FORM)
        environment.set(AUTOMATIONS_UPLOADS_KEPT=str(len(PDF)))
        assert send(api, page, ("a.pdf", PDF)).status_code == 200
        assert send(api, public(api, FORM), ("a.pdf", PDF)).status_code == 413
        assert stored() == 1
