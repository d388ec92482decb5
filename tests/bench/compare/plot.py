"""Bars of seconds by shape and engine on a logarithmic scale, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from tests.bench.compare.results import Row

_COLOURS = ("#2563eb", "#60a5fa", "#9ca3af", "#f59e0b", "#10b981", "#8b5cf6")
_WIDTH, _LEFT, _RIGHT = 860, 260, 90
_BAR, _GAP, _TOP = 16, 14, 40


def plot(rows: Sequence[Row]) -> str:
    """A picture of them, in their order; each engine has a colour."""
    engines = list(dict.fromkeys(row.engine for row in rows))
    most = max((row.seconds for row in rows), default=1.0)
    least = min((row.seconds for row in rows), default=0.1)
    floor = 10 ** math.floor(math.log10(least))
    scale = (_WIDTH - _LEFT - _RIGHT) / max(math.log10(most / floor), 0.1)
    parts = [_legend(engines)]
    y, shape = _TOP, ""
    for row in rows:
        if row.shape.name != shape:
            y += _GAP
            shape = row.shape.name
            parts.append(_text(_LEFT - 8, y + 12, shape, "end"))
        long = max(math.log10(row.seconds / floor) * scale, 1.0)
        colour = _COLOURS[engines.index(row.engine) % len(_COLOURS)]
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{long:.1f}" height="{_BAR - 3}" fill="{colour}"/>'
        )
        parts.append(_text(_LEFT + long + 6, y + 11, f"{row.seconds:.2f} s"))
        y += _BAR
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + _GAP}"'
        ' font-family="sans-serif" font-size="12">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _legend(engines: Sequence[str]) -> str:
    parts, x = [], 16
    for engine, colour in zip(engines, _COLOURS, strict=False):
        parts.append(f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 18, 22, engine))
        x += 40 + 7 * len(engine)
    parts.append(_text(_WIDTH - 16, 22, "seconds, logarithmic", "end"))
    return "\n".join(parts)


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
