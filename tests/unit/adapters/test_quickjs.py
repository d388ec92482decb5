"""The JavaScript sandbox: what scripts can do, and what they cannot."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import _quickjs
import pytest

from automations.adapters.quickjs.runner import QuickJsRunner
from automations.errors import StepError
from automations.kit.values import JSON
from automations.ports import ScriptFault, ScriptLimits, ScriptResult

INCLUDE = Path(__file__).resolve().parents[3] / "include"
DEEP = "const top = {}; let here = top; for (let i = 0; i < N; i++) { here.a = {}; here = here.a }"


def run(
    code: str,
    given: JSON = None,
    variables: dict[str, JSON] | None = None,
    *,
    seconds: float = 60,
    megabytes: int = 32,
) -> ScriptResult:
    limits = ScriptLimits(seconds, megabytes * 1_000_000)
    return QuickJsRunner().run(code, given, variables or {}, limits)


def stopped(code: str, given: JSON = None, **limits: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        run(code, given, **limits)
    return caught.value


def fault(code: str) -> ScriptFault:
    found = run(code).fault
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("return input.a + 1", 3),
        ("return await Promise.all([1, Promise.resolve(2)])", [1, 2]),
        (
            "const { a } = input; return { a, list: [3, 1].toSorted(), b: undefined }",
            {"a": 2, "list": [1, 3]},
        ),
        ("return [1, 2].findLast(x => x < 2)", 1),
        ("return Number(2n ** 40n)", 2**40),
        ("return [10n, -(2n ** 70n)]", [10, -(2**70)]),
        ("return { a: 2 ** 60, b: 1e17, c: 1e300 }", {"a": 2.0**60, "b": 1e17, "c": 1e300}),
        ("return JSON.parse('[9007199254740993, 9007199254740991]')", [2**53 + 1, 2**53 - 1]),
        ("return JSON.stringify({ id: 5n })", '{"id":5}'),
        ("return JSON.parse('[9007199254740993]', (_, value) => typeof value)", "object"),
        ("return 'ż\U0001f600'", "ż\U0001f600"),
        ("return new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("", None),
        ("// only a remark", None),
    ],
)
def test_a_script_computes_with_its_input(code: str, value: JSON) -> None:
    result = run(code, {"a": 2})
    assert result.fault is None
    assert result.value == value


def test_what_is_logged_comes_back_in_order_and_as_text() -> None:
    code = "console.log('a', 1, [2], null, undefined); console.error(new Error('b'))"
    assert run(code).logs == ("a 1 [2] null undefined", "Error: b")


EXACT = {"id": 2**53 + 1, "far": -(10**40) - 1, "float": 1e17, "text": "9" * 20, "small": 2**53 - 1}


def test_whole_numbers_of_any_size_pass_through_a_script_unchanged() -> None:
    result = run(
        "variables.seen = input; variables.list.push(1n); return input", EXACT, {"list": [2**64]}
    )
    assert result.value == EXACT
    assert isinstance(result.value["float"], float)
    assert result.variables == {"seen": EXACT, "list": [2**64, 1]}


def test_a_large_whole_number_is_a_bigint_inside_and_a_small_one_a_number() -> None:
    code = "return [typeof input.id, input.id + 1n === 9007199254740994n, typeof input.small]"
    assert run(code, EXACT).value == ["bigint", True, "number"]


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (
            "console.log('%s is %d%% %j', 'Ada', 5.5, { a: 1 }, 'more')",
            ['Ada is 5.5% {"a":1} more'],
        ),
        ("console.log('100%', 1); console.log('%i %f %x', 5.7, '2', 3)", ["100% 1", "5 2 %x 3"]),
        ("console.log('%s'); console.log('%s %s', 1)", ["%s", "1 %s"]),
        ("console.log('a%cb', 'color: red')", ["ab"]),
        ("console.log(5n, [5n])", ["5 [5]"]),
        (
            "console.table([{ a: 1, b: 'x' }, { a: 2, c: [1] }, 5])",
            [
                "(index) | a | b | c | (value)",
                "0 | 1 | x |  | ",
                "1 | 2 |  | [1] | ",
                "2 |  |  |  | 5",
            ],
        ),
        ("console.table({ x: { y: 1 } }); console.table('q')", ["(index) | y", "x | 1", "q"]),
        (
            "console.group('g'); console.log(1); console.groupEnd(); console.log(2)",
            ["g", "  1", "2"],
        ),
        ("console.assert(true, 'a'); console.assert(false, '%s', 'b')", ["Assertion failed: b"]),
        ("console.dir({ a: 1 })", ['{"a":1}']),
        (
            "console.count(); console.count('a'); console.count('a'); console.countReset('a'); "
            "console.count('a')",
            ["default: 1", "a: 1", "a: 2", "a: 1"],
        ),
        (
            "console.timeEnd('a'); console.time(); console.time()",
            ["Timer 'a' is not there", "Timer 'default' is there already"],
        ),
        (
            "console.log({ m: new Map([['a', 1]]), s: new Set([2]), e: new TypeError('x'), n: NaN, "
            "f() {}, r: /x/ })",
            ['{"m":[["a",1]],"s":[2],"e":"TypeError: x","n":"NaN","f":"[function]","r":"/x/"}'],
        ),
    ],
)
def test_the_console_writes_what_other_consoles_write(code: str, lines: list[str]) -> None:
    assert run(code).logs == tuple(lines)


def test_the_console_tells_how_long_something_took() -> None:
    code = "console.time('a'); console.timeLog('a', 'so far'); console.timeEnd('a')"
    first, second = run(code).logs
    assert re.fullmatch(r"a: \d+\.\d{3}ms so far", first)
    assert re.fullmatch(r"a: \d+\.\d{3}ms", second)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("NaN", "NaN cannot be kept"),
        ("{ a: { mean: 0 / 0 } }", "NaN in 'mean' cannot be kept"),
        ("[1e400]", "Infinity in '0' cannot be kept"),
        ("{ when: new Date('soon') }", "invalid Date in 'when'"),
        ("{ m: new Map([[1, 2]]) }", "Map (give Object.fromEntries of it) in 'm'"),
        ("new Set([1])", "Set (give a list of it) cannot be kept"),
        ("{ e: new RangeError('x') }", "Error (give its message) in 'e'"),
        ("{ p: Promise.resolve(1) }", "Promise (await it) in 'p'"),
        ("{ f() {} }", "function in 'f'"),
        ("[Symbol('x')]", "symbol in '0'"),
        ("{ r: /x/ }", "RegExp in 'r'"),
        ("new ArrayBuffer(2)", "ArrayBuffer cannot be kept"),
        ("{ k: new Map([[1, 2]]).keys() }", "Iterator (give a list of it) in 'k'"),
        ("[1, 2].values()", "Iterator (give a list of it) cannot be kept"),
        ("'abc'.matchAll(/b/g)", "Iterator (give a list of it) cannot be kept"),
        ("(function* () { yield 1 })()", "Iterator (give a list of it) cannot be kept"),
        ("{ a: (async function* () {})() }", "AsyncIterator (give a list of it) in 'a'"),
        ("Object(Symbol('x'))", "Symbol cannot be kept"),
        ("new WeakRef({})", "WeakRef cannot be kept"),
    ],
)
def test_what_json_would_drop_is_refused_by_name(value: str, message: str) -> None:
    for code in (f"return {value}", f"variables.x = {value}"):
        found = fault(code)
        assert found.name == "TypeError"
        assert message.partition(" in '")[0].removesuffix(" cannot be kept") in found.message
    assert message in fault(f"return {value}").message


def test_what_json_has_its_own_words_for_is_kept() -> None:
    code = """
        class Point { constructor() { this.x = 1 } toJSON() { return [this.x] } }
        return { a: undefined, d: new Date(0), p: new Point(), n: Object(1), l: [, undefined],
          b: new Uint8Array([7]), big: 1e21, o: Object.create({ inherited: 1 }) }
    """
    assert run(code).value == {
        "d": "1970-01-01T00:00:00.000Z", "p": [1], "n": 1, "l": [None, None], "b": {"0": 7},
        "big": 1e21, "o": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "instead"),
    [
        ("await new Promise(done => setTimeout(done, 10))", "a delay step waits"),
        ("return await fetch('https://a.example')", "an http_request step does"),
        ("const _ = require('lodash')", "no modules and packages"),
        ("await import('lodash')", "no modules and packages"),
        ("return new Intl.NumberFormat('de').format(1)", "no locales and time zones"),
        ("return new URL('https://a.example/?a=1').searchParams.get('a')", "encodeURIComponent"),
        ("return Buffer.from('a').toString('base64')", "atob and btoa"),
        ("return steps.Call.body", "it is input.steps"),
        ("return $json.name", "it is called input"),
    ],
)
def test_what_scripts_for_others_name_is_refused_with_what_to_use_instead(
    code: str, instead: str
) -> None:
    found = fault(code)
    assert found.name == "ReferenceError"
    assert instead in found.message


@pytest.mark.parametrize(
    "call",
    [
        "(1234.5).toLocaleString('de-DE', { style: 'currency', currency: 'EUR' })",
        "(1234.5).toLocaleString()",
        "(5n).toLocaleString()",
        "new Date(0).toLocaleString('de-DE', { timeZone: 'Europe/Berlin' })",
        "new Date(0).toLocaleDateString()",
        "new Date(0).toLocaleTimeString('en-US')",
        "'a'.localeCompare('b', 'sv')",
        "'i'.toLocaleUpperCase('tr')",
        "[1.5].toLocaleString()",
    ],
)
def test_what_needs_locales_or_zones_fails_in_words(call: str) -> None:
    found = fault(f"return {call}")
    assert (found.name, found.line) == ("TypeError", 1)
    assert "knows no locales and time zones here" in found.message


def test_a_structured_clone_is_deep_and_keeps_types_and_circles() -> None:
    code = """
        const made = {
          date: new Date(0), map: new Map([[1, { x: 1 }]]), set: new Set([2]), pattern: /x/g,
          list: [1, , 3], error: new RangeError("q"), bytes: new Uint8Array([1, 2]),
        };
        made.self = made;
        const copy = structuredClone(made);
        return [
          copy !== made, copy.self === copy, copy.map.get(1) !== made.map.get(1), copy.map.get(1).x,
          copy.date.getTime(), [...copy.set], copy.pattern.flags, 1 in copy.list,
          copy.error instanceof RangeError, copy.error.message, [...copy.bytes],
        ]
    """
    assert run(code).value == [True, True, True, 1, 0, [2], "g", False, True, "q", [1, 2]]
    assert fault("structuredClone({ f() {} })").name == "DataCloneError"


def test_texts_are_encoded_to_bytes_and_decoded_again() -> None:
    code = "return new TextDecoder().decode(new TextEncoder().encode(input))"
    assert run(code, "żółw \U0001f600 €").value == "żółw \U0001f600 €"


@pytest.mark.parametrize(
    "given",
    [
        b"\xef\xbb\xbfa", b"a\xff", b"\xe2\x82", b"\xe2\x82a", b"\xed\xa0\x80", b"\xf0\x9f\x98",
        b"\xc0\xaf", b"\xf5\x80", b"\xe0\x80\x80", b"\xf0\x9fa\xc3\xa9",
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_replaced_as_everywhere_or_refused(given: bytes) -> None:
    code = "return new TextDecoder('utf-8', input[1]).decode(new Uint8Array(input[0]))"
    expected = given.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    assert run(code, [list(given), {}]).value == expected
    refused = run(code, [list(given), {"fatal": True}]).fault
    assert (refused is None) == ("\ufffd" not in expected)


@pytest.mark.parametrize(
    ("code", "message", "line"),
    [
        ("(async () => { throw new TypeError('lost') })(); return 1", "lost", 1),
        (
            "\nasync function f() { await 1; await 2; null.x }\nf(); return 1",
            "cannot read property",
            2,
        ),
        ("Promise.reject(5); return 1", "5", None),
        (
            "const p = Promise.reject(new Error('kept')); await 1; p.finally(() => {}); return 1",
            "kept",
            1,
        ),
    ],
)
def test_a_rejected_promise_that_nobody_awaits_is_an_error(
    code: str, message: str, line: int | None
) -> None:
    found = fault(code)
    assert f"a promise that nobody awaited was rejected: {message}" in found.message
    assert found.line == line


@pytest.mark.parametrize(
    "code",
    [
        "Promise.reject(5).catch(() => {}); return 1",
        "const p = Promise.reject(5); await 1; await 2; try { await p } catch {} return 1",
        "await Promise.allSettled([Promise.reject(5)]); return 1",
        "try { await Promise.all([Promise.reject(1), Promise.reject(2)]) } catch {} return 1",
    ],
)
def test_a_rejected_promise_that_is_handled_is_none(code: str) -> None:
    result = run(code)
    assert (result.value, result.fault) == (1, None)


def test_what_was_begun_and_not_awaited_is_done_before_the_script_ends() -> None:
    code = "(async () => { await 1; await 2; console.log('late'); variables.x = 1 })(); return 2"
    result = run(code)
    assert (result.value, result.logs, result.variables) == (2, ("late",), {"x": 1})


def test_only_changed_variables_come_back_and_a_deleted_one_is_null() -> None:
    code = "variables.b = { c: [1] }; variables.d = 1; variables.same = [1]; delete variables.gone"
    result = run(code, variables={"a": 1, "b": 2, "same": [1], "gone": 3})
    assert result.variables == {"b": {"c": [1]}, "d": 1, "gone": None}


def test_variables_are_read_and_changed_inside() -> None:
    assert run("variables.list.push(2)", variables={"list": [1]}).variables == {"list": [1, 2]}


@pytest.mark.parametrize(
    ("code", "name", "message", "line"),
    [
        ("\n\nnull.x", "TypeError", "cannot read property 'x' of null", 3),
        ("const a = 1;\nlet b = ;", "SyntaxError", "unexpected token", 2),
        ("await 1;\nawait 2;\nthrow new RangeError('bad')", "RangeError", "bad", 3),
        ("function f() {\n  g()\n}\nf()", "ReferenceError", "g is not defined", 2),
        ("throw 'text'", "Error", "text", None),
        ("throw null", "Error", "null was thrown", None),
        ("throw { name: 'Mine', message: 'M' }", "Mine", "M", None),
        ("throw { get message() { throw 1 } }", "Error", "cannot be read", None),
        ("variables = 5", "TypeError", "variables must stay an object", None),
        ("const a = {}; a.a = a; return a", "TypeError", "circular", None),
        ("return 10n ** 2000n", "RangeError", "a BigInt of more than 1000 digits", None),
        ("const f = () => f() + 1; f()", "RangeError", "call stack", 1),
        ("let s = 'x'; for (;;) s += s", "InternalError", "string too long", 1),
        ("await import('fs')", "ReferenceError", "could not load module 'fs'", None),
        (DEEP.replace("N", "100000") + "; return top", "RangeError", "call stack", None),
    ],
)
def test_an_error_has_a_name_a_message_and_the_users_line(
    code: str, name: str, message: str, line: int | None
) -> None:
    found = fault(code)
    assert found.name == name
    assert message in found.message
    assert found.line == line


def test_what_was_logged_before_an_error_is_kept() -> None:
    result = run("console.log('here'); throw new Error('x')")
    assert result.logs == ("here",)


@pytest.mark.parametrize(
    "code",
    [
        "while (true) {}",
        "for (;;) { try { while (true) {} } catch {} }",
        "for (;;) await null",
        "queueMicrotask(function again() { queueMicrotask(again) }); await new Promise(() => {})",
        "return /^(a+)+$/.test('a'.repeat(40) + 'b')",
        "const list = []; list.length = 2 ** 32 - 1; list.sort()",
        "return { toJSON() { while (true) {} } }",
        "return new Proxy({}, { ownKeys() { while (true) {} } })",
        "console.log({ toString() { while (true) {} }, toJSON() { return undefined } })",
        "}); while (true) {} (function () {",
    ],
)
def test_no_script_outlives_its_time(code: str) -> None:
    error = stopped(code, seconds=0.3)
    assert (error.kind, error.retryable) == ("timeout", True)
    assert "longer than 0.3 s" in error.message


@pytest.mark.parametrize(
    "code",
    [
        "const a = []; for (;;) a.push(new Array(1000).fill(1))",
        "globalThis.a = []; for (;;) globalThis.a.push(new Uint8Array(1e6))",
        "return 'x'.repeat(20_000_000)",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, 'x'.repeat(1000) + i)",
    ],
)
def test_no_script_takes_more_memory_than_it_may(code: str) -> None:
    error = stopped(code)
    assert error.kind == "memory"
    assert "32 MB" in error.message


@pytest.mark.parametrize(
    "code",
    [
        "return 'x'.repeat(20_000_000)",
        "variables.x = 'x'.repeat(2_000_000)",
        "return new Array(2_000_000).fill(0)",
    ],
)
def test_a_large_result_is_refused(code: str) -> None:
    error = stopped(code, megabytes=200)
    assert (error.kind, "1000000 bytes" in error.message) == ("output", True)


def test_a_deep_result_is_refused_before_the_database_meets_it() -> None:
    error = stopped(DEEP.replace("N", "500") + "; return top")
    assert (error.kind, "deeper than 100 levels" in error.message) == ("output", True)


def test_a_promise_that_nobody_settles_is_an_error_at_once() -> None:
    # Nothing else would end it: its time is a day.
    assert "never happens" in stopped("await new Promise(() => {})", seconds=86_400).message


def test_two_hundred_thousand_lines_are_cut_and_the_result_is_kept() -> None:
    result = run("for (let i = 0; i < 200000; i++) console.log('line ' + i); return 1")
    assert result.value == 1
    assert (len(result.logs), result.logs[0], result.logs[-1]) == (
        1_001,
        "line 0",
        "… (more was left out)",
    )


def test_a_long_line_is_cut() -> None:
    logs = run("console.log('x'.repeat(1_000_000)); console.log('y')").logs
    assert [len(line) for line in logs[:-1]] == [50_000]


def test_a_script_that_replaces_everything_changes_only_its_own_result() -> None:
    code = """
        Object.prototype.toJSON = () => "pwn"; JSON.stringify = () => "pwn"; JSON.parse = () => 1
        Array.prototype.push = Array.prototype.join = String.prototype.slice = null
        Object.defineProperty(Object.prototype, "0", { set() { throw 1 } })
        Promise.prototype.then = () => {}; Reflect.apply = null; Error = null; Object = null
        console.log("a"); variables.x = 1
        return { x: 1 }
    """
    result = run(code)
    assert (result.value, result.logs, result.fault) == ("pwn", ("a",), None)
    assert result.variables == {"x": 1}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (r"return {a: {b: '\0'}}", "holds a NUL character (a.b)"),
        (r"return ['\ud83d']", "holds half of a surrogate pair"),
        (r"return {'\0': 1}", "holds a NUL character"),
        (r"variables.x = '\0'", "holds a NUL character (x)"),
    ],
)
def test_what_the_database_refuses_is_refused_where_it_is(code: str, message: str) -> None:
    error = stopped(code)
    assert (error.kind, error.retryable) == ("output", False)
    assert message in error.message


def test_what_the_database_refuses_is_logged_as_near_as_can_be() -> None:
    assert run(r"console.log('a\0')").logs == ("a\ufffd",)


def test_nothing_of_a_server_or_browser_is_there() -> None:
    names = ["fetch", "process", "std", "os", "require", "setTimeout", "Deno", "WebAssembly"]
    code = "return input.filter(name => typeof globalThis[name] !== 'undefined')"
    assert run(code, names).value == []


def test_an_input_that_is_too_large_is_refused_with_the_mend() -> None:
    error = stopped("return 1", "x" * 10_000_001)
    assert (error.kind, "config.input" in error.message) == ("input", True)


def test_a_confined_process_reaches_no_file_socket_or_process() -> None:
    program = f"""
