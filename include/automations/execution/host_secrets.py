"""Which steps may name a secret or connection that only the orchestrator's own tasks can read."""

from __future__ import annotations

import re
from collections.abc import Set

from automations.definitions.plan import Node
from automations.services.integrations import secrets

_SECRET = re.compile(r"\bsecret\.([A-Z][A-Z0-9_]*)")


_CONNECTION = '"conn_id":"'
"""As it stands in a config's JSON; no text of the config can contain it, since quotes are escaped
there."""
CONNECTION = "connection"
"""Stands among the names of secrets, which are in capitals, for any connection."""


def secret_names(node: Node) -> frozenset[str]:
    """The secrets that a step or its body may name, and ``CONNECTION`` if it names one."""
    config = node.step.config.model_dump_json()
    return frozenset([*_SECRET.findall(config), *([CONNECTION] if _CONNECTION in config else [])])


def may_be_needed(names: Set[str], workspace_id: str) -> bool:
    """Whether any of these is not stored here, and so may be the orchestrator's."""
    if CONNECTION in names:
        return True
    return bool(names) and names != secrets.read(workspace_id, names).keys()
