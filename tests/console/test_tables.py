"""Tables in the console: made, filled, filtered, changed, imported and exported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api_bridge.middleware import held_bodies
from api_bridge.middleware.held_bodies import HeldBody
from automations.db.session import unit_of_work
from automations.db.tables import DataRow, Event, RowFile
from automations.domain.tables.columns import TableShape
from automations.kit.canonical_json import mark_of
from automations.services.forms import forms, submissions
from automations.services.tables import rows, tables
from automations.services.workflows import workflows
from tests import workbooks
from tests.console.conftest import Browser, sent
from tests.console.records import COLUMNS
from tests.console.sample import Sample
from tests.doubles import ports

ROOT = "/console/tables"


def data_of(there: Sample, row_id: str) -> dict[str, Any]:
    with unit_of_work() as session:
        return dict(session.get_one(DataRow, row_id).data)


def firsts(browser: Browser) -> list[str]:
    """What stands in the first column of a grid."""
    cells = browser.root.xpath("//table[contains(@class, 'grid')]/tbody/tr/td[@class='at']")
    return [" ".join(cell.getnext().text_content().split()) for cell in cells]


def events_of(there: Sample, kind: str) -> list[dict[str, Any]]:
    with unit_of_work() as session:
        found = session.query(Event).filter(Event.type == kind).order_by(Event.created_at)
        return [dict(event.data) for event in found]


class TestShapes:
    def test_a_table_is_made_of_what_was_typed(self, owner: Browser, there: Sample) -> None:
        owner.open(f"{ROOT}/new")
        owner.press(f"{ROOT}/new", typed={"c0.name": "Größe in m²", "c0.type": "number"}, do="add")
        assert owner.root.get_element_by_id("c0-name").value == "Größe in m²", "it stays typed"
        owner.press(
            f"{ROOT}/new",
            typed={
                "name": "Rooms",
                "c1.name": "Kind",
                "c1.type": "select",
                "c1.options": "s = Small\r\nl\r\n",
                "c1.required": "yes",
            },
            do="save",
        )
        assert (owner.heading(), "Table created." in owner.text) == ("Rooms", True)
        made = tables.get(there.workspace, owner.path.rpartition("/")[2])
        assert made.columns == [
            {"key": "grosse_in_m2", "name": "Größe in m²", "type": "number", "required": False,
             "options": []},
            {"key": "kind", "name": "Kind", "type": "select", "required": True,
             "options": [{"label": "Small", "value": "s"}, {"label": "l", "value": "l"}]},
        ]  # fmt: skip

    def test_what_is_wrong_is_said_at_its_input(self, owner: Browser, there: Sample) -> None:
        owner.open(f"{ROOT}/new")
        answer = owner.press(
            f"{ROOT}/new", typed={"c1.name": "A", "c1.key": "not a key"}, do="save"
        )
        assert answer.status_code == 400
        assert owner.root.get_element_by_id("c1-key").get("aria-invalid") == "true"
        assert owner.root.get_element_by_id("name").get("aria-invalid") == "true"
        assert owner.press(f"{ROOT}/new", do="jump").status_code == 400

    def test_columns_move_and_go_with_their_values_only_when_that_is_said(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.table}/columns"
        owner.open(page)
        owner.press(page, do="down.0")
        owner.press(page, do="remove.8")
        owner.press(page, do="save")
        assert owner.answer.status_code == 400
        assert "Saving deletes these columns and all their values: Site." in owner.text
        owner.press(page, typed={"sure": "yes"}, do="save")
        keys = [column["key"] for column in tables.get(there.workspace, there.table).columns]
        assert keys[:2] == ["amount", "company"]
        assert "site" not in keys
        assert "site" not in data_of(there, there.rows[0])
        assert data_of(there, there.rows[0])["company"] == "ACME GmbH"

    def test_options_that_nobody_touched_stay_exactly(self, owner: Browser, there: Sample) -> None:
        odd = {"key": "a", "type": "select", "options": [{"value": "a = b", "label": "a = b"}]}
        shape = TableShape.model_validate({"name": "Odd", "columns": [odd]})
        made = tables.create(there.workspace, shape)
        page = f"{ROOT}/{made.id}/columns"
        owner.open(page)
        owner.press(page, typed={"name": "Even"}, do="save")
        after = tables.get(there.workspace, made.id)
        assert (after.name, after.columns) == ("Even", made.columns)

    def test_an_option_stays_as_it_is_when_its_neighbour_is_changed(
        self, owner: Browser, there: Sample
    ) -> None:
        options = [{"value": "a = b", "label": "A"}, {"value": "c", "label": "C"}]
        odd = {"key": "a", "type": "select", "options": options}
        shape = TableShape.model_validate({"name": "Odd", "columns": [odd]})
        made = tables.create(there.workspace, shape)
        page = f"{ROOT}/{made.id}/columns"
        owner.open(page)
        shown = owner.root.get_element_by_id("c0-options").text.strip()
        assert shown == '"a = b" = A\nc = C'
        typed = shown.replace("c = C", 'c = D\r\n"x = y"')
        owner.press(page, typed={"c0.options": typed}, do="save")
        assert tables.get(there.workspace, made.id).columns[0]["options"] == [
            {"value": "a = b", "label": "A"},
            {"value": "c", "label": "D"},
            {"value": "x = y", "label": "x = y"},
        ]

    @pytest.mark.parametrize(
        "seen", ["0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "yesterday", "9" * 5000]
    )
    def test_what_does_not_say_what_it_has_seen_overwrites_nothing(
        self, owner: Browser, there: Sample, seen: str
    ) -> None:
        page = f"{ROOT}/{there.table}/columns"
        for number in range(2):
            if number == 0:
                owner.open(page)
            typed = {"name": "Yours"} | ({"seen": seen} if number == 0 else {})
            owner.press(page, typed=typed, do="save")
            assert owner.answer.status_code == 409, "and not by pressing again, either"
            assert "load it anew" in owner.text
        assert tables.get(there.workspace, there.table).name == "Clients"

    def test_who_comes_second_overwrites_nothing(self, owner: Browser, there: Sample) -> None:
        page = f"{ROOT}/{there.table}/columns"
        owner.open(page)
        shape = TableShape.model_validate({"name": "Mine", "columns": COLUMNS})
        tables.replace(there.workspace, there.table, shape)
        owner.press(page, typed={"name": "Yours"}, do="save")
        assert owner.answer.status_code == 409
        assert "Somebody else has changed the table" in owner.text
        assert tables.get(there.workspace, there.table).name == "Mine"

    def test_one_that_active_automations_use_says_so_before_it_goes(
        self, owner: Browser, there: Sample
    ) -> None:
        trigger = {
            "type": "event",
            "config": {"triggerType": "ROW_ADDED", "filterTableId": there.table},
        }
        body = {"name": "Welcome", "status": "ACTIVE", "trigger": trigger, "steps": []}
        used = workflows.create(there.people["OWNER"], body, ports())
        config = {"operation": "query", "tableId": there.table}
        workflows.create(
            there.people["OWNER"],
            {
                "name": "Look",
                "steps": [{"name": "Look", "type": "table_operations", "config": config}],
            },
            ports(),
        )
        owner.open(ROOT)
        assert "Welcome started by it" in owner.text
        assert "Look uses it" in owner.text
        owner.open(f"/console/workflows/{used.id}")
        assert owner.root.xpath(f"//a[@href='{ROOT}/{there.table}']/text()") == ["Clients"]
        owner.open(f"{ROOT}/{there.table}")
        assert "Active automations use it: Welcome." in owner.text
        assert owner.send(f"{ROOT}/{there.table}/delete", sure="yes").status_code == 409
        owner.open(f"{ROOT}/{there.table}")
        owner.press(f"{ROOT}/{there.table}/delete")
        assert "Table deleted" in owner.text
        assert owner.open(f"{ROOT}/{there.table}").status_code == 404


class TestGrid:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=acme", 4),
            ("rule=amount gt 100", 8),
            ("rule=amount gt 100&rule=active equals false", 4),
            ("rule=amount gt 100&rule=active equals false&match=any", 12),
            ("rule=country in PL; DE", 20),
            ("rule=since before 2026-02-01", 4),
            ("rule=seen after 2026-03-03T10:30%2B01:00", 8),
            ("rule=tags contains risky", 8),
            ("rule=amount empty", 1),
            ("rule=company equals Nothing known", 1),
            ("rule=more contains seats", 20),
        ],
    )
    def test_rows_are_filtered_by_every_type(
        self, owner: Browser, there: Sample, query: str, found: int
    ) -> None:
        owner.open(f"{ROOT}/{there.table}?{query}")
        assert f"of {found}" in owner.text, owner.text
        assert len(firsts(owner)) == found

    def test_a_rule_is_added_by_its_form_and_taken_away_by_its_chip(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.table}"
        owner.open(f"{page}?q=b&column=amount&operator=gte&value=25000&sort=-amount")
        assert str(owner.answer.url).endswith("?q=b&rule=amount+gte+25000&sort=-amount")
        assert "Amount is at least 25000" in owner.text
        assert firsts(owner)[0] == "Quarry, Inc."
        (chip,) = owner.root.xpath("//a[@class='chip'][contains(., 'Amount')]/@href")
        owner.open(chip)
        assert "Amount is at least" not in owner.text

    def test_what_a_rule_cannot_ask_is_said(self, owner: Browser, there: Sample) -> None:
        for query, said in {
            "rule=amount gt many": "Amount must be a number",
            "rule=active gt true": "gt does not fit",
            "rule=company in [1]": "Company must be texts",
            "rule=amount in [[1]]": "Amount must be texts",
            "rule=nothing equals 1": "asks for nothing that this table has",
            "sort=more": "has no order",
        }.items():
            answer = owner.open(f"{ROOT}/{there.table}?{query}")
            assert answer.status_code == 400, query
            assert said in owner.text, query

    def test_the_ten_thousandth_row_is_one_page_away(self, owner: Browser, there: Sample) -> None:
        column = {"key": "n", "name": "N", "type": "number"}
        shape = TableShape.model_validate({"name": "Many", "columns": [column]})
        many = tables.create(there.workspace, shape)
        rows.load(there.workspace, many.id, [{"n": number} for number in range(1, 10_101)])
        owner.open(f"{ROOT}/{many.id}?sort=n&start=10000")
        assert firsts(owner)[0] == "10000"
        assert "Rows 10000 to 10049 of 10100" in owner.text
        owner.open(f"{ROOT}/{many.id}?sort=-n")
        assert firsts(owner)[:2] == ["10100", "10099"]

    def test_the_widest_table_is_shown_in_parts_and_makes_no_page_heavy(
        self, owner: Browser, there: Sample
    ) -> None:
        columns = [{"key": f"c{n}", "name": "wide " * 20, "type": "text"} for n in range(200)]
        shape = TableShape.model_validate({"name": "Wide", "columns": columns})
        wide = tables.create(there.workspace, shape)
        full = {f"c{number}": f"{number} " + "<&>" * 100 for number in range(200)}
        rows.load(there.workspace, wide.id, [full] * 60)
        for query in ("", "?first=177", "?rule=c5 contains " + "<" * 400):
            answer = owner.open(f"{ROOT}/{wide.id}{query}")
            assert (answer.status_code, len(answer.content) < 200_000) == (200, True), query
        owner.open(f"{ROOT}/{wide.id}?first=177")
        assert "columns 177 to 200 of 200" in owner.text


class TestRows:
    def test_one_is_added_with_all_that_it_has(self, owner: Browser, there: Sample) -> None:
        page = f"{ROOT}/{there.table}/rows"
        owner.open(f"{page}/new")
        typed = {
            "v.company": "Exact\r\nInc.",
            "v.amount": "12345678901234567890",
            "v.active": "false",
            "v.since": "2026-02-28",
            "v.seen": "2026-03-01T10:30+01:00",
            "v.country": "DE",
            "v.more": '{"a": [1, "2"]}',
        }
        owner.press(page, typed=typed)
        assert "Added." in owner.text
        assert data_of(there, owner.path.rpartition("/")[2]) == {
            "company": "Exact\nInc.",
            "amount": 12345678901234567890,
            "active": False,
            "since": "2026-02-28",
            "seen": "2026-03-01T09:30:00.000Z",
            "country": "DE",
            "more": {"a": [1, "2"]},
        }
        assert events_of(there, "ROW_ADDED")[-1]["row"]["country"] == "DE"

    def test_what_does_not_fit_stays_typed_and_is_named(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.table}/rows"
        owner.open(f"{page}/new")
        answer = owner.press(page, typed={"v.amount": "0.1234567890123456789", "v.mail": "nobody"})
        assert answer.status_code == 400
        (amount,) = owner.root.xpath("//input[@name='v.amount']")
        assert (amount.value, amount.get("aria-invalid")) == ("0.1234567890123456789", "true")
        assert "has more digits than can be kept" in owner.text

    def test_saving_what_was_not_touched_changes_nothing(
        self, owner: Browser, there: Sample
    ) -> None:
        odd = {
            "company": " \r\nodd\r",
            "amount": 3.0,
            "tags": [],
            "more": [None, 1e300],
            "site": None,
        }
        made = rows.create(there.workspace, there.table, odd)
        before = data_of(there, made.id)
        page = f"{ROOT}/{there.table}/rows/{made.id}"
        owner.open(page)
        owner.press(page)
        assert (owner.answer.status_code, "Changed." in owner.text) == (200, False)
        assert data_of(there, made.id) == before
        assert events_of(there, "RECORD_UPDATED") == []

    def test_what_a_browser_cannot_send_as_it_is_stays_so(
        self, owner: Browser, there: Sample
    ) -> None:
        broken, odd = ["B\r\nB", "A", "C"], {"value": "x\ry", "label": "X"}
        columns = [
            {"key": "ordered", "type": "multiselect", "options": ["A", "B\r\nB", "C", "D"]},
            {"key": "free", "type": "multiselect"},
            {"key": "one", "type": "select", "options": [odd, "z"]},
            {"key": "word", "type": "select"},
            {"key": "note", "type": "text"},
        ]
        table = tables.create(
            there.workspace, TableShape.model_validate({"name": "Breaks", "columns": columns})
        )
        kept = {"ordered": broken, "free": ["a\nb", "c"], "one": "x\ry", "word": "q\nr"}
        row = rows.create(there.workspace, table.id, kept)
        page = f"{ROOT}/{table.id}/rows/{row.id}"
        owner.open(page)
        owner.press(page)
        assert data_of(there, row.id) == kept
        assert events_of(there, "RECORD_UPDATED") == []
        owner.press(page, typed={"v.note": "new"})
        assert data_of(there, row.id) == {**kept, "note": "new"}
        (form,) = [form for form in owner.root.forms if form.action == page]
        chosen = [value for name, value in form.form_values() if name == "v.ordered"]
        owner.press(page, typed={"v.ordered": [*map(sent, chosen), "D"]})  # type: ignore[dict-item]
        assert data_of(there, row.id)["ordered"] == [*broken, "D"]

    def test_no_value_and_an_empty_text_are_two_things(self, owner: Browser, there: Sample) -> None:
        shape = TableShape.model_validate({"name": "T", "columns": [{"key": "a", "type": "text"}]})
        table = tables.create(there.workspace, shape)
        row = rows.create(there.workspace, table.id, {"a": "x"})
        page = f"{ROOT}/{table.id}/rows/{row.id}"
        owner.open(page)
        owner.press(page, typed={"v.a": ""})
        assert data_of(there, row.id) == {}
        owner.press(page, typed={"blank.a": "yes"})
        assert data_of(there, row.id) == {"a": ""}
        owner.press(page)
        assert data_of(there, row.id) == {"a": ""}
        owner.open(f"{ROOT}/{table.id}")
        assert firsts(owner) == ['""']

    def test_one_cell_is_changed_in_its_place_and_nothing_beside_it(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.table}?q=acme&sort=company"
        row = there.rows[0]
        owner.open(f"{page}&edit={row}&cell=amount")
        assert len(owner.root.xpath("//*[@form='changing'][starts-with(@name, 'v.')]")) == 1
        rows.change(there.workspace, there.table, row, {"company": "ACME SE"})
        token = owner.root.xpath("//form[@id='changing']/input[@name='csrf']/@value")[0]
        body = {
            "csrf": token,
            "v.amount": "26000.5",
            "seen.amount": owner.root.xpath("//input[@name='seen.amount']/@value")[0],
            "next": owner.root.xpath("//form[@id='changing']/input[@name='next']/@value")[0],
            "place": owner.root.xpath("//form[@id='changing']/input[@name='place']/@value")[0],
        }
        owner.post(f"{ROOT}/{there.table}/rows/{row}", data=body)
        assert (owner.answer.status_code, "Changed." in owner.text) == (200, True)
        assert "ACME SE" in firsts(owner)
        assert (data_of(there, row)["amount"], data_of(there, row)["company"]) == (
            26000.5,
            "ACME SE",
        )
        # The same window once more, which has not seen that: it is told, and shown what it is now.
        owner._take(
            owner.http.post(f"{ROOT}/{there.table}/rows/{row}", data={**body, "v.amount": "1"})
        )
        assert owner.answer.status_code == 409
        assert "Somebody else has changed 'Amount' of this row meanwhile." in owner.text
        assert "is now “26000.5”" in owner.text
        assert data_of(there, row)["amount"] == 26000.5
        assert owner.root.xpath("//input[@name='v.amount']/@value") == ["1"]
        assert owner.root.xpath("//input[@name='seen.amount']/@value") == [mark_of(26000.5)]

    def test_several_are_deleted_and_those_that_were_gone_are_told(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.table}/rows/delete"
        owner.open(f"{ROOT}/{there.table}")
        token = owner.root.xpath("//input[@name='csrf']/@value")[0]
        rows.delete(there.workspace, there.table, there.rows[0])
        body = {"csrf": token, "row": there.rows[:3]}
        answer = owner.http.post(page, data=body)
        assert "somebody else had already deleted some of them" in answer.text
        assert len(rows.page(there.workspace, there.table, rows.Query())[0]) == 18
        assert owner.http.post(page, data={"csrf": token}).status_code == 400

    def test_the_rows_of_a_form_are_neither_added_nor_deleted_by_hand(
        self, owner: Browser, there: Sample
    ) -> None:
        form = there.form
        forms.update(there.workspace, form, title=None, description=None, form=None, public=True)
        submissions.submit(there.workspace, form, {"note": "Hello"})
        (table,) = (table for table in tables.list_all(there.workspace) if table.form_id == form)
        owner.open(f"{ROOT}/{table.id}")
        assert "submissions of a form" in owner.text
        assert not owner.root.xpath("//input[@type='checkbox']")
        assert not owner.root.xpath(f"//a[contains(@href, '{table.id}/import')]")
        assert owner.open(f"{ROOT}/{table.id}/rows/new").status_code == 409
        assert owner.open(f"{ROOT}/{table.id}/import").status_code == 409
        (row,), _ = rows.page(there.workspace, table.id, rows.Query())
        owner.open(f"{ROOT}/{table.id}/rows/{row.id}")
        assert "Filled by the form" in owner.text
        assert not owner.root.xpath("//input[@name='v.note']")


class TestFiles:
    def look(self, owner: Browser, there: Sample, content: bytes, name: str = "c.csv") -> str:
        page = f"{ROOT}/{there.table}/import"
        owner.open(page)
        token = owner.root.xpath("//input[@name='csrf']/@value")[0]
        sent = {"file": (name, content, "text/csv")}
        owner.post(page, data={"csrf": token}, files=sent)
        assert owner.answer.status_code == 200, owner.answer.text
        return page

    def test_a_file_is_looked_at_and_then_added(self, owner: Browser, there: Sample) -> None:
        content = b"Company;Amount;Note\nNew One;1.5;x\n;2;y\nNew Two;many;z\n"
        page = self.look(owner, there, content)
        for said in (
            "1 row would be added.",
            "2 do not fit and are left out.",
            "Left out: Note.",
            "is required",
            "must be a number such as -1234.5",
        ):
            assert said in owner.text, said
        assert len(rows.page(there.workspace, there.table, rows.Query())[0]) == 21, "nothing yet"
        (seen,) = owner.root.xpath("//input[@name='seen']/@value")
        answer = owner.send(f"{page}/rows", seen=seen)
        assert answer.status_code == 400, "leaving out is to be said"
        owner.open(page)
        (form,) = [form for form in owner.root.forms if form.action == f"{page}/rows"]
        (button,) = form.xpath(".//button[@name='leave_out']")
        body: dict[str, Any] = dict(form.form_values())
        targets = form.xpath(".//input[@name='to']/@value")
        assert targets == ["company", "amount", ""]
        for unfit in ({"separator": "x" * 21}, {"charset": "x" * 51}, {"to": ["x"] * 501}):
            answer = owner.http.post(f"{page}/rows", data={**body, **unfit})
            assert (answer.status_code, *unfit) == (400, *unfit)
        owner.post(f"{page}/rows", data={**body, "to": targets, "leave_out": button.get("value")})
        assert "Rows added, the newest first." in owner.text
        assert firsts(owner)[0] == "New One"
        assert events_of(there, "ROW_ADDED")[-1]["count"] == 1
        with unit_of_work() as session:
            assert session.query(RowFile).count() == 0
        answer = owner.send(f"{page}/rows")
        assert answer.status_code == 409, "the button pressed twice adds them once"

    def test_no_other_file_is_added_than_the_page_showed(
        self, owner: Browser, there: Sample
    ) -> None:
        page = self.look(owner, there, b"company\nSeen\n")
        (form,) = [form for form in owner.root.forms if form.action == f"{page}/rows"]
        body: dict[str, Any] = dict(form.form_values())
        self.look(owner, there, b"company\nOther\n")
        owner.post(f"{page}/rows", data=body)
        assert owner.answer.status_code == 409
        assert "another file" in owner.text
        assert len(rows.page(there.workspace, there.table, rows.Query())[0]) == 21, "nothing"

    def test_how_it_is_read_is_chosen_by_loading_the_page_so(
        self, owner: Browser, there: Sample
    ) -> None:
        page = self.look(owner, there, "company,amount\nŻubr,7\n".encode("cp1250"))
        owner.open(f"{page}?charset=windows-1250&separator=comma&headed=yes&to=company&to=")
        assert "Żubr" in owner.text
        (form,) = [form for form in owner.root.forms if form.action == f"{page}/rows"]
        body: dict[str, Any] = dict(form.form_values())
        answer = owner.post(f"{page}/rows", data=body)
        assert answer.status_code == 409, "one target is not told for each column"
        owner.post(f"{page}/rows", data={**body, "to": ["company", ""]})
        assert firsts(owner)[0] == "Żubr"
        assert "amount" not in rows_named(there, "Żubr")

    def test_rows_are_pasted_as_a_spreadsheet_copies_them(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"{ROOT}/{there.table}/import"
        owner.open(page)
        owner.press(f"{page}/discard")
        owner.press(page, typed={"pasted": "Company\tAmount\r\nPasted\t3\r\n"})
        assert "1 row would be added." in owner.text
        owner.press(f"{page}/discard")
        assert "File discarded" in owner.text

    def test_what_is_no_file_of_rows_is_said(self, owner: Browser, there: Sample) -> None:
        page = self.look(owner, there, b"PK\x03\x04", "book.xlsx")
        assert "is no sound workbook" in owner.text
        owner.press(f"{page}/discard")
        assert owner.press(page).status_code == 400

    def test_of_a_workbook_the_sheet_is_chosen_and_its_rows_added(
        self, owner: Browser, there: Sample
    ) -> None:
        def row(*texts: str) -> str:
            cells = (f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
            return f"<row>{''.join(cells)}</row>"

        rows = f"{row('Amount', 'Company')}{row('7', 'Of a sheet')}"
        content = workbooks.book({"Notes": "", "Data": rows})
        page = self.look(owner, there, content, "book.xlsx")
        assert "is empty" in owner.text
        (form,) = [form for form in owner.root.forms if form.get("id") == "reading"]
        assert form.inputs["sheet"].value_options == ["Notes", "Data"]
        assert not {"separator", "charset"} & set(form.inputs.keys())
        owner.open(f"{page}?of_sheet=Notes&sheet=Data&to=company")
        assert "1 row would be added." in owner.text
        (form,) = [form for form in owner.root.forms if form.action == f"{page}/rows"]
        body: dict[str, Any] = dict(form.form_values())
        owner.post(f"{page}/rows", data={**body, "to": ["amount", "company"]})
        assert firsts(owner)[0] == "Of a sheet"
        assert rows_named(there, "Of a sheet")["amount"] == 7

    def test_a_table_is_a_workbook_that_an_import_takes_again(
        self, owner: Browser, there: Sample
    ) -> None:
        answer = owner.open(f"{ROOT}/{there.table}/export?kind=xlsx&rule=amount gt 100")
        assert "Clients.xlsx" in answer.headers["content-disposition"]
        assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
        self.look(owner, there, answer.content, "Clients.xlsx")
        assert "8 rows would be added." in owner.text

    def test_what_a_workspace_looks_at_counts_among_the_bodies_that_it_has_in_hand(
        self, owner: Browser, there: Sample, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = self.look(owner, there, b"company\nMine\n")
        with monkeypatch.context() as bounded:
            bounded.setattr(held_bodies, "MAX_HELD_OF_ONE", 5)
            assert owner.open(page).status_code == 429
        assert HeldBody.total_held() == 0
        assert owner.open(page).status_code == 200

    def test_a_file_is_its_owner_s_alone(self, browsers: dict[str, Browser], there: Sample) -> None:
        page = self.look(browsers["OWNER"], there, b"company\nMine\n")
        browsers["MEMBER"].open(page)
        assert "Mine" not in browsers["MEMBER"].text

    def test_what_is_asked_for_is_downloaded_exactly(self, owner: Browser, there: Sample) -> None:
        page = f"{ROOT}/{there.table}/export?rule=amount gt 100&sort=-amount"
        answer = owner.open(f"{page}&kind=json")
        found = json.loads(answer.content)
        assert [row["amount"] for row in found] == [12345678901234567890] * 4 + [25000] * 4
        assert found[0] == data_of(there, there.rows[3])
        answer = owner.open(f"{page}&kind=csv")
        assert answer.content.decode().startswith("company,amount,active")
        assert "Clients.csv" in answer.headers["content-disposition"]
        assert owner.open(f"{page}&kind=pdf").status_code == 400
        assert owner.open(f"{ROOT}/{there.table}/export?rule=x").status_code == 400


def rows_named(there: Sample, company: str) -> dict[str, Any]:
    with unit_of_work() as session:
        found = [row.data for row in session.query(DataRow) if row.data.get("company") == company]
    assert len(found) == 1
    return dict(found[0])


def test_a_viewer_sees_rows_and_no_way_to_change_them(
    browsers: dict[str, Browser], there: Sample
) -> None:
    viewer = browsers["VIEWER"]
    viewer.open(f"{ROOT}/{there.table}?edit={there.rows[0]}")
    assert len(firsts(viewer)) == 21
    assert viewer.actions() == set()
    assert not viewer.root.xpath(
        "//*[@data-edits] | //button[@name='edit'] | //*[@form='changing']"
    )
    viewer.open(f"{ROOT}/{there.table}/rows/{there.rows[0]}")
    assert "ACME GmbH" in viewer.text
    assert viewer.actions() == set()
    assert viewer.open(f"{ROOT}/{there.table}/import").status_code == 403


def test_an_empty_page_says_how_to_begin(browsers: dict[str, Browser], there: Sample) -> None:
    for table in tables.list_all(there.workspace):
        tables.delete(there.workspace, table.id, force=True)
    for role, offered in (("OWNER", True), ("MEMBER", False)):
        browsers[role].open(ROOT)
        assert "No tables yet" in browsers[role].text
        assert bool(browsers[role].root.xpath(f"//a[@href='{ROOT}/new']")) == offered
    shape = TableShape.model_validate({"name": "E", "columns": [{"key": "a", "type": "text"}]})
    made = tables.create(there.workspace, shape)
    browsers["MEMBER"].open(f"{ROOT}/{made.id}")
    assert "No rows yet" in browsers["MEMBER"].text
    assert browsers["MEMBER"].root.xpath(f"//a[@href='{ROOT}/{made.id}/rows/new']")
