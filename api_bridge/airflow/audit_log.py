"""Reads people's actions from Airflow's audit log."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from automations.ports import ActionKind, Reach, UserAction

CLEARS = ("clear_dag_run", "post_clear_task_instances")
"""What clears steps of a run."""

OF_MANY = ("bulk_dag_runs", "bulk_task_instances", "clear_dag_runs")
"""What is done to several at once, which the entry alone names: it is found by no run's id."""

CANCEL_BACKFILL = "cancel_backfill"

_OF_BACKFILLS: Mapping[str, ActionKind] = {
    "pause_backfill": ActionKind.PAUSE_BACKFILL,
    "unpause_backfill": ActionKind.UNPAUSE_BACKFILL,
    CANCEL_BACKFILL: ActionKind.CANCEL_BACKFILL,
}
"""What is done to a backfill, which the entry names by its number alone."""

_OF_COMMANDS = ("cli_dag_pause", "cli_dag_unpause", "cli_create_backfill", "cli_task_clear")
"""What is done by Airflow's command line, whose user is that of the machine."""

BACKFILL = "backfillId"
"""The further detail that says which backfill is meant."""

EVENTS = (
    "patch_dag",
    "patch_dag_run",
    "delete_dag_run",
    "delete_task_instance",
    "patch_task_instance",
    "patch_task_group_instances",
    "create_backfill",
    *_OF_BACKFILLS,
    *_OF_COMMANDS,
    *OF_MANY,
    *CLEARS,
)
"""The names of the events that are read."""

TROUBLES = ("state mismatch", "heartbeat timeout", "stuck in queued tries exceeded")
"""What Airflow's scheduler notes of a task that did not come to its own end."""

MARKS_OF_TASKS = ("patch_task_instance", "patch_task_group_instances")
"""What marks tasks of a run, and perhaps the same ones of others."""

_MARKS = ("patch_dag_run", *MARKS_OF_TASKS)
"""What marks a run, or tasks of one."""

_ALL = "~"
"""In an address: whichever there are; the entities name them."""


def actions_of(event: Mapping[str, Any]) -> list[UserAction]:
    """The actions that an entry of the log tells of; one for each run of many.

    Airflow notes what it is sent before it looks at it: of what has no sense, nothing is told.
    """
    try:
        return [action for action in _actions_of(event) if _is_sound(action)]
    except (AttributeError, IndexError, KeyError, TypeError):
        return []


def _is_sound(action: UserAction) -> bool:
    texts = (
        action.dag_id,
        action.run_id,
        action.state,
        action.note,
        *action.tasks,
        *action.more.values(),
    )
    return all(text is None or isinstance(text, str) for text in texts)


def _actions_of(event: Mapping[str, Any]) -> Iterator[UserAction]:
    extra = extra_of(event)
    match event["event"]:
        case "patch_dag" if isinstance(extra.get("is_paused"), bool):
            yield _action(event, ActionKind.PAUSE if extra["is_paused"] else ActionKind.UNPAUSE)
        case "create_backfill":
            dates = {"from": str(extra.get("from_date")), "to": str(extra.get("to_date"))}
            yield _action(event, ActionKind.BACKFILL, more=dates)
        case "pause_backfill" | "unpause_backfill" | "cancel_backfill" as name:
            which = {BACKFILL: str(extra["backfill_id"])}
            yield _action(event, _OF_BACKFILLS[name], more=which)
        case "delete_dag_run" | "delete_task_instance":
            yield _action(event, ActionKind.DELETE)
        case "clear_dag_run" | "post_clear_task_instances":
            named = [
                task if isinstance(task, str) else task[0] for task in extra.get("task_ids") or ()
            ]
            yield _action(event, ActionKind.CLEAR, extra, tasks=named)
        case "patch_dag_run" if extra.get("state") in ("success", "failed"):
            yield _action(event, ActionKind.MARK, extra, state=extra["state"])
        case "patch_dag_run" if extra.get("state") == "queued":
            yield _action(event, ActionKind.CLEAR, extra)
        case "patch_task_instance" if extra.get("new_state"):
            yield _action(event, ActionKind.MARK, extra, state=extra["new_state"])
        case "patch_task_group_instances" if extra.get("new_state"):
            group = {"group": extra["group_id"]}
            yield _action(event, ActionKind.MARK, extra, state=extra["new_state"], more=group)
        case name if name in _SEVERAL:
            yield from _SEVERAL[name](event, extra)


