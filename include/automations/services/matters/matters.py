"""Matters: made from boards, worked off step by step; a decided step is an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automations.db import matters
from automations.db.access import members
from automations.db.events.events import emit
from automations.db.runs.effects import once
from automations.db.session import Session, unit_of_work
from automations.db.tables import Matter as MatterRow
from automations.db.tables import MatterStep as StepRow
from automations.definitions.triggers import event_key
from automations.domain.events import NewEvent
from automations.domain.matters import Matter, MatterDetail, MatterStep, number_text
from automations.domain.principals import Principal
from automations.domain.statuses import MatterStatus, MatterStepStatus
from automations.errors import Conflict, DomainError, NotFound, StepError, ValidationFailed
from automations.kit import common_clock
from automations.kit.canonical_json import mark_of
from automations.kit.values import from_attributes
from automations.ports import MatterReceipt, NewMatter
from automations.services.audit import audit
from automations.services.matters import templates

_WORDS = {"assignee_id": "assignee", "properties": "data"}
"""Fields by the words that people know them by, where those are others."""


def create(by: Principal, new: NewMatter) -> MatterDetail:
    """Make a matter with its board's steps.

    Raises:
        NotFound: there is no such board.
        ValidationFailed: the assignee is no member.
    """
    with unit_of_work() as session:
        return _make(session, by.workspace_id, new, by.name)


def get(workspace_id: str, matter_id: str) -> MatterDetail:
    """One matter."""
    with unit_of_work() as session:
        return _detail(session, _find(session, workspace_id, matter_id))


def page(
    workspace_id: str,
    *,
    status: MatterStatus | None,
    template_id: str | None,
    number: int,
    size: int,
) -> tuple[Sequence[Matter], int]:
    """One page of a workspace's matters, newest first, and how many there are."""
    with unit_of_work() as session:
        rows, total = matters.page(
            session,
            workspace_id,
            status=status,
            template_id=template_id,
            offset=(number - 1) * size,
            limit=size,
        )
    return [from_attributes(Matter, row) for row in rows], total


def update(
    workspace_id: str,
    matter_id: str,
    changes: Mapping[str, Any],
    seen: Mapping[str, str] | None = None,
) -> MatterDetail:
    """Change some of title, priority, tags, assignee_id and properties.

    Args:
        seen: the marks of what is to be changed, as the caller knows it; None to change whatever
            it is.

    Raises:
        Conflict: the matter is cancelled, or was changed since it was seen.
    """
    with unit_of_work() as session:
        _find(session, workspace_id, matter_id)
        # Members before matters: a member's removal locks them in this order.
        if changes.get("assignee_id") is not None:
            _check_assignee(session, workspace_id, changes["assignee_id"])
        matter = _find(session, workspace_id, matter_id, lock=True)
        if matter.status == MatterStatus.CANCELLED:
            raise Conflict("The matter is cancelled.")
        marks = (seen or {}).items()
        other = [name for name, mark in marks if mark_of(getattr(matter, name)) != mark]
        if other:
            named = ", ".join(f"'{_WORDS.get(name, name)}'" for name in other)
            raise Conflict(f"Somebody else has changed {named} of this matter meanwhile.")
        for name, value in changes.items():
            setattr(matter, name, value)
        if changes:
            matter.updated_at = common_clock.now()
            audit.record(session, "matter.update", matter, fields=sorted(changes))
        return _detail(session, matter)


def cancel(workspace_id: str, matter_id: str) -> MatterDetail:
    """Cancel a matter; nothing more can be decided in it.

    Raises:
        Conflict: it was completed or cancelled before.
    """
    with unit_of_work() as session:
        done = matters.cancel(session, workspace_id, matter_id)
        matter = _find(session, workspace_id, matter_id)
        if not done:
            raise Conflict(f"The matter is {matter.status.lower()}.")
        audit.record(session, "matter.cancel", matter)
        return _detail(session, matter)


