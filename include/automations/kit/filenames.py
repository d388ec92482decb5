"""File names that are safe in a header, a mail and a folder."""

from __future__ import annotations

import re

_MAX_LENGTH = 200
"""File systems take 255 bytes, and put endings behind."""
_UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+'
)
_KNOWN = re.compile(r"\.(docx|pdf|md)\Z", re.IGNORECASE)


def file_name(text: str, extension: str) -> str:
    """A name for a file, of whatever people wrote.

    Args:
        extension: without the dot; takes the place of that of another kind of document.
    """
    return sent_name(_KNOWN.sub("", text.strip()), extension)


def sent_name(stem: str, extension: str) -> str:
    """The name of a file that somebody has sent: as it was, but for what no folder takes."""
    cleaned = _UNSAFE.sub("_", stem).strip()
    short = cleaned.encode()[:_MAX_LENGTH].decode(errors="ignore").strip(" .")
    return f"{short or 'document'}.{extension}"
