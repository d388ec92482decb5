"""Templates that try to end a process, to hold it, to fill its memory, or to leave their data."""

from __future__ import annotations

_LONG = 26_000
_BLOCKS = 5_000

UNREADABLE: dict[str, str] = {
    "a NUL": r"{{ 'a\0b' }}",
    "half a pair": r"{{ '\ud800' }}",
    "minus signs": "{{ " + "-" * _LONG + "1 }}",
    "plus signs": "{{ " + "+" * _LONG + "1 }}",
    "minus signs with blanks": "{{ " + "- " * _LONG + "1 }}",
    "not": "{{ " + "not " * _LONG + "1 }}",
    "a sum": "{{ 1" + "+1" * _LONG + " }}",
    "a sum of texts": "{{ 'a'" + "~'a'" * _LONG + " }}",
    "powers": "{{ 1" + "**1" * _LONG + " }}",
    "attributes": "{{ input" + ".a" * _LONG + " }}",
    "items": "{{ input" + "['a']" * _LONG + " }}",
    "filters": "{{ input" + "|upper" * _LONG + " }}",
    "tests": "{{ 1" + " is odd" * _LONG + " }}",
    "calls": "{{ input" + "()" * _LONG + " }}",
    "brackets": "{{ " + "(" * _LONG + "1" + ")" * _LONG + " }}",
    "lists": "{{ " + "[" * _LONG + "]" * _LONG + " }}",
    "objects": "{{ " + "{'a':" * _LONG + "1" + "}" * _LONG + " }}",
    "slices": "{{ input" + "[:" * _LONG + "]" * _LONG + " }}",
    "and": "{{ 1" + " and 1" * _LONG + " }}",
    "or": "{{ 1" + " or 1" * _LONG + " }}",
    "comparisons": "{{ 1" + " < 1" * _LONG + " }}",
    "conditions": "{{ 1" + " if 1 else 1" * _LONG + " }}",
    "conditions before": "{{ " + "1 if " * _LONG + "1 }}",
    "elif": "{% if 0 %}" + "{% elif 0 %}" * _LONG + "{% endif %}",
    "if": "{% if 1 %}" * _BLOCKS + "{% endif %}" * _BLOCKS,
    "loops": "{% for a in [1] %}" * _BLOCKS + "{% endfor %}" * _BLOCKS,
    "with": "{% with %}" * _BLOCKS + "{% endwith %}" * _BLOCKS,
    "filter blocks": "{% filter upper %}" * _BLOCKS + "{% endfilter %}" * _BLOCKS,
    "set blocks": "{% set a %}" * _BLOCKS + "{% endset %}" * _BLOCKS,
    "macros": "{% macro a() %}" * _BLOCKS + "{% endmacro %}" * _BLOCKS,
    "call blocks": "{% call a() %}" * _BLOCKS + "{% endcall %}" * _BLOCKS,
    "assignments": "{% set " + "a," * _LONG + "b = 1 %}",
    "names": "{{ a }}" * _LONG,
    "arguments": "{{ input|default(" + "1," * _LONG + "1) }}",
    "many texts": "{{ '' " + "'a' " * _LONG + " }}",
    "half brackets": "{{ " + "(" * _LONG + " }}",
    "an endless tag": "{{" * _LONG,
    "a number": "{{ " + "9" * _LONG + " }}",
    "a fraction": "{{ 1." + "9" * _LONG + "e999 }}",
    "a long text": "{{ 1 }}" + "x" * 500_000,
}
"""Refused when they are saved, and when they are rendered all the same."""

ESCAPES: dict[str, str] = {
    "another template": "{% include '/etc/passwd' %}",
    "a module": "{% import 'os' as os %}{{ os }}",
    "names of a module": "{% from 'os' import path %}",
    "a parent": "{% extends 'x' %}",
    "a method of an object": "{{ input.o.pop('a') }}",
    "a method by brackets": "{{ input.o['pop']('a') }}",
    "a method of a list": "{{ input.l.append(1) }}",
    "a method of a text": "{{ ''.format(1) }}",
    "a method's result": "{{ input.o.items().mapping }}",
    "a filter that there is not": "{{ input|nope }}",
    "a test that there is not": "{{ input is nope }}",
    "a function that there is not": "{{ lipsum() }}",
    "Python's insides": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "arguments in stars": "{{ range(*input.l) }}",
    "another way to escape": "{% autoescape false %}{{ input }}{% endautoescape %}",
}
"""Name what is no part of the language: refused when they are saved."""

