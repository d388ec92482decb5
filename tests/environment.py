"""The environment that this process reads its settings from."""

from __future__ import annotations

import pytest

from automations import wiring
from automations.settings import get_settings


class Environment:
    """Sets variables so that what the process has made by the old ones goes with them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def set(self, **values: str | None) -> None:
        """Set variables, or unset those that are None."""
        for name, value in values.items():
            if value is None:
                self._monkeypatch.delenv(name, raising=False)
            else:
                self._monkeypatch.setenv(name, value)
        self.forget()

    @staticmethod
    def forget() -> None:
        """Let settings and parts be made anew when they are next asked for, as in a new process."""
        for made in (get_settings, wiring.ports, wiring.engine):
            made.cache_clear()