import sys
sys.path.append({str(INCLUDE)!r})
import os, resource, socket
from automations.adapters.quickjs.confinement import confine
confine(5, 50_000_000)
tries = dict(
    open=lambda: open("/etc/passwd"),
    create=lambda: open("/tmp/confined", "w"),
    list=lambda: os.listdir("/"),
    socket=lambda: socket.socket(),
    fork=lambda: os.fork(),
    exec=lambda: os.execv("/bin/true", ["/bin/true"]),
    kill=lambda: os.kill(os.getppid(), 0),
    remove=lambda: os.unlink("/tmp/confined"),
    pipe=lambda: os.pipe(),
    memory=lambda: bytearray(400_000_000),
)
for name, attempt in tries.items():
    try:
        attempt()
    except (OSError, MemoryError) as error:
        print(name, getattr(error, "errno", None))
sys.stdout.flush()
os._exit(0)
"""
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], env={}, capture_output=True, timeout=120
    )
    assert answer.stderr == b""
    refused = dict(line.split() for line in answer.stdout.decode().splitlines())
    assert refused.pop("memory") == "None"
    assert refused == dict.fromkeys(
        ["open", "create", "list", "socket", "fork", "exec", "kill", "remove", "pipe"], "1"
    )


def test_without_its_walls_no_script_is_run() -> None:
    program = f"""
