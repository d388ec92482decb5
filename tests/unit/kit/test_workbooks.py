"""Workbooks are read as they are kept, written so that they are read again, and bounded."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.domain.tables import exports
from automations.domain.tables.columns import Column, validate
from automations.domain.tables.imports import rows_of, workbook_text
from automations.domain.tables.previews import Choices, read, sheets
from automations.errors import ValidationFailed
from automations.kit.workbooks import package, reading, writing
from automations.kit.workbooks.package import NotAWorkbook
from tests import workbooks

COLUMNS = [
    Column(key="name", name="Full name", type="text", required=True),
    Column(key="size", name="Size", type="number"),
    Column(key="day", name="Day", type="date"),
    Column(key="at", name="At", type="datetime"),
    Column(key="on", name="On", type="boolean"),
    Column(key="tags", name="Tags", type="multiselect"),
    Column(key="more", name="More", type="json"),
]
STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy\\ hh:mm"/>'
    '<numFmt numFmtId="165" formatCode="#,##0.00\\ [$EUR];[Red]\\-#,##0&quot; days&quot;"/>'
    '<numFmt numFmtId="166" formatCode="[h]:mm:ss"/><numFmt numFmtId="167" formatCode="mmmm"/>'
    '</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>'
    '<xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/>'
    '<xf numFmtId="9"/><xf numFmtId="20"/><xf numFmtId="167"/></cellXfs>'
)


def lines(content: bytes, sheet: str | None = None) -> list[list[str]]:
    """The rows of a sheet."""
    text = reading.read(content, sheet, 1_000).text
    first, _, rest = text.partition("\r\n")
    assert first == "sep=,"
    return list(csv.reader(io.StringIO(rest, newline="")))


def cells(*found: str, **more: Any) -> list[str]:
    """What cells of one row are read as."""
    row = "".join(found)
    (only,) = lines(workbooks.book({"One": f'<row r="1">{row}</row>'}, styles=STYLES, **more))
    return only


def refusal(content: bytes, sheet: str | None = None) -> str:
    with pytest.raises(NotAWorkbook) as refused:
        reading.read(content, sheet, 1_000)
    return str(refused.value)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<c><v>5</v></c>", "5"),
        ("<c><v>5.0</v></c>", "5"),
        ("<c><v>1.1000000000000001</v></c>", "1.1"),
        ("<c><v>-2.5E-3</v></c>", "-0.0025"),
        ("<c><v>1E+16</v></c>", "10000000000000000"),
        ("<c><v>1e30</v></c>", "1e+30"),
        ("<c><v>12345678901234567890</v></c>", "12345678901234567890"),
        ('<c s="3"><v>-1234.5</v></c>', "-1234.5"),
        ('<c s="5"><v>0.25</v></c>', "0.25"),
        ('<c t="b"><v>1</v></c>', "true"),
        ('<c t="b"><v>0</v></c>', "false"),
        ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c t="str"><f>A1</f><v>came out</v></c>', "came out"),
        ('<c t="d"><v>2026-03-01T10:00:00</v></c>', "2026-03-01T10:00:00"),
        ('<c s="1"><v>46082</v></c>', "2026-03-01"),
        ('<c s="2"><v>46082</v></c>', "2026-03-01"),
        ('<c s="2"><v>46082.395833333336</v></c>', "2026-03-01T09:30:00"),
        ('<c s="2"><v>46082.395833344907</v></c>', "2026-03-01T09:30:00.001"),
        ('<c s="7"><v>46082</v></c>', "2026-03-01"),
        ('<c s="4"><v>1.25</v></c>', "30:00:00"),
        ('<c s="4"><v>100.5</v></c>', "2412:00:00"),
        ('<c s="6"><v>0.4375</v></c>', "10:30:00"),
        # A moment of which the sheet shows the time alone.
        ('<c s="6"><v>46082.4375</v></c>', "2026-03-01T10:30:00"),
        ('<c s="1"><v>60</v></c>', "60"),
        ('<c s="1"><v>61</v></c>', "1900-03-01"),
        ('<c s="1"><v>-1</v></c>', "-1"),
        ('<c s="99"><v>7</v></c>', "7"),
        ('<c t="inlineStr"><is><t>a, b</t></is></c>', "a, b"),
        ('<c t="inlineStr"><is><r><t>ri</t></r><r><t>ch</t></r></is></c>', "rich"),
        ('<c t="inlineStr"><is><t>日本</t><rPh><t>にほん</t></rPh></is></c>', "日本"),
        ('<c t="inlineStr"><is><t>a_x000D_\nb_x005F_x0041_</t></is></c>', "a\r\nb_x0041_"),
        ('<c t="inlineStr"><is><t>_x0000__xD800_</t></is></c>', "_x0000__xD800_"),
    ],
)
def test_a_cell_is_read_as_it_is_kept(cell: str, text: str) -> None:
    assert cells(cell) == [text]


def test_texts_that_cells_share_are_found_by_their_number() -> None:
    texts = '<si><t>first</t></si><si><r><t xml:space="preserve">in </t></r><r><t>two</t></r></si>'
    found = cells('<c t="s"><v>1</v></c>', '<c t="s"><v>0</v></c>', texts=texts)
    assert found == ["in two", "first"]


def test_rows_and_cells_that_are_left_out_keep_their_places() -> None:
    rows = '<row r="2"><c r="B2"><v>1</v></c><c r="AA2"><v>2</v></c></row><row/><row r="5"/>'
    found = lines(workbooks.book({"One": rows}))
    assert [len(line) for line in found] == [0, 27, 0, 0, 0]
    assert (found[1][1], found[1][26]) == ("1", "2")


def test_days_are_counted_from_1904_where_the_workbook_says_so() -> None:
    properties = '<workbookPr date1904="1"/>'
    assert cells('<c s="1"><v>44620</v></c>', properties=properties) == ["2026-03-01"]


def test_the_first_sheet_that_is_shown_is_read_or_the_one_that_is_wanted() -> None:
    rows = '<row><c t="inlineStr"><is><t>{}</t></is></c></row>'
    content = workbooks.book(
        {"Notes": rows.format("n"), "Data": rows.format("d"), "More": rows.format("m")},
        states={"Notes": "hidden"},
    )
    assert reading.sheets(content) == ["Data", "More"]
    assert (lines(content), lines(content, "More")) == ([["d"]], [["m"]])
    assert refusal(content, "Notes") == "has no sheet 'Notes': it has Data, More"


def test_the_strict_form_is_read_alike() -> None:
    strict = workbooks.sheet("<row><c><v>7</v></c></row>", workbooks.STRICT)
    content = workbooks.book({"One": ""}, more={"xl/worksheets/sheet1.xml": strict})
    assert lines(content) == [["7"]]


def test_no_more_rows_are_read_than_are_wanted() -> None:
    content = workbooks.book({"One": "<row><c><v>1</v></c></row>" * 50})
    assert reading.read(content, None, 10).text.count("1") == 11


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ('<row r="1"><c r="A1"><f>SUM(B1)</f></c></row>', "formula in row 1"),
        ('<row r="2"/><row r="1"/>', "row 1 is out of its order"),
        ('<row r="9999999"/>', "out of its order"),
        ('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>', "cells out of order"),
        ('<row><c r="ZZZ1"><v>1</v></c></row>', "cells out of order"),
        ('<row><c t="s"><v>7</v></c></row>', "a text that is not there"),
        ("<row><c>", "damaged workbook"),
        ("<c><v>1</v></c>", "cells out of order"),
    ],
)
def test_what_cannot_be_read_is_said(rows: str, told: str) -> None:
    assert told in refusal(workbooks.book({"One": rows}))


def test_what_is_no_workbook_is_said() -> None:
    assert "no sound workbook" in refusal(b"PK\x03\x04")
    assert "password" in refusal(b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"))
    assert ".xls" in refusal(b"\xd0\xcf\x11\xe0" + b"Workbook")
    assert "no sheet" in refusal(workbooks.book({}))
    other = workbooks.book({}, more={"_rels/.rels": workbooks.relations()})
    assert "is no workbook" in refusal(other)
    binary = workbooks.relations(("rId1", "officeDocument", "xl/workbook.bin"))
    assert "is no workbook" in refusal(workbooks.book({}, more={"_rels/.rels": binary}))


def test_nothing_is_unpacked_or_repeated_beyond_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    entities = '<!DOCTYPE sst [<!ENTITY a "aaaaaaaaaa">]><sst><si><t>&a;</t></si></sst>'
    content = workbooks.book({"One": ""}, more={"xl/sharedStrings.xml": entities})
    assert "defines entities" in refusal(content)
    # One text that stands in many cells is kept once, and written often.
    monkeypatch.setattr(reading, "MAX_TEXT", 5_000)
    texts = f"<si><t>{'x' * 1_000}</t></si>"
    rows = '<row><c t="s"><v>0</v></c></row>' * 10
    assert "MB of text" in refusal(workbooks.book({"One": rows}, texts=texts))
    monkeypatch.setattr(package, "MAX_UNPACKED_BYTES", 5_000)
    assert "unpacks to" in refusal(workbooks.book({"One": ""}, more={"x.xml": " " * 6_000}))


def test_a_row_whose_cells_share_a_long_text_is_not_written_before_it_is_measured() -> None:
    texts = f"<si><t>{'x' * 1_000_000}</t></si>"
    cells = '<c t="s"><v>0</v></c>' * 100
    content = workbooks.book({"One": f"<row>{cells}</row>"}, texts=texts)
    tracemalloc.start()
    try:
        assert "MB of text" in refusal(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000


VALUES: dict[str, Any] = {
    "name": "=HYPERLINK(\"x\")\r\n_x0041_ & <b>'äöü'\x01",
    "size": 1234.5,
    "day": "2026-03-01",
    "at": "2026-03-01T09:30:00.125Z",
    "on": False,
    "tags": ["a", "b; c"],
    "more": {"a": [1, None]},
}


def workbook_of(*rows: dict[str, Any], name: str = "Clients") -> bytes:
    file = io.BytesIO()
    exports.write_workbook(file, name, COLUMNS, rows)
    return file.getvalue()


def test_what_is_written_is_read_again() -> None:
    rows = [
        VALUES,
        {"name": "Old", "day": "1815-12-10", "at": "1815-12-10T00:00:00.000Z"},
        {"name": "Fine", "size": 12345678901234567890, "at": "2026-03-01T09:30:00.123456Z"},
        {"name": "Midnight", "size": 1e-7, "at": "2026-03-01T00:00:00.000Z"},
    ]
    found = rows_of(COLUMNS, workbook_text(workbook_of(*rows), None))
    assert found == rows


@given(
    st.lists(
        st.fixed_dictionaries(
            {"name": st.text(min_size=1).filter(lambda text: "\0" not in text)},
            optional={
                "size": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
                "day": st.dates().map(date.isoformat),
                "at": st.datetimes(min_value=datetime(1, 1, 2)).map(
                    lambda at: f"{at.isoformat()}Z"
                ),
                "on": st.booleans(),
            },
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_values_are_read_again(given_rows: list[dict[str, Any]]) -> None:
    rows = []
    for one in given_rows:
        kept, wrong = validate(COLUMNS, one)
        if not wrong:
            rows.append(kept)
    assert rows_of(COLUMNS, workbook_text(workbook_of(*rows), None)) == rows


def test_a_workbook_is_previewed_with_its_sheets() -> None:
    content = workbook_of(VALUES)
    found = read(COLUMNS, content, Choices(), 10)
    assert (found.sheet, found.headed, found.refused) == ("Clients", True, [])
    assert found.rows == [{**VALUES, "at": "2026-03-01T09:30:00.125"}]
    assert sheets(content) == ["Clients"]
    assert sheets(b"PK\x03\x04") == sheets(b"name\n") == ()
    with pytest.raises(ValidationFailed) as refused:
        read(COLUMNS, content, Choices(sheet="Other"), 10)
    assert "no sheet 'Other'" in refused.value.field_errors["file"][0]


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("a/b:[c]", "a b c"),
        ("'", "Sheet1"),
        ("x" * 40, "x" * 31),
        ('a"&<', 'a"&<'),
        ("🙂" * 20, "🙂" * 15),
    ],
)
def test_a_sheet_is_called_as_one_may_be(name: str, called: str) -> None:
    assert reading.sheets(workbook_of(VALUES, name=name)) == [called]


def test_what_no_sheet_holds_is_refused_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationFailed) as refused:
        workbook_of({"name": "fits"}, {"name": "x" * 32_768})
    assert refused.value.field_errors == {
        "rows": ["row 3 has a text of more than the 32767 characters that a cell holds: take CSV "
                 "or JSON"]
    }  # fmt: skip
    monkeypatch.setattr(writing, "MAX_ROWS", 2)
    with pytest.raises(ValidationFailed):
        workbook_of({"name": "a"}, {"name": "b"})


def test_no_cell_of_what_is_written_is_a_formula() -> None:
    with zipfile.ZipFile(io.BytesIO(workbook_of(VALUES))) as written:
        assert "<f" not in written.read("xl/worksheets/sheet1.xml").decode()
