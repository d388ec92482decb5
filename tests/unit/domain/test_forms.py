"""Forms: which data fits them, and what is said about the rest."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest
from jsonschema_rs import meta
from pydantic import ValidationError

from automations.domain.forms.data_checks import check, json_schema
from automations.domain.forms.schema import (
    DISPLAY,
    UNTYPED,
    FieldType,
    FormSchema,
    Validation,
    check_whole,
)
from automations.kit.values import JSON

CHOICES = [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]


def form(*fields: dict[str, Any], **section: Any) -> FormSchema:
    return FormSchema.model_validate({"sections": [{"id": "s", "fields": fields, **section}]})


def field(kind: str, key: str = "x", **more: Any) -> dict[str, Any]:
    return {"id": key, "key": key, "type": kind, "label": key, **more}


def of_type(kind: str) -> FormSchema:
    options = CHOICES if kind in ("select", "radio", "checkbox", "multiselect") else []
    return form(field(kind, options=options))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "x"),
        ("textarea", "x\ny"),
        ("phone", "+48 1"),
        ("tel", "1"),
        ("email", "a@b.example"),
        ("url", "https://a.example/x"),
        ("number", 1.5),
        ("currency", 10),
        ("rating", 4),
        ("yesno", True),
        ("select", "a"),
        ("radio", "b"),
        ("checkbox", ["a", "b"]),
        ("multiselect", []),
        ("country", "PL"),
        ("date", "2026-03-01"),
        ("time", "09:30"),
        ("time", "09:30:15"),
        ("time", "23:59:59.5+02:00"),
        ("time", "00:00Z"),
        ("datetime", "2026-03-01T09:30:00Z"),
        ("datetime", "2026-03-01t09:30:00z"),
        ("signature", "data:image/png;base64,AA=="),
        ("file", {"name": "a.pdf"}),
        ("table_fill", [{"a": 1}]),
    ],
)
def test_a_value_of_its_type_fits(kind: str, value: JSON) -> None:
    assert check(of_type(kind), {"x": value}) == {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 5),
        ("email", "nobody"),
        ("url", "javascript:alert(1)"),
        ("number", "5"),
        ("currency", True),
        ("rating", "4"),
        ("yesno", "yes"),
        ("select", "c"),
        ("radio", ["a"]),
        ("checkbox", "a"),
        ("checkbox", ["c"]),
        ("multiselect", ["a", "a"]),
        ("date", "01.03.2026"),
        ("date", "2026-02-30"),
        ("datetime", "noon"),
        ("datetime", "2026-03-01,09:30"),
        ("time", "24:00"),
        ("time", "9:30"),
        ("time", "noon"),
    ],
)
def test_a_value_of_another_type_is_named(kind: str, value: JSON) -> None:
    assert list(check(of_type(kind), {"x": value})) == ["x"]


@pytest.mark.parametrize("kind", get_args(FieldType))
def test_every_type_has_a_valid_json_schema(kind: str) -> None:
    schema = json_schema(of_type(kind))
    meta.validate(schema)
    assert ("x" in schema["properties"]) is (kind not in DISPLAY)


def test_a_required_value_that_is_missing_or_empty_is_named() -> None:
    wanted = form(field("text", validation={"required": True}))
    assert check(wanted, {}) == {"x": ["is required"]}
    assert check(wanted, {"x": ""}) == {"x": ["must not be empty"]}


@pytest.mark.parametrize(
    ("kind", "empty"),
    [("checkbox", []), ("multiselect", []), *product(UNTYPED, (None, "", [], {}))],
)
def test_nothing_chosen_or_given_is_no_required_value(kind: str, empty: JSON) -> None:
    wanted = form(field(kind, validation={"required": True}))
    assert check(wanted, {"x": empty}) == {"x": ["must not be empty"]}
    assert check(wanted, {"x": ["a"]}) == {}


def test_the_example_in_a_message_fits() -> None:
    for kind in ("date", "time", "datetime"):
        (message,) = check(of_type(kind), {"x": "noon"})["x"]
        assert check(of_type(kind), {"x": message.rpartition(" ")[2]}) == {}


def test_two_fields_of_one_key_are_named() -> None:
    heading = field("heading")
    section = {"id": "a", "fields": [field("text"), heading, heading]}
    items = {"id": "b", "repeatable": True, "fields": [field("text"), field("text", "y")]}
    assert check_whole(FormSchema.model_validate({"sections": [section, items]})) == {}
    other = {**section, "id": "c"}
    more = {**items, "fields": [field("text"), field("number")]}
    found = check_whole(FormSchema.model_validate({"sections": [section, other, items, more]}))
    assert sorted(found) == ["sections.1.fields.0.key", "sections.3.fields.1.key", "sections.3.id"]


@pytest.mark.parametrize("data", [{}, {"x": ""}, {"x": None}])
def test_an_optional_value_may_be_left_out_or_empty(data: dict[str, JSON]) -> None:
    assert check(form(field("email")), data) == {}


def test_a_key_that_the_form_does_not_have_is_named() -> None:
    assert check(form(field("text")), {"y": 1}) == {"y": ["is not a field of this form"]}


def test_limits_hold() -> None:
    number = form(field("number", validation={"min": 1, "max": 5}))
    text = form(field("text", validation={"minLength": 2, "maxLength": 3}))
    assert [list(check(number, {"x": value})) for value in (0, 1, 5, 6)] == [["x"], [], [], ["x"]]
    assert [list(check(text, {"x": value})) for value in ("a", "ab", "abcd")] == [["x"], [], ["x"]]


def test_a_repeatable_section_holds_items_and_names_the_bad_one() -> None:
    repeated = form(field("number"), repeatable=True)
    assert check(repeated, {"section_s_items": [{"x": 1}, {"x": 2}]}) == {}
    assert list(check(repeated, {"section_s_items": [{"x": 1}, {"x": "2"}]})) == [
        "section_s_items.1.x"
    ]


def test_a_field_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValidationError):
        form(field("hologram"))


@pytest.mark.parametrize(
    ("kind", "rules", "value", "said"),
    [
        ("text", {}, 5, "must be a text"),
        ("text", {"minLength": 2}, "a", "needs at least 2 characters"),
        ("textarea", {"maxLength": 2}, "abc", "may have 2 characters at most"),
        ("number", {}, "x", "must be a number such as 12 or 12.5"),
        ("number", {"min": 9007199254740993}, 1, "must be 9007199254740993 or more"),
        ("currency", {"max": 2.5}, 3, "must be 2.5 or less"),
        ("yesno", {}, "x", "must be yes or no (true or false)"),
        ("select", {}, "c", "must be one of a, b"),
        ("multiselect", {}, ["a", "a"], "must not have the same twice"),
        ("multiselect", {"required": True}, [], "must not be empty"),
        ("multiselect", {}, "a", "must be a list"),
        ("multiselect", {}, ["a", "b", "c"], "must have at most 2 items"),
        ("file", {"required": True}, {}, "must not be empty"),
        ("url", {}, "x", "must be an http or https address"),
    ],
)
def test_people_are_told_what_is_wrong_in_words(
    kind: str, rules: dict[str, Any], value: JSON, said: str
) -> None:
    options = CHOICES if kind in ("select", "multiselect") else []
    wanted = form(field(kind, options=options, validation=rules))
    assert check(wanted, {"x": value})["x"][0] == said


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posix/UTC", "Mars/Olympus", ""])
def test_a_time_zone_of_a_field_is_one_that_everybody_knows(zone: str) -> None:
    with pytest.raises(ValidationError, match="must be an IANA time zone"):
        form(field("datetime", timezone=zone))


@pytest.mark.parametrize(("text", "fits"), [("a\r\nb", True), ("a\r\nbc", False), ("\r\n", False)])
def test_a_line_break_is_one_letter_whoever_has_written_it(text: str, fits: bool) -> None:
    rules = {"minLength": 2, "maxLength": 3}
    asked = field("textarea", validation=rules)
    assert (check(form(asked), {"x": text}) == {}) is fits
    repeated = form(asked, repeatable=True)
    assert (check(repeated, {"section_s_items": [{"x": text}]}) == {}) is fits


def test_a_choice_keeps_the_line_breaks_that_it_has() -> None:
    asked = form(field("select", options=[{"label": "A", "value": "a\r\nb"}]))
    assert check(asked, {"x": "a\r\nb"}) == {}
    assert check(asked, {"x": "a\nb"}) != {}


@pytest.mark.parametrize(
    ("written", "kept"), [("5", 5), (" 5.0 ", 5), ("1e2", 100), ("0.1", 0.1), (2**70, 2**70)]
)
def test_a_limit_is_exactly_the_number_that_was_written(written: JSON, kept: float) -> None:
    assert Validation.model_validate({"max": written}).max == kept


@pytest.mark.parametrize(
    "written", ["0.12345678901234567890123", "1e999", "9" * 5_000, 10**400, -(10**309), "1_0", True]
)
def test_a_limit_that_would_become_another_number_is_refused(written: JSON) -> None:
    for name in ("max", "maxLength"):
        with pytest.raises(ValidationError):
            Validation.model_validate({name: written})


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"min": 2, "max": 1}, "min is over max"),
        ({"minLength": 2, "maxLength": 1}, "minLength is over maxLength"),
    ],
)
def test_limits_that_nothing_satisfies_are_refused(rules: dict[str, int], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        form(field("text", validation=rules))


def test_an_option_and_a_field_are_there_once() -> None:
    options = [{"label": "a", "value": "x"}, {"label": "b", "value": "x"}]
    found = check_whole(form(field("select", options=options)))
    assert found == {"sections.0.fields.0.options.1.value": ["'x' is there twice"]}


def test_a_form_of_more_than_a_page_shows_is_refused() -> None:
    def sections(count: int, **more: Any) -> FormSchema:
        fields = [field("select", str(number), **more) for number in range(count)]
        parts = [{"id": str(at), "fields": fields[at : at + 500]} for at in range(0, count, 500)]
        return FormSchema.model_validate({"sections": parts})

    options = [{"label": "", "value": str(number)} for number in range(1_000)]
    assert check_whole(sections(2_000)) == {}
    assert check_whole(sections(2_001)) == {"sections": ["may have 2,000 fields in all at most"]}
    assert check_whole(sections(20, options=options)) == {}
    assert check_whole(sections(21, options=options)) == {
        "sections": ["may have 20,000 options in all at most"]
    }