def complete(by: Principal, matter_id: str, step_id: str) -> MatterDetail:
    """Complete a step; the last one completes the matter.

    Raises:
        Conflict: the matter has ended, or the step was decided before.
    """
    with unit_of_work() as session:
        matter = _find_active(session, by.workspace_id, matter_id)
        return _complete(session, matter, step_id, by.name)


def reject(by: Principal, matter_id: str, step_id: str) -> MatterDetail:
    """Reject a step; the matter stays where it is until somebody goes to a step.

    Raises:
        Conflict: the matter has ended, or the step was decided before.
    """
    with unit_of_work() as session:
        matter = _find_active(session, by.workspace_id, matter_id)
        _decide(session, matter, step_id, MatterStepStatus.REJECTED, by.name)
        return _detail(session, matter)


def advance(by: Principal, matter_id: str, from_step: str | None) -> MatterDetail:
    """Complete the current step and go to the next one.

    Args:
        from_step: the step that the caller takes for the current one, if they say so.

    Raises:
        Conflict: the matter has ended, or its current step was rejected or is another one.
    """
    with unit_of_work() as session:
        matter = _find_active(session, by.workspace_id, matter_id)
        _check_current(matter, from_step)
        return _complete(session, matter, str(matter.current_step_id), by.name)


def go_to(
    workspace_id: str, matter_id: str, step_id: str, from_step: str | None = None
) -> MatterDetail:
    """Make a step the current one and pending again; the others stay as they are.

    Args:
        from_step: the step that the caller takes for the current one, if they say so.

    Raises:
        Conflict: the matter has ended, or its current step is another one.
    """
    with unit_of_work() as session:
        return _go_to(session, workspace_id, matter_id, step_id, from_step)


def go_to_lane(workspace_id: str, matter_id: str, lane_id: str, from_step: str | None) -> None:
    """The same, by the step of the board that the matter's own was made from.

    Args:
        from_step: as for ``go_to``; from that step itself nothing is changed.

    Raises:
        Conflict: as ``go_to``, or the matter was made before the board had such a step.
    """
    with unit_of_work() as session:
        matter = _find(session, workspace_id, matter_id, lock=True)
        own = [
            step for step in matters.steps(session, matter.id) if step.template_step_id == lane_id
        ]
        if not own:
            raise Conflict("It was made before the board had this step: it has none of this kind.")
        if own[0].id != from_step:
            _go_to(session, workspace_id, matter_id, own[0].id, from_step)


class WorkspaceMatters:
    """Makes matters for steps of automations, once for each key."""

    def create(
        self, matter: NewMatter, *, workspace_id: str, run_id: str, key: str
    ) -> MatterReceipt:
        def make() -> dict[str, Any]:
            detail = _make(session, workspace_id, matter, f"run:{run_id}")
            return {
                "matterId": detail.matter.id,
                "number": number_text(detail.matter.number),
                "stepIds": [step.id for step in detail.steps],
            }

        try:
            with unit_of_work() as session:
                created = once(session, key, make)
        except DomainError as error:
            raise StepError(error.message, kind="config") from error
        return MatterReceipt(created["matterId"], created["number"], tuple(created["stepIds"]))


def _make(session: Session, workspace_id: str, new: NewMatter, by: str) -> MatterDetail:
    template = templates.find(session, workspace_id, new.template_id)
    if new.assignee_id is not None:
        _check_assignee(session, workspace_id, new.assignee_id)
    matter = MatterRow(
        workspace_id=workspace_id,
        template_id=template.id,
        number=matters.next_number(session, workspace_id),
        title=new.title,
        priority=new.priority,
        tags=list(dict.fromkeys(new.tags)),
        assignee_id=new.assignee_id,
        properties=dict(new.properties),
        created_by=by,
    )
    session.add(matter)
    session.flush()
    steps = [
        StepRow(
            matter_id=matter.id,
            template_step_id=step["id"],
            name=step["name"],
            type=step["type"],
            order=step["order"],
        )
        for step in template.steps
    ]
    session.add_all(steps)
    session.flush()
    matter.current_step_id = steps[0].id
    audit.record(session, "matter.create", matter, title=matter.title, createdBy=by)
    return _detail(session, matter)


