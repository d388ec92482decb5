"""Files of definitions: what YAML is read as, what is refused, and that writing loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automations.definitions.files import MAX_VALUES, Format, read, write
from automations.errors import ValidationFailed

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


def refusal(text: str) -> str:
    with pytest.raises(ValidationFailed) as caught:
        read(text)
    (message,) = caught.value.field_errors["body"]
    return message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("2026-01-02", "2026-01-02"),
        ("12:30:45", "12:30:45"),
        ("010", 10),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1e3", 1000.0),
        (".nan", ".nan"),
        ("=", "="),
        ("true", True),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ("{{input.to}}", None),
    ],
)
def test_a_plain_word_is_what_json_would_make_of_it(text: str, value: Any) -> None:
    if text.startswith("{{"):
        assert "key must be a text" in refusal(f"name: {text}")
    else:
        assert read(f"name: {text}") == [{"name": value}]


def test_a_key_may_be_on() -> None:
    assert read("retry:\n  on: [timeout]") == [{"retry": {"on": ["timeout"]}}]


def test_documents_and_lists_are_several_automations() -> None:
    both = [{"name": "a"}, {"name": "b"}]
    assert read("name: a\n---\nname: b\n---\n") == both
    assert read("- name: a\n- name: b\n") == both
    assert read(json.dumps(both)) == both
    assert read('{"name": "\\ud83d\\ude00"}') == [{"name": "😀"}]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: &x [1]\nb: *x", "line 2, column 4: aliases"),
        ("a: 1\na: 2", "line 2, column 1: 'a' comes twice"),
        ("a: [1", "line 2, column 1: did not find"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: !!binary eA==", "line 1, column 4: !!binary is not JSON"),
        ("a: !!omap [x: 1]", "!!omap is not JSON"),
        ("a: !!timestamp 2026-01-01", "!!timestamp is not JSON"),
        ("a: !!int 1_0", "'1_0' is not written as !!int is here"),
        ("a: !!int x", "line 1, column 4: 'x' is not written"),
        ('a: !!float ".inf"', "'.inf' is not written as !!float"),
        ("a: {{input.x}}", "a value that begins with {{ stands in quotes"),
        ("a: 0.12345678901234567890123", "line 1, column 4: holds the number 0.123"),
        ("a: 1e-999", "cannot be kept exactly"),
        ("a: " + "9" * 4_100, "too large"),
        ("a: " + "9" * 4_400, "line 1, column 4: a number is too large"),
        ("- 1\n" * (MAX_VALUES + 1), f"more than {MAX_VALUES} keys and values"),
        ("".join(f"k{number}: 1\n" for number in range(MAX_VALUES // 2 + 1)), "keys and values"),
        ("? [1]\n: 2", "a key must be a text"),
        ("[" * 65 + "]" * 65, "nested deeper than 64 levels"),
        ('{"a": NaN}', "holds NaN"),
        ('{"a": [-Infinity]}', "holds -Infinity"),
        ('{"a": {"b": 1, "b": 2}}', "is there twice in one object"),
        ('{"a": "\\ud800"}', "holds half of a surrogate pair"),
        ("a: " + "[" * 5_000, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ('a: "\\0"', "NUL"),
        ('{"a": "\\u0000"}', "NUL"),
        ("a: 1e999", "cannot be kept exactly"),
        ("a: \x01", "control characters"),
        ("", "1 to 5000"),
        ("[]", "1 to 5000"),
        ("- 1\n" * 5_001, "1 to 5000"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, part: str) -> None:
    assert part in refusal(text)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["yaml", "json"])
@settings(deadline=None)
@given(definitions=st.lists(st.dictionaries(TEXT, VALUES, min_size=1), min_size=1, max_size=3))
def test_what_is_written_is_read_again(form: Format, definitions: list[dict[str, Any]]) -> None:
    assert read(write(definitions, form)) == definitions


def test_texts_of_several_lines_are_blocks_and_names_come_first() -> None:
    step = {"config": {"body": "Dear\n{{input.name}}\n"}, "order": 0, "type": "email", "name": "M"}
    assert write([{"steps": [step], "name": "x"}], "yaml") == (
        "name: x\n"
        "steps:\n"
        "- name: M\n"
        "  type: email\n"
        "  order: 0\n"
        "  config:\n"
        "    body: |\n"
        "      Dear\n"
        "      {{input.name}}\n"
    )


def test_an_emoji_is_written_as_itself() -> None:
    assert write([{"name": "Done 👍", "steps": ["C:\\Users"]}], "yaml") == (
        "name: Done 👍\nsteps:\n- C:\\Users\n"
    )
