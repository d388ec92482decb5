"""Tables and their rows over HTTP."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event
from automations.domain.tables import exports
from automations.kit.ids import PATTERN
from tests import workbooks
from tests.api.answers import INSTANT, errors
from tests.api.conftest import Api
from tests.api.tables.tables import SHAPE, TABLES, add, rows_of, table


def send(api: Api, rows: str, body: bytes, kind: str) -> Any:
    headers = {"Authorization": f"Bearer {api.keys['MEMBER']}", "Content-Type": kind}
    return api.http.post(f"{rows}/import", content=body, headers=headers)


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["data"]["name"] for row in answer.json()["rows"]]


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


class TestTables:
    def test_a_table_has_the_documented_shape(self, api: Api) -> None:
        made = table(api, description="D")
        assert re.fullmatch(PATTERN, made["id"])
        assert (made["name"], made["description"], made["category"]) == ("Companies", "D", "USER")
        assert made["columns"][1] == {
            "key": "size",
            "name": "size",
            "type": "number",
            "required": False,
            "options": [],
        }
        assert made["columns"][5]["options"][0] == {"label": "a", "value": "a"}
        assert re.fullmatch(INSTANT, made["createdAt"])
        assert api.call("GET", TABLES, role="VIEWER").json() == [made]
        assert api.call("GET", f"{TABLES}?category=FORM").json() == []
        assert api.call("GET", f"{TABLES}/{made['id']}", role="VIEWER").json() == made
        assert api.call("PUT", f"{TABLES}/{made['id']}", {**made, "id": "x"}).status_code == 400

    def test_put_replaces_and_rows_forget_columns_that_are_no_more(self, api: Api) -> None:
        path = f"{TABLES}/{table(api)['id']}"
        row = add(api, f"{path}/rows", size=5)
        typed = {**SHAPE, "columns": [SHAPE["columns"][0], {"key": "size", "type": "text"}]}
        refused = api.call("PUT", path, typed)
        assert (refused.status_code, "size" in refused.json()["error"]) == (409, True)
        assert api.call("PUT", path, {**SHAPE, "columns": SHAPE["columns"][:1]}).status_code == 200
        assert api.call("PUT", path, typed).status_code == 200
        shown = api.call("GET", f"{path}/rows/{row['id']}").json()
        assert shown["data"] == {"name": "Acme", "size": None}

    def test_a_deleted_table_is_gone_with_its_rows(self, api: Api) -> None:
        path = f"{TABLES}/{table(api)['id']}"
        row = add(api, f"{path}/rows")
        assert api.call("DELETE", path, role="ADMIN").status_code == 204
        for gone in (path, f"{path}/stats", f"{path}/rows", f"{path}/rows/{row['id']}"):
            assert api.call("GET", gone).status_code == 404, gone
        assert api.call("DELETE", path).status_code == 404
        assert api.call("GET", TABLES).json() == []

    def test_the_tree_has_tables_by_category_and_name(self, api: Api) -> None:
        assert api.call("GET", f"{TABLES}/tree").json() == []
        mine = [table(api, name=name) for name in ("B", "A")]
        alerts = table(api, category="PIPELINE")
        gone = table(api, category="MATTER")
        api.call("DELETE", f"{TABLES}/{gone['id']}")
        assert api.call("GET", f"{TABLES}/tree", role="VIEWER").json() == [
            {"category": "PIPELINE", "tables": [alerts]},
            {"category": "USER", "tables": mine[::-1]},
        ]
        assert api.call("GET", f"{TABLES}/tree", role="STRANGER").json() == []

    def test_stats_count_the_rows(self, api: Api) -> None:
        path = f"{TABLES}/{table(api)['id']}"
        empty = api.call("GET", f"{path}/stats", role="VIEWER").json()
        assert (empty["rowCount"], empty["columnCount"], empty["lastRowAddedAt"]) == (0, 10, None)
        row = add(api, f"{path}/rows")
        full = api.call("GET", f"{path}/stats").json()
        assert (full["rowCount"], full["lastRowAddedAt"]) == (1, row["createdAt"])

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"name": " "}, "name"),
            ({"category": "MINE"}, "category"),
            ({"columns": []}, "columns"),
            ({"columns": [{"key": "a", "type": "money"}]}, "columns.0.type"),
            ({"columns": [{"key": "a b", "type": "text"}]}, "columns.0.key"),
            ({"columns": [{"key": "-a", "type": "text"}]}, "columns.0.key"),
            ({"columns": [{"key": "a", "type": "text", "options": ["x"]}]}, "columns.0"),
            ({"columns": [{"key": "a", "type": "text"}] * 2}, "body"),
            ({"columns": [{"key": "a", "type": "select", "options": ["x", "x"]}]}, "body"),
            ({"color": "red"}, "color"),
        ],
    )
    def test_a_refusal_names_the_field(self, api: Api, change: dict[str, Any], path: str) -> None:
        assert path in errors(api.call("POST", TABLES, {**SHAPE, **change}))


class TestRows:
    def test_a_row_keeps_every_type_and_shows_null_for_the_rest(self, api: Api) -> None:
        rows = rows_of(api)
        data = {
            "name": "Ä\n'\"\\",
            "size": 1.5,
            "active": False,
            "founded": "2020-02-29",
            "seen": "2026-03-01T10:30:00.5+01:00",
            "kind": "b",
            "tags": ["y", "x"],
            "mail": "ada@b.example",
            "site": "https://b.example/?x",
        }
        made = add(api, rows, **data)
        assert made["data"] == {
            **data,
            "seen": "2026-03-01T09:30:00.500Z",
            "more": None,
        }
        assert api.call("GET", f"{rows}/{made['id']}", role="VIEWER").json() == made

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("name", None, "is required"),
            ("name", "", "is required"),
            ("name", 5, "must be a text"),
            ("name", "x" * 100_001, "100000 characters"),
            ("size", "5", "must be a number"),
            ("size", True, "must be a number"),
            ("size", 10**400, "too large"),
            ("active", "yes", "true or false"),
            ("founded", "2026-02-30", "must be a date"),
            ("seen", "noon", "date and time"),
            ("seen", "0001-01-01T00:00:00+14:00", "date and time"),
            ("kind", "c", "must be one of a, b"),
            ("tags", "x", "list of texts"),
            ("tags", ["x", 1], "must be a text"),
            ("mail", "nobody", "e-mail address"),
            ("site", "javascript:x", "http or https"),
            ("zzz", 1, "not a column"),
        ],
    )
    def test_a_value_that_does_not_fit_names_its_column(
        self, api: Api, column: str, value: Any, message: str
    ) -> None:
        rows = rows_of(api)
        (found,) = errors(api.call("POST", rows, {"data": {"name": "Acme", column: value}})).items()
        assert found[0] == f"data.{column}"
        assert message in found[1][0]
        row = add(api, rows)
        changed = api.call("PATCH", f"{rows}/{row['id']}", {"data": {column: value}})
        assert list(errors(changed)) == [f"data.{column}"]

    def test_patch_changes_what_is_given_and_null_takes_away(self, api: Api) -> None:
        rows = rows_of(api)
        row = add(api, rows, size=1, active=True)
        body = {"data": {"size": 2, "active": None}}
        after = api.call("PATCH", f"{rows}/{row['id']}", body, role="MEMBER").json()
        assert (after["data"]["name"], after["data"]["size"]) == ("Acme", 2)
        assert after["data"]["active"] is None
        assert after["updatedAt"] >= row["updatedAt"]
        assert [event.type for event in events()] == ["ROW_ADDED", "RECORD_UPDATED"]

    def test_patch_leaves_what_has_no_place_in_its_column_any_more(self, api: Api) -> None:
        made = table(api)
        rows = f"{TABLES}/{made['id']}/rows"
        row = add(api, rows, kind="a")
        shape = {**SHAPE, "columns": [dict(column) for column in SHAPE["columns"]]}
        shape["columns"][1]["required"] = True
        shape["columns"][5]["options"] = ["c"]
        assert api.call("PUT", f"{TABLES}/{made['id']}", shape).status_code == 200
        changed = api.call("PATCH", f"{rows}/{row['id']}", {"data": {"active": True}})
        assert changed.status_code == 200, changed.text
        assert (changed.json()["data"]["kind"], changed.json()["data"]["active"]) == ("a", True)
        for data in ({"kind": "a"}, {"size": None}):
            refused = api.call("PATCH", f"{rows}/{row['id']}", {"data": data})
            assert list(errors(refused)) == [f"data.{next(iter(data))}"]

    def test_a_deleted_row_is_gone(self, api: Api) -> None:
        rows = rows_of(api)
        path = f"{rows}/{add(api, rows)['id']}"
        assert api.call("DELETE", path, role="MEMBER").status_code == 204
        for method, body in (("GET", None), ("PATCH", {"data": {}}), ("DELETE", None)):
            assert api.call(method, path, body).status_code == 404, method

    def test_pages_go_on_behind_the_cursor(self, api: Api) -> None:
        rows = rows_of(api)
        for name, size in (("a", 2), ("b", None), ("c", 10), ("d", 2), ("e", None)):
            add(api, rows, name=name, size=size)

        def walk(sort: str) -> list[str]:
            found: list[str] = []
            query: dict[str, Any] = {"sort": sort, "limit": 2}
            while True:
                answer = api.call("POST", f"{rows}/query", query, role="VIEWER")
                found += names(answer)
                query["cursor"] = answer.json()["pagination"]["nextCursor"]
                if query["cursor"] is None:
                    return found

        assert walk("createdAt") == ["a", "b", "c", "d", "e"]
        assert walk("-createdAt") == ["e", "d", "c", "b", "a"]
        assert walk("size") == ["a", "d", "c", "b", "e"]
        assert walk("-size") == ["c", "a", "d", "b", "e"]
        assert walk("-name") == ["e", "d", "c", "b", "a"]

        first = api.call("GET", f"{rows}?limit=3").json()
        cursor = first["pagination"]["nextCursor"]
        assert names(api.call("GET", f"{rows}?limit=3&cursor={cursor}")) == ["d", "e"]
        assert "cursor" in errors(api.call("GET", f"{rows}?sort=size&cursor={cursor}"))
        assert "cursor" in errors(api.call("GET", f"{rows}?cursor=zzz"))
        assert "sort" in errors(api.call("GET", f"{rows}?sort=zzz"))
        assert "sort" in errors(api.call("GET", f"{rows}?sort=tags"))
        assert "limit" in errors(api.call("GET", f"{rows}?limit=1001"))
        for limit in (0, 1_001, "5", True, 1.5):
            assert "limit" in errors(api.call("POST", f"{rows}/query", {"limit": limit}))

    @pytest.mark.parametrize(
        ("rule", "path"),
        [
            ({"field": "zzz", "operator": "equals", "value": 1}, "filter.rules.0.field"),
            ({"field": "size", "operator": "near", "value": 1}, "filter.rules.0.operator"),
            ({"field": "size", "operator": "matches", "value": "1"}, "filter.rules.0.operator"),
            ({"field": "size", "operator": "gt", "value": "1"}, "filter.rules.0.value"),
            ({"field": "size", "operator": "in", "value": 1}, "filter.rules.0.value"),
            ({"field": "seen", "operator": "after", "value": "noon"}, "filter.rules.0.value"),
            ({"field": "name", "operator": "matches", "value": "("}, "filter.rules.0.value"),
            ({"field": "name", "operator": "matches", "value": "(?P<n>a)"}, "filter"),
            ({"field": "name", "operator": "equals"}, "filter.rules.0"),
            ({"rules": [{"field": "q", "operator": "empty"}]}, "filter.rules.0.rules.0.field"),
        ],
    )
    def test_a_filter_that_does_not_fit_names_the_rule(
        self, api: Api, rule: dict[str, Any], path: str
    ) -> None:
        rows = rows_of(api)
        add(api, rows)
        assert path in errors(api.call("POST", f"{rows}/query", {"filter": {"rules": [rule]}}))


class TestImport:
    def test_csv_becomes_the_columns_types_and_one_event(self, api: Api) -> None:
        rows = rows_of(api)
        text = (
            "\ufeffName,size,active,founded,seen,tags,more\r\n"
            '"Acme, Inc.",12,yes,2020-01-02,2026-03-01T09:30:00Z,x;y,"{""a"": 1}"\r\n'
            "\r\n"
            "Bee,1.5,FALSE,,,,\r\n"
        )
        answer = send(api, rows, text.encode(), "text/csv; charset=utf-8")
        assert answer.status_code == 201, answer.text
        first, second = (row["data"] for row in api.call("GET", rows).json()["rows"])
        assert (first["name"], first["size"], first["active"]) == ("Acme, Inc.", 12, True)
        assert (first["tags"], first["more"]) == (["x", "y"], {"a": 1})
        assert (second["size"], second["active"], second["founded"]) == (1.5, False, None)
        (event,) = events()
        ids = answer.json()["rowIds"]
        assert answer.json()["count"] == event.data["count"] == 2
        assert (event.type, event.data["rowId"], event.data["rowIds"]) == ("ROW_ADDED", ids[0], ids)

    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            ("text/tab-separated-values; charset=iso88591", "name\tsize\nJosé\t1\n"),
            ("application/csv; charset=latin1", "name;size\nJosé;1\n"),
            ("text/x-csv; charset=windows-1252", 'name, size\n"José", 1\n'),
        ],
    )
    def test_separated_values_have_several_names(self, api: Api, kind: str, text: str) -> None:
        rows = rows_of(api)
        answer = send(api, rows, text.encode("latin-1"), kind)
        assert answer.status_code == 201, answer.text
        (row,) = api.call("GET", rows).json()["rows"]
        assert (row["data"]["name"], row["data"]["size"]) == ("José", 1)

    def test_json_of_several_megabytes_is_taken_in_its_order(self, api: Api) -> None:
        rows = rows_of(api)
        data = [{"name": f"{index:05}" + "x" * 900, "size": index} for index in range(2_500)]
        answer = send(api, rows, json.dumps(data).encode(), "application/json")
        assert (answer.status_code, answer.json()["count"]) == (201, 2_500)
        assert len(answer.json()["rowIds"]) == 100
        listed = api.call("GET", f"{rows}?limit=1000").json()["rows"]
        assert [row["data"]["size"] for row in listed] == list(range(1_000))
        assert len(events()) == 1

    @pytest.mark.parametrize(
        ("body", "kind", "path"),
        [
            (
                b'[{"name": "a"}, {"name": "b", "size": "x"}]',
                "application/json",
                "rows.1.data.size",
            ),
            (b'[{"name": "a"}, 7]', "application/json", "rows.1"),
            (b'{"name": "a"}', "application/json", "body"),
            (b"", "application/json", "body"),
            (b"name,zzz\na,b\n", "text/csv", "header.1"),
            (b"name,name\na,b\n", "text/csv", "header.1"),
            (b"name,size\na,1\nb,many\n", "text/csv", "rows.1.data.size"),
            (b"name,size\na,1,2\n", "text/csv", "rows.0"),
            (b'name\n"a', "text/csv", "body"),
            (b"name\n\xff\n", "text/csv", "body"),
            (b"name\na\x00\n", "text/csv", "body"),
            (b"", "text/csv", "header"),
        ],
    )
    def test_an_import_with_one_bad_row_adds_none(
        self, api: Api, body: bytes, kind: str, path: str
    ) -> None:
        rows = rows_of(api)
        assert path in errors(send(api, rows, body, kind))
        assert api.call("GET", rows).json()["rows"] == []
        assert events() == []

    def test_a_sheet_of_a_workbook_is_imported(self, api: Api) -> None:
        def row(name: str, size: str) -> str:
            return f'<row><c t="inlineStr"><is><t>{name}</t></is></c><c{size}</c></row>'

        head = row("name", ' t="inlineStr"><is><t>size</t></is>')
        sheets = {"One": head + row("a", "><v>1.5</v>"), "Two": head + row("b", "><v>2</v>")}
        rows, content = rows_of(api), workbooks.book(sheets)
        headers = {
            "Authorization": f"Bearer {api.keys['MEMBER']}",
            "Content-Type": exports.WORKBOOK,
        }
        path = f"{rows}/import"
        assert api.http.post(path, content=content, headers=headers).json()["count"] == 1
        api.http.post(f"{path}?sheet=Two", content=content, headers=headers)
        found = api.call("GET", rows).json()["rows"]
        assert [row["data"]["size"] for row in found] == [1.5, 2]
        answer = api.http.post(f"{path}?sheet=Three", content=content, headers=headers)
        assert errors(answer) == {"body": ["has no sheet 'Three': it has One, Two"]}
        wrong = workbooks.book({"One": head + row("c", ' t="b"><v>1</v>')})
        assert "rows.0.data.size" in errors(api.http.post(path, content=wrong, headers=headers))
        assert "body" in errors(api.http.post(path, content=b"name\n", headers=headers))

    def test_another_media_type_and_a_larger_body_are_refused(self, api: Api) -> None:
        rows = rows_of(api)
        assert send(api, rows, b"x", "text/plain").status_code == 415
        assert send(api, rows, b"x" * 16_000_001, "text/csv").status_code == 413


def test_roles_bound_what_a_key_may_do(api: Api) -> None:
    rows = rows_of(api)
    path, row = rows.removesuffix("/rows"), f"{rows}/{add(api, rows)['id']}"
    data = {"data": {"name": "x"}}
    for role, method, where, body in (
        ("MEMBER", "POST", TABLES, SHAPE),
        ("MEMBER", "PUT", path, SHAPE),
        ("MEMBER", "DELETE", path, None),
        ("VIEWER", "POST", rows, data),
        ("VIEWER", "PATCH", row, data),
        ("VIEWER", "DELETE", row, None),
        ("VIEWER", "POST", f"{rows}/import", [{"name": "x"}]),
    ):
        assert api.call(method, where, body, role=role).status_code == 403, (method, where)


def test_what_another_workspace_has_does_not_exist(api: Api) -> None:
    rows = rows_of(api)
    path, row = rows.removesuffix("/rows"), f"{rows}/{add(api, rows)['id']}"
    data = {"data": {"name": "x"}}
    for method, where, body in (
        ("GET", path, None),
        ("PUT", path, SHAPE),
        ("DELETE", path, None),
        ("GET", f"{path}/stats", None),
        ("GET", rows, None),
        ("POST", rows, data),
        ("POST", f"{rows}/query", {}),
        ("POST", f"{rows}/import", [{"name": "x"}]),
        ("GET", row, None),
        ("PATCH", row, data),
        ("DELETE", row, None),
    ):
        assert api.call(method, where, body, role="STRANGER").status_code == 404, (method, where)
    assert api.call("GET", TABLES, role="STRANGER").json() == []
    other = f"{rows_of(api)}/{row.rsplit('/', 1)[1]}"
    assert api.call("GET", other).status_code == 404
