"""Which steps may name a secret or connection that only the orchestrator's own tasks can read."""

from __future__ import annotations

import re
from collections.abc import Set

from automations.definitions.plan import Node
from automations.services.integrations import secrets

_SECRET = re.compile(r"\bsecret\.([A-Z][A-Z0-9_]*)")


_CONNECTION = '"conn_id":"'
"""In JSON that no text of the config's can hold: its quotes are escaped."""
CONNECTION = "connection"
"""Among the names of secrets, which are in capitals: a connection is named."""


def named(node: Node) -> frozenset[str]:
    """The secrets that a step, or one in its body, may name; and whether they name a connection."""
    config = node.step.config.model_dump_json()
    return frozenset([*_SECRET.findall(config), *([CONNECTION] if _CONNECTION in config else [])])


def may_be_needed(names: Set[str], workspace_id: str) -> bool:
    """Whether one of what is named is not known here, and so may be the orchestrator's."""
    if CONNECTION in names:
        return True
    return bool(names) and names != secrets.read(workspace_id, names).keys()
