"""JSON that cannot be kept, or would not be what was sent."""

from __future__ import annotations

from automations.kit.values import JSON


def _nested(depth: int, *, objects: bool = False) -> JSON:
    value: JSON = 1
    for _ in range(depth):
        value = {"a": value} if objects else [value]
    return value


VALUES: dict[str, tuple[JSON, str]] = {
    "a NUL": ("a\0b", "NUL"),
    "a NUL in a key": ({"\0": 1}, "NUL"),
    "the first half of a pair": ("\ud800", "surrogate"),
    "the second half of a pair": ("x\udc00", "surrogate"),
    "halves in the wrong order": ("\udc00\ud800", "surrogate"),
    "half a pair in a key": ({"\ud800": 1}, "surrogate"),
    "infinity": (float("inf"), "too large"),
    "less than all": (float("-inf"), "too large"),
    "not a number": (float("nan"), "NaN"),
    "a number of thousands of digits": (-(10**5_000), "too large"),
    "lists in lists": (_nested(65), "nested deeper"),
    "objects in objects": (_nested(65, objects=True), "nested deeper"),
    "lists without end": (_nested(100_000), "nested deeper"),
    "bytes": (b"x", "not JSON"),
    "a key that is a number": ({1: 1}, "key"),
}
"""Values as some door may hand them in, and a word of what is wrong with them."""

TEXTS: dict[str, bytes] = {
    "nothing after a brace": b"{",
    "a key without a value": b'{"a"}',
    "a comma too many": b'{"a": 1,}',
    "two values": b"1 2",
    "NaN": b'{"n": NaN}',
    "Infinity": b"[Infinity]",
    "a number that overflows": b'{"n": 1e999}',
    "a number that overflows below": b"[-1e999]",
    "a number that becomes nothing": b"[1e-400]",
    "more digits than a double has": b"[0.12345678901234567890123]",
    "more digits before the point": b"[123456789012345678901.5]",
    "more digits and an exponent": b"[12345678901234567890123e-2]",
    "an integer of thousands of digits": b'{"n": ' + b"9" * 5_000 + b"}",
    "a number with a leading zero": b"[01]",
    "a key that comes twice": b'{"a": 1, "a": 2}',
    "a key that comes twice in two spellings": b'{"a": 1, "\\u0061": 2}',
    "a NUL": b'{"a": "\\u0000"}',
    "a NUL in a key": b'{"\\u0000": 1}',
    "a bare NUL": b'{"a": "\x00"}',
    "half a pair": b'{"a": "\\ud800"}',
    "halves in the wrong order": b'["\\udc00\\ud800"]',
    "half a pair in a key": b'{"\\udfff": 1}',
    "half a pair in UTF-8": b'["\xed\xa0\x80"]',
    "no UTF-8": b'["\xff"]',
    "an overlong NUL": b'["\xc0\x80"]',
    "a line break in a text": b'["a\nb"]',
    "lists in lists": b"[" * 65 + b"]" * 65,
    "lists in lists, not closed": b"[" * 900_000,
    "objects in objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "a text without an end": b'{"a": "' + b'\\"' * 400_000,
}
"""Bodies of which none may be taken."""

KEPT: dict[str, bytes] = {
    "a mark of byte order": b'\xef\xbb\xbf{"a": 1}',
    "blanks": b' \t\r\n{"a": [ ] }\n',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "an integer beyond doubles": b"[1" + b"0" * 400 + b"]",
    "a large integer": b"[123456789012345678901234567890]",
    "a double as a machine writes it": b"[0.10000000000000001, 1e-7, 1.7976931348623157e308]",
    "digits that are nothing": b"[1.000000000000000000000, 0.50000000000000000000]",
    "digits in a text": b'["0.12345678901234567890123"]',
    "the smallest double": b"[5e-324]",
    "a pair": b'["\\ud83d\\ude00"]',
    "a key in two objects": b'[{"a": 1}, {"a": 2}]',
    "brackets in a text": b'["' + b"[" * 1_000 + b'"]',
    "64 levels": b"[" * 64 + b"]" * 64,
    **{
        f"{what} without an end, in a text": b'["' + unit * (900_000 // len(unit)) + b'"]'
        for what, unit in {
            "digits": b"9",
            "noughts": b"0",
            "digits and points": b"0.",
            "sixteen digits and a point": b"1234567890123456.",
            "sixteen digits and a letter": b"1234567890123456f",
            "exponents": b"1e",
            "points": b".",
            "signs": b"-",
            "blanks": b" ",
            "brackets": b"[",
            "backslashes": b"\\\\",
            "quotes": b'\\"',
            "escapes": b"\\u0039",
            "letters": b"a",
        }.items()
    },
}
"""Bodies that look odd, and are taken as they are; and soon, however long what they hold is."""

JSON_TYPES = (
    "application/json",
    "APPLICATION/JSON ; charset=utf-8",
    "application/foo!bar+json",
    "application/vnd.x+json",
    "application/problem+json;x=y",
)
"""Types of content that are JSON."""

OTHER_TYPES = (
    "",
    "text/plain",
    "text/json",
    "application/jsonx",
    "application/x-json",
    "application/+jsonp",
    "application/json/x",
    "json",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    ";",
    "\xff",
)
"""Types of content that are not."""
