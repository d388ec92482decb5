"""The language of templates: what it knows, that it ends, and that data is only ever read."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.domain.template_language.filters import FILTERS
from automations.domain.template_language.meter import Meter
from automations.domain.template_language.predicates import PREDICATES
from automations.domain.templating import Kind, names_in, render
from automations.errors import TemplateError
from automations.kit.values import JSON
from tests.hostile import templates as hostile

DATA: dict[str, JSON] = {
    "input": {
        "n": 7,
        "f": 2.5,
        "s": "Ada <b>",
        "l": [3, 1, 2, 1],
        "o": {"b": 2, "a": 1},
        "rows": [{"k": "x", "v": 2}, {"k": "y", "v": 1}, {"k": "x", "v": 3}],
        "nil": None,
        "yes": True,
    }
}
WORK = 3_000
LONG = 2**53 + 1
"""The first whole number that is no double."""

SLOW = ("a macro that calls itself twice", "a list in a list in a list")


def rendered(template: JSON, **more: Any) -> JSON:
    return render(template, DATA, where="here", **more)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("true in ['a', 1]", False),
        ("[1, {'a': 0}] == [true, {'a': false}]", False),
        ("1 == true", False),
        ("[1, true, 1.0, 0, false] | unique", [1, True, 0, False]),
        ("input.n / 2", 3.5),
        ("8 / 2", 4),
        ("7 // 2", 3),
        ("-7 % 3", 2),
        ("2 ** 10", 1024),
        ("'a' + 'b'", "ab"),
        ("'a' * 3", "aaa"),
        ("[1] + [2]", [1, 2]),
        ("1 ~ true ~ none ~ [1]", "1true[1]"),
        ("1 == 1.0", True),
        ("'1' == 1", False),
        ("1 < 2 < 3", True),
        ("2 in input.l", True),
        ("'a' in input.o", True),
        ("'da' not in input.s", False),
        ("not input.n", False),
        ("input.nil or 'x'", "x"),
        ("'y' if input.yes else 'n'", "y"),
        ("'y' if input.nil", None),
        ("input.l[-1]", 1),
        ("input.l[1:3]", [1, 2]),
        ("'abc'[::-1]", "cba"),
        ("input.rows[0]['k']", "x"),
        ("input.rows.0.k", "x"),
        ("(1, 'a')", [1, "a"]),
        ("{'a': {'b': [1]}}", {"a": {"b": [1]}}),
        ("range(3)", [0, 1, 2]),
        ("dict(a=1)", {"a": 1}),
        ("input.nope.deeper|default('-')", "-"),
        ("input.nope is defined", False),
        ("input.nope.deeper is undefined", True),
        ("input.n is odd", True),
        ("input.n is divisibleby 7", True),
        ("input.s is startingwith 'A'", True),
        ("3 is in [1, 3]", True),
        ("input.l|sort", [1, 1, 2, 3]),
        ("input.l|sort(reverse=true)|first", 3),
        ("input.l|unique", [3, 1, 2]),
        ("input.l|sum", 7),
        ("input.l|max - input.l|min", 2),
        ("input.l|join('-')", "3-1-2-1"),
        ("input.l|length", 4),
        ("input.l|batch(3, 0)", [[3, 1, 2], [1, 0, 0]]),
        ("input.l|slice(3)", [[3, 1], [2], [1]]),
        ("input.l|reverse|list", [1, 2, 1, 3]),
        ("input.l|select('odd')|list", [3, 1, 1]),
        ("input.l|reject('eq', 1)|list", [3, 2]),
        ("input.l|map('string')|list", ["3", "1", "2", "1"]),
        ("input.rows|map(attribute='v')|list", [2, 1, 3]),
        ("input.rows|selectattr('v', 'gt', 1)|map(attribute='k')|join", "xx"),
        ("input.rows|rejectattr('k', 'eq', 'x')|list", [{"k": "y", "v": 1}]),
        ("input.rows|sort(attribute='v')|map(attribute='v')|list", [1, 2, 3]),
        ("input.rows|sum(attribute='v')", 6),
        ("input.rows|groupby('k')|map('first')|list", ["x", "y"]),
        ("input.o|dictsort", [["a", 1], ["b", 2]]),
        ("input.o|items|list", [["b", 2], ["a", 1]]),
        ("input.o|tojson", '{"b": 2, "a": 1}'),
        ("[1, 2]|zip([3, 4])|list", [[1, 3], [2, 4]]),
        ("'3.7'|float|int", 3),
        ("'x'|int(0)", 0),
        ("'9007199254740993.7'|int", 9007199254740993),
        ("'9007199254740992'|float", 9007199254740992.0),
        ("' -12.50 '|float", -12.5),
        ("'1_000'|int(0) + '1_000'|float(0) + '٥'|int(0)", 0),
        ("'0x10'|int(base=16)", 16),
        ("2.567|round(1)", 2.6),
        ("2.1|round(0, 'ceil')", 3),
        ("'%s has %05.1f'|format('x', 2)", "x has 002.0"),
        ("'a b'|title", "A B"),
        ("'aB'|upper|lower|capitalize", "Ab"),
        ("' x '|trim", "x"),
        ("'a,b'|split(',')", ["a", "b"]),
        ("'a\\nb'|lines", ["a", "b"]),
        ("'a\\nb'|indent(2)", "a\n  b"),
        ("'a.b'|replace('.', '-')", "a-b"),
        ("'a b&c/d'|urlencode", "a%20b%26c/d"),
        ("{'a': 1, 'b': 'x y'}|urlencode", "a=1&b=x%20y"),
        ("'<b>&'|escape", "&lt;b&gt;&amp;"),
        ("'<p>a</p> &amp; b'|striptags", "a & b"),
        ("'one two three'|truncate(7, leeway=0)", "one..."),
        ("'one two'|wordcount", 2),
        ("1000000|filesizeformat", "1.0 MB"),
        ("'a'|center(3)", " a "),
        ("input.f|abs", 2.5),
        ("input.o|attr('a')", 1),
    ],
)
def test_an_expression_has_its_value(expression: str, value: JSON) -> None:
    found = rendered("{{ " + expression + " }}")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("x{{ 4 / 2 }}", "x2.0"),
        ("{% for a in input.l %}{{ loop.index }}{{ a }}{{ ',' if not loop.last }}{% endfor %}",
         "13,21,32,41"),
        ("{% for a in [1, 2, 3] if a is odd %}{{ a }}{% else %}none{% endfor %}", "13"),
        ("{% for a in [] %}{{ a }}{% else %}none{% endfor %}", "none"),
        ("{% for k, v in input.o|dictsort %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;"),
        ("{% for a in range(9) %}{% if a == 1 %}{% continue %}{% endif %}{% if a == 3 %}{% break %}"
         "{% endif %}{{ a }}{% endfor %}", "02"),
        ("{% for a in 'ab' %}{{ loop.cycle('x', 'y') }}{{ loop.nextitem|d('.') }}{% endfor %}",
         "xby."),
        ("{% for a in [1, 1, 2] %}{{ a if loop.changed(a) }}{% endfor %}", "12"),
        ("{% for a in [{'c': [{'c': []}]}] recursive %}({{ loop(a.c) }}){% endfor %}", "(())"),
        ("{% set n = namespace(a=1) %}{% for i in range(3) %}{% set n.a = n.a + i %}{% endfor %}"
         "{{ n.a }}", "4"),
        ("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1"),
        ("{% set a, b = [1, 2] %}{{ b }}{{ a }}", "21"),
        ("{% set x %}a{{ 1 }}{% endset %}{{ x }}{{ x }}", "a1a1"),
        ("{% set x | upper %}a{% endset %}{{ x }}", "A"),
        ("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}", "3"),
        ("{% filter upper|replace('A', 'b') %}a{{ 'c' }}{% endfilter %}", "bC"),
        ("{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b=3) }}", "1213"),
        ("{% macro f() %}<{{ caller(1) }}>{% endmacro %}{% call(x) f() %}{{ x }}{% endcall %}",
         "<1>"),
        ("{% block a %}x{% endblock %}", "x"),
        ("{% raw %}{{ x }}{% endraw %}{# no #}!", "{{ x }}!"),
        ("{%- if true -%} x {%- endif %}", "x"),
        ("a\r\nb{{ 1 }}\r\n{{\r\n 'x\r\ny' }}\r", "a\r\nb1\r\nx\r\ny\r"),
    ],
)  # fmt: skip
def test_a_text_is_rendered(template: str, text: str) -> None:
    assert rendered(template) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ input.s }}", "Ada &lt;b&gt;"),
        ("{{ input.s|safe }}", "Ada <b>"),
        ("{{ ['<', '>']|join('<br>'|safe) }}", "&lt;<br>&gt;"),
        ("{{ '<br>'|safe ~ input.s }}", "<br>Ada &lt;b&gt;"),
        ("{{ input.s ~ '<' }}", "Ada &lt;b&gt;&lt;"),
        ("{{ ('<i>'|safe) + input.s }}", "<i>Ada &lt;b&gt;"),
        ("{% macro f(a) %}<p>{{ a }}</p>{% endmacro %}{{ f('<') }}", "<p>&lt;</p>"),
        ("{% set x %}<p>{{ '<' }}{% endset %}{{ x }}", "<p>&lt;"),
        ("{% filter upper %}<p>{{ '<' }}{% endfilter %}", "&lt;P&gt;&amp;LT;"),
        ("{{ input.o|tojson }}", '{"b": 2, "a": 1}'),
        ("{{ '%s'|safe|format(input.s) }}", "Ada &lt;b&gt;"),
    ],
)
def test_in_html_only_what_is_marked_as_safe_is_not_escaped(template: str, text: str) -> None:
    assert rendered(template, kind=Kind.HTML) == text


@pytest.mark.parametrize(
    "name",
    ["items", "values", "get", "pop", "count", "index", "keys", "append", "format", "real", "mro",
     "__class__", "__len__", "__doc__"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["input.o", "input.l", "input.s", "input.n", "input.nil"])
def test_a_name_that_is_no_key_is_not_there(path: str, name: str) -> None:
    with pytest.raises(TemplateError, match=rf"'{path}\.{name}' is not there"):
        rendered("{{ " + path + "." + name + " }}")
    assert rendered("{{ " + path + "['" + name + "'] is defined }}") is False
    assert rendered("{{ " + path + "|attr('" + name + "') is defined }}") is False


@pytest.mark.parametrize(
    "template",
    [
        "{{ input.n + 'a' }}",
        "{{ true + 1 }}",
        "{{ input.n * false }}",
        "{{ -true }}",
        "{{ [1, true]|sum }}",
        "{{ 'a' < 1 }}",
        "{{ none < 1 }}",
        "{{ input.o < input.o }}",
        "{{ 1 / 0 }}",
        "{{ 'x'|int }}",
        "{{ '1_000'|int }}",
        "{{ '9007199254740993'|float }}",
        "{{ '12345678901234567890.123456789'|float }}",
        "{{ input.l|sort('x', 'y', 'z', 'a') }}",
        "{{ input.s|upper(1) }}",
        "{{ input.n|join }}",
        "{{ input|sum }}",
        "{{ namespace() }}",
        "{{ [namespace()] }}",
        "{% for a in [1] %}{{ loop }}{% endfor %}",
        "{% macro f() %}{% endmacro %}{{ f }}",
        "{% for a in 5 %}{% endfor %}",
        "{% set input.n = 1 %}",
        "{% set a, b = [1] %}",
        "{{ loop.cycle(1) }}",
        "{{ caller() }}",
        "{{ [1]|map('nope') }}",
        "{{ [1]|select('nope') }}",
        "{{ [input.gone] }}",
        "{{ {'a': input.gone} }}",
        "{{ input.gone|upper }}",
        "{{ []|first }}",
    ],
)
def test_what_cannot_be_done_is_an_error_that_names_the_place(template: str) -> None:
    with pytest.raises(TemplateError, match=r"^here: "):
        rendered(template)


@pytest.mark.parametrize("name", hostile.UNREADABLE | hostile.ESCAPES)
def test_what_is_too_much_to_read_or_no_part_of_the_language_is_refused(name: str) -> None:
    text = (hostile.UNREADABLE | hostile.ESCAPES)[name]
    with pytest.raises(ValueError, match="is not a valid template: "):
        names_in(text)
    with pytest.raises(TemplateError, match=r"^here: is not a valid template: "):
        rendered(text)


@pytest.mark.parametrize(
    "name",
    [
        # Others are ended by the same meter, sooner.
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in hostile.GREEDY
    ],
)
def test_what_has_no_end_is_ended_by_the_meter(name: str) -> None:
    names_in(hostile.GREEDY[name])
    with pytest.raises(TemplateError):
        rendered("text " + hostile.GREEDY[name])
    with pytest.raises(TemplateError):
        rendered(hostile.GREEDY[name], kind=Kind.HTML)


def test_all_texts_of_one_config_share_one_meter() -> None:
    costly = "{% for a in range(9999) %}{{ a }}{% endfor %}"
    assert rendered([costly])
    with pytest.raises(TemplateError, match=r"^here\.\d+: it needs more work"):
        rendered([costly] * 50)


names = st.sampled_from(
    ["input", "input.l", "input.o", "input.s", "input.rows", "a", "n.a", "loop"]
)
constants = st.sampled_from(
    ["0", "1", "-3", "2.5", "'a'", "'%d'", "'%99999d'", "none", "true", "[]", "{}", "[1, [2]]",
     "'k'", "{'a': 'b'}", "9**9", "99999", "range(50)", "input.s * 99", "10**30"]
)  # fmt: skip
arguments = st.lists(constants, max_size=3).map(", ".join)


def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(
        ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", ">=", "in", "and", "or"]
    )
    filters = st.sampled_from(sorted(FILTERS))
    return st.one_of(
        st.builds("({} {} {})".format, inner, signs, inner),
        st.builds("({}|{}({}))".format, inner, filters, arguments),
        st.builds("({}|map('{}', {}))".format, inner, filters, constants),
        st.builds(
            "({} is {}({}))".format,
            inner,
            st.sampled_from(sorted(filter(str.isidentifier, PREDICATES))),
            arguments,
        ),
        st.builds("{}[{}:{}]".format, inner, constants, constants),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'a': {}, 'b': {}}}".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    )


expressions = st.recursive(names | constants, wider, max_leaves=8)
pieces: Callable[[st.SearchStrategy[str]], st.SearchStrategy[str]] = lambda inner: st.one_of(  # noqa: E731
    st.builds("{}{}".format, inner, inner),
    st.builds("{{% for a in {} %}}{}{{% endfor %}}".format, expressions, inner),
    st.builds("{{% for a in range(999) %}}{}{{% endfor %}}".format, inner),
    st.builds("{{% if {} %}}{}{{% endif %}}".format, expressions, inner),
    st.builds("{{% set a = {} %}}{}".format, expressions, inner),
    st.builds("{{% set n.a = {} %}}{}".format, expressions, inner),
    st.builds(
        "{{% filter {} %}}{}{{% endfilter %}}".format, st.sampled_from(sorted(FILTERS)), inner
    ),
    st.builds("{{% macro f(a) %}}{}{{% endmacro %}}{{{{ f(1) }}}}".format, inner),
)
templates = st.recursive(expressions.map("{{{{ {} }}}}".format), pieces, max_leaves=6).map(
    "{{% set n = namespace(a=1) %}}{}".format
)


def counted(do: Callable[[], object]) -> int:
    """How many functions, of Python's and of C's, are called meanwhile."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        do()
    finally:
        sys.setprofile(before)
    return calls


