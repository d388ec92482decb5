"""What is published of an automation beside its definition, for the people who see its DAG."""

from __future__ import annotations

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import DataTable
from automations.db.workflows.publications import SqlPublications
from automations.services.workflows import workflows
from tests.db.workspace import principal, workspace
from tests.doubles import ports

STEP = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}


@pytest.mark.parametrize("nested", [True, False])
def test_a_trigger_is_published_with_the_name_of_what_it_is_for(
    database: str, nested: bool
) -> None:
    here = workspace("sales")
    by = principal(here, name="Anna")
    with unit_of_work() as session:
        table = DataTable(workspace_id=here, name="Vendors", columns=[])
        session.add(table)
        session.flush()
        table_id = table.id
    config = {"triggerType": "ROW_ADDED", "filterTableId": table_id}
    trigger = {"type": "event", "config": config} if nested else {"type": "event", **config}
    body = {"name": "Test", "steps": [STEP]}
    made = [
        workflows.create(by, {**body, **more}, ports()).id for more in ({"trigger": trigger}, {})
    ]
    (pack,) = SqlPublications().packs(0)
    found = {published.workflow_id: published for published in SqlPublications().pack(pack)}
    assert [found[workflow_id].subject for workflow_id in made] == ["Vendors", None]
    assert {
        (published.workspace, published.owner, published.edited_by) for published in found.values()
    } == {("sales", "Anna", "Anna")}
    assert all(published.edited_at for published in found.values())
