"""Which versions of automations Airflow has parsed, as far as this process knows."""

from __future__ import annotations

import threading

from automations.errors import NotVisibleYet
from automations.ports import Orchestrator, Visible


class VisibleDags:
    """Remembers which versions Airflow has parsed; thread-safe."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        # Versions only grow, so what was seen once stays true until a DAG is gone.
        self._known: dict[str, Visible] = {}
        self._lock = threading.Lock()

    def require(self, dag: str, needed: Visible) -> Visible:
        """Check that a DAG is parsed at a version; asks Airflow only if that is not known.

        Returns:
            the version that it was last seen at: the needed one or a later one.

        Raises:
            NotVisibleYet: it is not.
        """
        with self._lock:
            visible = self._known.get(dag)
        if visible is None or not _covers(visible, needed):
            return self.newest(dag, needed)
        return visible

    def newest(self, dag: str, needed: Visible) -> Visible:
        """The version of a DAG that Airflow has now: the needed one or a later one.

        Raises:
            NotVisibleYet: it is not.
        """
        visible = self._orchestrator.visible(dag)
        if visible is None or not _covers(visible, needed):
            raise NotVisibleYet(f"{dag} is not yet parsed at version {needed.version}.")
        with self._lock:
            self._known[dag] = visible
        return visible

    def forget(self, dag: str) -> None:
        """Ask Airflow again the next time, since it does not know the DAG any more."""
        with self._lock:
            self._known.pop(dag, None)


def _covers(visible: Visible, needed: Visible) -> bool:
    # Both must match: Airflow may store the result of a parse that began before an edit under the
    # revision after it, and would then run new code in the old structure.
    return visible.version >= needed.version and visible.revision >= needed.revision
