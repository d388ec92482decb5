"""What settings allow to workspaces in Airflow, by patterns of names."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from automations.db.session import Session
from automations.db.tables import Workspace


def is_named(session: Session, workspace_id: str, name: str, allowed: Sequence[str]) -> bool:
    """Whether a name fits one of the patterns that are for all workspaces, or for this one.

    Args:
        allowed: patterns with ``*`` and ``?``, some of them behind a workspace's slug and a ``/``.
    """
    slug = session.get_one(Workspace, workspace_id).slug
    for entry in allowed:
        owner, _, pattern = entry.rpartition("/")
        if owner in ("", slug) and fnmatchcase(name, pattern):
            return True
    return False
