"""Document templates and documents over the API."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.documents.documents import TEMPLATES, body, create, encoded, field_errors, generate
from tests.growth import growth
from tests.letters import letter, repacked, texts


class TestTemplates:
    def test_a_template_is_answered_with_what_was_found_in_it(self, api: Api) -> None:
        content = letter("Dear {{ name }}")
        created = create(api, content=encoded(content))
        assert created["placeholders"] == ["name"]
        assert (created["name"], created["format"], created["version"]) == ("Letter", "docx", 1)
        assert (created["size"], created["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
        assert "content" not in created
        assert api.call("GET", f"{TEMPLATES}/{created['id']}").json() == created
        assert api.call("GET", TEMPLATES).json() == [created]

    def test_its_content_can_be_downloaded_as_it_was(self, api: Api) -> None:
        content = b"# Hi {{ name }}\n"
        created = create(api, name="Pożyczka", format="markdown", content=encoded(content))
        answer = api.call("GET", f"{TEMPLATES}/{created['id']}/content")
        assert answer.content == content
        assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"] == (
            "attachment; filename=\"Po_yczka.md\"; filename*=UTF-8''Po%C5%BCyczka.md"
        )

    def test_new_content_makes_a_new_version_and_a_new_name_does_not(self, api: Api) -> None:
        path = f"{TEMPLATES}/{create(api)['id']}"
        renamed = api.call("PUT", path, {"name": "Other"}).json()
        assert (renamed["name"], renamed["version"]) == ("Other", 1)
        changed = api.call("PUT", path, {"content": encoded(letter("{{ other }}"))}).json()
        assert (changed["name"], changed["version"], changed["placeholders"]) == (
            "Other",
            2,
            ["other"],
        )

    def test_a_deleted_one_is_gone(self, api: Api) -> None:
        path = f"{TEMPLATES}/{create(api)['id']}"
        assert api.call("DELETE", path).status_code == 204
        for method in ("GET", "DELETE"):
            assert api.call(method, path).status_code == 404

    @pytest.mark.parametrize("role", ["MEMBER", "VIEWER"])
    def test_only_admins_change_them_and_everybody_reads(self, api: Api, role: str) -> None:
        path = f"{TEMPLATES}/{create(api)['id']}"
        assert api.call("POST", TEMPLATES, body("x"), role=role).status_code == 403
        assert api.call("PUT", path, {"name": "x"}, role=role).status_code == 403
        assert api.call("DELETE", path, role=role).status_code == 403
        for read in (TEMPLATES, path, f"{path}/content"):
            assert api.call("GET", read, role=role).status_code == 200

    def test_another_workspace_sees_none_of_it(self, api: Api) -> None:
        path = f"{TEMPLATES}/{create(api)['id']}"
        assert api.call("GET", TEMPLATES, role="STRANGER").json() == []
        for method, where in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
            assert api.call(method, where, role="STRANGER").status_code == 404
        assert api.call("PUT", path, {"name": "x"}, role="STRANGER").status_code == 404

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "  "}, "name"),
            ({"name": "a\r\nb"}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"format": "doc"}, "format"),
            ({"content": ""}, "content"),
            ({"content": "%%%"}, "content"),
            ({"content": 5}, "content"),
            ({"content": "ż"}, "content"),
            ({"content": encoded(b"no zip")}, "content"),
            ({"content": encoded(letter("{{ sum( }}"))}, "content"),
            ({"content": encoded(letter("{{ ''.__class__ }}"))}, "content"),
            ({"format": "markdown", "content": encoded(b"\xff")}, "content"),
            ({"format": "markdown", "content": encoded(bytes(5_000_001))}, "content"),
            ({"owner": "me"}, "owner"),
        ],
    )
    def test_what_is_not_sound_is_refused_by_its_field(
        self, api: Api, change: dict[str, Any], field: str
    ) -> None:
        assert list(field_errors(api.call("POST", TEMPLATES, body("x", **change)))) == [field]

    def test_a_zip_bomb_is_refused(self, api: Api) -> None:
        bomb = repacked(letter("x"), added={"word/media/a.bin": bytes(60_000_000)})
        errors = field_errors(api.call("POST", TEMPLATES, body(content=encoded(bomb))))
        assert "50000000 at most" in errors["content"][0]

    def test_a_refused_change_leaves_the_template_as_it_was(self, api: Api) -> None:
        created = create(api)
        path = f"{TEMPLATES}/{created['id']}"
        for change in ({"content": encoded(b"no zip")}, {"format": "markdown"}, {"name": ""}):
            field_errors(api.call("PUT", path, change))
        assert api.call("GET", path).json() == created

    def test_a_template_of_megabytes_is_taken_in_a_moment(self, api: Api) -> None:
        # The middleware looks at every character of a body.
        def sent(size: int) -> None:
            large = b"{{ name }}\n" + b'\\"x ' * size
            name = f"Letter {next(names)}"
            created = create(api, format="markdown", content=encoded(large), name=name)
            assert created["size"] == len(large)

        names = itertools.count()
        assert growth(sent, 300_000, 1_200_000) < 10

    def test_a_body_that_is_larger_still_is_refused_here_and_sooner_elsewhere(
        self, api: Api
    ) -> None:
        assert api.call("POST", TEMPLATES, body(content="A" * 7_600_000)).status_code == 413
        assert api.call("POST", "/api/forms", {"title": "A" * 1_100_000}).status_code == 413


class TestDocuments:
    def test_documents_are_listed_by_page_and_by_run(self, api: Api) -> None:
        run_id, made = generate(api)
        generate(api)
        first = api.call("GET", "/api/documents?pageSize=1").json()
        assert first["pagination"] == {"page": 1, "pageSize": 1, "total": 2, "totalPages": 2}
        second = api.call("GET", "/api/documents?pageSize=1&page=2").json()
        assert [row["id"] for row in second["documents"]] == [made.id]
        of_run = api.call("GET", f"/api/documents?runId={run_id}").json()
        assert [row["id"] for row in of_run["documents"]] == [made.id]
        assert api.call("GET", "/api/documents?pageSize=101").status_code == 400

    def test_one_is_answered_with_its_deliveries(self, api: Api) -> None:
        run_id, made = generate(api)
        document = api.call("GET", f"/api/documents/{made.id}", role="VIEWER").json()
        assert (document["name"], document["engine"]) == ("Letter.docx", "docxtpl")
        assert (document["size"], document["sha256"]) == (made.size, made.sha256)
        assert (document["runId"], document["templateVersion"]) == (run_id, 1)
        (delivery,) = document["deliveries"]
        assert (delivery["recipient"], delivery["status"], delivery["reason"]) == (
            "ada@b.example",
            "REJECTED",
            "550 unknown",
        )

    def test_a_hostile_name_stays_within_its_header(self, api: Api) -> None:
        _, made = generate(api, 'Żółć"; filename="x.exe\r\nSet-Cookie: a=b\r\n\r\n<script>')
        answer = api.call("GET", f"/api/documents/{made.id}/content", role="VIEWER")
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == made.sha256
        assert texts(answer.content) == ["Dear Ada"]
        assert "Set-Cookie" not in answer.headers
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith('attachment; filename="')
        assert disposition.count('"') == 2
        assert "filename*=UTF-8''%C5%BB%C3%B3%C5%82%C4%87_%3B%20filename%3D_x.exe" in disposition
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Type"].endswith("wordprocessingml.document")

    def test_another_workspace_sees_none_of_it(self, api: Api) -> None:
        _, made = generate(api)
        assert api.call("GET", "/api/documents", role="STRANGER").json()["documents"] == []
        for path in (f"/api/documents/{made.id}", f"/api/documents/{made.id}/content"):
            assert api.call("GET", path, role="STRANGER").status_code == 404
