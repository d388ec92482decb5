"""The gallery: each automation is valid, and does its work beside the counterparts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from automations import wiring
from automations.db.events import events
from automations.db.session import unit_of_work
from automations.db.tables import (
    DataTable,
    DocumentTemplate,
    Form,
    FormRequest,
    Job,
    MatterTemplate,
    Run,
    Workflow,
)
from automations.definitions import checking
from automations.dispatch.jobs.registry import Handlers
from automations.domain.events import NewEvent
from automations.domain.statuses import RunStatus
from automations.execution.verdicts import AskPeople, GiveUp, Sleep, TaskRef
from automations.services.forms import submissions
from automations.services.gallery import gallery
from automations.services.runs import by_hand
from automations.services.tables import rows
from automations.services.waits import decisions, form_requests
from automations.services.workflows import definitions, workflows
from tests.db.place import Place
from tests.db.workspace import at_once
from tests.doubles import ports

SLUGS = [entry.slug for entry in gallery.entries()]


def test_there_are_twelve() -> None:
    assert len(SLUGS) == 12
    assert {entry.category for entry in gallery.entries()} == {
        "Clients", "Compliance", "Finance", "People", "Security", "Service",
    }  # fmt: skip


@pytest.mark.parametrize("slug", SLUGS)
def test_each_is_a_valid_definition_that_says_what_it_is(slug: str) -> None:
    found = gallery.entry(slug)
    filler = "c" + "0" * 24
    body = _filled(found.definition, filler)
    definition, errors = checking.parse(body)
    assert errors == {}
    assert definition is not None
    assert len(found.about) > 30


@pytest.mark.parametrize("slug", SLUGS)
def test_each_becomes_a_draft_that_runs_to_its_end(place: Place, slug: str) -> None:
    found = gallery.entry(slug)
    used = gallery.use(place.owner, slug, wiring.ports(), wiring.document_renderer())
    assert (used.status, used.name) == ("DRAFT", found.name)
    workflows.update(place.owner, used.id, {"status": "ACTIVE"}, wiring.ports())
    run_id = _started(place, used.id, found.source)
    _finish(place, run_id, found.source.get("answer", {}))
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)


def count() -> list[int]:
    with unit_of_work() as session:
        made = (DataTable, DocumentTemplate, Form, MatterTemplate, Workflow)
        return [session.query(table).count() for table in made]


def test_what_two_need_at_once_is_made_once(place: Place) -> None:
    use = ("client-onboarding", wiring.ports(), wiring.document_renderer())
    before = count()
    at_once(*[lambda: gallery.use(place.owner, *use)] * 3)
    *needs, automations = (now - then for now, then in zip(count(), before, strict=True))
    assert (max(needs), automations) == (1, 3)


def test_what_one_needs_is_made_once(place: Place) -> None:
    use = ("client-onboarding", wiring.ports(), wiring.document_renderer())
    gallery.use(place.owner, *use)
    before = count()
    gallery.use(place.owner, *use)
    assert count() == [*before[:-1], before[-1] + 1]


def _filled(value: Any, filler: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, filler) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, filler) for item in value]
    return filler if isinstance(value, str) and value.startswith("@") else value


def _named(place: Place, source: Mapping[str, Any], kind: str, name: str) -> str:
    wanted = source[kind][name]
    model: Any = DataTable if kind == "tables" else Form
    named = model.name if kind == "tables" else model.title
    with unit_of_work() as session:
        return str(
            session.scalars(
                select(model.id).where(
                    model.workspace_id == place.workspace,
                    named == (wanted.get("name") or wanted.get("title")),
                )
            ).one()
        )


def _started(place: Place, workflow: str, source: Mapping[str, Any]) -> str:
    """What starts it happens; the run that comes of it."""
    for table in ("row", "rows"):
        if table in source:
            given = source[table]
            data = given["data"] if table == "rows" else [given["data"]]
            table_id = _named(place, source, "tables", given["table"])
            for one in data:
                rows.create(place.workspace, table_id, one)
    if "submission" in source:
        form = _named(place, source, "forms", source["submission"]["form"])
        submissions.submit(place.workspace, form, source["submission"]["data"])
    elif "delivery" in source:
        body = {"body": source["delivery"], "headers": {}}
        new = NewEvent("WEBHOOK", f"webhook:{workflow}", body, source="shop", external_id="1")
        with unit_of_work() as session:
            events.emit(session, place.workspace, new)
    elif "row" not in source:
        return by_hand.execute(place.owner, workflow, source.get("sample", {})).id
    handlers = Handlers(ports(), ports())  # type: ignore[arg-type]  # no Airflow here
    with unit_of_work() as session:
        jobs = session.scalars(select(Job).where(Job.kind == "match_event")).all()
    for job in jobs:
        handlers.handle(job)
    with unit_of_work() as session:
        return session.scalars(select(Run.id).where(Run.workflow_id == workflow)).one()


def _finish(place: Place, run_id: str, answer: dict[str, Any]) -> None:
    """Do its steps in their order, and answer whatever is asked."""
    engine = wiring.engine()
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        nodes = list(definitions.load(session, run.workflow_id, run.version).plan.nodes)
    for node in nodes:
        ref = TaskRef(run_id, run.workflow_id, run.version, node)
        verdict = engine.run(ref)
        if isinstance(verdict, Sleep | AskPeople):
            _answer(place, run_id, answer)
            verdict = engine.resume(ref, verdict.wait_id, None)
        assert not isinstance(verdict, GiveUp), verdict


def _answer(place: Place, run_id: str, answer: dict[str, Any]) -> None:
    with unit_of_work() as session:
        request = session.query(FormRequest).filter(FormRequest.run_id == run_id).first()
        token = None if request is None else form_requests.link_token(request)
    if token is not None:
        form_requests.submit(token, answer)
        return
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        asks = definitions.load(session, run.workflow_id, run.version).definition.steps
    decided = any("approval" in step.model_dump_json() for step in asks)
    decisions.resume(place.owner, run_id, decision="approved" if decided else None, data=None)