def _go_to(
    session: Session, workspace_id: str, matter_id: str, step_id: str, from_step: str | None
) -> MatterDetail:
    matter = _find_active(session, workspace_id, matter_id)
    _check_current(matter, from_step)
    _step(session, matter, step_id)
    matters.reopen(session, step_id)
    matter.current_step_id, matter.updated_at = step_id, common_clock.now()
    audit.record(session, "matter.goto", matter, stepId=step_id)
    return _detail(session, matter)


def _complete(session: Session, matter: MatterRow, step_id: str, by: str) -> MatterDetail:
    done = _decide(session, matter, step_id, MatterStepStatus.COMPLETED, by)
    steps = matters.steps(session, matter.id)
    left = [step for step in steps if step.status != MatterStepStatus.COMPLETED]
    if not left:
        matter.status, matter.current_step_id = MatterStatus.COMPLETED, None
        matter.completed_at = matter.updated_at
    elif matter.current_step_id == step_id:
        after = [step for step in left if step.order > done.order]
        matter.current_step_id = (after or left)[0].id
    return _detail(session, matter)


def _decide(
    session: Session, matter: MatterRow, step_id: str, status: MatterStepStatus, by: str
) -> StepRow:
    step = _step(session, matter, step_id)
    if not matters.decide(session, matter.id, step_id, status, by):
        raise Conflict(f"The step '{step.name}' was {step.status.lower()} before.")
    matter.updated_at = common_clock.now()
    verb = "complete_step" if status == MatterStepStatus.COMPLETED else "reject_step"
    audit.record(session, f"matter.{verb}", matter, stepId=step.id, stepName=step.name)
    kind = f"MATTER_STEP_{status}"
    emit(
        session,
        matter.workspace_id,
        NewEvent(
            kind=kind,
            trigger_key=event_key(kind, matter.template_id),
            data={
                "matterId": matter.id,
                "stepId": step.id,
                "stepName": step.name,
                "stepType": step.type,
                "templateId": matter.template_id,
            },
            actors=audit.actors(),
        ),
    )
    return step


def _step(session: Session, matter: MatterRow, step_id: str) -> StepRow:
    for step in matters.steps(session, matter.id):
        if step.id == step_id:
            return step
    raise NotFound(f"The matter has no step {step_id}.")


def _detail(session: Session, matter: MatterRow) -> MatterDetail:
    session.flush()
    session.refresh(matter)
    steps = [from_attributes(MatterStep, row) for row in matters.steps(session, matter.id)]
    return MatterDetail(from_attributes(Matter, matter), steps)


def _find(session: Session, workspace_id: str, matter_id: str, *, lock: bool = False) -> MatterRow:
    matter = matters.find(session, workspace_id, matter_id, lock=lock)
    if matter is None:
        raise NotFound(f"There is no matter {matter_id}.")
    return matter


def _find_active(session: Session, workspace_id: str, matter_id: str) -> MatterRow:
    matter = _find(session, workspace_id, matter_id, lock=True)
    if matter.status != MatterStatus.ACTIVE:
        raise Conflict(f"The matter is {matter.status.lower()}.")
    return matter


def _check_current(matter: MatterRow, from_step: str | None) -> None:
    if from_step not in (None, matter.current_step_id):
        raise Conflict(f"The matter is not in the step {from_step}.")


def _check_assignee(session: Session, workspace_id: str, member_id: str) -> None:
    if not members.lock_existing(session, workspace_id, [member_id]):
        raise ValidationFailed({"assigneeId": [f"there is no member {member_id}"]})
