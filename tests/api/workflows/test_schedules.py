"""Schedules over HTTP: what is due next, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import WorkflowVersion
from automations.db.workflows.publications import SqlPublications
from automations.definitions.schedules import Schedule
from tests.api.conftest import Api
from tests.api.playing import Playing

DAILY = {"cron": "30 9 * * MON-FRI", "timezone": "Europe/Warsaw"}


def scheduled(api: Api, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    return api.workflow(trigger={"type": "schedule", "config": config}, **more)


def since(version: int) -> datetime | None:
    query = select(WorkflowVersion.scheduled_since).where(WorkflowVersion.version == version)
    with unit_of_work() as session:
        return session.scalars(query).one()


class TestPreview:
    def test_it_is_what_the_schedule_computes(self, api: Api) -> None:
        workflow = scheduled(api, DAILY)
        before = datetime.now(UTC)
        shown = api.call("GET", f"/api/workflows/{workflow['id']}/schedule?count=3").json()
        schedule = Schedule(DAILY["cron"], None, DAILY["timezone"])
        # One of its moments may have come meanwhile.
        computed = [
            [f"{instant:%Y-%m-%dT%H:%M}:00.000Z" for instant in schedule.upcoming(since, 3)]
            for since in (before, datetime.now(UTC))
        ]
        assert shown.pop("next") in computed
        assert shown == {**DAILY, "overlap": "skip", "catchup": False, "active": True}

    def test_it_says_when_nothing_will_start(self, api: Api) -> None:
        workflow = scheduled(api, {"interval": "PT15M"}, status="PAUSED")
        schedule = api.call(
            "GET", f"/api/workflows/{workflow['id']}/schedule", role="VIEWER"
        ).json()
        assert (schedule["active"], schedule["interval"], len(schedule["next"])) == (
            False,
            "PT15M",
            5,
        )

    def test_it_is_refused_where_there_is_none(self, api: Api) -> None:
        manual, daily = api.workflow()["id"], scheduled(api, DAILY)["id"]
        assert api.call("GET", f"/api/workflows/{manual}/schedule").status_code == 409
        where = f"/api/workflows/{daily}/schedule"
        assert api.call("GET", where, role="STRANGER").status_code == 404
        assert api.call("GET", f"{where}?count=101").status_code == 400
        assert api.http.get(where).status_code == 401


class TestRefused:
    @pytest.mark.parametrize(
        ("config", "field", "message"),
        [
            ({}, "trigger", "either cron or interval"),
            ({"cron": "0 9 * * *", "interval": "PT1H"}, "trigger", "either cron or interval"),
            ({"cron": "0 9 31 2 *"}, "trigger.config.cron", "never due"),
            ({"cron": "* * * * * *"}, "trigger.config.cron", "five fields"),
            ({"cron": "R 9 * * *"}, "trigger.config.cron", "R or H"),
            ({"cron": "{{input.cron}}"}, "trigger.config.cron", "five fields"),
            ({"cron": "1," * 5_000 + "1 * * * *"}, "trigger.config.cron", "200 characters at most"),
            ({"interval": "PT59S"}, "trigger.config.interval", "between PT1M"),
            ({"interval": "{{input.every}}"}, "trigger.config.interval", "ISO 8601"),
            ({"cron": "0 9 * * *", "timezone": "../x"}, "trigger.config.timezone", "IANA"),
            ({"cron": "0 9 * * *", "timezone": "{{input.z}}"}, "trigger.config.timezone", "templ"),
            ({"cron": "0 9 * * *", "overlap": "no"}, "trigger.config.overlap", "skip"),
            ({"cron": "0 9 * * *", "catchup": "yes"}, "trigger.config.catchup", "true or false"),
        ],
    )
    def test_a_schedule_that_makes_no_sense_is_refused(
        self, api: Api, config: dict[str, Any], field: str, message: str
    ) -> None:
        trigger = {"type": "schedule", "config": config}
        answer = api.call("POST", "/api/workflows", {"name": "x", "trigger": trigger})
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["details"]["fieldErrors"][field][0]


class TestSince:
    def test_an_edit_of_something_else_leaves_the_schedule_in_force(self, api: Api) -> None:
        where = f"/api/workflows/{scheduled(api, DAILY)['id']}"
        api.call("PATCH", where, {"name": "Other"})
        api.call("PATCH", where, {"trigger": {"type": "schedule", **DAILY, "overlap": "queue"}})
        assert since(1) is not None
        assert since(1) == since(2) == since(3)

    def test_a_new_schedule_and_an_activation_begin_anew(self, api: Api) -> None:
        where = f"/api/workflows/{scheduled(api, DAILY)['id']}"
        api.call("PATCH", where, {"trigger": {"type": "schedule", "interval": "PT1H"}})
        api.call("PATCH", where, {"status": "PAUSED"})
        api.call("PATCH", where, {"status": "ACTIVE"})
        api.call("PATCH", where, {"trigger": {"type": "manual"}})
        first, second, paused, again, manual = (since(version) for version in range(1, 6))
        assert (paused, manual) == (None, None)
        assert first is not None
        assert second is not None
        assert again is not None
        assert first < second < again

    def test_it_is_published_to_airflow(self, api: Api) -> None:
        scheduled(api, DAILY)
        (published,) = SqlPublications().pack(0)
        begun = since(1)
        assert begun is not None
        assert published.scheduled_since == begun.isoformat()
        assert published.definition["trigger"]["cron"] == DAILY["cron"]


class TestTheAutomationsTimeZone:
    def test_it_holds_where_the_schedule_names_none(self, api: Api) -> None:
        trigger = {"type": "schedule", "config": {"cron": "0 9 * * *"}}
        where = f"/api/workflows/{api.workflow(trigger=trigger)['id']}"
        assert preview(api, where) == ("UTC", "09:00")
        changed = api.call("PATCH", where, {"timezone": "Asia/Tokyo"}).json()
        assert changed["timezone"] == "Asia/Tokyo"
        assert preview(api, where) == ("Asia/Tokyo", "00:00")
        assert since(1) != since(2)
        own = {"type": "schedule", "config": {"cron": "0 9 * * *", "timezone": "Asia/Kolkata"}}
        api.call("PATCH", where, {"trigger": own})
        assert preview(api, where) == ("Asia/Kolkata", "03:30")
        api.call("PATCH", where, {"timezone": "Asia/Dubai"})
        assert preview(api, where) == ("Asia/Kolkata", "03:30")
        assert since(3) == since(4)

    @pytest.mark.parametrize("in_a_loop", [False, True])
    def test_it_holds_for_delays_that_name_none(self, playing: Playing, in_a_loop: bool) -> None:
        tomorrow = (datetime.now(UTC) + timedelta(days=2)).date()
        until = f"{tomorrow}T09:00:00"
        step = {"name": "Wait", "type": "delay", "order": 0, "config": {"until": until}}
        if in_a_loop:
            config = {"collection": [1], "steps": [step]}
            step = {"name": "Each", "type": "loop", "order": 0, "config": config}
        workflow = playing.workflow(step, timezone="Asia/Tokyo")
        run = playing.execute(workflow)
        playing.finish(run)
        due = playing.detail(workflow, run)["pause"]["dueAt"]
        assert due == f"{tomorrow}T00:00:00.000Z"

    @pytest.mark.parametrize("zone", ["Mars/Base", "", 5, "{{input.zone}}"])
    def test_what_is_none_is_refused(self, api: Api, zone: Any) -> None:
        answer = api.call("POST", "/api/workflows", {"name": "x", "timezone": zone})
        assert answer.status_code == 400
        assert list(answer.json()["details"]["fieldErrors"]) == ["timezone"]


def preview(api: Api, where: str) -> tuple[str, str]:
    """The time zone of a schedule, and its next time of day in UTC."""
    schedule = api.call("GET", f"{where}/schedule?count=1").json()
    return schedule["timezone"], schedule["next"][0][11:16]
