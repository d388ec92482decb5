"""How evidence is written and hashed: stable, and sensitive to every part."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.domain import evidence
from automations.domain.evidence import Link, TooMuchEvidenceError, content_of, fits, hash_of

LINK = Link(
    id="c1",
    workspace_id="w1",
    number=2,
    source="AUDIT_LOGS",
    title="Title",
    query={"filter": None},
    row_count=1,
    sha256="aa",
    previous_sha256="bb",
    run_id="r1",
    created_at="2026-03-01T12:00:00.000Z",
)


def test_content_has_sorted_keys_no_blanks_and_utf_8() -> None:
    content, count = content_of([{"b": 1, "a": "ü"}, {"c": [True, None]}])
    assert (content, count) == ('[{"a":"ü","b":1},{"c":[true,null]}]'.encode(), 2)
    assert hash_of(content) == hashlib.sha256(content).hexdigest()
    assert content_of([]) == (b"[]", 0)


@given(
    st.lists(
        st.dictionaries(st.text(alphabet="abcé"), st.integers() | st.text(alphabet='x"\\é')),
        max_size=5,
    )
)
def test_the_order_of_keys_changes_nothing(rows: list[dict[str, Any]]) -> None:
    turned = [dict(reversed(row.items())) for row in rows]
    assert content_of(rows) == content_of(turned)
    assert json.loads(content_of(rows)[0]) == rows


def test_too_many_rows_or_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_ROWS", 2)
    with pytest.raises(TooMuchEvidenceError, match="narrow"):
        content_of([{}, {}, {}])
    monkeypatch.setattr(evidence, "MAX_BYTES", 20)
    with pytest.raises(TooMuchEvidenceError):
        content_of([{"a": "x" * 20}])


@pytest.mark.parametrize("name", [field.name for field in fields(Link)])
def test_every_part_of_a_link_is_in_its_hash(name: str) -> None:
    value = getattr(LINK, name)
    other: Any = value + 1 if isinstance(value, int) else "other"
    assert replace(LINK, **{name: other}).chain_sha256 != LINK.chain_sha256


def test_a_filter_wants_all_its_fields_each_with_one_of_its_values() -> None:
    row = {"a": 1, "b": "x"}
    assert fits(row, {})
    assert fits(row, {"a": 1, "b": ["x", "y"]})
    assert not fits(row, {"a": 1, "b": ["y"]})
    assert not fits(row, {"a": 2})
    assert not fits(row, {"a": True})
    assert not fits(row, {"a": ["1", True]})
