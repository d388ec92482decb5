"""Runs: the list of them, each with what happened in it, and what is done to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from fastapi import Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from api_bridge.console import live, queries, responses, urls
from api_bridge.console.form_data import Posted, text, texts
from api_bridge.console.views import run_pages
from api_bridge.console.views.typed_values import json_of
from api_bridge.deps import Member, Viewer
from api_bridge.downloads import download
from api_bridge.routing import Router
from api_bridge.server.threads import in_thread
from api_bridge.views import runs as run_views
from automations.domain.principals import Principal
from automations.domain.runs import RunFilter, RunStory, TriggerType
from automations.domain.statuses import RunStatus
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit.storable import showable
from automations.kit.values import JSON
from automations.services.runs import browsing, cancellations, reading, replays
from automations.services.waits import decisions, inbox
from automations.services.workflows import overviews, uses

ROOT = "/console/runs"
router = Router(prefix=ROOT, tags=["runs"])

TRIGGER_TYPES: tuple[TriggerType, ...] = get_args(TriggerType)
_MAX_BULK = 100
_STREAM = "text/event-stream"


class RunQuery(BaseModel):
    """What the address of the list asks for; empty texts ask for nothing."""

    workflow: str = Field("", max_length=500)
    status: str = Field("", max_length=500)
    trigger: str = Field("", max_length=500)
    since: str = Field("", max_length=500)
    cursor: str = Field("", max_length=500)
    size: Literal["", "25", "100"] = ""


@router.get("")
def show_list(request: Request, caller: Viewer, asked: Annotated[RunQuery, Query()]) -> Response:
    """Runs of all automations, newest first."""
    if asked.trigger and asked.trigger not in TRIGGER_TYPES:
        raise ValidationFailed({"trigger": [f"must be one of {', '.join(TRIGGER_TYPES)}"]})
    criteria = RunFilter(
        queries.choice(RunStatus, "status", asked.status),
        queries.parse_since(asked.since),
        None,
        next((kind for kind in TRIGGER_TYPES if kind == asked.trigger), None),
    )
    size = int(asked.size or queries.PAGE_SIZE)
    page, following = browsing.page_after(
        caller.workspace_id, asked.workflow or None, criteria, asked.cursor or None, size
    )
    return responses.page(
        request,
        "runs.html",
        caller,
        rows=page,
        workflow=asked.workflow,
        status=asked.status,
        trigger=asked.trigger,
        since=asked.since,
        names=queries.offered(overviews.names(caller.workspace_id), asked.workflow),
        statuses=list(RunStatus),
        trigger_types=TRIGGER_TYPES,
        periods=list(queries.PERIODS),
        size=asked.size,
        wider=queries.with_size(request, _MAX_BULK) if following and size < _MAX_BULK else None,
        following=queries.following(request, following),
        is_first=not asked.cursor,
    )


@router.post("/bulk")
def act_on_many(request: Request, caller: Member, form: Posted) -> Response:
    """Retry or cancel the runs that were chosen; those that cannot be are told."""
    acts: dict[str, Callable[[Principal, str], None]] = {"retry": _retry, "cancel": _cancel}
    act, chosen = acts.get(text(form, "act")), texts(form, "run")
    if act is None or not chosen:
        raise ValidationFailed({"run": ["choose one run at least, and what is done with them"]})
    if len(chosen) > _MAX_BULK:
        raise ValidationFailed({"run": [f"choose {_MAX_BULK} at most at once"]})
    refused: dict[str, list[str]] = {}
    for run_id in chosen:
        try:
            act(caller, run_id)
        except (Conflict, NotFound) as error:
            refused[run_id] = [error.message]
    if refused:
        done = len(chosen) - len(refused)
        raise ValidationFailed(refused, f"{done} of {len(chosen)} runs were changed.")
    then = urls.safe(text(form, "next", ROOT))
    return responses.redirect(then, f"runs.{text(form, 'act')}")


@router.get("/{run_id}")
def show(request: Request, caller: Viewer, run_id: str) -> Response:
    """One run: its flow, when what happened, and what it has made."""
    story = browsing.story(caller.workspace_id, run_id)
    return responses.page(
        request,
        "run.html",
        caller,
        stamp=browsing.stamps([run_id]).get(run_id, ""),
        asked=next(iter(inbox.list_open(caller, run_id)), None),
        **_context(story, caller),
    )


@router.get("/{run_id}/export")
def export(caller: Viewer, run_id: str) -> Response:
    """A run with its full state, as a file."""
    workflow_id = browsing.automation_of(caller.workspace_id, run_id)
    shown = run_views.run_detail(reading.detail(caller.workspace_id, workflow_id, run_id))
    content = json.dumps(showable(shown), indent=2, ensure_ascii=False).encode()
    return download(f"run-{run_id}.json", content, "application/json")


@router.get("/{run_id}/stream")
async def follow(request: Request, caller: Viewer, run_id: str) -> Response:
    """Tell of the run's changes as they come."""
    await in_thread(browsing.automation_of, caller.workspace_id, run_id)
    stamp = (await in_thread(browsing.stamps, [run_id])).get(run_id, "")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if _STREAM not in request.headers.get("accept", ""):
        return Response(live.event(stamp), headers=headers, media_type=_STREAM)
    live.watch().check(caller)
    changes = live.changes(caller, run_id, stamp)
    return StreamingResponse(changes, headers=headers, media_type=_STREAM)


