"""The form of the Trigger dialog, which is made of an automation's inputSchema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk.definitions.param import Param, process_params
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from automations.kit.ids import new_id
from automations.kit.json_schema.formats import DATES
from automations.kit.json_schema.schemas import Schema, SchemaFault
from automations.kit.json_schema.validation import violations
from automations_airflow.dags.dag_builder import build
from automations_airflow.ui import limits
from automations_airflow.ui.field_validation import OURS
from automations_airflow.ui.params import NOTHING, params_of
from tests.airflow.definitions import email, published

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["amount", "kind", "day"],
    "$defs": {"kind": {"enum": ["a", "b"], "enumNames": ["First", "Second"], "title": "Kind"}},
    "properties": {
        "amount": {
            "type": "number", "title": "Amount", "description": "In euros.", "minimum": 1,
            "maximum": 500, "section": "What",
        },
        "kind": {"$ref": "#/$defs/kind"},
        "day": {"type": "string", "format": "date"},
        "note": {"type": "string", "maxLength": 9, "pattern": "^x"},
        "size": {"oneOf": [{"const": 1, "title": "Small"}, {"const": 2, "title": "Large"}]},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
        "urgent": {"type": "boolean", "default": True},
        "broken": {"type": "integer", "default": "no number"},
        "more": {"type": "object", "properties": {"deep": {"type": "string"}}},
        "mail": {"type": "string", "format": "email"},
    },
}  # fmt: skip
FITS = {"amount": 5, "kind": "a", "day": "2026-11-29"}


def shown(name: str) -> dict[str, Any]:
    return dict(params_of(SCHEMA)[name].schema)


def test_a_field_has_its_title_help_limits_and_section() -> None:
    assert shown("amount") == {
        "type": "number", "title": "Amount", "section": "What",
        # Not beside it: Airflow's form would make 500 of 1000, and say nothing.
        "allOf": [{"minimum": 1, "maximum": 500}],
        "$schema": OURS,
    }  # fmt: skip
    described = {name: param.description for name, param in params_of(SCHEMA).items()}
    assert described["amount"] == "In euros. 1 to 500."
    assert described["note"] == "At most 9 characters."
    assert described["day"] is None
    assert shown("day") == {"type": "string", "format": "date", "$schema": OURS}


def test_choices_have_their_labels() -> None:
    assert shown("kind") == {
        "type": "string", "title": "Kind", "enum": ["a", "b"],
        "values_display": {"a": "First", "b": "Second"}, "$schema": OURS,
    }  # fmt: skip
    assert shown("size")["enum"] == [1, 2, None]
    assert shown("size")["values_display"] == {"1": "Small", "2": "Large", **NOTHING}
    assert shown("tags")["examples"] == ["x", "y"]


def test_what_may_be_left_out_may_be_left_empty_and_what_is_required_may_not() -> None:
    params = params_of(SCHEMA)
    assert params["note"].schema["type"] == ["string", "null"]
    assert params["note"].resolve() is None
    with pytest.raises(ParamValidationError):
        params["amount"].resolve()


def test_no_form_is_given_what_it_would_change_or_has_no_input_for() -> None:
    for name in ("note", "mail", "more"):
        assert not {"pattern", "properties", "maxLength"} & shown(name).keys()
    assert "format" not in shown("mail")


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "abc", "does not match '^[A-Z]{3}$'"),
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 5_000 + "b", "does not match"),
        ({"type": "array", "uniqueItems": True}, ["a", "a"], "an item of the list is there twice"),
        ({"type": "number", "multipleOf": 0.1}, 0.25, "0.25 is not a multiple of 0.1"),
        ({"type": "string", "not": {"const": "x"}}, "x", "not"),
        ({"type": "array", "items": {"pattern": "^x"}}, ["xa", "b"], "1: does not match '^x'"),
        ({"type": "object", "propertyNames": {"maxLength": 1}}, {"ab": 1}, "ab"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "'c' is not one of 'a', 'b'"),
    ],
)
def test_whatever_a_field_asks_for_is_checked_as_we_check_it_in_one_sentence(
    part: dict[str, Any], value: Any, said: str, optional: bool
) -> None:
    param = params_of({"properties": {"a": part}, "required": [] if optional else ["a"]})["a"]
    with pytest.raises(ParamValidationError) as refused:
        param.resolve(value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    if optional:
        # The form sends null for what is left empty.
        assert param.resolve(None) is None
    else:
        with pytest.raises(ParamValidationError):
            param.resolve(None)


def test_a_fraction_that_is_a_multiple_is_taken() -> None:
    assert only({"type": "number", "multipleOf": 0.1}).resolve(0.3) == 0.3


def test_a_field_whose_rules_are_too_many_twice_over_is_checked_when_the_run_is_recorded() -> None:
    choices = [f"choice {number}" for number in range(4_000)]
    param = only({"type": "string", "oneOf": [{"const": choice} for choice in choices]})
    assert param.resolve("choice 7") == "choice 7"


def only(part: dict[str, Any], **schema: Any) -> Param:
    """The field of a schema that has no other, and wants it."""
    return params_of({"properties": {"a": part}, "required": ["a"], **schema})["a"]


def test_a_list_is_offered_the_choices_of_its_items_by_their_labels() -> None:
    one_of = [{"const": "x", "title": "Ex"}, {"const": "y"}]
    param = only({"type": "array", "items": {"oneOf": one_of}})
    assert (param.schema["items"], param.schema["examples"]) == ({"type": "string"}, ["x", "y"])
    assert param.schema["values_display"] == {"x": "Ex"}


def test_choices_of_which_the_form_would_send_texts_are_written_as_a_list() -> None:
    param = only({"type": "array", "items": {"type": "integer", "enum": [1, 2]}})
    assert param.schema["items"] == {"type": "integer"}
    assert "examples" not in param.schema
    assert param.description == "A list as JSON, of 1, 2."
    assert param.resolve([1, 2]) == [1, 2]


def test_a_list_of_objects_says_what_is_in_one_also_where_a_reference_leads() -> None:
    line = {"type": "object", "properties": {"sku": {"type": "string"}, "price": {}}}
    param = only({"type": "array", "items": {"$ref": "#/$defs/line"}}, **{"$defs": {"line": line}})
    assert param.schema["items"] == {"type": "object"}
    assert param.description == "A list as JSON, of objects with sku, price."
    assert only(line).description == "As JSON, with sku, price."


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ({"type": "boolean"}, False),
        ({"type": "object"}, {}),
        ({"type": "boolean", "default": True}, True),
    ],
)
def test_what_an_input_shows_that_must_be_filled_in_is_what_it_sends(
    part: dict[str, Any], value: Any
) -> None:
    assert only(part).value == value


@pytest.mark.parametrize(
    "part",
    [
        {"type": "object", "required": ["b"]},
        {"type": "boolean", "const": True},
        {"type": "string", "format": "date", "default": "today"},
    ],
)
def test_what_does_not_fit_is_not_sent_unless_somebody_has_written_it(part: Any) -> None:
    with pytest.raises(ParamValidationError, match="No value passed"):
        only(part).resolve()


@pytest.mark.parametrize("key", ["title", "section", "description_md", "examples"])
def test_what_is_no_text_is_not_shown_as_one(key: str) -> None:
    # A page that is to show it fails as a whole.
    part = {"type": "string", key: {"a": 1}}
    assert key not in only(part).schema


INNER = {
    "type": "object",
    "required": ["street"],
    "additionalProperties": False,
    "properties": {
        "street": {"type": "string", "minLength": 2},
        "number": {"$ref": "#/$defs/number"},
    },
}
NUMBER = {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 100}


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        (INNER, {}, "'street' is a required property"),
        (INNER, {"street": "S"}, "street: 'S' is shorter than 2"),
        (INNER, {"street": "So", "number": 0}, "number: 0 is not greater than 0"),
        (INNER, {"street": "So", "town": "T"}, "'town' is not allowed here"),
        ({"type": "array", "items": INNER}, [{}], "'street' is a required property"),
        ({"$ref": "#/$defs/number"}, 100, "100 is not less than 100"),
        ({"allOf": [{"minItems": 1}]}, [], "has fewer items than 1"),
    ],
)
def test_what_is_inside_of_a_field_is_checked_too(part: Any, value: Any, said: str) -> None:
    param = only(part, **{"$defs": {"number": NUMBER}})
    with pytest.raises(ParamValidationError, match=said):
        param.resolve(value)


PARTS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "number", "boolean", "array", "object"]),
            "enum": st.sampled_from([["a", 1], [True, None], [0.5]]),
            "minimum": st.integers(0, 2),
            "exclusiveMaximum": st.integers(1, 3),
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "required": st.sampled_from([[], ["a"], ["b"]]),
            "default": st.sampled_from([None, 1, "a"]),
            "$ref": st.sampled_from(["#/$defs/x", "#/$defs/none", "#"]),
        },
    )
    | st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner),
            "additionalProperties": st.just(False) | inner,
            "patternProperties": st.just({"a": True}),
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2, 0.5, 1.0, "", "a", "ab"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(part=PARTS, other=PARTS, value=VALUES)
def test_what_the_schema_allows_airflow_takes(part: Any, other: Any, value: Any) -> None:
    schema = {"properties": {"a": part}, "$defs": {"x": other}}
    try:
        allowed = not violations(Schema.read(schema), {"a": value}, DATES)
    except SchemaFault:
        return
    if allowed and (params := params_of(schema)):
        assert params["a"].resolve(value) == value


def test_a_default_is_shown_unless_it_would_keep_runs_from_being_made() -> None:
    params = params_of(SCHEMA)
    assert params["urgent"].value is True
    assert params["broken"].value is None


@pytest.mark.parametrize(
    "schema",
    [None, {}, {"type": "array"}, {"properties": 3}, {"properties": {"a": False}}],
)
def test_a_schema_without_fields_makes_no_form(schema: Any) -> None:
    assert params_of(schema) == {}


@pytest.mark.parametrize("part", [True, {}, {"$ref": "#"}, {"$ref": "#/none"}, {"type": [1]}])
def test_a_field_of_any_kind_takes_anything(part: Any) -> None:
    param = params_of({"properties": {"a": part}})["a"]
    for value in (None, 1, "x", {"y": [2]}):
        assert param.resolve(value) == value


def test_a_reference_that_goes_round_takes_anything() -> None:
    schema = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"x": {"$ref": "#/$defs/a"}}}
    assert params_of(schema)["x"].resolve([1]) == [1]


def manual(**trigger: Any) -> Any:
    return published(email("a"), trigger={"type": "manual", "inputSchema": SCHEMA, **trigger})


class Airflow:
    """Airflow as it makes runs of the automation."""

    def __init__(self) -> None:
        dag = build(manual())
        with create_session() as session:
            session.merge(DagBundleModel(name="automations"))
            session.flush()
            session.merge(DagModel(dag_id=dag.dag_id, bundle_name="automations"))
            session.flush()
            lazy = LazyDeserializedDAG.from_dag(dag)
            SerializedDagModel.write_dag(lazy, bundle_name="automations", session=session)
        self._dag = DagSerialization.from_dict(DagSerialization.to_dict(dag))

    def start(self, conf: dict[str, Any]) -> dict[str, Any]:
        """What the run is given."""
        with create_session() as session:
            run = self._dag.create_dagrun(
                run_id=new_id(),
                run_after=datetime.now(UTC),
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.REST_API,
                state=DagRunState.QUEUED,
                conf=conf,
                session=session,
            )
            return dict(run.conf or {})


@pytest.fixture
def airflow(airflow_database: Engine) -> Airflow:
    return Airflow()


def test_a_run_is_given_what_was_sent_and_no_default(airflow: Airflow) -> None:
    assert airflow.start(FITS) == FITS
    with_more = {**FITS, "unknown": {"a": [1]}, "mail": "no address", "note": "x is"}
    assert airflow.start(with_more) == with_more


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({}, "amount: No value passed"),
        ({**FITS, "amount": 1000}, "amount: 1000 is greater than 500"),
        ({**FITS, "kind": "c"}, "'c' is not one of"),
        ({**FITS, "day": "tomorrow"}, "'tomorrow' is not a 'date'"),
        ({**FITS, "note": "x123456789"}, "is longer than 9"),
        ({**FITS, "note": "no x"}, "note: does not match '\\^x'"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    airflow: Airflow, conf: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParamValidationError, match=said):
        airflow.start(conf)


def test_a_task_is_not_kept_from_running_by_what_its_run_was_given() -> None:
    dag = build(manual(), "a")
    assert process_params(dag, dag.get_task("a"), {"amount": "x"}, suppress_exception=False) == {
        "amount": "x"
    }


def test_an_automation_that_is_started_otherwise_has_no_form() -> None:
    assert not build(published(email("a"), trigger={"type": "manual"})).params
    schedule = {"type": "schedule", "cron": "0 9 * * *"}
    assert not build(published(email("a"), trigger=schedule)).params


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"minimum": 1}, "At least 1."),
        ({"maximum": 2.5}, "At most 2.5."),
        ({"minLength": 2, "maxLength": 5}, "2 to 5 characters."),
        ({"minItems": 1, "maxItems": 3}, "1 to 3 items."),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 1.5}, "More than 0. Less than 1.5."),
        ({"multipleOf": 5}, "A multiple of 5."),
        ({"minItems": 2, "uniqueItems": True}, "At least 2 items. None twice."),
        ({"minimum": "a", "maximum": True}, ""),
        ({}, ""),
    ],
)
def test_limits_are_said_below_the_input(rules: dict[str, Any], said: str) -> None:
    assert limits.describe(rules) == said
