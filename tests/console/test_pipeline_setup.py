"""Pipelines made and changed by hand: their source, their tables, and what is refused of them."""

from __future__ import annotations

from typing import Any

import pytest

from automations.definitions.pipelines import shape_of
from automations.launcher.dependabot_source import DependabotSource, alert
from automations.services.integrations import secrets
from automations.services.pipelines import connections, syncs
from automations.services.pipelines.connections import as_given
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.environment import Environment

NEW = "/console/pipelines/new"


def given(there: Sample, connection: str) -> dict[str, Any]:
    return as_given(connections.get(there.workspace, connection))


def named(there: Sample, name: str) -> str:
    (found,) = [
        connection.id
        for connection in connections.list_all(there.workspace)
        if connection.name == name
    ]
    return found


def test_one_that_is_sent_to_is_made_by_clicking_and_takes_records(
    owner: Browser, there: Sample
) -> None:
    table = there.things["table"]
    owner.open("/console/pipelines")
    owner.open(owner.root.xpath("//a[@href='/console/pipelines/new']/@href")[0])
    owner.open(owner.root.xpath("//a[contains(@href, 'type=push')]/@href")[0])
    owner.press(NEW, name="Imports", do="add", add=table)
    owner.press(NEW, do="save")
    assert owner.answer.status_code == 400
    assert "keyColumns" in owner.text, "what is missing stands at the table"
    owner.press(NEW, typed={"t0.key": "id"}, do="save")
    made = named(there, "Imports")
    assert owner.path == f"/console/pipelines/{made}"
    assert given(there, made) == {
        "name": "Imports",
        "connectorType": "push",
        "config": {},
        "tables": [{"tableId": table, "keyColumns": ["id"], "fieldMapping": {}}],
        "interval": None,
        "enabled": True,
    }
    owner.press(f"{owner.path}/records", records='[{"id": 7, "name": "Gear"}]')
    ((sync,), _) = syncs.page_after(there.workspace, made, None, 10)
    assert (sync.started_by, sync.totals["created"]) == ("push", 1)
    owner.press(f"{owner.path}/records", records="{ no")
    assert owner.answer.status_code == 400
    assert "{ no" in owner.text


def test_one_that_reads_is_made_with_what_was_typed(owner: Browser, there: Sample) -> None:
    owner.open(f"{NEW}?type=http")
    owner.press(NEW, do="add", add=there.things["table"])
    typed = {
        "name": "Parts",
        "f:config.url": "https://parts.example/api",
        "f:config.auth.type": "bearer",
        "f:config.auth.secret": "REGISTRY_KEY",
        "f:config.recordsPath": "data.items",
        "f:config.headers:0": "Accept",
        "f:config.headers:0:value": "application/json",
        "paging.type": "cursor",
        "paging.parameter": "after",
        "paging.path": "meta.next",
        "interval": "PT15M",
        "t0.key": "id",
        "t0.path.id": "number",
        "t0.path.name": "title",
    }
    owner.press(NEW, typed=typed, do="save")
    kept = given(there, named(there, "Parts"))
    assert kept["config"] == {
        "url": "https://parts.example/api",
        "auth": {"type": "bearer", "secret": "REGISTRY_KEY"},
        "recordsPath": "data.items",
        "headers": {"Accept": "application/json"},
        "paging": {"type": "cursor", "parameter": "after", "path": "meta.next"},
    }
    assert kept["interval"] == "PT15M"
    assert kept["tables"][0]["fieldMapping"] == {"id": "number", "name": "title"}


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    owner: Browser, there: Sample
) -> None:
    owner.open(f"{NEW}?type=http")
    owner.press(NEW, do="add", add=there.things["table"])
    typed = {
        "name": "",
        "f:config.url": "ftp://parts.example",
        "paging.type": "page",
        "paging.first": "7",
        "t0.key": "id",
        "t0.path.name": "title",
    }
    owner.press(NEW, typed=typed, do="save")
    assert owner.answer.status_code == 400
    wrong = {field.get("name") for field in owner.root.xpath("//*[@aria-invalid='true']")}
    assert wrong >= {"name", "f:config.url", "paging.type"}
    (table,) = owner.root.xpath("//fieldset[@class='filled']")
    assert "fieldMapping must say where 'id' is" in table.text_content()
    assert owner.root.xpath("//input[@name='f:config.url']/@value") == ["ftp://parts.example"]
    assert owner.root.xpath("//input[@name='t0.path.name']/@value") == ["title"]
    assert owner.root.xpath("//input[@name='t0.key' and @checked]/@value") == ["id"]


@pytest.mark.parametrize("kind", ["http", "push"])
def test_what_nobody_has_touched_is_saved_as_it_was(
    owner: Browser, there: Sample, kind: str
) -> None:
    connection = there.things[kind]
    before = given(there, connection)
    page = f"/console/pipelines/{connection}/edit"
    owner.open(page)
    owner.press(page, do="save")
    assert owner.path == f"/console/pipelines/{connection}"
    assert given(there, connection) == before