@router.get("/{run_id}/steps/{node_id}")
def show_step(request: Request, caller: Viewer, run_id: str, node_id: str) -> Response:
    """One step of a run: what it was told, given and has put out."""
    story = browsing.story(caller.workspace_id, run_id)
    step = run_pages.step(story, node_id)
    if step is None:
        raise NotFound(f"There is no step {node_id} in this run.")
    return responses.page(request, "run_step.html", caller, step=step, **_context(story, caller))


@router.post("/{run_id}/cancel")
def cancel(caller: Member, run_id: str, form: Posted) -> Response:
    """Cancel a run, with those that it has started."""
    _cancel(caller, run_id)
    return responses.redirect(f"{ROOT}/{run_id}", "runs.cancel")


@router.post("/{run_id}/retry")
def retry(caller: Member, run_id: str, form: Posted) -> Response:
    """Let a failed run go on from the step that failed, by its own or the newest version."""
    workflow_id = browsing.automation_of(caller.workspace_id, run_id)
    latest = text(form, "version") == "latest"
    replays.retry(caller.workspace_id, workflow_id, run_id, latest=latest)
    return responses.redirect(f"{ROOT}/{run_id}", "runs.retry")


@router.post("/{run_id}/replay")
def replay(caller: Member, run_id: str, form: Posted) -> Response:
    """Start a new run with the same input."""
    workflow_id = browsing.automation_of(caller.workspace_id, run_id)
    replayed = replays.replay(caller, workflow_id, run_id)
    return responses.redirect(f"{ROOT}/{replayed.id}", "run.replayed")


@router.post("/{run_id}/resume")
def resume(caller: Member, run_id: str, form: Posted) -> Response:
    """End what a run waits for, or be one of those who do."""
    browsing.automation_of(caller.workspace_id, run_id)
    decision = text(form, "decision") or None
    decisions.resume(caller, run_id, decision=decision, data=_data(text(form, "data")))
    notice = f"run.{decision}" if decision in ("approved", "rejected") else "run.resumed"
    return responses.redirect(urls.safe(text(form, "next", f"{ROOT}/{run_id}")), notice)


def _context(story: RunStory, caller: Principal) -> dict[str, Any]:
    return run_pages.build_context(
        story, caller, uses.names_in(caller.workspace_id, story.definition)
    )


def _retry(caller: Principal, run_id: str) -> None:
    workflow_id = browsing.automation_of(caller.workspace_id, run_id)
    replays.retry(caller.workspace_id, workflow_id, run_id)


def _cancel(caller: Principal, run_id: str) -> None:
    workflow_id = browsing.automation_of(caller.workspace_id, run_id)
    cancellations.cancel(caller, workflow_id, run_id)


def _data(written: str) -> JSON:
    return json_of(written, "data") if written.strip() else None
