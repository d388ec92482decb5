"""Pipelines: their syncs, begun and stopped by a button, and the automations that listen."""

from __future__ import annotations

from automations.db.session import unit_of_work
from automations.db.tables import PipelineRun
from automations.domain.tables.columns import TableShape
from automations.services.pipelines import connections, syncs
from automations.services.tables import tables
from automations.services.workflows import workflows
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.doubles import ports


def test_the_list_says_what_became_of_the_newest_sync(owner: Browser, there: Sample) -> None:
    syncs.push(there.workspace, there.things["push"], [{"id": 3, "name": "Crane"}])
    owner.open("/console/pipelines")
    rows = [" ".join(row.text_content().split()) for row in owner.root.xpath("//tbody/tr")]
    assert [row.split()[0] for row in rows] == ["ERP", "Supplier"]
    assert "Not yet" in rows[0]
    assert "1 new, 0 changed, 0 failed" in rows[1], "not those of the sync before"


def test_records_that_did_not_fit_are_named(owner: Browser, there: Sample) -> None:
    owner.open(f"/console/pipelines/{there.things['push']}")
    assert "2 new, 0 changed, 1 failed" in owner.text
    assert "Record 2" in owner.text


def test_a_source_is_read_by_a_button_and_stopped_by_one(
    browsers: dict[str, Browser], there: Sample
) -> None:
    member = browsers["MEMBER"]
    page = f"/console/pipelines/{there.things['http']}"
    member.open(page)
    member.press(f"{page}/sync")
    assert "The sync has started" in member.text
    with unit_of_work() as session:
        run = session.query(PipelineRun).filter_by(connection_id=there.things["http"]).one()
        sync = run.id
    assert f"{page}/sync" not in member.actions(), "one at a time"
    assert member.root.xpath("//*[@data-follow='']"), "the page looks for what becomes of it"
    member.press(f"{page}/syncs/{sync}/stop")
    sync_details = syncs.get(there.workspace, there.things["http"], sync)
    assert sync_details.status == "STOPPED"
    assert f"{page}/sync" in member.actions()


def test_what_records_are_sent_to_cannot_be_read(owner: Browser, there: Sample) -> None:
    page = f"/console/pipelines/{there.things['push']}"
    owner.open(page)
    assert f"{page}/sync" not in owner.actions()
    assert owner.send(f"{page}/sync").status_code == 400


def test_one_is_turned_off_and_then_offers_no_sync(owner: Browser, there: Sample) -> None:
    page = f"/console/pipelines/{there.things['http']}"
    owner.open(page)
    owner.press(f"{page}/enabled")
    assert not connections.get(there.workspace, there.things["http"]).enabled
    assert f"{page}/sync" not in owner.actions()


def test_the_automations_that_listen_are_named(owner: Browser, there: Sample) -> None:
    table = there.things["table"]
    columns = [{"key": "name", "type": "text"}]
    shape = TableShape.model_validate({"name": "Another", "columns": columns})
    other = tables.create(there.workspace, shape).id
    for name, trigger in {
        "Of it": {"type": "event", "triggerType": "TABLE_SYNCED", "filterTableId": table},
        "Of any": {"type": "event", "triggerType": "ROW_ADDED"},
        "Of another": {
            "type": "event",
            "triggerType": "ROW_ADDED",
            "filterTableId": other,
        },
        "Of none": {"type": "manual"},
    }.items():
        body = {"name": name, "steps": [], "trigger": trigger}
        workflows.create(there.people["OWNER"], body, ports())
    owner.open(f"/console/pipelines/{there.things['http']}")
    found = owner.root.xpath("//section[@aria-labelledby='listeners-title']//a/text()")
    assert found == ["Of any", "Of it"]


def test_a_source_that_cannot_be_read_is_said_to_be(owner: Browser, there: Sample) -> None:
    page = f"/console/pipelines/{there.things['http']}"
    owner.open(page)
    owner.press(f"{page}/check")
    assert "The source does not answer as it should." in owner.text
    assert "ERP_TOKEN" in owner.text, "it names the secret that is missing"
