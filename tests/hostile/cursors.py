"""Cursors that no list has given."""

from __future__ import annotations

import base64


def _of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


REFUSED: dict[str, str] = {
    "no base64": "%",
    "letters beyond ASCII": "ä",
    "no JSON": _of("x"),
    "no list": _of("5"),
    "nothing": _of("[]"),
    "an instant alone": _of('["2026-01-01T00:00:00+00:00"]'),
    "an instant without an offset": _of('["2026-01-01T00:00:00", "a"]'),
    "an instant that is none": _of('["noon", "a"]'),
    "a number for an instant": _of('[1767225600, "a"]'),
    "a year before the first": _of('["0001-01-01T00:00:00+14:00", "a"]'),
    "a year after the last": _of('["9999-12-31T23:59:59-14:00", "a"]'),
    "an offset of a day": _of('["2026-01-01T00:00:00+23:59", 5]'),
    "a number for an id": _of('["2026-01-01T00:00:00+00:00", 5]'),
    "half a pair": _of('["2026-01-01T00:00:00+00:00", "\\ud800"]'),
    "a NUL": _of('["2026-01-01T00:00:00+00:00", "\\u0000"]'),
    "half a pair in the order": _of('["2026-01-01T00:00:00+00:00", "a", "id", "\\udfff"]'),
    "a NUL in the order": _of('["2026-01-01T00:00:00+00:00", "a", "id", "\\u0000"]'),
    "infinity in the order": _of('["2026-01-01T00:00:00+00:00", "a", "n", 1e999]'),
    "NaN in the order": _of('["2026-01-01T00:00:00+00:00", "a", "n", NaN]'),
    "a column too many": _of('["2026-01-01T00:00:00+00:00", "a", "id", "b", "c"]'),
    "a list for an id": _of('["2026-01-01T00:00:00+00:00", ["a"]]'),
    "lists without end": _of("[" * 350),
    "digits without end": _of('["2026-01-01T00:00:00+00:00", "a", ' + "9" * 300 + "]"),
}
