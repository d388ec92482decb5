"""The URIs of our assets, by which other DAGs can be scheduled on changes here."""

from __future__ import annotations

SCHEME = "automation://"
"""What they begin with."""


def table(table_id: str) -> str:
    """The address of a table."""
    return f"{SCHEME}table/{table_id}"


def workflow(workflow_id: str) -> str:
    """The address of an automation, which changes when one of its runs has completed."""
    return f"{SCHEME}workflow/{workflow_id}"


def documents(template_id: str) -> str:
    """The address of what is made of a template, which changes when a document is."""
    return f"{SCHEME}documents/{template_id}"


def evidence(workspace: str) -> str:
    """The address of a workspace's evidence, by its slug; it changes when a snapshot is taken."""
    return f"{SCHEME}evidence/{workspace}"
