"""Matters: on their boards and in a list, each with its steps, and what is done to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import queries, responses, urls
from api_bridge.console.form_data import Posted, text, texts
from api_bridge.console.queries import Page, Text
from api_bridge.console.views import conflicts
from api_bridge.console.views import matters as matter_views
from api_bridge.deps import Member, Viewer
from api_bridge.routing import Router
from automations.domain.matters import Lane, Matter, MatterDetail, MatterTemplate, number_text
from automations.domain.principals import Principal
from automations.domain.statuses import MatterStatus, MatterStepStatus
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit.values import Errors
from automations.ports import NewMatter
from automations.services.access import members
from automations.services.events import events
from automations.services.matters import boards, matters
from automations.services.workflows import uses

ROOT = "/console/matters"
router = Router(prefix=ROOT, tags=["matters"])

_MAX_CARDS = 30
"""Of a lane: the list has all of them."""
_MAX_BULK = 100


@router.get("")
def show_board(request: Request, caller: Viewer, board: Text = "") -> Response:
    """A board with the matters on it; the first one unless another is asked for."""
    listed = boards.list_all(caller.workspace_id)
    busiest = max(listed, key=lambda item: item[1], default=None)
    shown = board or (busiest[0].id if busiest else "")
    template: MatterTemplate | None = None
    lanes: Sequence[Lane] = ()
    done: Sequence[Matter] = ()
    if shown:
        template, lanes = boards.lanes(caller.workspace_id, shown, _MAX_CARDS)
        done, _ = matters.page(
            caller.workspace_id,
            status=MatterStatus.COMPLETED,
            template_id=shown,
            number=1,
            size=_MAX_CARDS // 3,
        )
    return responses.page(
        request,
        "matters.html",
        caller,
        boards=listed,
        template=template,
        lanes=lanes,
        done=done,
        uses=uses.of_ids(caller.workspace_id, [shown]).get(shown, ()) if shown else (),
        number=number_text,
    )


@router.get("/list")
def show_list(
    request: Request, caller: Viewer, board: Text = "", status: Text = "", page: Page = 1
) -> Response:
    """All matters, newest first."""
    chosen_status = queries.choice(MatterStatus, "status", status)
    page_matters, total = matters.page(
        caller.workspace_id,
        status=chosen_status,
        template_id=board or None,
        number=page,
        size=queries.PAGE_SIZE,
    )
    return responses.page(
        request,
        "matter_list.html",
        caller,
        rows=page_matters,
        names=boards.names(caller.workspace_id),
        people=_people(caller),
        board=board,
        status=status,
        statuses=list(MatterStatus),
        number=number_text,
        following=queries.page_url(request, page + 1) if page * queries.PAGE_SIZE < total else None,
        is_first=page == 1,
    )


@router.get("/new")
def show_new(request: Request, caller: Member, board: Text = "") -> Response:
    """What a new matter is about."""
    return _new(request, caller, {"board": board})


@router.post("/new")
def create(request: Request, caller: Member, form: Posted) -> Response:
    """Create a matter with its board's steps."""
    try:
        fields = matter_views.read_fields(form)
        if not text(form, "board"):
            raise ValidationFailed({"board": ["choose one"]})
        created = matters.create(
            caller,
            NewMatter(
                template_id=text(form, "board"),
                title=fields["title"],
                tags=tuple(fields["tags"]),
                priority=fields["priority"],
                assignee_id=fields["assignee_id"],
                properties=fields["properties"],
            ),
        )
    except ValidationFailed as error:
        return _new(request, caller, form, matter_views.wrong(error))
    return responses.redirect(f"{ROOT}/{created.matter.id}", "matter.made")


@router.post("/move")
def move(caller: Member, form: Posted) -> Response:
    """Complete the step that a card is in, or move the chosen ones to a step of the board."""
    then = urls.safe(text(form, "next", ROOT))
    single = text(form, "advance")
    chosen = [single] if single else texts(form, "matter")
    if not 0 < len(chosen) <= _MAX_BULK:
        raise ValidationFailed({"matter": [f"choose 1 to {_MAX_BULK} matters"]})
    refused: Errors = {}
    for choice in chosen:
        matter_id, _, step_id = choice.partition(":")
        try:
            if single or text(form, "act") == "advance":
                matters.advance(caller, matter_id, step_id or None)
            else:
                lane_id, workspace_id = text(form, "step"), caller.workspace_id
                matters.go_to_lane(workspace_id, matter_id, lane_id, step_id or None)
        except (Conflict, NotFound) as error:
            refused[_label(caller, matter_id)] = [error.message]
    if refused:
        done = len(chosen) - len(refused)
        raise ValidationFailed(refused, f"{done} of {len(chosen)} matters were moved.")
    return responses.redirect(then, "matter.moved")


