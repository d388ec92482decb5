"""What JSON may hold, and how errors in it are told."""

from __future__ import annotations

from typing import Any

JSON = Any
"""A JSON value; the only loosely typed thing, kept at the edges."""


Errors = dict[str, list[str]]
