"""What cannot be kept is refused wherever something is validated, whatever door it has come by."""

from __future__ import annotations

import pytest
from starlette.datastructures import FormData

from api_bridge.public_pages import form_inputs
from automations.definitions import checking
from automations.domain.forms import data_checks
from automations.domain.tables.columns import Column, value_of
from tests.hostile import bodies as hostile

FORM = {"sections": [{"id": "s", "fields": [{"id": "t", "key": "t", "type": "table_fill"}]}]}
NAMES = sorted(hostile.VALUES)


@pytest.mark.parametrize("name", NAMES)
def test_no_definition_holds_it(name: str) -> None:
    value, says = hostile.VALUES[name]
    definition, errors = checking.parse({"name": "x", "steps": [], "variables": {"v": value}})
    assert definition is None
    ((path, (problem,)),) = errors.items()
    assert path.startswith("variables.v")
    assert says in problem


@pytest.mark.parametrize("name", NAMES)
def test_no_submission_holds_it(name: str) -> None:
    value, says = hostile.VALUES[name]
    ((path, (problem,)),) = data_checks.check(FORM, {"t": [[value]]}).items()
    assert (path, says in problem) == ("t", True)


@pytest.mark.parametrize("text", ['[{"a": 1e999}]', "[NaN]", '[{"a": 1, "a": 2}]'])
def test_no_page_makes_a_text_of_it(text: str) -> None:
    assert list(form_inputs.read(FORM, FormData([("data.t", text)])).problems) == ["data.t"]


@pytest.mark.parametrize("name", NAMES)
def test_no_row_holds_it(name: str) -> None:
    value, says = hostile.VALUES[name]
    with pytest.raises(ValueError, match=says):
        value_of(Column(key="j", type="json"), value)
    with pytest.raises(ValueError, match=r"must|holds|too"):
        value_of(Column(key="n", type="number"), value)
