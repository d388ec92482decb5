"""Tables as spreadsheets and programs write them."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.domain.tables.columns import Column, columns_of
from automations.domain.tables.imports import MAX_LINE, rows_in, rows_of
from automations.errors import ValidationFailed
from automations.kit.values import JSON

COLUMNS = columns_of(
    [
        {"key": "name", "name": " Full name ", "type": "text"},
        {"key": "size", "name": "Size", "type": "number"},
        {"key": "on", "name": "Is on", "type": "boolean"},
        {"key": "more", "name": "More", "type": "json"},
        {"key": "tags", "name": "Tags", "type": "multiselect"},
    ]
)


class Semicolons(csv.excel):
    delimiter = ";"


class Quoted(csv.excel):
    quoting = csv.QUOTE_ALL


DIALECTS: list[type[csv.Dialect]] = [
    csv.excel,
    csv.excel_tab,
    csv.unix_dialect,
    Semicolons,
    Quoted,
]
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
_WHOLE = st.integers(-(10**30), 10**30)
_NUMBER = _WHOLE | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.booleans() | _NUMBER | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
    max_leaves=5,
)
_VALUES: dict[str, st.SearchStrategy[JSON]] = {
    "name": _TEXT,
    "size": _NUMBER,
    "on": st.booleans(),
    "more": _JSON,
    "tags": st.lists(_TEXT, min_size=1, unique=True),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[dict[str, JSON]]]:
    """Some columns, and rows with something in them."""
    head = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, unique_by=lambda one: one.key))
    optional = {column.key: _VALUES[column.key] for column in head}
    row = st.fixed_dictionaries({}, optional=optional).filter(bool)
    return head, draw(st.lists(row, max_size=5))


def cell(value: JSON, column: Column) -> str:
    if value is None:
        return ""
    if column.type in ("json", "multiselect"):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else json.dumps(value)


@given(tables(), st.sampled_from(DIALECTS), st.booleans(), st.integers(0, 2))
def test_a_table_that_python_has_written_comes_back(
    table: tuple[list[Column], list[dict[str, JSON]]],
    dialect: type[csv.Dialect],
    by_name: bool,
    marks: int,
) -> None:
    head, rows = table
    written = io.StringIO()
    writer = csv.writer(written, dialect)
    writer.writerow(column.name if by_name else column.key for column in head)
    writer.writerows([cell(row.get(one.key), one) for one in head] for row in rows)
    assert rows_of(COLUMNS, "\ufeff" * marks + written.getvalue()) == rows_of(COLUMNS, rows)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("name,size\na,1\n,\n\n,,\nb,\n", [{"name": "a", "size": 1}, {"name": "b"}]),
        ("name,size,,\na,1,,\nb,2,\n", [{"name": "a", "size": 1}, {"name": "b", "size": 2}]),
        ("name,size\na,1,,,\n", [{"name": "a", "size": 1}]),
        ("name,on\na,' '\n".replace("'", '"'), [{"name": "a"}]),
        ("name,on\na, \nb,No\n", [{"name": "a"}, {"name": "b", "on": False}]),
        (" Full name , Size \na,1\n", [{"name": "a", "size": 1}]),
        ("\ufeff\ufeffname\na\n", [{"name": "a"}]),
        ("name;size\na,b;1,5\n".replace("1,5", "1.5"), [{"name": "a,b", "size": 1.5}]),
        ("name\tsize\na;b\t9007199254740993\n", [{"name": "a;b", "size": 9007199254740993}]),
        ("sep=;\r\nname\r\na,b\r\n", [{"name": "a,b"}]),
        ("tags\nx; y\n", [{"tags": ["x", "y"]}]),
        (
            'tags,more\n"[""a;b""]","{""b"": 1, ""a"": 2}"\n',
            [{"tags": ["a;b"], "more": {"b": 1, "a": 2}}],
        ),
        ("name\n a \n", [{"name": " a "}]),
        (
            'name,size\n"",1\n,2\n"",\n"" ,\n,""\n',
            [{"name": "", "size": 1}, {"size": 2}, *[{"name": ""}] * 2],
        ),
        ('name\n"a\n"",""",\n""', [{"name": 'a\n","'}, {"name": ""}]),
        ('"name","size"\n"","1"\n"",""\n', [{"size": 1}]),
        ('name, size\n"a", 1\n"", "2"\n', [{"name": "a", "size": 1}, {"name": "", "size": 2}]),
        ("name|size\na;b,c|1\n", [{"name": "a;b,c", "size": 1}]),
        ('"Full\nname";Size\r\na;1\r\n', [{"name": "a", "size": 1}]),
        ('Size,"Full\r\n  name"\n1,"a\rb"\n', [{"name": "a\rb", "size": 1}]),
        ("name\ra\rb\r", [{"name": "a"}, {"name": "b"}]),
        (
            'size, name\n1, "a, b"\n2,  "c"\n3, d\n',
            [{"size": 1, "name": "a, b"}, {"size": 2, "name": "c"}, {"size": 3, "name": "d"}],
        ),
        ('"name"; "size"\n"a""b"; "1"\n', [{"name": 'a"b', "size": 1}]),
        ('size,name\n1," ""a"""\n2, b\n', [{"size": 1, "name": ' "a"'}, {"size": 2, "name": " b"}]),
        (
            '"name" , "size"\n"a"  , "1" \n"b",2',
            [{"name": "a", "size": 1}, {"name": "b", "size": 2}],
        ),
        (
            '"name" ,"size"\n"a, ""b"" ,c" ,1\n5" ,2\n5" , 3\n',
            [
                {"name": 'a, "b" ,c', "size": 1},
                {"name": '5" ', "size": 2},
                {"name": '5" ', "size": 3},
            ],
        ),
        (
            '"name" ;"size"\r\n"a\r\nb" ;1\r\n',
            [{"name": "a\r\nb", "size": 1}],
        ),
        ('sep= \n"name" "size"\n"a" 1\n', [{"name": "a", "size": 1}]),
        ('name,size\n5" pipe, 1\n', [{"name": '5" pipe', "size": 1}]),
        ("name, ,size,\na,,1,\nb,,2\n", [{"name": "a", "size": 1}, {"name": "b", "size": 2}]),
    ],
)
def test_what_spreadsheets_write_is_read(text: str, rows: list[dict[str, Any]]) -> None:
    assert rows_of(COLUMNS, text) == rows


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("name,size\na,1,2\n", "rows.0", "more values"),
        ("name,more\na,{\n", "rows.0.data.more", "not valid JSON"),
        ("name,more\na,hello\n", "rows.0.data.more", "not valid JSON"),
        ("name,size\na,1_000\n", "rows.0.data.size", "must be a number"),
        ("name,size\na,0.1234567890123456789\n", "rows.0.data.size", "more digits"),
        ("name,size\na,1e999\n", "rows.0.data.size", "more digits"),
        (
            'name,size\n"a"b,1\n',
            "body",
            "line 2: has something between the quote that ends a value",
        ),
        ('name,size\n"a,1\n', "body", "line 2: ends within a value in quotes"),
        ("name,on\na,perhaps\n", "rows.0.data.on", "true or false"),
        ("name, name \na,b\n", "header.1", "there twice"),
        ("name,,size\na,x,1\n", "header.1", "has no name, but values below it"),
        ("name;size\na;1.234,5\n", "rows.0.data.size", "a number such as -1234.5"),
        ("name;zzz\na;b\n", "header.1", "'zzz' is not a column"),
        ('"Full\nname";"z\nz"\na;b\n', "header.1", "'z z' is not a column"),
        ("name;tags\na;x\n".replace("x", '"x;y;x"'), "rows.0.data.tags", "has 'x' twice"),
    ],
)
def test_what_does_not_fit_is_named(text: str, path: str, said: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        rows_of(COLUMNS, text)
    assert said in refused.value.field_errors[path][0]


def test_a_name_that_several_columns_have_is_refused_and_their_keys_are_not() -> None:
    columns = columns_of([{"key": key, "name": "Same", "type": "text"} for key in ("a", "b")])
    with pytest.raises(ValidationFailed) as refused:
        rows_of(columns, "Same\nx\n")
    assert "write their keys" in refused.value.field_errors["header.0"][0]
    assert rows_of(columns, "a,b\nx,y\n") == [{"a": "x", "b": "y"}]


def test_a_required_column_does_not_ask_for_values_of_an_empty_line() -> None:
    columns = columns_of(
        [{"key": "a", "type": "text", "required": True}, {"key": "b", "type": "text"}]
    )
    assert rows_of(columns, "a;b\nx;\n;\n") == [{"a": "x"}]


@pytest.mark.parametrize(
    ("options", "cell", "kept"),
    [([], " a ", " a "), ([" a ", "b"], " a ", " a "), (["a"], " a ", "a"), (["a"], "  ", None)],
)
def test_a_choice_is_read_as_it_is_or_without_blanks_around_it(
    options: list[str], cell: str, kept: str | None
) -> None:
    columns = columns_of(
        [{"key": "kind", "type": "select", "options": options}, {"key": "n", "type": "number"}]
    )
    (row,) = rows_of(columns, f'kind,n\n"{cell}",1\n')
    assert row.get("kind") == kept


@pytest.mark.parametrize("said", ["sep=;", "SEP=;", '"sep=;"'])
def test_the_separator_may_be_said_as_spreadsheets_say_it(said: str) -> None:
    assert rows_of(COLUMNS, f"{said}\nname;size\na,b;1\n") == [{"name": "a,b", "size": 1}]


WIDE = [Column(key=f"c{place}", type="text") for place in range(100)]
HEAD = ",".join(column.key for column in WIDE)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param((",".join(["ab"] * 100) + "\n") * 7_000, marks=pytest.mark.slow),
        pytest.param((",".join(["ab"] * 99 + ['"a\nb"']) + "\n") * 7_000, marks=pytest.mark.slow),
        ("ab;cd|ef,gh\tij" + "," * 98 + "\n") * 7_000,
        '"' * 4 * MAX_LINE,
        "ab," * 2 * MAX_LINE,
        pytest.param((",".join(['"ab" '] * 100) + "\n") * 3_000, marks=pytest.mark.slow),
    ],
    ids=["rows", "rows of several lines", "every separator", "quotes", "one line", "blanks"],
)
def test_a_file_takes_little_more_memory_than_it_has_letters(body: str) -> None:
    text = f"{HEAD}\n{body}"
    tracemalloc.start()
    try:
        with suppress(ValidationFailed):
            for _ in rows_in(WIDE, text):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_rows_behind_one_that_does_not_fit_are_looked_at_and_not_given() -> None:
    given: list[Any] = []
    with pytest.raises(ValidationFailed) as refused:
        given.extend(rows_in(COLUMNS, "Size\n1\nx\n3\ny\n"))
    assert given == [{"size": 1}]
    assert list(refused.value.field_errors) == ["rows.1.data.size", "rows.3.data.size"]
