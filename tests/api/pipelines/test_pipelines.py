"""Pipelines over HTTP: connections, and syncs of records that are sent."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

from automations.kit.ids import PATTERN
from tests.api.answers import INSTANT, errors
from tests.api.conftest import Api
from tests.api.pipelines.pipelines import (
    COLUMNS,
    CONNECTIONS,
    connection,
    events,
    mapping,
    push,
    register,
    rows,
)


def counts(run: dict[str, Any]) -> tuple[int, ...]:
    return tuple(run[part] for part in ("created", "updated", "unchanged", "failed"))


class TestConnections:
    def test_a_connection_has_the_documented_shape(self, api: Api) -> None:
        table = register(api)
        made = connection(api, mapping(table, fieldMapping={"id": "number"}))
        assert re.fullmatch(PATTERN, made["id"])
        assert re.fullmatch(INSTANT, made["createdAt"])
        assert {key: made[key] for key in ("name", "connectorType", "config", "tables")} == {
            "name": "Scanner",
            "connectorType": "push",
            "config": {},
            "tables": [mapping(table, fieldMapping={"id": "number"})],
        }
        assert (made["interval"], made["enabled"]) == (None, True)
        assert api.call("GET", CONNECTIONS, role="VIEWER").json() == [made]
        assert api.call("GET", f"{CONNECTIONS}/{made['id']}", role="VIEWER").json() == made

    def test_the_types_of_connectors_say_what_is_configured(self, api: Api) -> None:
        found = api.call("GET", "/api/pipelines/connector-types", role="VIEWER").json()
        assert [connector["type"] for connector in found] == ["push", "http"]
        assert {"url", "auth", "paging"} <= found[1]["configSchema"]["properties"].keys()

    def test_a_change_keeps_what_it_does_not_name(self, api: Api) -> None:
        made = connection(api, mapping(register(api)))
        path = f"{CONNECTIONS}/{made['id']}"
        changed = api.call("PATCH", path, {"name": "Other", "enabled": False}, role="ADMIN").json()
        same = ("connectorType", "config", "tables", "interval")
        assert {key: changed[key] for key in same} == {key: made[key] for key in same}
        assert (changed["name"], changed["enabled"]) == ("Other", False)
        refused = api.call("POST", f"{path}/runs", {"records": []})
        assert (refused.status_code, "disabled" in refused.json()["error"]) == (409, True)

    def test_a_deleted_connection_is_gone_and_its_rows_stay(self, api: Api) -> None:
        table = register(api)
        made = connection(api, mapping(table))
        push(api, made, {"id": 1})
        path = f"{CONNECTIONS}/{made['id']}"
        assert api.call("DELETE", path, role="ADMIN").status_code == 204
        assert api.call("GET", path).status_code == 404
        assert api.call("GET", f"{path}/runs").status_code == 404
        assert len(rows(api, table)) == 1

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"name": " "}, "name"),
            ({"connectorType": "ftp"}, "connectorType"),
            ({"tables": []}, "tables"),
            ({"config": {"url": "https://b.example"}}, "config.url"),
            ({"interval": "PT1H"}, "body"),
            ({"unknown": 1}, "unknown"),
            ({"connectorType": "http"}, "config.url"),
            ({"connectorType": "http", "config": {"url": "ftp://b.example"}}, "config.url"),
            (
                {"connectorType": "http", "config": {"url": "https://b.example/{{secret.A}}"}},
                "config.url",
            ),
            (
                {
                    "connectorType": "http",
                    "config": {
                        "url": "https://b.example",
                        "auth": {"type": "bearer", "secret": "ghp_plain"},
                    },
                },
                "config.auth.secret",
            ),
            (
                {
                    "connectorType": "http",
                    "config": {"url": "https://b.example", "paging": {"type": "cursor"}},
                },
                "config.paging.path",
            ),
            *(
                (
                    {"connectorType": "http", "config": {"url": "https://b.ex"}, "interval": every},
                    "interval",
                )
                for every in ("PT1S", "P367D", "P900000000D")
            ),
        ],
    )
    def test_what_does_not_fit_is_refused_with_its_path(
        self, api: Api, change: dict[str, Any], path: str
    ) -> None:
        body = {"name": "A", "connectorType": "push", "tables": [mapping(register(api))], **change}
        answer = api.call("POST", CONNECTIONS, body)
        assert answer.status_code == 400, answer.text
        assert list(errors(answer)) == [path]

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"tableId": "c" + "0" * 24}, "tables.0.tableId"),
            ({"keyColumns": []}, "tables.0.keyColumns"),
            ({"keyColumns": ["nope"]}, "tables.0.keyColumns.0"),
            ({"keyColumns": ["whole"]}, "tables.0.keyColumns.0"),
            ({"fieldMapping": {"id": "a", "nope": "b"}}, "tables.0.fieldMapping.nope"),
            ({"fieldMapping": {"package": "a"}}, "tables.0"),
            ({"fieldMapping": {"id": "a..b"}}, "tables.0.fieldMapping.id"),
        ],
    )
    def test_a_mapping_fits_its_table(self, api: Api, change: dict[str, Any], path: str) -> None:
        tables = [{**mapping(register(api)), **change}]
        body = {"name": "A", "connectorType": "push", "tables": tables}
        answer = api.call("POST", CONNECTIONS, body)
        assert (answer.status_code, list(errors(answer))) == (400, [path]), answer.text
        changed = api.call("PATCH", f"{CONNECTIONS}/{self._made(api)}", {"tables": tables})
        assert (changed.status_code, list(errors(changed))) == (400, [path]), changed.text

    @staticmethod
    def _made(api: Api) -> str:
        return str(connection(api, mapping(register(api)))["id"])

    def test_no_two_connections_have_one_name(self, api: Api) -> None:
        first = connection(api, mapping(register(api)))
        body = {key: first[key] for key in ("name", "connectorType", "tables")}
        assert api.call("POST", CONNECTIONS, body).status_code == 409
        other = connection(api, mapping(register(api)), name="Other")
        path = f"{CONNECTIONS}/{other['id']}"
        assert api.call("PATCH", path, {"name": "Scanner"}).status_code == 409
        assert api.call("PATCH", path, {"name": "Other"}).status_code == 200


class TestPush:
    def test_records_are_rows_by_their_keys_and_counted(self, api: Api) -> None:
        table = register(api)
        made = connection(api, mapping(table))
        first = push(api, made, {"id": 1, "package": "a"}, {"id": 2, "package": "b"})
        assert (first["status"], first["records"], counts(first)) == ("COMPLETED", 2, (2, 0, 0, 0))
        second = push(
            api,
            made,
            {"id": 1, "package": "a"},
            {"id": 2.0, "severity": "high"},
            {"id": 3, "severity": "terrible"},
            {"package": "no id"},
            "no object",
            {"id": 4, "nope": 1},
        )
        assert counts(second) == (0, 1, 1, 4)
        assert [row["severity"] for row in rows(api, table)] == [None, "high"]
        assert [row["package"] for row in rows(api, table)] == ["a", "b"]
        assert second["errors"] == [
            {
                "record": 2,
                "tableId": table,
                "fieldErrors": {"data.severity": ["must be one of low, high"]},
            },
            {"record": 3, "tableId": table, "fieldErrors": {"data.id": [REQUIRED_KEY]}},
            {"record": 4, "tableId": table, "fieldErrors": {"record": ["must be an object"]}},
            {
                "record": 5,
                "tableId": table,
                "fieldErrors": {"data.nope": ["is not a column of this table"]},
            },
        ]
        path = f"{CONNECTIONS}/{made['id']}/runs"
        assert api.call("GET", path, role="VIEWER").json()["runs"] == [second, first]
        assert api.call("GET", f"{path}/{first['id']}", role="VIEWER").json() == first
        page = api.call("GET", f"{path}?limit=1").json()
        following = api.call("GET", f"{path}?cursor={page['pagination']['nextCursor']}").json()
        assert (page["runs"], following["runs"]) == ([second], [first])

    def test_fields_are_found_in_records_and_each_record_goes_to_all_tables(self, api: Api) -> None:
        alerts, packages = register(api, "Alerts"), register(api, "Packages")
        fields = {"id": "number", "package": "dependency.package.name", "whole": "$"}
        more = {"severity": "advisory.levels.0"}
        made = connection(
            api,
            mapping(alerts, fieldMapping=fields | more),
            {
                "tableId": packages,
                "keyColumns": ["package"],
                "fieldMapping": {"package": fields["package"], "id": "number"},
            },
        )
        record = {
            "number": 7,
            "dependency": {"package": {"name": "lodash"}},
            "advisory": {"levels": ["high", "low"]},
        }
        again = {**record, "number": 8, "advisory": {"levels": []}}
        run = push(api, made, record, again)
        assert [table["created"] for table in run["tables"]] == [2, 1]
        assert [table["tableName"] for table in run["tables"]] == ["Alerts", "Packages"]
        assert [row["severity"] for row in rows(api, alerts)] == ["high", None]
        assert rows(api, alerts)[0]["whole"] == record
        assert [(row["package"], row["id"]) for row in rows(api, packages)] == [("lodash", 8)]
        # What a record is silent on stays; what it says is null is taken away.
        push(api, made, again | {"number": 7}, {**record, "number": 8, "dependency": None})
        assert [row["severity"] for row in rows(api, alerts)] == ["high", "high"]
        push(api, made, {**record, "advisory": {"levels": [None]}})
        assert rows(api, alerts)[0]["severity"] is None

    def test_what_is_refused_is_named_in_the_order_of_the_records(self, api: Api) -> None:
        numbers, texts = register(api, "Numbers"), register(api, "Texts")
        by_text = {"tableId": texts, "keyColumns": ["package"]}
        made = connection(api, mapping(numbers), by_text)
        run = push(api, made, {"id": 1}, {"package": "a"}, *({"id": 1} for _ in range(150)))
        named = [(error["record"], error["tableId"]) for error in run["errors"]]
        assert named[:3] == [(0, texts), (1, numbers), (2, texts)]
        assert [place for place, _ in named] == list(range(100))

    def test_a_sync_is_one_event_for_each_table_that_it_changes(self, api: Api) -> None:
        table, other = register(api), register(api, "Untouched")
        made = connection(api, mapping(table), mapping(other, fieldMapping={"id": "other"}))
        push(api, made, *({"id": number} for number in range(150)))
        (added,) = events()
        assert (added.type, added.trigger_key) == (
            "TABLE_SYNCED",
            f"event:TABLE_SYNCED:ROW_ADDED:{table}",
        )
        assert {key: added.data[key] for key in ("tableId", "tableName", "connectionName")} == {
            "tableId": table,
            "tableName": "Register",
            "connectionName": "Scanner",
        }
        assert [added.data[key] for key in ("count", "created", "updated")] == [150, 150, 0]
        assert (len(added.data["rowIds"]), added.data["rowId"]) == (100, added.data["rowIds"][0])
        push(api, made, {"id": 1})
        assert len(events()) == 1
        push(api, made, {"id": 1, "package": "a"}, {"id": 150})
        mixed = events()[1]
        assert mixed.trigger_key == f"event:TABLE_SYNCED:ROW_ADDED:RECORD_UPDATED:{table}"
        assert mixed.data["rowIds"] == mixed.data["createdRowIds"] + mixed.data["updatedRowIds"]
        assert (mixed.data["created"], mixed.data["updated"]) == (1, 1)

    def test_a_repeat_with_its_idempotency_key_is_answered_and_not_done_again(
        self, api: Api
    ) -> None:
        made = connection(api, mapping(register(api)))
        path, headers = f"{CONNECTIONS}/{made['id']}/runs", {"Idempotency-Key": "night-1"}
        body = {"records": [{"id": 1}]}
        first, second = (api.call("POST", path, body, headers=headers) for _ in range(2))
        assert (second.status_code, second.json()) == (201, first.json())
        assert len(api.call("GET", path).json()["runs"]) == 1

    def test_a_table_that_no_longer_fits_stops_the_sync_and_nothing_is_half_done(
        self, api: Api
    ) -> None:
        table, other = register(api), register(api, "Other")
        made = connection(api, mapping(table), mapping(other, fieldMapping={"id": "id"}))
        api.call("PUT", f"/api/tables/{other}", {"name": "Other", "columns": COLUMNS[1:]})
        path = f"{CONNECTIONS}/{made['id']}/runs"
        answer = api.call("POST", path, {"records": [{"id": 1}]})
        assert (answer.status_code, "Other" in answer.json()["error"]) == (409, True)
        assert api.call("DELETE", f"/api/tables/{other}").status_code == 204
        assert api.call("POST", path, {"records": [{"id": 1}]}).status_code == 404
        assert (rows(api, table), api.call("GET", path).json()["runs"]) == ([], [])

    def test_too_many_and_too_few_records_are_refused(self, api: Api) -> None:
        made = connection(api, mapping(register(api)))
        path = f"{CONNECTIONS}/{made['id']}/runs"
        many = api.call("POST", path, {"records": [0] * 50_001})
        assert (many.status_code, list(errors(many))) == (400, ["records"])
        none = api.call("POST", path, {})
        assert (none.status_code, list(errors(none))) == (400, ["records"])
        assert counts(push(api, made)) == (0, 0, 0, 0)
        run = api.call("GET", path).json()["runs"][0]["id"]
        assert api.call("DELETE", f"{path}/{run}").status_code == 409

    def test_who_syncs_and_who_sets_up_is_on_record(self, api: Api) -> None:
        made = connection(api, mapping(register(api)))
        api.call("PATCH", f"{CONNECTIONS}/{made['id']}", {"enabled": True}, role="ADMIN")
        push(api, made, {"id": 1})
        api.call("DELETE", f"{CONNECTIONS}/{made['id']}", role="ADMIN")
        lines = api.call("GET", "/api/audit-logs").json()["auditLogs"]
        found = [line for line in lines if line["action"].startswith("pipeline.")]
        assert [(line["action"], line["actor"]["name"]) for line in found] == [
            ("pipeline.delete", "admin"),
            ("pipeline.sync", "member"),
            ("pipeline.update", "admin"),
            ("pipeline.create", "admin"),
        ]
        assert found[1]["details"]["created"] == 1


class TestPull:
    CONFIG: ClassVar = {"url": "http://127.0.0.1:1/alerts", "paging": {"type": "link"}}

    def made(self, api: Api) -> dict[str, Any]:
        return connection(api, mapping(register(api)), connectorType="http", config=self.CONFIG)

    def test_a_sync_is_begun_and_said_to_run(self, api: Api) -> None:
        made = self.made(api)
        path = f"{CONNECTIONS}/{made['id']}/runs"
        bodies: tuple[dict[str, Any] | None, ...] = (None, {})
        for body in bodies:
            answer = api.call("POST", path, body, role="MEMBER")
            assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING"), answer.text
            assert api.call("POST", path).status_code == 409
            run = f"{path}/{answer.json()['id']}"
            stopped = api.call("DELETE", run, role="MEMBER").json()
            assert stopped["status"] == "STOPPED"
            assert re.fullmatch(INSTANT, stopped["completedAt"])
        sent = api.call("POST", path, {"records": []})
        assert (sent.status_code, list(errors(sent))) == (400, ["records"])

    def test_all_are_begun_that_read_and_are_not_reading(self, api: Api) -> None:
        made = self.made(api)
        connection(api, mapping(register(api)), name="Push")
        assert api.call("POST", "/api/pipelines/run-all", role="VIEWER").status_code == 403
        for expected in ([made["id"]], []):
            answer = api.call("POST", "/api/pipelines/run-all", role="MEMBER")
            assert answer.status_code == 202
            assert [run["connectionId"] for run in answer.json()["runs"]] == expected

    def test_a_source_is_tried_by_administrators_and_only_if_public(self, api: Api) -> None:
        made = self.made(api)
        source = {"connectorType": "http", "config": self.CONFIG}
        for path in (f"/{made['id']}/check", "/test"):
            body = source if path == "/test" else None
            assert api.call("POST", CONNECTIONS + path, body, role="MEMBER").status_code == 403
            tried = api.call("POST", CONNECTIONS + path, body, role="ADMIN").json()
            assert (tried["success"], "not a public" in tried["message"]) == (False, True)
        found = api.call("POST", f"{CONNECTIONS}/{made['id']}/discover", role="ADMIN")
        assert found.status_code == 502
        wrong = api.call("POST", f"{CONNECTIONS}/test", {"connectorType": "http", "config": {}})
        assert list(errors(wrong)) == ["config.url"]

    def test_nothing_is_read_from_a_connection_that_is_sent_to(self, api: Api) -> None:
        path = f"{CONNECTIONS}/{connection(api, mapping(register(api)))['id']}"
        source = {"connectorType": "push", "config": {}}
        for tried in (
            api.call("POST", f"{path}/check").json(),
            api.call("POST", f"{CONNECTIONS}/test", source).json(),
        ):
            assert (tried["success"], "no source" in tried["message"]) == (True, True)
        assert api.call("POST", f"{path}/discover").status_code == 409


REQUIRED_KEY = "is required, because it is a key"


def test_another_workspaces_table_is_not_there_for_a_mapping(api: Api) -> None:
    body = {"name": "A", "connectorType": "push", "tables": [mapping(register(api))]}
    answer = api.call("POST", CONNECTIONS, body, role="STRANGER")
    assert (answer.status_code, list(errors(answer))) == (400, ["tables.0.tableId"])