import sys
sys.path += [{str(INCLUDE)!r}, *{[str(Path(_quickjs.__file__).parent)]!r}]
import resource
def refuse(*_):
    raise PermissionError(1, "refused")
resource.setrlimit = refuse
from automations.adapters.quickjs import child
child.main()
"""
    runner = QuickJsRunner((sys.executable, "-I", "-S", "-c", program))
    with pytest.raises(StepError, match="sandbox cannot be set up"):
        runner.run("return 1", None, {}, ScriptLimits(60, 32_000_000))


@pytest.mark.parametrize(
    "answer",
    [
        b"\0garbage",
        b"[]",
        b"{}",
        b'{"value": 1, "variables": [], "logs": [], "cut": false}',
        b'{"value": 1, "variables": {}, "logs": "pwn", "cut": false}',
        b'{"value": 1, "variables": {}, "logs": [1], "cut": false}',
        b'{"fault": "pwn", "logs": [], "cut": false}',
        b"[" * 100_000,
        b"x" * 5_000_000,
    ],
)
def test_an_answer_of_another_form_is_not_believed(answer: bytes, tmp_path: Path) -> None:
    (tmp_path / "answer").write_bytes(answer)
    taken_over = QuickJsRunner(("cat", str(tmp_path / "answer")))
    with pytest.raises(StepError, match="cannot be read"):
        taken_over.run("return 1", None, {}, ScriptLimits(60, 32_000_000))


def test_an_answer_without_an_end_is_not_waited_for() -> None:
    with pytest.raises(StepError, match="cannot be read"):
        QuickJsRunner(("yes",)).run("return 1", None, {}, ScriptLimits(86_400, 32_000_000))