@given(template=templates, html=st.booleans())
def test_no_template_works_more_than_it_may_or_changes_its_data(template: str, html: bool) -> None:
    data = copy.deepcopy(DATA)
    found: list[JSON] = []

    def work() -> None:
        try:
            found.append(
                render(
                    template,
                    data,
                    where="",
                    kind=Kind.HTML if html else Kind.PLAIN,
                    meter=Meter(WORK),
                )
            )
        except TemplateError:
            found.append(None)

    try:
        names_in(template)  # so that it is read already
    except ValueError:
        return
    calls = counted(work)
    assert data == DATA
    assert calls < 40 * WORK + 50 * len(template)
    assert len(json.dumps(found)) < 200 * WORK


@given(template=st.text(alphabet="{}%#'\"[]().|+-~*/<>=, \r\nainput0set for endif", max_size=80))
def test_any_text_is_a_template_or_says_why_it_is_none(template: str) -> None:
    try:
        names_in(template)
    except ValueError as error:
        assert str(error).startswith("is not a valid template: ")  # noqa: PT017


@pytest.mark.parametrize(
    "written",
    [
        "0.1234567890123456789012345",
        "1_234.567890123456789",
        "9007199254740993.0",
        "1e-400",
        "2.5e-330",
    ],
)
def test_a_decimal_number_is_read_as_it_is_written_or_not_at_all(written: str) -> None:
    with pytest.raises(TemplateError, match=f"the number {written} has more digits"):
        rendered("{{ " + written + " }}")


