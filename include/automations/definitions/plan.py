"""The graph of a definition: which node follows which, and what an outcome skips."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from automations.definitions.model import enabled_steps, nested_lists
from automations.steps.registry import STEP_TYPES

_NO_WORD = re.compile(r"[^\w-]+")
"""What no id of a group may have."""
_NAME_LENGTH = 60


@dataclass(slots=True)
class Node:
    """One enabled step in the graph.

    Args:
        follower: the node after this one when no arm is taken; None at the end of the run.
        arms: first node of each nested list; for an empty list the follower.
        upstream: ids of the nodes that this one directly follows.
        within: (node id, arm) pairs of the nested lists it lies in, outermost first.
    """

    id: str
    step: Any
    follower: str | None
    within: tuple[tuple[str, str], ...]
    arms: dict[str, str | None] = field(default_factory=dict)
    upstream: list[str] = field(default_factory=list)

    @property
    def joins(self) -> bool:
        """Whether several ways lead here, of which one is taken."""
        return len(self.upstream) > 1

    @property
    def branches(self) -> bool:
        """Whether the outcome decides what comes next."""
        return bool(self.arms)


class Plan:
    """The graph of one definition; nodes in the order in which they are written."""

    def __init__(self, steps: list[Any]) -> None:
        self.nodes: dict[str, Node] = {}
        self.first = self._lay(steps, None, ())
        for node in list(self.nodes.values()):
            for target in self._ways(node):
                self.nodes[target].upstream.append(node.id)

    def _lay(
        self,
        steps: list[Any],
        follower: str | None,
        within: tuple[tuple[str, str], ...],
    ) -> str | None:
        enabled = enabled_steps(steps)
        for index, step in enumerate(enabled):
            after = enabled[index + 1].id if index + 1 < len(enabled) else follower
            node = self.nodes[step.id] = Node(step.id, step, after, within)
            for arm, _, nested in nested_lists(step):
                if arm in STEP_TYPES[step.type].body:
                    continue
                node.arms[arm] = self._lay(nested, after, (*within, (step.id, arm)))
        return enabled[0].id if enabled else follower

    @staticmethod
    def _ways(node: Node) -> list[str]:
        ways = [*node.arms.values()]
        if STEP_TYPES[node.step.type].falls_through or node.step.on_error == "continue":
            ways.append(node.follower)
        return [target for target in dict.fromkeys(ways) if target is not None]

    def target(self, node_id: str, arm: str | None) -> str | None:
        """The node that comes next after a node whose outcome took the arm (None: straight on)."""
        node = self.nodes[node_id]
        return node.arms[arm] if arm is not None else node.follower

    def skipped_by(self, node_id: str, arm: str | None) -> list[str]:
        """Ids of the nodes that an outcome leaves out: those in the arms it did not take."""
        return [
            node.id
            for node in self.nodes.values()
            if any(owner == node_id and inside != arm for owner, inside in node.within)
        ]

    def groups(self) -> dict[tuple[str, str], str]:
        """Nested lists, as (node id, arm), by the ids of their groups of tasks, which people read.

        No other group has the same, and no step.
        """
        lists = {pair: None for node in self.nodes.values() for pair in node.within}
        named: dict[tuple[str, str], str] = {}
        for owner, arm in lists:
            words = _NO_WORD.sub("_", self.nodes[owner].step.name).strip("_")[:_NAME_LENGTH]
            words = words or owner
            name = f"{words}__{arm}"
            if name in self.nodes or name in named.values():
                name = f"{words}__{owner}__{arm}"
            named[owner, arm] = name
        return named

    def in_group(self, name: str) -> list[str]:
        """Ids of the nodes in a group, and in groups in that; none where there is no such group."""
        inside = {pair for pair, group in self.groups().items() if group == name}
        return [node.id for node in self.nodes.values() if inside.intersection(node.within)]

    def before(self, nodes: Iterable[str]) -> list[str]:
        """Ids of the nodes that these follow, directly or not."""
        return self._along(nodes, lambda node: node.upstream)

    def after(self, nodes: Iterable[str]) -> list[str]:
        """Ids of the nodes that follow these, directly or not."""
        return self._along(nodes, self._ways)

    def _along(self, nodes: Iterable[str], ways: Callable[[Node], list[str]]) -> list[str]:
        reached: dict[str, None] = {}
        left = [node_id for node_id in nodes if node_id in self.nodes]
        while left:
            for next_id in ways(self.nodes[left.pop()]):
                if next_id not in reached:
                    reached[next_id] = None
                    left.append(next_id)
        return [*reached]

    def pending(self, settled: Mapping[str, Any] | set[str]) -> list[str]:
        """Ids of the nodes neither done nor left out, in order."""
        return [node_id for node_id in self.nodes if node_id not in settled]
