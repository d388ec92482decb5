"""Creates what an empty database needs before it can be used."""

from __future__ import annotations

from automations.db.access import api_keys
from automations.db.session import unit_of_work

DEFAULT_WORKSPACE = ("default", "Default workspace")
"""Slug and name."""


def ensure_workspace(slug: str | None = None) -> str:
    """The id of a workspace, the default one when none is named, made when it is not there."""
    with unit_of_work() as session:
        if slug is None:
            return api_keys.ensure_workspace(session, *DEFAULT_WORKSPACE)
        return api_keys.ensure_workspace(session, slug, slug)
