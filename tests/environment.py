"""The environment that this process reads its settings from."""

from __future__ import annotations

import os
from typing import ClassVar

import pytest

from automations import wiring
from automations.adapters import tls_contexts
from automations.settings import get_settings

_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Environment:
    """Sets variables so that what the process has made by the old ones goes with them."""

    _trusted: ClassVar[tuple[str | None, ...]] = (None, None)
    """What named the authorities when they were last read, which takes a twelfth of a second."""

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

    @classmethod
    def forget(cls) -> None:
        """Let settings and parts be made anew when they are next asked for, as in a new process."""
        for made in (get_settings, wiring.ports, wiring.engine):
            made.cache_clear()
        trusted = tuple(os.environ.get(name) for name in _TRUST)
        if trusted != cls._trusted:
            cls._trusted = trusted
            tls_contexts.of_web.cache_clear()
            tls_contexts.of_mail.cache_clear()
