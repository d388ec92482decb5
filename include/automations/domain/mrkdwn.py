"""Escapes what is inserted into Slack's messages.

Without that, whoever sends a name or a title could call a whole channel by ``<!channel>``, or show
one address and lead to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from automations.domain.fields import is_template
from automations.domain.template_language import values
from automations.domain.template_language.meter import Meter
from automations.kit.values import JSON

_TEXTS = ("mrkdwn", "plain_text", "markdown")


def write_escaped(value: Any, meter: Meter) -> str:
    """How a value is written into a text."""
    if isinstance(value, Markup):
        # Slack knows three entities only, and where texts were put together are those of HTML.
        return str(value).replace("&#39;", "'").replace("&#34;", '"')
    text = values.text(value, meter)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    meter.text(len(text))
    return text


def is_text(block: Mapping[str, JSON], key: str) -> bool:
    """Whether what an object of a block has under a key is shown as text with marks in it.

    One whose type a template gives may become such a text.
    """
    kind = block.get("type")
    is_marked = kind in _TEXTS if isinstance(kind, str) else False
    return key == "text" and isinstance(block[key], str) and (is_marked or is_template(kind))


def escape_blocks(value: JSON, meter: Meter) -> JSON:
    """Blocks, or a part of them, that were inserted as a whole."""
    if isinstance(value, list):
        return [escape_blocks(item, meter) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: write_escaped(item, meter) if is_text(value, key) else escape_blocks(item, meter)
        for key, item in value.items()
    }
