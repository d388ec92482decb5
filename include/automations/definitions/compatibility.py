"""Whether a stopped run can go on with another version of its automation."""

from __future__ import annotations

from collections.abc import Set

from automations.definitions.plan import Node, Plan


def obstacle(before: Plan, after: Plan, settled: Set[str]) -> str | None:
    """Why a run cannot go on by another plan; None when it can.

    It can when everything that is done or left out is in both plans at the same place, and both
    go on with the same step: what that step does, and all that comes behind it, may be different.

    Args:
        settled: ids of the nodes that are done or left out.
    """
    for node in before.nodes.values():
        if node.id not in settled:
            continue
        other = after.nodes.get(node.id)
        if other is None:
            return f"step '{node.step.name}', which the run has behind it, is no longer there"
        if _place(node) != _place(other):
            return f"step '{node.step.name}', which the run has behind it, was changed in its place"
    failed, next_ones = _next(before, settled), _next(after, settled)
    if not failed:
        return "no step of it is left to be done"
    for node_id, node in next_ones.items():
        if node_id not in failed:
            return f"step '{node.step.name}' is new before the step that failed"
    for node_id, node in failed.items():
        if node_id not in next_ones or next_ones[node_id].within != node.within:
            return f"step '{node.step.name}', which failed, is no longer at its place"
    return None


def _next(plan: Plan, settled: Set[str]) -> dict[str, Node]:
    """The nodes to go on with: those that follow settled ones only."""
    return {
        node.id: node
        for node in plan.nodes.values()
        if node.id not in settled and settled >= set(node.upstream)
    }


def _place(node: Node) -> tuple[object, ...]:
    return node.step.type, node.within, frozenset(node.upstream)
