"""User templates: what they give, what they refuse, and that they end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import automations.definitions.model  # noqa: F401  # completes the configs that nest steps
from automations.domain.template_language.meter import Meter
from automations.domain.templating import names_in, render, render_config, render_key
from automations.errors import TemplateError
from automations.kit.values import JSON
from automations.steps.condition import ConditionConfig
from automations.steps.email import EmailConfig

NAMES: dict[str, JSON] = {
    "input": {"text": "Zoë", "zip": "00123", "n": 3, "yes": True, "nil": None, "list": [1, "b"]},
    "submission": {"items": "key, not method", "html": "<b>&</b>", "map": {"k": "ż"}},
    "steps": {"Look up": {"rows": [{"id": 7}]}},
}


def rendered(value: JSON, **more: Any) -> JSON:
    return render(value, NAMES, where="step 'S', config.x", **more)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("no marks at all", "no marks at all"),
        ("Hi {{input.text}}!", "Hi Zoë!"),
        ("{{input.text}} {{input.n}}", "Zoë 3"),
        ("{{input.n}}", 3),
        ("{{ input.yes }}", True),
        ("{{input.nil}}", None),
        ("{{input.list}}", [1, "b"]),
        ("{{input.zip}}", "00123"),
        ("{{input.n + 1}}", 4),
        ("{{steps['Look up'].rows[0].id}}", 7),
        ("{{submission.items}}", "key, not method"),
        ("{{input.gone | default('none')}}", "none"),
        ("[{{input.nil}}]", "[]"),
        ("is {{input.yes}}", "is true"),
        ("as {{submission.map}}", 'as {"k": "ż"}'),
        ("{% if input.n > 2 %}many{% else %}few{% endif %}", "many"),
        ("{% for x in input.list %}{{x}};{% endfor %}", "1;b;"),
        ("kept\n", "kept\n"),
    ],
)
def test_a_template_gives_its_value(template: str, value: JSON) -> None:
    assert rendered(template) == value
    assert type(rendered(template)) is type(value)


def test_lists_and_objects_are_rendered_inside() -> None:
    value = {"a": ["{{input.n}}", {"b": "n={{input.n}}"}], "c": 1.5, "d": None}
    assert rendered(value) == {"a": [3, {"b": "n=3"}], "c": 1.5, "d": None}


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{{input.gone}}", "'input.gone' is not there"),
        ("{{gone}}", "'gone' is not there"),
        ("{{input.gone.deeper}}", "input.gone"),
        ("Hi {{input.gone}}", "input.gone"),
    ],
)
def test_what_is_missing_is_named_with_the_step_and_the_field(template: str, named: str) -> None:
    with pytest.raises(TemplateError) as caught:
        rendered({"deep": [template]})
    assert caught.value.message.startswith("step 'S', config.x.deep.0: ")
    assert named in caught.value.message
    assert (caught.value.kind, caught.value.retryable) == ("template", False)


@pytest.mark.parametrize("template", ["{{input.gone}}", "{{input.gone.deeper}}", "{{gone}}"])
def test_one_missing_expression_may_give_nothing(template: str) -> None:
    assert rendered(template, missing_ok=True) is None


@pytest.mark.parametrize(
    "template",
    ["a {{", "{{ input. }}", "{% if %}", "{{ input.n | nofilter }}", "{{ nofunction() }}"],
)
def test_a_broken_template_names_its_place(template: str) -> None:
    with pytest.raises(TemplateError, match=r"^step 'S', config\.x: "):
        rendered(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ input.__class__.__mro__ }}",
        "{{ input.text.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ debug() }}",
        "{{ self }}",
    ],
)
def test_nothing_of_python_is_in_reach(template: str) -> None:
    with pytest.raises(TemplateError):
        rendered(template)


def test_a_text_may_not_grow_without_bound() -> None:
    names = {"big": "x" * 600_000}
    with pytest.raises(TemplateError):
        render("{{big}}{{big}}", names, where="here")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values)
def test_data_passes_through_one_expression_unchanged(value: JSON) -> None:
    assert render("{{input.value}}", {"input": {"value": value}}, where="here") == value


@given(text=st.text(max_size=50))
def test_data_is_never_read_as_a_template(text: str) -> None:
    data = f"{{{{ 7 * 7 }}}}{text}"
    assert render("<{{input.value}}>", {"input": {"value": data}}, where="here") == f"<{data}>"


def test_html_fields_escape_what_they_insert_and_others_do_not() -> None:
    config = EmailConfig.model_validate(
        {
            "to": "a@b.example",
            "subject": "{{input.text}}",
            "body": "As is: {{submission.html}}",
            "html": "<p>{{submission.html}}</p>",
        }
    )
    result = render_config(config, NAMES, where="step 'S'")
    assert result["body"] == "As is: <b>&</b>"
    assert result["html"].startswith("<p>&lt;b&gt;&amp;")
    assert result["subject"] == "Zoë"


def test_rules_and_nested_steps_are_left_as_written() -> None:
    rules = [{"field": "{{input.n}}", "operator": "gt", "value": "{{input.gone}}"}]
    mail = {"to": "{{input.gone}}", "subject": "x", "body": "x"}
    steps = [{"name": "Mail", "type": "email", "order": 0, "config": mail}]
    config = ConditionConfig.model_validate({"rules": rules, "then": steps})
    result = render_config(config, NAMES, where="step 'S'")
    assert result["rules"] == rules
    assert "{{input.gone}}" in str(result["then"])


def test_an_error_in_a_config_names_the_field() -> None:
    config = EmailConfig.model_validate({"to": "a@b.example", "subject": "{{gone}}", "body": "x"})
    with pytest.raises(TemplateError, match=r"step 'S', config\.subject: 'gone'"):
        render_config(config, NAMES, where="step 'S'")


def test_the_names_that_a_template_needs_are_known_before_it_runs() -> None:
    text = "{{submission.email}}{% for x in input.list %}{{x.name}}{% endfor %}{{ now }}"
    assert names_in(text) == {("submission", "email"), ("input", "list"), ("now",)}


@pytest.mark.parametrize("text", ["{{-5}}", "a {{-.5 + x}}", "{{-1 if x else 2}}"])
def test_a_minus_that_would_be_taken_for_the_one_of_blanks_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="with a blank before the minus"):
        render(text, {"x": 1}, where="x")
    assert render("{{ -5 }}", {}, where="x") == -5
    assert render("a {{- x -}} b", {"x": 1}, where="x") == "a1b"


@pytest.mark.parametrize(
    ("key", "given", "found"),
    [
        ("{{a}}:{{b}}", {"a": "A"}, "A:"),
        ("{{a ~ ':' ~ b}}", {"a": "A"}, "A:"),
        ("{{a ~ ':' ~ b | lower}}", {"a": "A"}, "A:"),
        ("{% set c = b %}{{a}}:{{c}}", {"a": "A"}, "A:"),
        ("{% for one in b %}{{one}}{% endfor %}:{{a}}", {"a": "A"}, ":A"),
        ("{{b | default('none')}}", {}, "none"),
        ("{{a}}{{b}}", {}, None),
        ("{% if a %}{{a}}{% endif %}", {}, None),
        ("{{a}}", {}, None),
        ("{{a | lower}}", {}, None),
        ("{{a.b.c | trim | upper}}", {"a": {}}, None),
        ("{{a}}", {"a": None}, None),
        ("{{a}}", {"a": ""}, None),
        ("order-{{a}}", {"a": 1}, "order-1"),
        ("order-{{a}}", {}, None),
        ("order-{{a}}", {"a": None}, None),
        ("{{a}}:{{b}}", {}, None),
        ("{{a.b}} of {{c | lower}}", {"a": {}}, None),
        ("{{a ~ ':' ~ b}}", {}, None),
        ("{{'x' ~ 'y'}}", {}, "xy"),
        ("order", {}, "order"),
        ("{% if a %}some{% else %}{{b}}{% endif %}", {"a": True}, "some"),
        ("{% if a %}some{% else %}none{% endif %}", {}, "none"),
        ("x{{0}}", {}, "x0"),
        ("{{[a, b] | join('-')}}", {}, None),
        ("{{[a, b] | join('-')}}", {"a": "A"}, "A-"),
        ("{{[a, b] | join('-')}}", {"a": 0}, "0-"),
        ("{{list | join('-')}}", {"list": ["", None]}, None),
        ("{{list | join('-')}}", {"list": []}, None),
        ("{{list | join('-')}}", {"list": ["", "B"]}, "-B"),
        ("shop {{[a, b] | map('lower') | join('/')}}", {}, None),
        ("{{a + '-' + b}}", {}, None),
        ("{{'%s-%s' | format(a, b)}}", {}, None),
        ("{{'%s-%s' | format(a, b)}}", {"b": "B"}, "-B"),
        ("{{[a, b]}}", {}, None),
        ("{{[a, b]}}", {"a": "A"}, ["A", ""]),
        ("{{ {'a': a, 'b': b} }}", {"b": None}, None),
        ("{{ {'a': a} | tojson }}", {}, None),
        ("{{a | default('') ~ '-' ~ b | default('')}}", {}, None),
        ("{{[a | default(''), b or ''] | join('-')}}", {}, None),
        ("{{[a | default('none'), b] | join('-')}}", {}, "none-"),
        ("{{a or 'none'}}", {}, "none"),
        ("{{a or b}}", {}, None),
        ("{{'vip' if a else 'all'}}", {}, "all"),
        ("{{[b, c] | join('-') if a == 1 else 'x'}}", {"a": 1}, None),
        ("{{[table[a], b] | join('-')}}", {"a": "k", "table": {}}, None),
        ("{% set c = [a, b] | join('-') %}{{c}}", {}, None),
        ("{% macro m(x) %}<{{x}}>{% endmacro %}{{m(a)}}", {}, None),
    ],
)
def test_a_part_of_a_key_that_is_missing_is_empty_and_a_key_of_nothing_none(
    key: str, given: dict[str, JSON], found: JSON
) -> None:
    assert render_key(key, given, Meter()) == found
