"""Figures of tables' rows over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import DataRow
from tests.api.answers import errors
from tests.api.conftest import Api
from tests.api.tables.tables import add, table


@pytest.fixture
def path(api: Api) -> str:
    """A table's address; its rows are of two kinds and none."""
    path = f"/api/tables/{table(api)['id']}"
    for kind, size, founded in (
        ("a", 1, "2024-01-01"),
        ("a", 2.5, "2020-01-01"),
        ("b", 10, None),
        (None, None, "2022-01-01"),
    ):
        add(api, f"{path}/rows", kind=kind, size=size, founded=founded, active=kind == "a")
    return path


def ask(api: Api, path: str, function: str, **more: Any) -> Any:
    return api.call("POST", f"{path}/aggregate", {"function": function, **more}, role="VIEWER")


def groups(answer: Any) -> list[tuple[Any, ...]]:
    assert answer.status_code == 200, answer.text
    return [tuple(group[key] for key in GROUP) for group in answer.json()["groups"]]


GROUP = ("group", "value", "rowCount")


def test_a_figure_has_the_documented_shape(api: Api, path: str) -> None:
    assert ask(api, path, "sum", column="size", groupBy="kind").json() == {
        "tableId": path.rpartition("/")[2],
        "function": "sum",
        "column": "size",
        "groupBy": "kind",
        "value": 13.5,
        "rowCount": 4,
        "groups": [
            {"group": "a", "value": 3.5, "rowCount": 2},
            {"group": "b", "value": 10, "rowCount": 1},
            {"group": None, "value": None, "rowCount": 1},
        ],
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("function", "column", "value"),
    [
        ("count", None, 4),
        ("count", "size", 3),
        ("count", "more", 0),
        ("sum", "size", 13.5),
        ("avg", "size", 4.5),
        ("min", "size", 1),
        ("max", "size", 10),
        ("min", "founded", "2020-01-01"),
        ("max", "founded", "2024-01-01"),
    ],
)
def test_each_function_is_of_the_values_that_there_are(
    api: Api, path: str, function: str, column: str | None, value: Any
) -> None:
    answer = ask(api, path, function, column=column).json()
    assert (answer["value"], answer["rowCount"], answer["groups"]) == (value, 4, [])


def test_nothing_has_no_sum_but_a_count(api: Api) -> None:
    path = f"/api/tables/{table(api)['id']}"
    for function, value in (("sum", None), ("count", 0)):
        answer = ask(api, path, function, column="size", groupBy="kind").json()
        assert (answer["value"], answer["rowCount"], answer["groups"]) == (value, 0, [])


def test_only_the_rows_that_a_filter_lets_through_count(api: Api, path: str) -> None:
    wanted = {"rules": [{"field": "size", "operator": "gt", "value": 1}]}
    answer = ask(api, path, "sum", column="size", groupBy="kind", filter=wanted)
    assert answer.json()["value"] == 12.5
    assert groups(answer) == [("a", 2.5, 1), ("b", 10, 1)]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("active", [(False, 2, 2), (True, 2, 2)]),
        ("size", [(1, 1, 1), (2.5, 1, 1), (10, 1, 1), (None, 1, 1)]),
        ("name", [("Acme", 4, 4)]),
    ],
)
def test_groups_are_values_as_rows_have_them(
    api: Api, path: str, column: str, found: list[tuple[Any, ...]]
) -> None:
    assert groups(ask(api, path, "count", groupBy=column)) == found


def test_a_limit_keeps_the_largest_groups_and_says_so(api: Api, path: str) -> None:
    for limit, truncated in ((1, True), (3, False)):
        answer = ask(api, path, "count", groupBy="kind", limit=limit)
        assert len(groups(answer)) == limit
        assert (groups(answer)[0], answer.json()["truncated"]) == (("a", 2, 2), truncated)
        assert answer.json()["value"] == 4


def test_of_long_texts_the_beginning_makes_a_group(api: Api, path: str) -> None:
    for end in "xy":
        add(api, f"{path}/rows", name="n" * 200 + end)
    assert groups(ask(api, path, "count", groupBy="name", limit=2))[1] == ("n" * 200, 2, 2)


def test_a_value_that_is_no_number_any_more_is_passed_over(api: Api, path: str) -> None:
    with unit_of_work() as session:
        session.scalars(select(DataRow).limit(1)).one().data = {"name": "Acme", "size": "ten"}
    assert ask(api, path, "count", column="size").json()["rowCount"] == 4
    assert ask(api, path, "max", column="size").status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"function": "median"}, "function"),
        ({"function": "sum"}, "column"),
        ({"function": "sum", "column": "nope"}, "column"),
        ({"function": "sum", "column": "name"}, "column"),
        ({"function": "avg", "column": "founded"}, "column"),
        ({"function": "min", "column": "name"}, "column"),
        ({"groupBy": "nope"}, "groupBy"),
        ({"groupBy": "tags"}, "groupBy"),
        ({"groupBy": "more"}, "groupBy"),
        ({"limit": 0}, "limit"),
        ({"limit": 1_001}, "limit"),
        ({"color": "red"}, "color"),
        (
            {"filter": {"rules": [{"field": "size", "operator": "gt", "value": "x"}]}},
            "filter.rules.0.value",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(
    api: Api, path: str, change: dict[str, Any], field: str
) -> None:
    asked = {"function": "count", **change}
    assert list(errors(ask(api, path, **asked))) == [field]


@pytest.mark.parametrize(
    ("sizes", "total"),
    [
        ([9007199254740993, 1], 9007199254740994),
        ([0.1, 0.2], 0.3),
        ([10**30, 1], 10**30 + 1),
        ([9007199254740993, 0.5], None),
    ],
)
def test_a_sum_is_exact_or_refused(api: Api, sizes: list[float], total: float | None) -> None:
    path = f"/api/tables/{table(api)['id']}"
    for size in sizes:
        add(api, f"{path}/rows", size=size)
    answer = ask(api, path, "sum", column="size")
    if total is None:
        assert "more digits than can be kept" in errors(answer)["column"][0]
    else:
        assert answer.json()["value"] == total
    assert ask(api, path, "max", column="size").json()["value"] == max(sizes)
