"""What a file would add: how it is read, and what is refused, before anything is added."""

from __future__ import annotations

import json

import pytest

from automations.domain.tables import exports
from automations.domain.tables.columns import Column
from automations.domain.tables.imports import MAX_ROWS, rows_of
from automations.domain.tables.previews import MAX_CELLS, MAX_VALUES, Choices, read
from automations.errors import ValidationFailed

COLUMNS = [
    Column(key="name", name="Full name", type="text", required=True),
    Column(key="size", name="Size", type="number"),
    Column(key="day", name="Day", type="date"),
]


def preview(content: str | bytes, choices: Choices = Choices()):  # type: ignore[no-untyped-def]  # noqa: B008
    given = content if isinstance(content, bytes) else content.encode()
    return read(COLUMNS, given, choices, 10)


@pytest.mark.parametrize(
    ("content", "separator", "targets"),
    [
        ("name,size\na,1\n", ",", ["name", "size"]),
        ("FULL_NAME;size;other\na;1;x\n", ";", ["name", "size", ""]),
        ("size\tName\n1\ta\n", "\t", ["size", "name"]),
        ("sep=|\nname|size\na|1\n", "|", ["name", "size"]),
        ("nothing;known\na;1\n", ";", ["", ""]),
        ('"name", "size"\n"a, b", 1\n', ",", ["name", "size"]),
    ],
)
def test_the_separator_and_the_columns_are_guessed(
    content: str, separator: str, targets: list[str]
) -> None:
    found = preview(content)
    assert (found.separator, found.headed, list(found.targets)) == (separator, True, targets)


def test_a_file_without_a_first_line_of_names_is_seen_to_be_one() -> None:
    found = preview("Ada,1,2026-01-01\nGrace,2,\n")
    assert (found.headed, len(found.rows)) == (False, 2)
    assert found.rows[0] == {"name": "Ada", "size": 1, "day": "2026-01-01"}


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "windows-1252"])
def test_letters_are_read_in_the_charset_they_are_in(charset: str) -> None:
    chosen = Choices(charset="utf-16-be") if charset == "utf-16-be" else Choices()
    found = preview("name\nÄsop\n".encode(charset), chosen)
    assert found.rows == [{"name": "Äsop"}]
    if charset == "utf-16":
        assert found.charset == "utf-16-le", "it says what it was, not what was guessed"


def test_a_charset_is_chosen_where_the_guess_is_wrong() -> None:
    content = "name\nZażółć\n".encode("cp1250")
    assert preview(content).rows != [{"name": "Zażółć"}]
    assert preview(content, Choices(charset="windows-1250")).rows == [{"name": "Zażółć"}]


def test_rows_that_do_not_fit_are_told_with_their_lines() -> None:
    found = preview("name,size\nAda,1\n\n,2\nGrace,many\n")
    assert [row["name"] for row in found.rows] == ["Ada"]
    assert [(line.line, dict(line.problems)) for line in found.refused] == [
        (4, {"name": ["is required"]}),
        (5, {"size": ["must be a number such as -1234.5, with no other sign in it"]}),
    ]


def test_columns_go_where_one_says_and_each_once() -> None:
    content = "name,size\n7,Ada\n"
    assert preview(content, Choices(targets=("size", "name"))).rows == [{"size": 7, "name": "Ada"}]
    assert "columns" in preview(content, Choices(targets=("name", "name"))).wrong
    assert "columns" in preview(content, Choices(targets=("", ""))).wrong
    assert "columns" in preview(content, Choices(targets=("name", "nothing"))).wrong


def test_a_list_in_json_is_taken_as_it_is() -> None:
    found = preview('[{"name": "Ada", "size": 12345678901234567890}, {"nope": 1}, 3]')
    assert found.rows == [{"name": "Ada", "size": 12345678901234567890}]
    assert [line.line for line in found.refused] == [2, 3]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 a workbook", "save the sheet as CSV"),
        (b"\x00\x01\x02", "is no text"),
        (b"", "is empty"),
        (b'name\n"a', "is not CSV"),
        (b"[1,", "JSON"),
        (("," * 600).encode() + b"a", "choose another separator"),
    ],
)
def test_what_is_no_file_of_rows_is_refused_with_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        preview(content)
    assert said in str(refused.value.field_errors)


def test_more_rows_than_one_import_takes_are_refused_at_once() -> None:
    found = preview("name\n" + "a\n" * (MAX_ROWS + 1))
    assert "divide it" in str(found.wrong)
    assert found.rows == []
    assert "has no rows" in str(preview("name\n").wrong)


def test_a_list_of_too_many_rows_is_counted_before_any_is_looked_at() -> None:
    found = preview(json.dumps([1] * (MAX_ROWS + 1)))
    assert (found.rows, found.refused) == ([], [])
    assert "divide it into several files" in found.wrong["file"][0]


def test_a_row_of_more_values_than_any_table_has_is_no_row() -> None:
    wide = {f"k{number}": 1 for number in range(MAX_CELLS + 1)}
    with pytest.raises(ValidationFailed) as refused:
        preview(json.dumps([{"name": "Ada"}, wide]))
    assert "more than 500 values in a row" in refused.value.field_errors["file"][0]


def test_the_longest_cell_that_an_export_writes_is_read_again() -> None:
    columns = [Column(key="name", type="text"), Column(key="more", type="json")]
    row = {"name": "Ada", "more": ["x" * 200_000]}
    content = "".join(exports.serialize("csv", columns, [row]))
    assert read(columns, content.encode(), Choices(), 1).rows == [row]
    assert rows_of(columns, content) == [row]


def test_of_very_many_problems_each_row_keeps_one() -> None:
    wide = [Column(key=f"c{place}", type="number") for place in range(100)]
    content = "\n".join([",".join(column.key for column in wide), *[",".join(["ab"] * 100)] * 500])
    found = read(wide, content.encode(), Choices(), 10)
    assert len(found.refused) == 500
    assert sum(len(line.problems) for line in found.refused) < 12_000


def test_more_values_than_are_held_at_once_are_refused_with_what_to_do() -> None:
    line = "a" + "," * (MAX_CELLS - 1) + "\n"
    with pytest.raises(ValidationFailed) as refused:
        preview("name" + "," * (MAX_CELLS - 1) + "\n" + line * (MAX_VALUES // MAX_CELLS))
    assert "divide it into several files" in refused.value.field_errors["file"][0]