def test_whoever_comes_second_is_told_and_overwrites_nothing(owner: Browser, there: Sample) -> None:
    connection = there.things["http"]
    page = f"/console/pipelines/{connection}/edit"
    owner.open(page)
    connections.update(there.workspace, connection, {"interval": "PT6H"})
    owner.press(page, name="Mine", do="save")
    assert owner.answer.status_code == 409
    assert "meanwhile" in owner.text
    assert (given(there, connection)["name"], given(there, connection)["interval"]) == (
        "ERP",
        "PT6H",
    )


def test_a_table_is_taken_out_and_its_pipeline_deleted(owner: Browser, there: Sample) -> None:
    connection = there.things["push"]
    page = f"/console/pipelines/{connection}/edit"
    owner.open(page)
    owner.press(page, do="remove.0")
    assert not owner.root.xpath("//fieldset[@class='filled']")
    owner.press(page, do="save")
    assert owner.answer.status_code == 400, "one at least"
    owner.open(f"/console/pipelines/{connection}")
    owner.press(f"/console/pipelines/{connection}/delete")
    assert owner.path == "/console/pipelines"
    assert connection not in [one.id for one in connections.list_all(there.workspace)]


def test_what_a_source_has_is_offered_before_anything_is_saved(
    owner: Browser, there: Sample, environment: Environment
) -> None:
    source = DependabotSource([alert(1), alert(2)], "a-token-for-this")
    secrets.put(there.workspace, "GITHUB_TOKEN", "a-token-for-this")
    environment.set(AUTOMATIONS_HTTP_ALLOW=source.address)
    with source.answering():
        owner.open(f"{NEW}?type=http")
        typed = {
            "name": "Alerts",
            "f:config.url": source.url,
            "f:config.auth.type": "bearer",
            "f:config.auth.secret": "GITHUB_TOKEN",
        }
        owner.press(NEW, to=f"{NEW}/fields", typed=typed)
    offered = owner.root.xpath("//datalist[@id='paths']/option/@value")
    assert "dependency.package.name" in offered
    assert "ansible" in owner.text, "with an example"
    assert owner.root.xpath("//input[@name='name']/@value") == ["Alerts"]
    owner.press(NEW, to=f"{NEW}/fields", typed={"f:config.url": "http://127.0.0.1:1/"})
    assert "The source does not answer as it should." in owner.text
    assert len(connections.list_all(there.workspace)) == 2


def test_the_address_of_a_webhook_is_shown_to_who_asks_and_is_another_then(
    owner: Browser, there: Sample
) -> None:
    page = f"/console/pipelines/{there.things['push']}"
    owner.open(page)
    assert "/api/pipelines/webhooks/" not in owner.text
    owner.press(f"{page}/webhook")
    (first,) = owner.root.xpath("//section[@aria-labelledby='webhook-title']//pre//code/text()")
    assert "/api/pipelines/webhooks/" in first
    owner.press(f"{page}/webhook")
    (second,) = owner.root.xpath("//section[@aria-labelledby='webhook-title']//pre//code/text()")
    assert second != first


def test_members_sync_all_and_viewers_see_nothing_that_they_may_not(
    browsers: dict[str, Browser], there: Sample
) -> None:
    member = browsers["MEMBER"]
    member.open("/console/pipelines")
    member.press("/console/pipelines/sync")
    assert "Syncing all pipelines" in member.text
    ((sync,), _) = syncs.page_after(there.workspace, there.things["http"], None, 10)
    assert (sync.status, sync.started_by) == ("RUNNING", "pull")
    for role, most in (("VIEWER", set()), ("MEMBER", {"records"})):
        browser = browsers[role]
        for path in ("", f"/{there.things['push']}"):
            browser.open(f"/console/pipelines{path}")
            acts = {action.rpartition("/")[2] for action in browser.actions()}
            assert acts <= most | ({"sync"} if role == "MEMBER" else set())
            links = browser.root.xpath("//main//a/@href")
            assert not [link for link in links if link.endswith(("/edit", "/new"))]


def test_a_page_of_the_list_is_followed_by_the_next_one(owner: Browser, there: Sample) -> None:
    tables = [{"tableId": there.things["table"], "keyColumns": ["id"]}]
    for number in range(30):
        body = {"name": f"More {number:02}", "connectorType": "push", "tables": tables}
        connections.create(there.workspace, shape_of(body))
    seen: list[str] = []
    owner.open("/console/pipelines")
    while True:
        seen += [row.text_content().strip() for row in owner.root.xpath("//tbody//a[@class]")]
        following = owner.root.xpath("//a[@rel='next']/@href")
        if not following:
            break
        owner.open(following[0])
    assert len(seen) == len(set(seen)) == 32
    assert seen == sorted(seen)
