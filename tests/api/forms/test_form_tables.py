"""Tables of published forms over HTTP: their columns, and submissions as rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import DataTable, Event
from automations.errors import StepError
from automations.ports import RowChange
from automations.services.tables.row_steps import WorkspaceTables
from tests.api.answers import errors
from tests.api.conftest import FORM, Api
from tests.api.pipelines.pipelines import CONNECTIONS
from tests.db.workspace import at_once


def publish(api: Api, **change: Any) -> str:
    answer = api.call("POST", "/api/forms", {**FORM, "public": True, **change})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def schema(*fields: tuple[str, str]) -> dict[str, Any]:
    made = [{"id": key, "key": key, "type": kind} for key, kind in fields]
    return {"sections": [{"id": "s", "fields": made}]}


def tables(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.call("GET", "/api/tables?category=FORM").json()
    return found


def path(api: Api) -> str:
    (table,) = tables(api)
    return f"/api/tables/{table['id']}"


def rows(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.call("GET", f"{path(api)}/rows").json()["rows"]
    return found


def submit(api: Api, form: str, email: str = "a@b.example", **data: Any) -> str:
    body = {"formId": form, "data": {"email": email, **data}}
    answer = api.call("POST", "/api/submissions", body, role="MEMBER")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


def shape(table: dict[str, Any], **change: Any) -> dict[str, Any]:
    same = {key: table[key] for key in ("name", "description", "category", "columns")}
    return {**same, **change}


class TestPublish:
    def test_a_published_form_has_a_table_with_its_fields(self, api: Api) -> None:
        form = publish(api)
        (table,) = tables(api)
        assert {key: table[key] for key in ("name", "category", "formId")} == {
            "name": "Signup",
            "category": "FORM",
            "formId": form,
        }
        assert [
            (column["key"], column["type"], column["required"]) for column in table["columns"]
        ] == [
            ("email", "email", False),
            ("age", "number", False),
        ]
        lines = api.call("GET", "/api/audit-logs").json()["auditLogs"]
        made = next(line for line in lines if line["action"] == "table.create")
        assert made["details"] == {"name": "Signup", "formId": form}

    def test_a_form_that_is_not_published_has_none_and_is_as_it_was(self, api: Api) -> None:
        form = api.form()
        submit(api, form)
        api.call("PATCH", f"/api/forms/{form}", {"title": "Other", "public": False})
        assert api.call("GET", "/api/tables").json() == []
        assert [event.type for event in events()] == ["FORM_SUBMITTED"]

    def test_it_is_made_once_when_the_form_becomes_public(self, api: Api) -> None:
        form = api.form()
        before = submit(api, form)
        for public in (True, False, True):
            api.call("PATCH", f"/api/forms/{form}", {"public": public})
            submit(api, form)
        assert len(rows(api)) == 3
        # What was there before the table was is no row of it.
        api.call("PATCH", f"/api/submissions/{before}", {"data": {"email": "b@b.example"}})
        assert before not in [row["id"] for row in rows(api)]

    def test_two_who_publish_at_once_make_one_table(self, api: Api) -> None:
        form = api.form()
        change = {"public": True}
        at_once(*[lambda: api.call("PATCH", f"/api/forms/{form}", change) for _ in range(4)])
        assert len(tables(api)) == 1

    def test_new_versions_add_columns_and_drop_none(self, api: Api) -> None:
        form = publish(api)
        first = submit(api, form, age=40)
        changed = schema(("email", "email"), ("age", "text"), ("city", "text"))
        api.call("PATCH", f"/api/forms/{form}", {"schema": changed})
        second = submit(api, form, age="forty", city="Rome")
        keys = [column["key"] for column in tables(api)[0]["columns"]]
        assert keys == ["email", "age", "age_2", "city"]
        none = dict.fromkeys(keys)
        assert {row["id"]: row["data"] for row in rows(api)} == {
            first: {**none, "email": "a@b.example", "age": 40},
            second: {**none, "email": "a@b.example", "age_2": "forty", "city": "Rome"},
        }

    def test_a_table_that_was_deleted_is_made_anew_only_when_told(self, api: Api) -> None:
        form = publish(api)
        assert api.call("DELETE", path(api)).status_code == 204
        submit(api, form)
        api.call("PATCH", f"/api/forms/{form}", {"title": "Other"})
        assert tables(api) == []
        api.call("PATCH", f"/api/forms/{form}", {"public": True})
        submit(api, form)
        assert (tables(api)[0]["name"], len(rows(api))) == ("Other", 1)

    def test_a_deleted_form_leaves_its_table_to_itself(self, api: Api) -> None:
        form = publish(api)
        submission = submit(api, form)
        api.call("DELETE", f"/api/forms/{form}")
        (table,) = tables(api)
        assert (table["formId"], [row["id"] for row in rows(api)]) == (None, [submission])
        added = api.call("POST", f"{path(api)}/rows", {"data": {"email": "c@b.example"}})
        assert added.status_code == 201
        only = shape(table, category="USER", columns=table["columns"][:1])
        assert api.call("PUT", path(api), only).status_code == 200


class TestRows:
    def test_a_submission_is_a_row_with_its_id_and_an_event(self, api: Api) -> None:
        form = publish(api)
        submission = submit(api, form, age=40)
        (row,) = rows(api)
        assert (row["id"], row["data"]) == (submission, {"email": "a@b.example", "age": 40})
        submitted, added = sorted(events(), key=lambda event: event.type)
        assert (submitted.type, added.type) == ("FORM_SUBMITTED", "ROW_ADDED")
        assert added.data == {
            "tableId": row["tableId"],
            "tableName": "Signup",
            "rowId": submission,
            "row": row["data"],
        }

    def test_what_anybody_fills_in_is_one_too(self, api: Api) -> None:
        form = publish(api)
        data = {"email": "c@b.example"}
        answer = api.http.post(f"/api/forms/{form}/public", json={"data": data})
        assert answer.status_code == 201, answer.text
        assert rows(api)[0]["data"]["email"] == "c@b.example"

    def test_a_changed_submission_changes_its_row(self, api: Api) -> None:
        submission = submit(api, publish(api), age=40)
        change = {"data": {"email": "b@b.example"}}
        for _ in range(2):
            api.call("PATCH", f"/api/submissions/{submission}", change)
        assert rows(api)[0]["data"] == {"email": "b@b.example", "age": None}
        assert [event.type for event in events()].count("RECORD_UPDATED") == 1

    def test_a_refused_submission_is_no_row(self, api: Api) -> None:
        form = publish(api)
        body = {"formId": form, "data": {"email": "nobody"}}
        assert api.call("POST", "/api/submissions", body).status_code == 400
        assert rows(api) == []

    def test_what_a_column_does_not_take_keeps_no_submission_from_being_made(
        self, api: Api
    ) -> None:
        form = publish(api, schema=schema(("email", "email"), ("n", "number")))
        with unit_of_work() as session:
            table = session.scalars(select(DataTable)).one()
            table.columns = [{**column, "type": "boolean"} for column in table.columns]
        submission = submit(api, form, n=1)
        (row,) = rows(api)
        assert (row["id"], row["data"]) == (submission, {"email": None, "n": None})

    def test_submissions_while_the_form_changes_are_all_rows(self, api: Api) -> None:
        form = publish(api)

        def change(number: int) -> Any:
            fields = [("email", "email"), *((f"f{n}", "text") for n in range(number))]
            return api.call("PATCH", f"/api/forms/{form}", {"schema": schema(*fields)}).status_code

        work: list[Callable[[], object]] = [partial(change, number) for number in range(1, 5)]
        work += [lambda: submit(api, form) for _ in range(8)]
        assert not [done for done in at_once(*work) if isinstance(done, Exception)]
        assert len(rows(api)) == 8


class TestByHand:
    @pytest.fixture
    def row(self, api: Api) -> str:
        submission = submit(api, publish(api))
        return f"{path(api)}/rows/{submission}"

    def test_rows_are_neither_added_nor_deleted(self, api: Api, row: str) -> None:
        added = {"data": {"email": "c@b.example"}}
        for answer in (
            api.call("POST", f"{path(api)}/rows", added),
            api.call("POST", f"{path(api)}/rows/import", [added["data"]]),
            api.call("DELETE", row),
        ):
            assert (answer.status_code, "submissions" in answer.json()["error"]) == (409, True)
        assert len(rows(api)) == 1

    def test_columns_of_ones_own_are_added_and_filled(self, api: Api, row: str) -> None:
        (table,) = tables(api)
        own = {"key": "seen", "type": "boolean"}
        wider = shape(table, name="Leads", columns=[*table["columns"], own])
        assert api.call("PUT", path(api), wider).status_code == 200
        assert api.call("PATCH", row, {"data": {"seen": True}}).json()["data"]["seen"] is True
        submission = row.rpartition("/")[2]
        change = {"data": {"email": "b@b.example"}}
        api.call("PATCH", f"/api/submissions/{submission}", change)
        assert rows(api)[0]["data"] == {"email": "b@b.example", "age": None, "seen": True}

    def test_what_the_form_fills_is_changed_by_the_submission_only(
        self, api: Api, row: str
    ) -> None:
        answer = api.call("PATCH", row, {"data": {"email": "c@b.example"}})
        assert list(errors(answer)) == ["data.email"]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"category": "USER"}, "category"),
            ({"columns": [{"key": "email", "type": "email"}]}, "columns"),
            (
                {"columns": [{"key": "email", "type": "email"}, {"key": "age", "type": "text"}]},
                "columns",
            ),
        ],
    )
    def test_the_shape_that_the_form_needs_stays(
        self, api: Api, row: str, change: dict[str, Any], field: str
    ) -> None:
        (table,) = tables(api)
        assert list(errors(api.call("PUT", path(api), shape(table, **change)))) == [field]

    def test_a_column_that_every_row_must_have_is_refused(self, api: Api, row: str) -> None:
        (table,) = tables(api)
        own = {"key": "seen", "type": "boolean", "required": True}
        answer = api.call("PUT", path(api), shape(table, columns=[*table["columns"], own]))
        assert list(errors(answer)) == ["columns.2.required"]

    def test_steps_of_automations_may_do_the_same_and_no_more(self, api: Api, row: str) -> None:
        (table,) = tables(api)
        own = {"key": "seen", "type": "boolean"}
        api.call("PUT", path(api), shape(table, columns=[*table["columns"], own]))
        with unit_of_work() as session:
            here = session.scalars(select(DataTable.workspace_id)).one()
        run = api.call("POST", f"/api/workflows/{api.workflow()['id']}/execute").json()["runId"]
        steps, row_id, by = WorkspaceTables(), row.rpartition("/")[2], {"workspace_id": here}
        place, data = table["id"], {"email": "c@b.example"}
        for refused in (
            lambda: steps.write(RowChange(place, data), run_id=run, key="1", **by),
            lambda: steps.write(RowChange(place, data, row_id), run_id=run, key="2", **by),
            lambda: steps.write(RowChange(place, data, None, ["email"]), run_id=run, key="3", **by),
            lambda: steps.delete(table["id"], row_id, key="4", **by),
        ):
            with pytest.raises(StepError):
                refused()
        steps.write(RowChange(place, {"seen": True}, row_id), run_id=run, key="5", **by)
        assert rows(api)[0]["data"] == {"email": "a@b.example", "age": None, "seen": True}
        assert events()[-1].cause_run_id == run

    def test_no_pipeline_writes_to_it(self, api: Api, row: str) -> None:
        mapping = {"tableId": tables(api)[0]["id"], "keyColumns": ["email"]}
        body = {"name": "A", "connectorType": "push", "tables": [mapping]}
        assert list(errors(api.call("POST", CONNECTIONS, body))) == ["tables.0.tableId"]
