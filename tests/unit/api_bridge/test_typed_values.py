"""Values of any type as text to type, and back."""

from __future__ import annotations

import pytest

from api_bridge.console.views.typed_values import format_value, parse_value
from automations.errors import ValidationFailed
from automations.kit.values import JSON
from tests.hostile.values import OTHERS, TEXTS

KEPT: dict[str, JSON] = {**TEXTS, **OTHERS}


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_value_that_is_shown_is_what_is_read_again(name: str) -> None:
    assert parse_value(format_value(KEPT[name]), "x") == KEPT[name]


@pytest.mark.parametrize(
    "text", ["1e999", "0.1234567890123456789", '{"a": NaN}', '[{"a": 1, "a": 2}]', '"\\ud800"']
)
def test_what_cannot_be_kept_is_refused_and_no_text(text: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_value(text, "config.data.a")
    assert list(refused.value.field_errors) == ["config.data.a"]
