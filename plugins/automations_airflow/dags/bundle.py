"""The DAG bundle that publishes automations to Airflow, as files made from the database.

``current/packs`` holds the newest definitions; only packs that changed are rewritten. A version is
a folder with a link to stubs, one tiny file per pack, so that pinning a run to a revision costs the
same with one automation as with ten thousand.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

from automations import wiring
from automations.definitions.published import Publications
from automations.settings import get_settings
from automations_airflow.dags.packs import (
    DEFINITIONS,
    FOLDER,
    OPERATORS,
    OPERATORS_FILE,
    STUB,
    definitions,
    definitions_file,
    file_name,
    render,
)

log = logging.getLogger(__name__)

FORMAT = 3
"""The format of the pack files; raised when all of them must be rewritten."""

REPARSE_SECONDS = 1.5
"""Longer than a parse that is under way may still take."""
SHARE_OF_FAILURES = 20
"""After a failed refresh, the next try waits this many times as long as the failure took: so the
other bundles of this Airflow get most of the time."""


class AutomationBundle(BaseDagBundle):
    """All automations of the installation, versioned by the revision of their definitions."""

    supports_versioning = True

    def __init__(
        self,
        *,
        publications: Callable[[], Publications] = wiring.publications,
        refresh_interval: int = 0,
        **kwargs: Any,
    ) -> None:
        # As often as Airflow looks at bundles at all, since it is one small query.
        super().__init__(refresh_interval=refresh_interval, **kwargs)
        self._publications = publications
        # In the same folder as the files it describes, so that they are removed together.
        self._state = self.path / "published.json"
        self._stubs = self.base_dir / "stubs"
        self._not_before = float("-inf")

    @property
    def path(self) -> Path:
        return self.versions_dir / self.version if self.version else self.base_dir / "current"

    def get_current_version(self) -> BundleVersion:
        return BundleVersion(self.version or str(self._published_revision()))

    def initialize(self) -> None:
        if self.version:
            self._pin()
        else:
            self.refresh()
        super().initialize()

    def refresh(self) -> None:
        """Write the newest definitions to files; while the database is away, these stay as is."""
        began = time.monotonic()
        if began < self._not_before:
            return
        with self.lock():
            for folder in (FOLDER, DEFINITIONS):
                (self.path / folder).mkdir(parents=True, exist_ok=True)
            self._publish_operator_dag()
            try:
                self._publish()
            except Exception:  # An error here would take the dag-processor down.
                log.exception("Cannot publish automations now")
                now = time.monotonic()
                self._not_before = now + SHARE_OF_FAILURES * (now - began)

    def _publish_operator_dag(self) -> None:
        """Write the DAG that runs operators, if any are allowed."""
        file = self.path / FOLDER / OPERATORS_FILE
        if not get_settings().operator_allow:
            file.unlink(missing_ok=True)
        elif not file.exists():
            _write(file, OPERATORS)

    def _publish(self) -> None:
        """Write the packs that changed, and only then the revision."""
        publications = self._publications()
        newest, published = publications.revision(), self._published_revision()
        if newest == published:
            return
        if newest < published:  # The database is another one.
            published = 0
            for folder in (FOLDER, DEFINITIONS):
                for file in (self.path / folder).glob("pack_*"):
                    file.unlink()
        while newest > published:
            seen = newest
            for number in publications.packs(published):
                pack = publications.pack(number)
                seen = max(
                    seen,
                    *(max(automation.revision, automation.republished) for automation in pack),
                    0,
                )
                self._write_pack(number, definitions(pack))
            # A pack may already hold a later revision; then the others must be brought to it, too.
            newest, published = seen, newest
        self._remember(published)

    def _write_pack(self, number: int, made_of: str) -> None:
        file, text = self.path / FOLDER / file_name(number), render(made_of)
        if file.exists() and file.read_text() == text and definitions_file(file).exists():
            return
        # First, so that whoever reads the new pack finds its definitions.
        _write(definitions_file(file), made_of)
        # Airflow parses a file if it is newer than its last parse. One that is rewritten during a
        # parse would wait for hours, so it is dated later than any parse that is under way.
        later = time.time() + REPARSE_SECONDS
        _write(file, text, modified=later)

    def _published_revision(self) -> int:
        try:
            state = json.loads(self._state.read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return int(state["revision"]) if state.get("format") == FORMAT else 0

    def _remember(self, revision: int) -> None:
        _write(self._state, json.dumps({"format": FORMAT, "revision": revision}))

    def _pin(self) -> None:
        link = self.path / FOLDER
        if link.exists() and (link / OPERATORS_FILE).exists():
            return
        with self.lock():
            self._add_stubs()
            if link.exists():
                return
            link.unlink(missing_ok=True)
            self.path.mkdir(parents=True, exist_ok=True)
            # In a real folder, so that Airflow's cleanup of versions removes only the link.
            link.symlink_to(os.path.relpath(self._stubs, self.path), target_is_directory=True)

    def _add_stubs(self) -> None:
        """Write stubs for packs that were added since a version was last pinned on this machine."""
        self._stubs.mkdir(parents=True, exist_ok=True)
        existing = {file.name for file in self._stubs.iterdir()}
        if OPERATORS_FILE not in existing:
            _write(self._stubs / OPERATORS_FILE, OPERATORS)
        for number in self._publications().packs(0):
            if file_name(number) not in existing:
                _write(self._stubs / file_name(number), STUB)


def _write(file: Path, text: str, modified: float | None = None) -> None:
    temporary = file.with_suffix(".new")
    temporary.write_text(text)
    if modified is not None:
        os.utime(temporary, (modified, modified))
    os.replace(temporary, file)