@pytest.mark.parametrize(
    ("written", "value"),
    [("0.1", 0.1), ("0.30000000000000004", 0.30000000000000004), ("1e23", 1e23), ("1.5E-3", 0.0015),
     ("1_000.25", 1000.25), (str(LONG), LONG), ("12e2", 1200)],
)  # fmt: skip
def test_a_number_that_can_be_kept_is(written: str, value: float) -> None:
    assert rendered("{{ " + written + " }}") == value


@pytest.mark.parametrize(
    "expression",
    ["n + 0.5", "0.5 * n", "n ** 0.5", "n % 2.0", "n | float", "n | round", "n | round(0, 'ceil')",
     "[n, 0.5] | sum", "[0.5] | sum(start=n)", "n / 1", "'%.0f' | format(n)", "'%e%%' | format(n)"],
)  # fmt: skip
def test_a_whole_number_is_not_changed_by_becoming_a_decimal_one(expression: str) -> None:
    for number in (str(LONG), "input.n"):
        template = "{{ " + expression.replace("n", number, 1) + " }}"
        with pytest.raises(TemplateError, match=f"{LONG} has more digits"):
            render(template, {"input": {"n": LONG}}, where="here")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("n + 1", LONG + 1),
        ("n > 0.5", True),
        ("[n, 1] | sum", LONG + 1),
        ("(n - 1) + 0.5", 2.0**53),
    ],
)
def test_whole_numbers_of_any_length_are_computed_with_exactly(
    expression: str, value: float
) -> None:
    assert rendered("{{ " + expression.replace("n", str(LONG)) + " }}") == value