@router.get("/{matter_id}")
def show(request: Request, caller: Viewer, matter_id: str) -> Response:
    """One matter with its steps, its data, and what it has started."""
    return _page(request, caller, matters.get(caller.workspace_id, matter_id))


@router.post("/{matter_id}")
def change(request: Request, caller: Member, matter_id: str, form: Posted) -> Response:
    """Change those fields that were newly typed, if they still are as they were shown."""
    detail = matters.get(caller.workspace_id, matter_id)
    new: Mapping[str, Any] = {}
    seen: Mapping[str, str] = {}
    try:
        new, seen = matter_views.read_changes(form, detail)
        if new:
            matters.update(caller.workspace_id, matter_id, new, seen)
    except ValidationFailed as error:
        return _page(request, caller, detail, form, matter_views.wrong(error))
    except Conflict as error:
        fresh = matters.get(caller.workspace_id, matter_id)
        problems = {
            "": [error.message],
            **matter_views.current_values(fresh, seen, _people(caller)),
        }
        return _page(request, caller, fresh, form, problems, new)
    return responses.redirect(f"{ROOT}/{matter_id}", "matter.changed" if new else None)


@router.post("/{matter_id}/act")
def act(caller: Member, matter_id: str, form: Posted) -> Response:
    """Complete or reject a step, or go to it."""
    matters.get(caller.workspace_id, matter_id)
    what, _, step_id = text(form, "do").partition(":")
    if what == "complete":
        matters.complete(caller, matter_id, step_id)
    elif what == "reject":
        matters.reject(caller, matter_id, step_id)
    elif what == "goto":
        current = text(form, "from") or None
        matters.go_to(caller.workspace_id, matter_id, step_id, current)
    else:
        raise ValidationFailed({"do": ["must be complete, reject or goto, and a step"]})
    return responses.redirect(f"{ROOT}/{matter_id}", f"matter.{what}")


@router.post("/{matter_id}/cancel")
def cancel(caller: Member, matter_id: str, form: Posted) -> Response:
    """Cancel a matter; it stays readable."""
    matters.cancel(caller.workspace_id, matter_id)
    return responses.redirect(f"{ROOT}/{matter_id}", "matter.cancelled")


def _label(caller: Principal, matter_id: str) -> str:
    try:
        return number_text(matters.get(caller.workspace_id, matter_id).matter.number)
    except NotFound:
        return matter_id


def _people(caller: Principal) -> dict[str, str]:
    return {member.id: member.name for member in members.list_all(caller.workspace_id)}


def _new(
    request: Request,
    caller: Principal,
    typed: FormData | dict[str, str],
    problems: Errors | None = None,
) -> Response:
    return responses.page(
        request,
        "matter_new.html",
        caller,
        400 if problems else 200,
        boards=boards.list_all(caller.workspace_id),
        typed={name: value for name, value in typed.items() if isinstance(value, str)},
        people=_people(caller),
        priorities=matter_views.PRIORITIES,
        problems=problems or {},
    )


def _page(
    request: Request,
    caller: Principal,
    detail: MatterDetail,
    form: FormData | None = None,
    problems: Errors | None = None,
    anew: Collection[str] | None = None,
) -> Response:
    matter = detail.matter
    typed, marks = matter_views.refill_inputs(detail, form, anew)
    maker, _, run_id = matter.created_by.partition(":")
    return responses.page(
        request,
        "matter.html",
        caller,
        conflicts.status(problems),
        detail=detail,
        matter=matter,
        typed=typed,
        marks=marks,
        board=boards.names(caller.workspace_id).get(matter.template_id, ""),
        people=_people(caller),
        priorities=matter_views.PRIORITIES,
        consequences=events.of_matter(caller.workspace_id, matter.id),
        run_id=run_id if maker == "run" else "",
        pending=MatterStepStatus.PENDING,
        number=number_text,
        problems=problems or {},
    )
