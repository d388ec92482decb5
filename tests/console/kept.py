"""The sample, put back as it was made: that takes a tenth of making it anew for each test."""

from __future__ import annotations

import time
from copy import deepcopy

from automations.services.workflows import definitions
from tests.conftest import Rows, Server
from tests.console import sample
from tests.console.sample import Sample

YOUNG = 20.0
"""Seconds: what pages say of how long ago something was is as if it had just been made."""


class KeptSample:
    """What was made the last time, and all that the database held then."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._at = float("-inf")
        self._made: Sample
        self._rows: Rows

    def there(self) -> Sample:
        """Have it in the tests' database, which is empty."""
        if time.monotonic() - self._at < YOUNG:
            self._server.put_back(self._rows)
            # The same automations may have got other versions in another test.
            definitions.forget()
        else:
            self._made = sample.make()
            self._rows = self._server.rows_of_all()
            self._at = time.monotonic()
        return deepcopy(self._made)
