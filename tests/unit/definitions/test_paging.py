"""Pages of HTTP sources: where the next one is, and paths in records."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from automations.definitions.paging import Page, Paging, next_link
from automations.errors import StepError
from automations.kit.record_paths import NOTHING, paths_of, value_at
from automations.kit.storable import Unkept

PAGING: TypeAdapter[Any] = TypeAdapter(Paging)
SOURCE = "https://api.b.example/alerts"


def page(body: Any = None, *, link: str = "", count: int = 1) -> Page:
    return Page(SOURCE, SOURCE, {"link": link} if link else {}, body, count)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<https://a.example/?page=2>; rel="next"', "https://a.example/?page=2"),
        ("</x?a=1,2;3>; rel=next", "/x?a=1,2;3"),
        ('<b>; rel="first", <c>; title="x, <d>; y"; rel="last next"', "c"),
        ('<b>; rel="prev"', None),
        ('<b>; rev="next"', None),
        ("next", None),
        ("", None),
    ],
)
def test_the_next_page_is_found_in_a_link_header(header: str, found: str | None) -> None:
    assert next_link(header) == found


def test_links_are_followed_as_they_are_and_only_at_the_source() -> None:
    way = PAGING.validate_python({"type": "link"})
    assert way.address(SOURCE, {"a": 1}, None) == (SOURCE, {"a": 1})
    assert way.following(page(), None) is None
    following = way.following(page(link='</alerts?after=x>; rel="next"'), None)
    assert following == f"{SOURCE}?after=x"
    assert way.address(SOURCE, {"a": 1}, following) == (following, {})
    for alike in ("HTTPS://API.b.example/alerts?after=y", "https://api.b.example:443/alerts"):
        following = way.following(page(link=f'<{alike}>; rel="next"'), None)
        assert following.lower() == alike.lower()
    nowhere = ("http://[x", "//a" + "\u0301\u0316" * 100_000)
    for away in (
        *("https://evil.example/", "http://api.b.example/alerts", "//evil.example"),
        *("https://a@api.b.example/", "https://api.b.example:8443/", "//api.b.example:x/"),
        *nowhere,
    ):
        with pytest.raises(StepError, match="leads away"):
            way.following(page(link=f'<{away}>; rel="next"'), None)


def test_numbered_pages_end_with_an_empty_one() -> None:
    way = PAGING.validate_python({"type": "page", "parameter": "p", "first": 0})
    assert way.address(SOURCE, {"a": 1}, None) == (SOURCE, {"a": 1, "p": "0"})
    assert way.following(page(), None) == "1"
    assert way.address(SOURCE, {}, "1") == (SOURCE, {"p": "1"})
    assert way.following(page(), "1") == "2"
    assert way.following(page(count=0), "2") is None


@pytest.mark.parametrize(
    ("meta", "found"),
    [
        ({"next": "abc"}, "abc"),
        ({"next": 5}, "5"),
        ({"next": 0}, "0"),
        ({"next": 1767225600.25}, "1767225600.25"),
        ({"next": 1e22}, "1e+22"),
        ({"next": None}, None),
        ({"next": ""}, None),
        ({"next": False}, None),
        ({"next": []}, None),
        ({"next": {}}, None),
    ],
)
def test_cursors_are_taken_from_the_answer(meta: dict[str, Any], found: str | None) -> None:
    way = PAGING.validate_python({"type": "cursor", "parameter": "after", "path": "meta.next"})
    assert way.following(page({"meta": meta}), None) == found
    assert way.following(page({"meta": {}}), "x") is None
    assert way.address(SOURCE, {"a": 1}, "abc") == (SOURCE, {"a": 1, "after": "abc"})
    assert way.address(SOURCE, {"a": 1}, None) == (SOURCE, {"a": 1})


@pytest.mark.parametrize(
    "cursor", [True, ["abc"], {"id": 5}, "a\nb", "x" * 9_000, Unkept("holds a number"), "\ud800"]
)
def test_a_cursor_that_cannot_be_sent_is_not_the_end(cursor: Any) -> None:
    way = PAGING.validate_python({"type": "cursor", "path": "next"})
    with pytest.raises(StepError, match="cannot be used"):
        way.following(page({"next": cursor}), None)


def test_one_answer_has_no_next_page() -> None:
    way = PAGING.validate_python({"type": "none"})
    assert way.following(page(link='<b>; rel="next"'), None) is None


@pytest.mark.parametrize("way", [{"type": "page"}, {"type": "cursor", "path": "meta.next"}])
def test_a_place_takes_that_of_one_in_the_address(way: dict[str, Any]) -> None:
    given = {**way, "parameter": "p"}
    address = PAGING.validate_python(given).address(f"{SOURCE}?a=%2f&p=1", {}, "2")
    assert address == (f"{SOURCE}?a=%2f", {"p": "2"})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b.1.c", 5),
        ("a.b.0", None),
        ("a.b.2", NOTHING),
        ("a.b.-1", NOTHING),
        ("a.x", NOTHING),
        ("a.b.1.c.d", NOTHING),
    ],
)
def test_values_are_found_by_paths(path: str, found: Any) -> None:
    assert value_at({"a": {"b": [None, {"c": 5}]}}, path) is found


def test_paths_of_a_record_lead_to_its_values() -> None:
    record = {"a": {"b": [1], "c": {}}, "d": None, "e.f": 1}
    assert dict(paths_of(record)) == {"a.b": [1], "a.c": {}, "d": None}
