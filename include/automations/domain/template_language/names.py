"""The names that a template takes from its data, with their paths: ``submission.email``."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

from automations.domain.template_language.functions import FUNCTIONS

Path = tuple[str, ...]


def path(node: nodes.Node | None) -> list[str]:
    """The names in ``a.b['c']``; empty for what is no such path."""
    match node:
        case nodes.Name():
            return [node.name]
        case nodes.Getattr():
            before, last = path(node.node), node.attr
        case nodes.Getitem(arg=nodes.Const(value=str(key))):
            before, last = path(node.node), key
        case _:
            return []
    return [*before, last] if before else []


def data_paths(tree: nodes.Node) -> set[Path]:
    """The paths that begin with a name which the template itself does not make."""
    paths: set[Path] = set()
    _Names(paths).visit_all([tree], set())
    return paths


class _Names:
    """Walks a tree in the order of running; knows at each place which names were made before."""

    def __init__(self, paths: set[Path]) -> None:
        self._found = paths

    def visit_all(self, siblings: Iterable[nodes.Node | None], assigned: set[str]) -> None:
        for node in siblings:
            if node is not None:
                self._visit(node, assigned)

    def _visit(self, node: nodes.Node, assigned: set[str]) -> None:
        names = path(node)
        if names:
            if names[0] not in assigned:
                self._found.add(tuple(names))
            return
        match node:
            case nodes.Call(node=nodes.Name(name=name)) if (
                name in FUNCTIONS and name not in assigned
            ):
                self.visit_all([*node.args, *node.kwargs], assigned)
            case nodes.Assign():
                self._visit(node.node, assigned)
                assigned |= _targets(node.target)
            case nodes.AssignBlock():
                self.visit_all([node.filter, *node.body], set(assigned))
                assigned |= _targets(node.target)
            case nodes.For():
                self._visit(node.iter, assigned)
                inner = assigned | _targets(node.target) | {"loop"}
                self.visit_all([node.test, *node.body], inner)
                self.visit_all(node.else_, set(assigned))
            case nodes.Macro():
                assigned.add(node.name)
                self._visit_body(node, assigned)
            case nodes.CallBlock():
                self._visit(node.call, assigned)
                self._visit_body(node, assigned)
            case nodes.With():
                self.visit_all(node.values, assigned)
                targets = {name for target in node.targets for name in _targets(target)}
                self.visit_all(node.body, assigned | targets)
            case nodes.FilterBlock() | nodes.Block():
                self.visit_all(node.iter_child_nodes(), set(assigned))
            case _:
                self.visit_all(node.iter_child_nodes(), assigned)

    def _visit_body(self, node: nodes.Macro | nodes.CallBlock, assigned: set[str]) -> None:
        self.visit_all(node.defaults, assigned)
        names = {argument.name for argument in node.args}
        self.visit_all(node.body, assigned | names | {"caller"})


def _targets(target: nodes.Node) -> set[str]:
    return {
        name.name for name in (target, *target.find_all(nodes.Name)) if isinstance(name, nodes.Name)
    }
