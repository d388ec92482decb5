"""Rows against a real database: filters on every type, upserts without doubles, events."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.db.tables import DataRow, Event, Job, Run
from automations.domain.statuses import RunStatus, StepStatus
from automations.domain.tables.columns import TableShape
from automations.errors import Conflict, NotFound, StepError, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.kit.patterns import Pattern
from automations.ports import RowChange, RowReceipt
from automations.ports.tables import RowFilter
from automations.services.tables import aggregates, rows, tables
from automations.services.tables.aggregates import Question
from automations.services.tables.row_steps import WorkspaceTables
from automations.services.tables.rows import Query
from tests.db.runs import begin, reload, row, step, task
from tests.db.workspace import at_once, workspace
from tests.doubles import ports

pytestmark = pytest.mark.usefixtures("database")

COLUMNS: list[dict[str, Any]] = [
    {"key": "name", "type": "text"},
    {"key": "size", "type": "number"},
    {"key": "active", "type": "boolean"},
    {"key": "day", "type": "date"},
    {"key": "at", "type": "datetime"},
    {"key": "kind", "type": "select", "options": ["alpha", "beta"]},
    {"key": "tags", "type": "multiselect"},
    {"key": "mail", "type": "email"},
    {"key": "site", "type": "url"},
    {"key": "more", "type": "json"},
]
FULL: dict[str, Any] = {
    "name": "a%b_c'd",
    "size": 10,
    "active": True,
    "day": "2026-03-01",
    "at": "2026-03-01T09:30:00+01:00",
    "kind": "alpha",
    "tags": ["x", "y"],
    "mail": "ada@b.example",
    "site": "https://b.example",
    "more": {"a": [1]},
}
PART: dict[str, Any] = {"name": "", "size": 9.5, "active": False, "tags": [], "more": ["p", {}]}


def table(here: str) -> str:
    shape = {"name": "Companies", "columns": COLUMNS}
    return tables.create(here, TableShape.model_validate(shape)).id


def wanted(*rules: dict[str, Any], match: str = "all") -> RowFilter:
    return RowFilter.model_validate({"match": match, "rules": list(rules)})


def rule(field: str, operator: str, *value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, **({"value": value[0]} if value else {})}


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


def count() -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(DataRow)) or 0


@pytest.fixture
def found(here: str) -> Any:
    """Which of a full, a half-empty and an empty row a filter lets through."""
    place = table(here)
    ids = {
        rows.create(here, place, data).id: name
        for name, data in (("full", FULL), ("part", PART), ("none", {}))
    }

    def find(*rules: dict[str, Any], match: str = "all") -> list[str]:
        page, _ = rows.page(here, place, Query(wanted(*rules, match=match)))
        return [ids[row.id] for row in page]

    return find


ROWS = ["full", "part", "none"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (rule("name", "equals", "a%b_c'd"), ["full"]),
        (rule("name", "notEquals", "a%b_c'd"), ["part", "none"]),
        (rule("name", "equals", None), ["none"]),
        (rule("name", "notEquals", None), ["full", "part"]),
        (rule("name", "contains", "%b_"), ["full"]),
        (rule("name", "contains", "_%"), []),
        (rule("name", "contains", "'; DROP TABLE data_row; --"), []),
        (rule("name", "startsWith", "a%"), ["full"]),
        (rule("name", "endsWith", "'d"), ["full"]),
        (rule("name", "endsWith", ""), ["full", "part"]),
        (rule("name", "matches", "^a.+[cd]$"), ["full"]),
        (rule("name", "in", ["a%b_c'd", "z"]), ["full"]),
        (rule("name", "in", []), []),
        (rule("name", "gt", "a"), ["full"]),
        (rule("name", "exists"), ["full", "part"]),
        (rule("name", "empty"), ["part", "none"]),
        (rule("size", "equals", 10.0), ["full"]),
        (rule("size", "gt", 9), ["full", "part"]),
        (rule("size", "gte", 10), ["full"]),
        (rule("size", "lt", 10), ["part"]),
        (rule("size", "lte", 9.5), ["part"]),
        (rule("size", "in", [9.5, 3]), ["part"]),
        (rule("size", "notEquals", 10), ["part", "none"]),
        (rule("active", "equals", False), ["part"]),
        (rule("active", "notEquals", True), ["part", "none"]),
        (rule("active", "in", [True]), ["full"]),
        (rule("day", "before", "2026-03-02"), ["full"]),
        (rule("day", "after", "2026-03-01"), []),
        (rule("day", "gte", "20260301"), ["full"]),
        (rule("at", "equals", "2026-03-01T08:30:00Z"), ["full"]),
        (rule("at", "after", "2026-03-01T09:00:00+02:00"), ["full"]),
        (rule("at", "before", "2026-03-01T08:30:00"), []),
        (rule("kind", "startsWith", "al"), ["full"]),
        (rule("kind", "in", ["beta"]), []),
        (rule("tags", "contains", "y"), ["full"]),
        (rule("tags", "equals", ["x", "y"]), ["full"]),
        (rule("tags", "notEquals", ["x", "y"]), ["part", "none"]),
        (rule("tags", "empty"), ["part", "none"]),
        (rule("mail", "endsWith", "@b.example"), ["full"]),
        (rule("site", "contains", "//b."), ["full"]),
        (rule("more", "equals", {"a": [1.0]}), ["full"]),
        (rule("more", "contains", "a"), ["full"]),
        (rule("more", "contains", "p"), ["part"]),
        (rule("more", "contains", 5), []),
        (rule("more", "exists"), ["full", "part"]),
    ],
)
def test_a_filter_compares_by_the_columns_type(
    found: Any, asked: dict[str, Any], names: list[str]
) -> None:
    assert found(asked) == names


def test_a_pattern_finds_the_rows_whose_text_it_matches(here: str) -> None:
    texts = ["A", "a", "é", "1", "\u0663", "a\nb", "ab", "a b", "a.b", "a-b", "\\", "x\na.b", ""]
    place = table(here)
    rows.load(here, place, [{"name": text} for text in texts])
    for written in (
        *(r"\bb", r"b\b", r"a\Bb", "a.b", "(?s)a.b", "^b", "(?m)^b", "(?ms)^x.a.b$", "(?im)^A$"),
        *("a$", r"^\d$", r"\D", r"a[.\-]b", r"a\.b", "[^a]", "a[^x]b", r"\\", "[]a.]", "(?i)^A.B$"),
    ):
        page, _ = rows.page(here, place, Query(wanted(rule("name", "matches", written))))
        found_texts = [row.data["name"] for row in page]
        assert found_texts == [text for text in texts if Pattern(written).matches(text)], written
    for written, said in (
        ("[a&&b]", "combines classes"),
        ("[a[b]]", "combines classes"),
        ("(?U)a", "flag U"),
    ):
        with pytest.raises(ValidationFailed, match=said):
            rows.page(here, place, Query(wanted(rule("name", "matches", written))))


def test_moments_keep_their_decimals_and_their_order(here: str) -> None:
    place = table(here)
    at = "2026-03-01T08:30:00"
    for decimals in (".1", ".1234567", ".123", ""):
        rows.create(here, place, {"at": f"{at}{decimals}Z"})
    shown: list[Any] = []
    cursor: str | None = None
    while not shown or cursor is not None:
        query = Query(wanted(), sort="at", limit=1, cursor=cursor)
        page, cursor = rows.page(here, place, query)
        shown += [one.data["at"] for one in page]
    assert shown == [f"{at}{decimals}Z" for decimals in (".000", ".100", ".123", ".1234567")]
    later, _ = rows.page(here, place, Query(wanted(rule("at", "gt", f"{at}.123Z"))))
    assert [one.data["at"] for one in later] == [f"{at}.1234567Z"]
    latest = aggregates.answer(here, place, Question("max", "at")).whole
    assert latest.value == f"{at}.1234567Z"


def test_rules_join_by_all_or_any_also_in_groups(found: Any) -> None:
    big, quiet = rule("size", "gt", 9.7), rule("active", "equals", False)
    assert found(big, quiet) == []
    assert found(big, quiet, match="any") == ["full", "part"]
    group = {"match": "any", "rules": [big, rule("size", "empty")]}
    assert found(group, rule("name", "empty")) == ["none"]
    assert found() == ROWS
    assert found(match="any") == ROWS


def test_a_filter_of_too_many_or_too_deep_rules_is_refused(found: Any) -> None:
    many = {"rules": [rule("name", "empty")] * 50}
    with pytest.raises(ValidationFailed, match="200 rules"):
        found(*[many] * 5)
    deep: dict[str, Any] = rule("name", "empty")
    for _ in range(11):
        deep = {"rules": [deep]}
    with pytest.raises(ValidationFailed, match="10 levels"):
        found(deep)


class TestEvents:
    def test_an_added_and_a_changed_row_are_events_with_a_job_each(self, here: str) -> None:
        place = table(here)
        made = rows.create(here, place, {"name": "Acme"})
        rows.change(here, place, made.id, {"size": 3})
        rows.change(here, place, made.id, {"size": 3})
        added, changed = events()
        assert (added.type, added.trigger_key) == ("ROW_ADDED", f"event:ROW_ADDED:{place}")
        assert changed.trigger_key == f"event:RECORD_UPDATED:{place}"
        assert {**changed.data, "row": None} == {
            "rowId": made.id,
            "tableId": place,
            "tableName": "Companies",
            "row": None,
        }
        assert (changed.data["row"]["name"], changed.data["row"]["size"]) == ("Acme", 3)
        assert changed.data["row"]["mail"] is None
        with unit_of_work() as session:
            jobs = {(job.kind, job.subject_id) for job in session.scalars(select(Job))}
        assert jobs == {("match_event", added.id), ("match_event", changed.id)}

    def test_true_in_the_place_of_one_is_a_change_and_one_in_the_place_of_one_is_none(
        self, here: str
    ) -> None:
        place = table(here)
        made = rows.create(here, place, {"more": {"a": [1, 0]}})
        for data in ({"a": [True, 0]}, {"a": [True, False]}, {"a": [1, False]}):
            rows.change(here, place, made.id, {"more": data})
            kept = rows.get(here, place, made.id).data["more"]
            assert json.dumps(kept) == json.dumps(data)
        assert len(events()) == 4
        rows.change(here, place, made.id, {"more": {"a": [1.0, False]}})
        assert len(events()) == 4

    @pytest.mark.parametrize(
        ("before", "after"), [(1, 1.0), (1.0, 1), (0, -0.0), (10**22, 1e22), (2**53, float(2**53))]
    )
    def test_an_equal_number_is_kept_as_it_was_sent_and_is_no_event(
        self, here: str, before: float, after: float
    ) -> None:
        place = table(here)
        made = rows.create(here, place, {"size": before, "more": {"a": before}})
        for data in ({"size": after}, {"more": {"a": after}}):
            answered = rows.change(here, place, made.id, data)
            kept = rows.get(here, place, made.id)
            assert answered.data == kept.data
            assert json.dumps(answered.data) == json.dumps(kept.data)
        if after < 1e16 and after:
            assert json.dumps([kept.data["size"], kept.data["more"]]) == json.dumps(
                [after, {"a": after}]
            )
        again = rows.change(here, place, made.id, {"size": after})
        assert again.updated_at == kept.updated_at
        assert len(events()) == 1

    def test_a_transaction_that_fails_leaves_neither_row_nor_event(self, here: str) -> None:
        place = table(here)

        def killed() -> None:
            with unit_of_work() as session:
                rows.add(session, here, place, {"name": "Acme"})
                raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            killed()
        assert (count(), events()) == (0, [])

    def test_an_import_is_one_event_that_names_the_first_rows(self, here: str) -> None:
        place = table(here)
        ids = rows.load(here, place, [{"size": index} for index in range(2_345)])
        (event,) = events()
        assert event.data == {
            "rowId": ids[0],
            "tableId": place,
            "tableName": "Companies",
            "count": 2_345,
            "rowIds": ids[:100],
        }
        assert count() == 2_345
        assert rows.load(here, place, []) == []
        assert len(events()) == 1


class TestUpsert:
    def upsert(self, here: str, place: str, key: str, *keys: str, **data: Any) -> RowReceipt:
        change = RowChange(place, data, keys=keys or ("name",))
        return WorkspaceTables().write(change, workspace_id=here, run_id="run", key=key)

    def test_upserts_of_one_key_at_once_give_one_row(self, here: str) -> None:
        place = table(here)
        acts = [
            partial(self.upsert, here, place, f"k{index}", name="Acme", size=index)
            for index in range(8)
        ]
        made = [receipt for receipt in at_once(*acts) if isinstance(receipt, RowReceipt)]
        assert len(made) == 8
        assert len({receipt.row_id for receipt in made}) == 1
        assert [receipt.created for receipt in made].count(True) == 1
        assert count() == 1
        kinds = [event.type for event in events()]
        assert sorted(kinds) == ["RECORD_UPDATED"] * 7 + ["ROW_ADDED"]
        assert {event.cause_run_id for event in events()} == {"run"}

    def test_upserts_of_many_keys_at_once_do_not_lock_each_other_out(self, here: str) -> None:
        place = table(here)
        acts = [
            partial(self.upsert, here, place, f"k{index}", name=f"n{index % 4}")
            for index in range(12)
        ]
        assert all(isinstance(receipt, RowReceipt) for receipt in at_once(*acts))
        assert count() == 4

    def test_a_row_made_otherwise_is_found_and_numbers_are_one_however_written(
        self, here: str
    ) -> None:
        place = table(here)
        made = rows.create(here, place, {"name": "Acme", "size": 5})
        assert self.upsert(here, place, "1", "size", size=5.0, active=True).row_id == made.id
        assert self.upsert(here, place, "2", "name", name="Acme", size=6).row_id == made.id
        assert self.upsert(here, place, "3", "size", "name", name="Acme", size=6).created is False
        assert count() == 1

    def test_a_row_whose_key_was_changed_is_no_longer_found_by_the_old_one(self, here: str) -> None:
        place = table(here)
        first = self.upsert(here, place, "1", name="Acme")
        rows.change(here, place, first.row_id, {"name": "Bee"})
        second = self.upsert(here, place, "2", name="Acme")
        assert (second.created, second.row_id != first.row_id) == (True, True)
        assert self.upsert(here, place, "3", name="Bee").row_id == first.row_id

    def test_what_changes_nothing_is_no_event(self, here: str) -> None:
        place = table(here)
        self.upsert(here, place, "1", name="Acme")
        self.upsert(here, place, "2", name="Acme")
        assert [event.type for event in events()] == ["ROW_ADDED"]

    @pytest.mark.parametrize(
        ("keys", "data", "message"),
        [
            (("zzz",), {"name": "a"}, "keys.0"),
            (("tags",), {"tags": ["a"]}, "keys.0"),
            (("name",), {"size": 1}, "data.name: is required"),
            (("size",), {"size": "1"}, "data.size: must be a number"),
        ],
    )
    def test_keys_that_find_nothing_are_errors_of_the_config(
        self, here: str, keys: tuple[str, ...], data: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(StepError, match=message) as refused:
            self.upsert(here, table(here), "k", *keys, **data)
        assert refused.value.kind == "config"


def test_a_table_keeps_the_type_of_a_column_while_rows_are_written(here: str) -> None:
    place = table(here)
    shape = TableShape.model_validate(
        {"name": "C", "columns": [{"key": "size", "type": "text"}, *COLUMNS[:1]]}
    )
    acts: list[Any] = [partial(rows.create, here, place, {"size": 5}) for _ in range(6)]
    *made, replaced = at_once(*acts, partial(tables.replace, here, place, shape))
    if isinstance(replaced, Conflict):
        assert count() == 6
    else:
        assert count() == 0
        assert all(isinstance(item, ValidationFailed) for item in made)


def test_a_table_of_another_workspace_does_not_exist_for_a_step(here: str) -> None:
    place = table(workspace("elsewhere"))
    with pytest.raises(NotFound):
        rows.create(here, place, {})
    with pytest.raises(StepError, match=f"There is no table {place}"):
        WorkspaceTables().delete(place, "r", workspace_id=here, key="k")
    with pytest.raises(StepError, match=f"There is no table {place}"):
        WorkspaceTables().query(place, None, sort=None, limit=1, workspace_id=here)


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports(tables=WorkspaceTables()))


def operation(name: str, order: int, **config: Any) -> dict[str, Any]:
    config = {"tableId": "{{input.text}}", **config}
    return step(name, "table_operations", order, config)


def tabled(*steps: dict[str, Any], **more: Any) -> Run:
    run = begin(*steps, **more)
    place = table(run.workspace_id)
    with unit_of_work() as session:
        session.get_one(Run, run.id).input = {"text": place}
    return run


def output(run: Run, node: str) -> dict[str, Any]:
    recorded = row(run, node)
    assert recorded is not None
    assert recorded.output is not None
    return recorded.output


def test_a_run_writes_finds_and_deletes_rows(engine: Engine) -> None:
    only = {"rules": [rule("size", "gt", "{{variables.limit}}")]}
    run = tabled(
        operation("make", 0, operation="create", data={"name": "Acme", "size": 1}),
        operation("more", 1, operation="update", rowId="{{steps.make.rowId}}", data={"size": 7}),
        operation("find", 2, operation="query", filter=only, sort="-size"),
        operation("drop", 3, operation="delete", rowId="{{steps.find.rows[0].id}}"),
    )
    for node in ("make", "more", "find", "drop"):
        assert isinstance(engine.run(task(run, node)), Proceed), reload(run).error
    made, found = output(run, "make"), output(run, "find")
    assert (made["created"], made["row"]["size"], made["row"]["mail"]) == (True, 1, None)
    assert output(run, "more")["row"]["size"] == 7
    assert (found["count"], found["rows"][0]["data"]["name"]) == (1, "Acme")
    assert output(run, "drop") == {"rowId": made["rowId"], "deleted": True}
    assert reload(run).status == "COMPLETED"
    assert count() == 0
    assert [(event.type, event.cause_run_id) for event in events()] == [
        ("ROW_ADDED", run.id),
        ("RECORD_UPDATED", run.id),
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"operation": "create", "data": {"name": "Acme"}},
        {"operation": "upsert", "keys": ["name"], "data": {"name": "Acme"}},
    ],
)
def test_a_process_killed_before_the_record_leaves_no_double(
    engine: Engine, config: dict[str, Any]
) -> None:
    run = tabled(operation("write", 0, **config))
    engine.run(task(run, "write"))
    before = output(run, "write")
    with unit_of_work() as session:
        session.get_one(Run, run.id).status = RunStatus.RUNNING
        recorded = run_steps.step(session, run.id, "write")
        assert recorded is not None
        recorded.status, recorded.output, recorded.verdict = StepStatus.RUNNING, None, None
    engine.run(task(run, "write"))
    assert output(run, "write") == before
    assert (count(), len(events())) == (1, 1)


def test_a_number_that_a_template_gives_for_a_text_is_written_as_a_text(engine: Engine) -> None:
    more = {"kind": None, "tags": [5, "x"], "more": [5], "size": "{{variables.limit}}"}
    only = {"rules": [rule("name", "equals", "{{variables.limit}}"), rule("name", "in", [5, "6"])]}
    run = tabled(
        operation("make", 0, operation="create", data={"name": "{{variables.limit}}", **more}),
        operation("find", 1, operation="query", filter=only),
        operation("more", 2, operation="upsert", keys=["name"], data={"name": 5, "size": 6}),
        operation("other", 3, operation="update", rowId="{{steps.make.rowId}}", data={"name": 1.5}),
    )
    for node in ("make", "find", "more", "other"):
        assert isinstance(engine.run(task(run, node)), Proceed), reload(run).error
    made = output(run, "make")["row"]
    assert (made["name"], made["tags"], made["more"], made["size"]) == ("5", ["5", "x"], [5], 5)
    assert output(run, "find")["count"] == 1
    assert output(run, "more")["created"] is False
    assert output(run, "other")["row"]["name"] == "1.5"


def test_a_time_without_an_offset_is_one_of_the_automations_zone(engine: Engine) -> None:
    only = {
        "rules": [
            rule("at", "equals", "2026-07-01T10:00"),
            rule("at", "before", "2026-07-01T10:01"),
        ]
    }
    run = tabled(
        operation("make", 0, operation="create", data={"at": "2026-07-01T10:00"}),
        operation("find", 1, operation="query", filter=only),
        timezone="Europe/Warsaw",
    )
    for node in ("make", "find"):
        assert isinstance(engine.run(task(run, node)), Proceed), reload(run).error
    assert output(run, "make")["row"]["at"] == "2026-07-01T08:00:00.000Z"
    assert output(run, "find")["count"] == 1


def test_data_that_does_not_fit_fails_the_run_and_names_the_column(engine: Engine) -> None:
    run = tabled(operation("write", 0, operation="create", data={"size": "{{input.text}}"}))
    assert isinstance(engine.run(task(run, "write")), GiveUp)
    assert "data.size: must be a number" in str(reload(run).error)
    assert (count(), events()) == (0, [])
