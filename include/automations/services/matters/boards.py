"""Boards as the console shows them: one lane per step, with the matters in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from automations.db import matters
from automations.db.session import reading
from automations.domain.matters import Card, Lane, Matter, MatterStep, MatterTemplate
from automations.kit.values import from_attributes
from automations.services.matters import templates


def lanes(workspace_id: str, template_id: str, limit: int) -> tuple[MatterTemplate, list[Lane]]:
    """A board with its lanes, and behind them those of steps that it has no more.

    Args:
        limit: cards of one lane.
    """
    with reading() as session:
        template = from_attributes(
            MatterTemplate, templates.find(session, workspace_id, template_id)
        )
        rows = matters.cards(session, workspace_id, template_id, limit)
        cards: dict[str, list[Card]] = {}
        counts: dict[str, int] = {}
        for matter, step, assignee, total in rows:
            card = Card(
                from_attributes(Matter, matter), from_attributes(MatterStep, step), assignee
            )
            cards.setdefault(step.template_step_id, []).append(card)
            counts[step.template_step_id] = total
    own = [(str(step["id"]), str(step["name"]), str(step["type"])) for step in template.steps]
    lane_ids = {step_id for step_id, _, _ in own}
    older = [
        (step_id, of_step[0].step.name, of_step[0].step.type)
        for step_id, of_step in cards.items()
        if step_id not in lane_ids
    ]
    return template, [
        Lane(step_id, name, kind, cards.get(step_id, ()), counts.get(step_id, 0))
        for step_id, name, kind in (*own, *older)
    ]


def list_all(workspace_id: str) -> Sequence[tuple[MatterTemplate, int]]:
    """The boards of a workspace, by name, and how many active matters each has."""
    with reading() as session:
        rows = matters.list_templates(session, workspace_id)
        counts = matters.active_of_each(session, workspace_id)
    boards = [from_attributes(MatterTemplate, row) for row in rows]
    boards.sort(key=lambda board: (board.name.casefold(), board.id))
    return [(board, counts.get(board.id, 0)) for board in boards]


def names(workspace_id: str) -> Mapping[str, str]:
    """The names of a workspace's boards, also of deleted ones, by their ids."""
    with reading() as session:
        return matters.template_names(session, workspace_id)
