"""Events over HTTP: CloudEvents in, lists and reasons out."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from automations.definitions.triggers import RESERVED_TYPES
from tests.api.conftest import Api
from tests.api.playing import Playing

EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "https://shop.example",
    "type": "com.example.paid",
    "time": "2026-03-01T12:00:00Z",
    "team": "sales",
    "data": {"amount": 5},
}
ONE = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def send(api: Api, body: Any, headers: dict[str, str], role: str = "MEMBER") -> Any:
    authorized = {"Authorization": f"Bearer {api.keys[role]}", **headers}
    return api.http.post("/api/events", content=json.dumps(body), headers=authorized)


class TestTake:
    def test_an_event_is_taken_once(self, api: Api) -> None:
        first = send(api, EVENT, ONE)
        assert first.status_code == 202
        again = send(api, EVENT, ONE)
        assert again.json() == {"id": first.json()["id"], "duplicate": True}
        assert len(api.call("GET", "/api/events").json()["events"]) == 1

    def test_binary_mode_carries_the_attributes_in_headers(self, api: Api) -> None:
        headers = {
            "Content-Type": "application/json",
            **{f"ce-{name}": str(value) for name, value in EVENT.items() if name != "data"},
        }
        taken = send(api, EVENT["data"], headers).json()
        shown = api.call("GET", f"/api/events/{taken['id']}").json()
        assert (shown["type"], shown["externalId"]) == ("com.example.paid", "1")
        assert shown["data"]["amount"] == 5
        assert shown["data"]["cloudEvent"]["team"] == "sales"

    def test_a_batch_is_taken_whole_or_not_at_all(self, api: Api) -> None:
        wrong = send(api, [EVENT, {**EVENT, "id": "2", "type": ""}], BATCH)
        assert wrong.status_code == 400
        assert list(wrong.json()["details"]["fieldErrors"]) == ["1.type"]
        assert api.call("GET", "/api/events").json()["events"] == []
        taken = send(api, [EVENT, {**EVENT, "id": "2"}, EVENT], BATCH).json()
        assert [receipt["duplicate"] for receipt in taken] == [False, False, True]

    def test_batches_of_the_same_events_in_other_orders_are_taken_at_once(self, api: Api) -> None:
        events = [{**EVENT, "id": str(number)} for number in range(200)]
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(lambda order: send(api, order, BATCH), [events, events[::-1]] * 2)
            )
        assert [answer.status_code for answer in answers] == [202] * 4
        new = [not receipt["duplicate"] for answer in answers for receipt in answer.json()]
        assert new.count(True) == 200

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"specversion": "0.3"}, "specversion"),
            ({"id": ""}, "id"),
            ({"source": None}, "source"),
            ({"type": "no spaces"}, "type"),
            ({"time": "yesterday"}, "time"),
            ({"data": None, "data_base64": "?"}, "data_base64"),
        ],
    )
    def test_a_wrong_attribute_is_named(self, api: Api, change: dict[str, Any], field: str) -> None:
        answer = send(api, {**EVENT, **change}, ONE)
        assert answer.status_code == 400
        assert list(answer.json()["details"]["fieldErrors"]) == [field]

    @pytest.mark.parametrize("subject", ["", ":c000000000000000000000001"])
    @pytest.mark.parametrize("reserved", sorted(RESERVED_TYPES))
    def test_what_the_product_tells_of_cannot_be_forged(
        self, api: Api, reserved: str, subject: str
    ) -> None:
        answer = send(api, {**EVENT, "type": reserved + subject}, ONE)
        assert answer.status_code == 400
        assert list(answer.json()["details"]["fieldErrors"]) == ["type"]
        assert api.call("GET", "/api/events").json()["events"] == []

    def test_what_is_no_cloud_event_is_not_taken(self, api: Api) -> None:
        assert send(api, EVENT, {"Content-Type": "application/json"}).status_code == 415
        assert send(api, EVENT, {"Content-Type": "text/plain"}).status_code == 415
        other = {"Content-Type": "application/cloudevents+avro", "ce-id": "1"}
        assert send(api, EVENT, other).status_code == 415
        assert send(api, EVENT, ONE, role="VIEWER").status_code == 403

    def test_the_longest_id_and_source_can_be_told_from_others(self, api: Api) -> None:
        # What repeats itself is compressed, and so is no test of a limit.
        unlike = random.Random(1)
        wide = "".join(chr(unlike.randrange(0x10000, 0x1F000)) for _ in range(300))
        source = "".join(chr(unlike.randrange(0x21, 0x7F)) for _ in range(1_000))
        longest = {**EVENT, "id": wide, "source": source}
        assert [send(api, longest, ONE).json()["duplicate"] for _ in range(2)] == [False, True]


class TestRead:
    def test_events_are_listed_by_type_status_and_cursor(self, api: Api) -> None:
        for number in range(5):
            kind = "com.example.paid" if number % 2 else "com.example.sent"
            send(api, {**EVENT, "id": str(number), "type": kind}, ONE)
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = api.call("GET", f"/api/events?limit=2&cursor={cursor}").json()
            seen += [event["externalId"] for event in page["events"]]
            cursor = page["pagination"]["nextCursor"]
        assert seen == ["4", "3", "2", "1", "0"]
        paid = api.call("GET", "/api/events?type=com.example.paid&status=PENDING").json()
        assert [event["externalId"] for event in paid["events"]] == ["3", "1"]
        assert api.call("GET", "/api/events?status=DONE").status_code == 400

    def test_another_workspace_sees_nothing(self, api: Api) -> None:
        event = send(api, EVENT, ONE).json()["id"]
        assert api.call("GET", "/api/events", role="STRANGER").json()["events"] == []
        for method, path in (("GET", ""), ("POST", "/replay")):
            answer = api.call(method, f"/api/events/{event}{path}", role="STRANGER")
            assert answer.status_code == 404

    def test_a_replay_needs_an_admin_and_an_event_that_was_matched(self, api: Api) -> None:
        event = send(api, EVENT, ONE).json()["id"]
        path = f"/api/events/{event}/replay"
        assert api.call("POST", path, role="MEMBER").status_code == 403
        assert api.call("POST", path, role="ADMIN").status_code == 409


SHOWN = {
    "name": "Show",
    "type": "code",
    "order": 0,
    "config": {
        "code": "return input",
        "input": {"trigger": "{{trigger}}", "sent": "{{submission}}"},
    },
}


def _shown(playing: Playing, workflow: str) -> Any:
    playing.match_events()
    run = playing.runs(workflow)["runs"][0]["id"]
    playing.finish(run)
    (output,) = playing.detail(workflow, run)["state"]["stepOutputs"].values()
    return output


def test_an_events_own_fields_are_those_that_steps_find(api: Api, playing: Playing) -> None:
    workflow = playing.workflow(
        SHOWN, trigger={"type": "event", "config": {"triggerType": "card.used"}}
    )
    data = {"type": "card", "submission": {"a": 1}, "amount": 5}
    event = {"specversion": "1.0", "id": "1", "source": "/a", "type": "card.used", "data": data}
    headers = {"Content-Type": "application/cloudevents+json"}
    assert api.call("POST", "/api/events", event, headers=headers).status_code == 202
    output = _shown(playing, workflow)
    assert {name: output["trigger"][name] for name in data} == data
    assert output["sent"] == {"a": 1}


def test_a_decided_submission_is_found_as_the_triggers_too(api: Api, playing: Playing) -> None:
    form = api.form()
    config = {"triggerType": "FORM_APPROVED", "filterFormId": form}
    workflow = playing.workflow(SHOWN, trigger={"type": "event", "config": config})
    given = {"formId": form, "data": {"email": "ada@b.example"}}
    sent = api.call("POST", "/api/submissions", given).json()["id"]
    api.call("POST", f"/api/submissions/{sent}/approve")
    output = _shown(playing, workflow)
    assert output["trigger"]["type"] == "event"
    assert output["trigger"]["submission"] == output["sent"] == {"email": "ada@b.example"}
