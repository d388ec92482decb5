"""The form of the Trigger dialog, which is made of an automation's inputSchema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk.definitions.param import process_params
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import Engine

from automations.kit.ids import new_id
from automations_airflow.dags.dag_builder import build
from automations_airflow.ui import limits
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
    }  # fmt: skip
    described = {name: param.description for name, param in params_of(SCHEMA).items()}
    assert described["amount"] == "In euros. 1 to 500."
    assert described["note"] == "At most 9 characters."
    assert described["day"] is None
    assert shown("day") == {"type": "string", "format": "date"}


def test_choices_have_their_labels() -> None:
    assert shown("kind") == {
        "type": "string", "title": "Kind", "enum": ["a", "b"],
        "values_display": {"a": "First", "b": "Second"},
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


def test_what_airflow_would_check_otherwise_than_we_do_is_left_to_us() -> None:
    assert "pattern" not in shown("note")
    assert "format" not in shown("mail")
    assert "properties" not in shown("more")


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
    with_more = {**FITS, "unknown": {"a": [1]}, "mail": "no address", "note": "no x"}
    assert airflow.start(with_more) == with_more


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({}, "amount: No value passed"),
        ({**FITS, "amount": 1000}, "1000 is greater than the maximum of 500"),
        ({**FITS, "kind": "c"}, "'c' is not one of"),
        ({**FITS, "day": "tomorrow"}, "'tomorrow' is not a 'date'"),
        ({**FITS, "note": "0123456789"}, "is too long"),
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
        ({"minimum": "a", "maximum": True}, ""),
        ({}, ""),
    ],
)
def test_limits_are_said_below_the_input(rules: dict[str, Any], said: str) -> None:
    assert limits.in_words(rules) == said