def extra_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry of the log holds beside its names."""
    try:
        extra = json.loads(event["extra"] or "{}")
    except (ValueError, RecursionError):
        return {}
    return extra if isinstance(extra, dict) else {}


def _clear_actions(event: Mapping[str, Any], extra: Mapping[str, Any]) -> Iterator[UserAction]:
    # It is noted, too, when somebody is only shown what would be cleared.
    runs = extra.get("dag_runs") if extra.get("dry_run") is False else None
    for run in runs or ():
        named = _target_of(event, run)
        if _ALL not in named.values():
            yield _action({**event, **named}, ActionKind.CLEAR, extra)


def _of_many(event: Mapping[str, Any], extra: Mapping[str, Any]) -> Iterator[UserAction]:
    named_by = "task_id" if event["event"] == "bulk_task_instances" else "dag_run_id"
    for action in extra.get("actions") or ():
        for entity in action.get("entities") or ():
            target = entity if isinstance(entity, dict) else {named_by: entity}
            named = _target_of(event, target)
            state = target.get("new_state") or target.get("state")
            if _ALL in named.values():
                continue
            if action.get("action") == "update" and state:
                yield _action({**event, **named}, ActionKind.MARK, target, state=state)
            elif action.get("action") == "delete":
                yield _action({**event, **named}, ActionKind.DELETE)


def _command(extra: Mapping[str, Any]) -> Sequence[str]:
    """The words of a command, which Airflow notes as Python writes their list."""
    try:
        words = ast.literal_eval(str(extra.get("full_command")))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [str(word) for word in words] if isinstance(words, list) else []


def _of_command(event: Mapping[str, Any], extra: Mapping[str, Any]) -> Iterator[UserAction]:
    """What a command does to a DAG that it names; to several, by a pattern, is not followed."""
    command = _command(extra)
    given = {"command": " ".join(["airflow", *command[1:]])}
    match command[1:3]:
        case "dags", "pause":
            yield _action(event, ActionKind.PAUSE, more=given)
        case "dags", "unpause":
            yield _action(event, ActionKind.UNPAUSE, more=given)
        case "backfill", "create" if "--dry-run" not in command:
            yield _action(event, ActionKind.BACKFILL, more=given)
        case "tasks", "clear" if {"-y", "--yes"}.intersection(command):
            # Otherwise it asks first, and nobody knows what was answered.
            yield _action({**event, "task_id": None}, ActionKind.CLEAR, more=given)


_SEVERAL: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[UserAction]]] = {
    "clear_dag_runs": _clear_actions,
    "bulk_dag_runs": _of_many,
    "bulk_task_instances": _of_many,
    **dict.fromkeys(_OF_COMMANDS, _of_command),
}
"""How those are read of which one entry may tell of several actions, or of none."""


def _target_of(event: Mapping[str, Any], entity: Mapping[str, Any]) -> dict[str, Any]:
    """What is meant by one of many, of which the address may say a part."""
    return {
        "dag_id": entity.get("dag_id") or event["dag_id"],
        "run_id": entity.get("dag_run_id") or event["run_id"],
        "task_id": entity.get("task_id"),
    }


def _action(
    event: Mapping[str, Any],
    kind: ActionKind,
    extra: Mapping[str, Any] | None = None,
    *,
    state: str | None = None,
    tasks: list[str] | None = None,
    more: Mapping[str, str] | None = None,
) -> UserAction:
    if not tasks and event["task_id"]:
        tasks = [event["task_id"]]
    details = extra or {}
    return UserAction(
        id=event["event_log_id"],
        at=datetime.fromisoformat(event["when"]),
        by=event["owner"] or "unknown",
        kind=kind,
        dag_id=event["dag_id"] or "",
        run_id=event["run_id"],
        tasks=tuple(tasks or ()),
        state=state,
        note=details.get("note") or None,
        reach=frozenset(one for one in Reach if details.get(f"include_{one}") is True),
        more=more or {},
    )


def marks_as(event: Mapping[str, Any], *states: str) -> bool:
    """Whether an entry of the log marks a run or a task as one of these."""
    if event["event"] not in _MARKS:
        return False
    extra = extra_of(event)
    return extra.get("state") in states or extra.get("new_state") in states


def mark_of(action: UserAction, task_id: str | None, *states: str) -> bool:
    """Whether an action marks its run, or a task of that, as one of these states."""
    is_mark = action.kind == ActionKind.MARK and action.state in states
    return is_mark and (not action.tasks or task_id in (None, *action.tasks))


def pauses(event: Mapping[str, Any]) -> bool:
    """Whether it pauses a DAG."""
    extra = extra_of(event)
    if event["event"] == "cli_dag_pause":
        return _command(extra)[1:3] == ["dags", "pause"]
    return event["event"] == "patch_dag" and extra.get("is_paused") is True


def trouble(event: Mapping[str, Any]) -> str:
    """What the executor said, where it said something, and else what the scheduler did."""
    extra = str(event["extra"] or event["event"])
    return extra.partition("Extra info: ")[2] or extra
