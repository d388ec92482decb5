"""The ports of addresses that name none."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443}
"""By scheme."""