GREEDY: dict[str, str] = {
    "loops in loops": (
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
    ),
    "slices in a loop": (
        "{% set n = namespace(a=range(99999)) %}"
        "{% for i in range(99999) %}{% set n.a = n.a[:] %}{% endfor %}"
    ),
    "a list that doubles": (
        "{% set n = namespace(a=[1, 2]) %}"
        "{% for i in range(99) %}{% set n.a = n.a + n.a %}{% endfor %}"
    ),
    "a list that holds itself twice": (
        "{% set n = namespace(a=[1, 2]) %}"
        "{% for i in range(60) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}"
    ),
    "an object that holds itself twice": (
        "{% set n = namespace(a=1) %}"
        "{% for i in range(60) %}{% set n.a = {'a': n.a, 'b': n.a} %}{% endfor %}{{ n.a|tojson }}"
    ),
    "a comparison of such lists": (
        "{% set n = namespace(a=[1, 2], b=[1, 2]) %}{% for i in range(60) %}"
        "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}"
    ),
    "a change of such lists": (
        "{% set n = namespace(a=[1, 2], b=[1, 2]) %}{% for i in range(60) %}"
        "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}"
        "{% for i in [1, 2] %}{{ loop.changed(n.a if loop.first else n.b) }}{% endfor %}"
    ),
    "the search for such a list": (
        "{% set n = namespace(a=[1, 2], b=[1, 2]) %}{% for i in range(60) %}"
        "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a in [n.b] }}"
    ),
    "the search for a long text among such": (
        "{% set a = ['x' * 400000 ~ 'a', 'x' * 400000 ~ 'b'] %}{{ a[0] in [a[1]] * 150000 }}"
    ),
    "long texts in their order": "{{ (['A' * 400000] * 90000)|sort }}",
    "long texts without repeats": "{{ (['A' * 400000] * 90000)|unique }}",
    "the last of long texts": "{{ (['A' * 400000] * 90000)|max }}",
    "groups of long texts": "{{ ([['A' * 400000]] * 90000)|groupby(0) }}",
    "such lists in their order": (
        "{% set n = namespace(a=[1, 2], b=[1, 2]) %}{% for i in range(60) %}"
        "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ [n.a, n.b]|sort }}"
    ),
    "such lists without repeats": (
        "{% set n = namespace(a=[1, 2], b=[1, 2]) %}{% for i in range(60) %}"
        "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ [n.a, n.b]|unique }}"
    ),
    "a list in a list in a list": (
        "{% set n = namespace(a=[]) %}"
        "{% for i in range(99999) %}{% set n.a = [n.a] %}{% endfor %}{{ n.a }}"
    ),
    "a text that doubles": (
        "{% set n = namespace(a='ab') %}"
        "{% for i in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}"
    ),
    "a long text": "{{ 'a' * 10**9 }}",
    "a long list": "{{ [1] * 10**9 }}",
    "a long range": "{{ range(10**18) }}",
    "a long range backwards": "{{ range(0, -10**18, -1) }}",
    "a wide format": "{{ '%1000000000d'|format(1) }}",
    "a wide format by a value": "{{ '%*d'|format(1000000000, 1) }}",
    "an exact format": "{{ '%.1000000000f'|format(1) }}",
    "formats of formats": "{{ ('%9999d' * 1000)|format(1) }}",
    "a format without an end": "{{ ('%' ~ '0' * 900000)|format(1) }}",
    "formats without an end": "{{ ('%' * 9 ~ ' ' * 900000)|format(1) }}",
    "a modulo that is a format": "{{ '%1000000000d' % 1 }}",
    "a long replacement": "{{ ('a' * 1000)|replace('a', 'b' * 100000) }}",
    "a replacement of nothing": "{{ ('a' * 1000)|replace('', 'b' * 100000) }}",
    "a long join": "{{ range(99999)|join('x' * 1000) }}",
    "a wide margin": "{{ 'a'|indent(10**9) }}",
    "a long margin": "{{ ('\\n' * 1000)|indent('x' * 100000) }}",
    "a wide centre": "{{ 'a'|center(10**9) }}",
    "much to fill up": "{{ [1]|batch(10**9, 1) }}",
    "many slices": "{{ [1]|slice(10**9) }}",
    "a wide JSON": "{{ [1]|tojson(10**9) }}",
    "a power": "{{ 9**9**9**9 }}",
    "a power of a fraction": "{{ 9.9**9999 }}",
    "a product": "{% set n = namespace(a=99) %}"
    "{% for i in range(99) %}{% set n.a = n.a * n.a %}{% endfor %}",
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}"
    ),
    "a loop that calls itself": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "a caller that calls": (
        "{% macro f() %}{{ caller() }}{% endmacro %}"
        "{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}"
    ),
    "sorting in a loop": "{% for i in range(99999) %}{% set a = range(9999)|sort %}{% endfor %}",
    "words in a loop": "{% for i in range(99999) %}{{ ('a b ' * 20000)|title }}{% endfor %}",
    "comments of HTML": "{% for i in range(99) %}{{ ('<!--' * 50000)|striptags }}{% endfor %}",
    "tags of HTML": "{% for i in range(99) %}{{ ('<' * 90000)|striptags }}{% endfor %}",
}
"""Well-formed, and without end or bound: they may be saved, and are ended by the meter."""
